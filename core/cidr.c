// SPDX-License-Identifier: MIT
/* Floor 3: addresses and networks as text; IPv4 is mapped into IPv6 (RFC 4291, section 2.5.5.2). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>

#include "core/cidr.h"

const struct addr cidr_v4 = { .b = { [10] = 0xff, [11] = 0xff } };

bool cidr_is_v4(const struct addr *addr)
{
	return !memcmp(addr, &cidr_v4, 12);
}

bool cidr_parse_address(const char *text, struct addr *ret, bool *ret_v4)
{
	struct addr addr = cidr_v4;
	bool v4 = inet_pton(AF_INET, text, addr.b + 12) == 1;

	if (!v4 && inet_pton(AF_INET6, text, addr.b) != 1)
		return false;
	*ret = addr;
	if (ret_v4)
		*ret_v4 = v4;
	return true;
}

void cidr_mask(struct addr *addr, unsigned int prefix)
{
	unsigned int byte = prefix / 8;

	if (byte >= sizeof(addr->b))
		return;
	addr->b[byte] &= 0xff << (8 - prefix % 8);
	memset(addr->b + byte + 1, 0, sizeof(addr->b) - byte - 1);
}

bool cidr_covers(const struct cidr *cidr, const struct addr *addr)
{
	unsigned int bytes = cidr->prefix / 8, bits = cidr->prefix % 8;

	if (cidr_is_v4(addr) && cidr->prefix < 96)
		return false;
	if (memcmp(addr, &cidr->addr, bytes))
		return false;
	return !bits || !((addr->b[bytes] ^ cidr->addr.b[bytes]) >> (8 - bits));
}

/* Decimal without sign or leading zeros, at most max. */
static bool parse_prefix(const char *text, unsigned int max, unsigned int *ret)
{
	size_t len = strspn(text, "0123456789");
	unsigned long value = strtoul(text, NULL, 10);

	if (!len || len > 3 || text[len] || (text[0] == '0' && len > 1) || value > max)
		return false;
	*ret = value;
	return true;
}

bool cidr_parse(const char *text, struct cidr *ret, bool *ret_v4)
{
	char address[INET6_ADDRSTRLEN];
	size_t len = strcspn(text, "/");
	unsigned int prefix;

	if (len >= sizeof(address))
		return false;
	memcpy(address, text, len);
	address[len] = '\0';
	if (!cidr_parse_address(address, &ret->addr, ret_v4))
		return false;
	prefix = *ret_v4 ? 32 : 128;
	if (text[len] == '/' && !parse_prefix(text + len + 1, prefix, &prefix))
		return false;
	ret->prefix = *ret_v4 ? 96 + prefix : prefix;
	return true;
}

const char *cidr_text(const struct cidr *cidr, bool v4, char ret[CIDR_TEXT_MAX])
{
	char text[INET6_ADDRSTRLEN];

	inet_ntop(v4 ? AF_INET : AF_INET6, cidr->addr.b + (v4 ? 12 : 0), text, sizeof(text));
	snprintf(ret, CIDR_TEXT_MAX, "%s/%u", text, cidr->prefix - (v4 ? 96 : 0));
	return ret;
}
