// SPDX-License-Identifier: MIT
/* Floor 3: hosts as requests and routes name them, in one spelling. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/host.h"

/* Nothing, or ':' and a port. RFC 3986 lets it be empty. */
static bool is_port(const char *text)
{
	size_t len = strspn(text + !!*text, "0123456789");

	if (!*text)
		return true;
	return *text == ':' && !text[1 + len] && len <= 5 && strtoul(text + 1, NULL, 10) <= 65535;
}

/* "[2001:db8::1]:80", or the address alone as a configuration may write it. */
static int literal_normalize(const char *text, size_t len, char ret[HOST_MAX])
{
	char address[INET6_ADDRSTRLEN];
	struct in6_addr addr;

	if (len >= sizeof(address))
		return -EINVAL;
	memcpy(address, text, len);
	address[len] = '\0';
	if (inet_pton(AF_INET6, address, &addr) != 1)
		return -EINVAL;
	return inet_ntop(AF_INET6, &addr, ret, HOST_MAX) ? 0 : -EINVAL;
}

/* Labels of letters, digits, '-' and '_', none of them empty. An IPv4 address is four such labels. */
static int name_normalize(const char *text, size_t len, char ret[HOST_MAX])
{
	char out[HOST_MAX];
	size_t i;

	if (len && text[len - 1] == '.')
		len--;
	if (!len || len >= HOST_MAX)
		return -EINVAL;
	for (i = 0; i < len; i++) {
		char c = text[i], lower = c | 0x20;

		if (c == '.' ? !i || text[i - 1] == '.' || i + 1 == len
			     : !(lower >= 'a' && lower <= 'z') && !(c >= '0' && c <= '9') && c != '-' && c != '_')
			return -EINVAL;
		out[i] = c >= 'A' && c <= 'Z' ? lower : c;
	}
	memcpy(ret, out, len);
	ret[len] = '\0';
	return 0;
}

int host_normalize(const char *text, char ret[HOST_MAX])
{
	const char *end = strchr(text, ']'), *colon = strchr(text, ':');
	size_t len;

	if (text[0] == '[')
		return end && is_port(end + 1) ? literal_normalize(text + 1, end - text - 1, ret) : -EINVAL;
	if (colon && strchr(colon + 1, ':'))
		return literal_normalize(text, strlen(text), ret);
	len = strcspn(text, ":");
	return is_port(text + len) ? name_normalize(text, len, ret) : -EINVAL;
}

int host_pattern(const char *text, char ret[HOST_MAX])
{
	char name[HOST_MAX];

	if (!strcmp(text, "*")) {
		ret[0] = '\0';
		return HOST_ANY;
	}
	if (strncmp(text, "*.", 2))
		return host_normalize(text, ret) < 0 ? -EINVAL : HOST_EXACT;
	if (host_normalize(text + 2, name) < 0 || strchr(name, ':') || strlen(name) + 1 >= HOST_MAX)
		return -EINVAL;
	ret[0] = '.';
	strcpy(ret + 1, name);
	return HOST_WILDCARD;
}

bool host_matches(enum host_kind kind, const char *pattern, const char *host)
{
	size_t n = strlen(pattern), len = strlen(host);

	switch (kind) {
	case HOST_EXACT: return !strcmp(host, pattern);
	case HOST_WILDCARD: return len > n && !strcmp(host + len - n, pattern);
	case HOST_ANY: break;
	}
	return true;
}
