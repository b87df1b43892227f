// SPDX-License-Identifier: MIT
/* Floor 3: builds the keys and values of the policy maps from a configuration. */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <arpa/inet.h>

#include "core/policy_keys.h"

#define NSEC_PER_MSEC 1000000ULL

uint32_t generation_next(uint32_t generation)
{
	/* UINT32_MAX is odd: 1 would share its slot. */
	return generation == UINT32_MAX ? 2 : generation + 1;
}

void policy_of(const struct config *config, uint32_t generation, struct policy *ret)
{
	*ret = (struct policy){
		.generation = generation,
		.rate_mode = config->rate_limit.enabled ? config->rate_limit.mode : RATE_OFF,
		.window_ns = config->rate_limit.window_ms * NSEC_PER_MSEC,
		.packets = config->rate_limit.packets,
		.drop_invalid = config->ddos.drop_invalid,
		.has_deny = config->ddos.n_deny > 0,
		.has_allow = config->ddos.n_allow > 0,
	};
}

void cidr_key_of(const struct cidr *cidr, enum cidr_list list, uint32_t generation, struct cidr_key *ret)
{
	*ret = (struct cidr_key){
		.prefixlen =
			8 * (offsetof(struct cidr_key, addr) - offsetof(struct cidr_key, generation)) + cidr->prefix,
		.generation = generation,
		.list = list,
		.addr = cidr->addr,
	};
}

/* What lets the kernel pass over the look-up of paths that cannot be exempt: their first characters. */
static uint64_t exempt_first(const struct auth_config *auth)
{
	uint64_t bits = 0;
	size_t i;

	for (i = 0; i < auth->n_exempt_paths; i++)
		bits |= auth->exempt_paths[i][1] ? 1ULL << (auth->exempt_paths[i][1] & 63) : UINT64_MAX;
	return bits;
}

void listener_of(const struct config *config, size_t i, uint32_t generation, struct listener_key *ret_key,
		 struct listener *ret)
{
	const struct listener_config *listener = &config->listeners[i];
	const struct auth_config *auth;
	uint16_t number;

	auth = config_auth(config, i, &number);
	*ret_key = (struct listener_key){ .generation = generation, .port = htons(listener->port) };
	if (!listener->any)
		ret_key->addr = listener->address;
	*ret = (struct listener){
		.index = i,
		.auth = number,
		.flags = (auth->require_auth ? LISTENER_REQUIRE_AUTH : 0) |
			 (auth->n_exempt_paths ? LISTENER_HAS_EXEMPT : 0),
		.exempt_first = exempt_first(auth),
	};
}

static void path_key_of(const char *path, size_t bytes, uint16_t auth, uint32_t generation, struct path_key *ret)
{
	*ret = (struct path_key){
		.prefixlen = 8 * (offsetof(struct path_key, path) - offsetof(struct path_key, generation) + bytes),
		.generation = generation,
		.auth = auth,
		.kind = PATH_EXEMPT,
	};
	memcpy(ret->path, path, bytes);
}

int path_keys_of(const char *path, uint16_t auth, uint32_t generation, struct path_key ret[2])
{
	char below[MPBPF_PATH_KEY] = "";
	size_t len = strlen(path);

	if (len + 1 > MPBPF_PATH_KEY)
		return -ENAMETOOLONG;
	if (!strcmp(path, "/")) {
		path_key_of(path, len, auth, generation, &ret[0]);
		return 1;
	}
	path_key_of(path, len + 1, auth, generation, &ret[0]);
	memcpy(below, path, len);
	below[len] = '/';
	path_key_of(below, len + 1, auth, generation, &ret[1]);
	return 2;
}
