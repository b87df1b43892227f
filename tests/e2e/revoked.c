// SPDX-License-Identifier: MIT
/*
 * Test tool: revocations of tokens that nobody has, until there is no room for more.
 *
 *   revoked PATH		fills the map that is pinned there
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <bpf/bpf.h>

#include "mpbpf/abi.h"

#define BATCH 4096

static int fill(int map, uint32_t room)
{
	static struct revocation_key keys[BATCH];
	static struct revocation values[BATCH];
	int r = 0;

	for (uint32_t done = 0; r == 0 && done < room; done += BATCH) {
		uint32_t n = BATCH;

		for (uint32_t i = 0; i < BATCH; i++) {
			keys[i] = (struct revocation_key){ .kind = REVOKED_TOKEN, .hash = 0x77ULL << 56 | (done + i) };
			values[i] = (struct revocation){ .expires = INT64_MAX };
		}
		r = bpf_map_update_batch(map, keys, values, &n, NULL);
	}
	return r == -E2BIG ? 0 : r;
}

int main(int argc, char **argv)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);
	int map, r;

	if (argc != 2) {
		fprintf(stderr, "usage: revoked PATH\n");
		return 2;
	}
	r = map = bpf_obj_get(argv[1]);
	if (r >= 0)
		r = bpf_obj_get_info_by_fd(map, &info, &len);
	if (r == 0)
		r = fill(map, info.max_entries);
	if (r < 0)
		fprintf(stderr, "revoked: %s: %s\n", argv[1], strerror(-r));
	return r < 0;
}
