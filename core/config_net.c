/* SPDX-License-Identifier: MIT */
/* Floor 3: addresses and networks of the configuration; IPv4 is mapped into IPv6 (RFC 4291, section 2.5.5.2). */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "core/config_internal.h"

static const struct addr v4_prefix = { .b = { [10] = 0xff, [11] = 0xff } };

static bool is_v4(const struct addr *addr)
{
	return !memcmp(addr, &v4_prefix, 12);
}

/* *ret_v4: as it was written, not what it maps to. */
static bool parse_addr(const char *text, struct addr *ret, bool *ret_v4)
{
	struct addr addr = v4_prefix;

	*ret_v4 = inet_pton(AF_INET, text, addr.b + 12) == 1;
	if (!*ret_v4 && inet_pton(AF_INET6, text, addr.b) != 1)
		return false;
	*ret = addr;
	return true;
}

/* "::" stays `any`; "0.0.0.0" is any IPv4 address only. */
int read_address(struct reader *r, const cJSON *item, const struct rule *rule, void *base)
{
	static const struct addr zero;
	struct listener_config *listener = base;
	bool v4;

	if (!cJSON_IsString(item) || !parse_addr(item->valuestring, &listener->address, &v4))
		return reader_refuse(r, item, rule);
	listener->any = !memcmp(&listener->address, &zero, sizeof(zero));
	return 0;
}

static void mask(struct addr *addr, unsigned int prefix)
{
	unsigned int bit;

	for (bit = prefix; bit < 128; bit++)
		addr->b[bit / 8] &= ~(0x80 >> bit % 8);
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

static bool parse_cidr(const char *text, struct cidr *ret, bool *ret_v4)
{
	char address[INET6_ADDRSTRLEN];
	size_t len = strcspn(text, "/");
	unsigned int prefix;

	if (len >= sizeof(address))
		return false;
	memcpy(address, text, len);
	address[len] = '\0';
	if (!parse_addr(address, &ret->addr, ret_v4))
		return false;
	prefix = *ret_v4 ? 32 : 128;
	if (text[len] == '/' && !parse_prefix(text + len + 1, prefix, &prefix))
		return false;
	ret->prefix = *ret_v4 ? 96 + prefix : prefix;
	return true;
}

/* Names the network that was meant, in the family that it was written in. */
static int host_bits(struct reader *r, const cJSON *item, const struct rule *rule, const struct cidr *network, bool v4)
{
	char text[INET6_ADDRSTRLEN];

	inet_ntop(v4 ? AF_INET : AF_INET6, network->addr.b + (v4 ? 12 : 0), text, sizeof(text));
	return reader_fail(r, show_item(item, rule).text, "a network address, perhaps %s/%u", text,
			   network->prefix - (v4 ? 96 : 0));
}

struct cidrs {
	struct cidr **list;
	size_t *n;
};

static int add_cidr(struct reader *r, const struct cidrs *to, const struct cidr *cidr)
{
	if (++r->n_cidrs > MPBPF_CIDRS_MAX)
		return reader_fail(r, "(one too many)", "at most %d networks in ddos.deny and ddos.allow together",
				   MPBPF_CIDRS_MAX);
	if (array_grow(to->list, *to->n, sizeof(**to->list)) < 0)
		return reader_nomem(r);
	(*to->list)[(*to->n)++] = *cidr;
	return 0;
}

/* Whoever writes "::/0" means IPv6. Every network between it and ::ffff:0:0/96 leaves its other half. */
static int add_around_v4(struct reader *r, const struct cidrs *to, unsigned int prefix)
{
	for (; prefix < 96; prefix++) {
		struct cidr half = { .addr = v4_prefix, .prefix = prefix + 1 };
		int err;

		half.addr.b[prefix / 8] ^= 0x80 >> prefix % 8;
		mask(&half.addr, prefix + 1);
		err = add_cidr(r, to, &half);
		if (err < 0)
			return err;
	}
	return 0;
}

static int read_cidr(struct reader *r, const cJSON *item, const struct rule *rule, const struct cidrs *to)
{
	struct addr covered = v4_prefix;
	struct cidr cidr, network;
	bool v4;

	if (!cJSON_IsString(item) || !parse_cidr(item->valuestring, &cidr, &v4))
		return reader_fail(r, show_item(item, rule).text,
				   "an IPv4 or IPv6 network such as 203.0.113.0/24 or 2001:db8::/32");
	network = cidr;
	mask(&network.addr, network.prefix);
	if (memcmp(&network.addr, &cidr.addr, sizeof(cidr.addr)))
		return host_bits(r, item, rule, &network, v4);
	mask(&covered, cidr.prefix);
	if (!is_v4(&cidr.addr) && !memcmp(&covered, &cidr.addr, sizeof(covered)))
		return add_around_v4(r, to, cidr.prefix);
	return add_cidr(r, to, &cidr);
}

int read_cidrs(struct reader *r, const cJSON *item, const struct rule *rule, void *base)
{
	struct cidrs to = {
		.list = (struct cidr **)((char *)base + rule->offset),
		.n = (size_t *)((char *)base + rule->count),
	};
	const cJSON *child;
	size_t i = 0;

	if (!cJSON_IsArray(item))
		return reader_refuse(r, item, rule);
	cJSON_ArrayForEach(child, item) {
		size_t before = path_index(r, i++);
		int err = read_cidr(r, child, rule, &to);

		if (err < 0)
			return err;
		path_restore(r, before);
	}
	return 0;
}
