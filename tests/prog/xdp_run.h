/* SPDX-License-Identifier: MIT */
/*
 * Tests: the program xdp_ingress out of the linked object, loaded alone, never attached or pinned, run on single
 * frames. The object is named by MPBPF_BPF_OBJ; without it the one in the build directory is taken.
 */
#ifndef MPBPF_TESTS_XDP_RUN_H
#define MPBPF_TESTS_XDP_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/types.h>
#include <linux/bpf.h>

#include "mpbpf/abi.h"

#define NO_PROTOCOL (-1) /* the packet has no TCP or UDP payload: no protocol is counted */
#define ALL_LINEAR 0
#define WINDOW_ENDLESS (1ULL << 62) /* ns: window number 0 for 146 years */

/* gRPC's port as the configuration has it by default. */
#define GRPC_PORT 50051
#define GRPC_DEFAULT .grpc_bits = 1ULL << (GRPC_PORT & 63), .grpc_ports = { __builtin_bswap16(GRPC_PORT) }

struct bpf_object;

struct xdp_run {
	struct bpf_object *object;
	int program, control, policies, cidrs, sources, stats;
	struct source_set *sets; /* `sources`, mapped */
	uint32_t n_sets;
	uint32_t generation;
	uint32_t ifindex; /* the interface that frames come in on; 0: loopback of this network namespace */
};

/* Loads, or ends the test program. `max_sources` 0: as the object says. */
void xdp_run_open(struct xdp_run *run, uint32_t max_sources);
void xdp_run_close(struct xdp_run *run);

/* Puts a policy in force as the agent does: the slot of the next generation first, then the generation. */
void xdp_set_policy(struct xdp_run *run, struct policy policy);
/* Adds to the list of the generation that xdp_set_policy() brings next. */
void xdp_add_cidr(struct xdp_run *run, enum cidr_list list, const char *address, unsigned int prefix);
void xdp_write_control(struct xdp_run *run, uint32_t generation);
void xdp_write_policy(struct xdp_run *run, uint32_t slot, const struct policy *policy);

/*
 * The action for a frame of which `linear` bytes are in the linear part, or -errno; the last one when repeated. Kernels
 * before 6.18 cannot choose the linear part (-EINVAL).
 */
int xdp_run_frame(const struct xdp_run *run, const void *bytes, size_t len, size_t linear, uint32_t repeat);
/* ns per packet, as the kernel measures it. */
int xdp_time_frame(const struct xdp_run *run, const void *bytes, size_t len, uint32_t repeat, uint32_t *ret_ns);

/* Summed over the CPUs. */
void xdp_read_stats(const struct xdp_run *run, struct xdp_stats *ret);
struct xdp_stats xdp_stats_since(const struct xdp_run *run, const struct xdp_stats *before);
/* The source's window_count; false: not known. */
bool xdp_read_source(const struct xdp_run *run, const struct source_key *key, uint64_t *ret);
/* false: others have all entries that it might have. */
bool xdp_write_source(const struct xdp_run *run, const struct source_key *key, uint64_t window_count);
/* Bytes that the kernel has locked for a map. */
unsigned long long xdp_map_memory(int fd);
struct source_key source_of(const char *address);

/* Runs once and CHECKs the action and every counter of xdp_stats; `what` names the case. */
bool xdp_expect(const struct xdp_run *run, const void *bytes, size_t len, size_t linear, enum xdp_reason reason,
		int protocol, const char *what);
/* The same for a malformed frame that is dropped, as one of this kind. */
bool xdp_expect_malformed(const struct xdp_run *run, const void *bytes, size_t len, enum malformed kind,
			  const char *what);

#endif
