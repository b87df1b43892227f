/* SPDX-License-Identifier: MIT */
/*
 * Floor 5: `mpbpf check`: what the process that tries the features hands from one to the next, and what each tells.
 *
 * The features are tried by a child process in network and mount namespaces and a cgroup of its own, with an instance of
 * the data path that is pinned nowhere. Whatever it makes ends with it; only the cgroup is the parent's to remove.
 */
#ifndef MPBPF_LOADER_CHECK_H
#define MPBPF_LOADER_CHECK_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/config.h"
#include "core/maps.h"
#include "loader/commands.h"

struct mpbpf;
struct bpf_program;

#define CHECK_DETAIL_MAX 384
#define CHECK_IO_MS 2000  /* an answer that takes longer never comes */
#define CHECK_QUIET_MS 40 /* nothing came for so long: nothing comes */
#define CHECK_TOKEN "mpbpf-check"
#define CHECK_BEARER "Authorization: Bearer " CHECK_TOKEN "\r\n"
#define CHECK_FREE "/free"	      /* a path that needs no token */
#define CHECK_DENIED "203.0.113.0/24" /* TEST-NET-3 (RFC 5737) */

enum check_feature {
	CHECK_BTF,
	CHECK_BPFFS,
	CHECK_CGROUP2,
	CHECK_XDP_LOAD,
	CHECK_XDP_VERDICT,
	CHECK_XDP_NATIVE,
	CHECK_XDP_SKB,
	CHECK_GUARD_LOAD,
	CHECK_GUARD_ATTACH,
	CHECK_GUARD_REPLY,
	CHECK_HELPER_CHANNEL,
	CHECK_PASS_BACKPRESSURE,
	CHECK_PARTIAL_SEND,
	CHECK_DENY_ORDER,
	CHECK_CLOSE,
	CHECK_MEMBARRIER,
	CHECK_VERSION,
	CHECK_FIONREAD,
	CHECK_TCP_BPF_IOCTL,
	CHECK_SPLICE,
	CHECK_TCP_WALK,
	CHECK_SLEEPABLE_LOCK,
	CHECK_SK_LOOKUP,
	CHECK_CAPTURE,
	CHECK_FAST_PATH,
	CHECK_MAX
};

#define CHECK_ALL ((1U << CHECK_MAX) - 1)

enum check_part { CHECK_PART_XDP = 1 << 0, CHECK_PART_GUARD = 1 << 1 };

/* One data path in the kernel, not pinned. */
struct check_instance {
	struct mpbpf *object;
	struct config *config;
	struct maps maps;
};

#define CHECK_INSTANCE_EMPTY { .maps = MAPS_EMPTY }

struct check {
	const struct context *context;
	char cgroup[PATH_MAX]; /* its own, not yet made; "": cgroup_error says why there can be none */
	int cgroup_error;
	bool mounts_private; /* what is mounted here is seen by few: system_mounts_private() */
	struct check_instance xdp, guard;
	bool veth;    /* the pair of interfaces was made */
	int listener; /* of the service that is guarded, on 127.0.0.1 */
	uint16_t port;
	char detail[CHECK_DETAIL_MAX];
};

#define CHECK_EMPTY { .xdp = CHECK_INSTANCE_EMPTY, .guard = CHECK_INSTANCE_EMPTY, .listener = -1 }

/* A row of the table: what it is called, what it is for, and how it is tried. */
struct check_row {
	const char *name;
	unsigned int part;   /* enum check_part: what does not work without it; 0: neither */
	uint32_t needs;	     /* 1 << enum check_feature: what must have worked before */
	const char *instead; /* what mpbpf does without it, or what is lost */
	int (*run)(struct check *c);
};

/* In the order of enum check_feature. */
extern const struct check_row check_rows[CHECK_MAX];

/* What the child tells of one feature, in one write to the pipe. */
struct check_result {
	uint32_t feature; /* CHECK_MAX: the child could not begin, detail says why */
	bool tried;	  /* false: what it needs has failed */
	bool ok;
	char detail[CHECK_DETAIL_MAX];
};

/* Tries what is wanted (1 << feature), in this process, which is then good for nothing else; results go to `fd`. */
void check_run(struct check *c, uint32_t wanted, int fd);

/* What was shown. Returns 0, what a step that worked returns. */
__attribute__((format(printf, 2, 3))) int check_ok(struct check *c, const char *format, ...);
/* What went wrong. Returns -EIO, what a step that failed returns. */
__attribute__((format(printf, 2, 3))) int check_fail(struct check *c, const char *format, ...);

/* Loads the XDP program, or with `l7` all others, into small maps, and puts a policy in force. 0, or check_fail(). */
int check_instance_load(struct check *c, bool l7, struct check_instance *ret);
/* Loads one program, or with NULL all that guarding needs. 0, or check_fail(). */
int check_object_load(struct check *c, struct mpbpf *object, const struct bpf_program *only);

/*
 * The steps. Each returns check_ok() or check_fail(), waits for nothing longer than a few seconds, and leaves alone what
 * those before it have made.
 */
int check_btf(struct check *c);
int check_bpffs(struct check *c);
int check_cgroup2(struct check *c);
int check_membarrier(struct check *c);
int check_version(struct check *c);
int check_xdp_load(struct check *c);
int check_xdp_verdict(struct check *c);
int check_xdp_native(struct check *c);
int check_xdp_skb(struct check *c);
int check_guard_load(struct check *c);
int check_guard_attach(struct check *c);
int check_guard_reply(struct check *c);
int check_close(struct check *c);
int check_helper_channel(struct check *c);
int check_deny_order(struct check *c);
int check_pass_backpressure(struct check *c);
int check_partial_send(struct check *c);
int check_fionread(struct check *c);
int check_tcp_bpf_ioctl(struct check *c);
int check_splice(struct check *c);
int check_tcp_walk(struct check *c);
int check_sleepable_lock(struct check *c);
int check_sk_lookup(struct check *c);
int check_capture(struct check *c);
int check_fast_path(struct check *c);

#endif
