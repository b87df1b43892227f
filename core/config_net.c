/* SPDX-License-Identifier: MIT */
/* Floor 3: addresses and networks of the configuration. */
#include <errno.h>
#include <string.h>

#include "core/cidr.h"
#include "core/config_internal.h"

/* "::" stays `any`; "0.0.0.0" is any IPv4 address only. */
int read_address(struct reader *r, const cJSON *item, const struct rule *rule, void *base)
{
	static const struct addr zero;
	struct listener_config *listener = base;
	bool v4;

	if (!cJSON_IsString(item) || !cidr_parse_address(item->valuestring, &listener->address, &v4))
		return reader_refuse(r, item, rule);
	listener->any = !memcmp(&listener->address, &zero, sizeof(zero));
	return 0;
}

/* Names the network that was meant, in the family that it was written in. */
static int host_bits(struct reader *r, const cJSON *item, const struct rule *rule, const struct cidr *network, bool v4)
{
	char text[CIDR_TEXT_MAX];

	return reader_fail(r, show_item(item, rule).text, "a network address, perhaps %s",
			   cidr_text(network, v4, text));
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
		struct cidr half = { .addr = cidr_v4, .prefix = prefix + 1 };
		int err;

		half.addr.b[prefix / 8] ^= 0x80 >> prefix % 8;
		cidr_mask(&half.addr, prefix + 1);
		err = add_cidr(r, to, &half);
		if (err < 0)
			return err;
	}
	return 0;
}

/* As it was written, host bits zero. */
static int network_parse(struct reader *r, const cJSON *item, const struct rule *rule, struct cidr *ret)
{
	struct cidr cidr, network;
	bool v4;

	if (!cJSON_IsString(item) || !cidr_parse(item->valuestring, &cidr, &v4))
		return reader_fail(r, show_item(item, rule).text,
				   "an IPv4 or IPv6 network such as 203.0.113.0/24 or 2001:db8::/32");
	network = cidr;
	cidr_mask(&network.addr, network.prefix);
	if (memcmp(&network.addr, &cidr.addr, sizeof(cidr.addr)))
		return host_bits(r, item, rule, &network, v4);
	*ret = cidr;
	return 0;
}

int read_network(struct reader *r, const cJSON *item, const struct rule *rule, void *base)
{
	return network_parse(r, item, rule, (struct cidr *)((char *)base + rule->offset));
}

static int read_cidr(struct reader *r, const cJSON *item, const struct rule *rule, const struct cidrs *to)
{
	struct addr covered = cidr_v4;
	struct cidr cidr;
	int err;

	err = network_parse(r, item, rule, &cidr);
	if (err < 0)
		return err;
	cidr_mask(&covered, cidr.prefix);
	if (!cidr_is_v4(&cidr.addr) && !memcmp(&covered, &cidr.addr, sizeof(covered)))
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
