// SPDX-License-Identifier: MIT
/* Floor 5: the table of features, and the child process that tries them one after the other. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/mount.h>

#include "loader/check.h"
#include "loader/check_net.h"

#define LAST_RESORT_S 60

#define NEED(feature) (1U << (feature))
#define BOTH (CHECK_PART_XDP | CHECK_PART_GUARD)
/* Mounts a file system or makes interfaces. */
#define MAKES_THINGS (NEED(CHECK_BPFFS) | NEED(CHECK_XDP_NATIVE) | NEED(CHECK_XDP_SKB))

#define NO_XDP "no L3/L4 protection: `mpbpf load` fails"
#define NO_GUARD "no listener can be guarded: `mpbpf load` refuses them; L3/L4 protection loads"

const struct check_row check_rows[CHECK_MAX] = {
	[CHECK_BTF] = { "btf", BOTH, 0, "programs cannot be fitted to this kernel: `mpbpf load` fails", check_btf },
	[CHECK_BPFFS] = { "bpffs", BOTH, 0, "nothing can stay loaded: `mpbpf load` fails", check_bpffs },
	[CHECK_CGROUP2] = { "cgroup2", CHECK_PART_GUARD, 0, NO_GUARD, check_cgroup2 },
	[CHECK_XDP_LOAD] = { "xdp_load", CHECK_PART_XDP, NEED(CHECK_BTF), NO_XDP, check_xdp_load },
	[CHECK_XDP_VERDICT] = { "xdp_verdict", CHECK_PART_XDP, NEED(CHECK_XDP_LOAD), NO_XDP, check_xdp_verdict },
	[CHECK_XDP_NATIVE] = { "xdp_native", 0, NEED(CHECK_XDP_VERDICT),
			       "the slower skb mode, and that is said (here on veth; real drivers may differ)",
			       check_xdp_native },
	[CHECK_XDP_SKB] = { "xdp_skb", CHECK_PART_XDP, NEED(CHECK_XDP_VERDICT),
			    "no protection of interfaces whose driver lacks native XDP", check_xdp_skb },
	[CHECK_GUARD_LOAD] = { "guard_load", CHECK_PART_GUARD, NEED(CHECK_BTF), NO_GUARD, check_guard_load },
	[CHECK_GUARD_ATTACH] = { "guard_attach", CHECK_PART_GUARD, NEED(CHECK_GUARD_LOAD) | NEED(CHECK_CGROUP2),
				 NO_GUARD, check_guard_attach },
	[CHECK_GUARD_REPLY] = { "guard_reply", CHECK_PART_GUARD, NEED(CHECK_GUARD_ATTACH),
				"the kernel cannot deny requests: do not guard listeners here", check_guard_reply },
	[CHECK_HELPER_CHANNEL] = { "helper_channel", CHECK_PART_GUARD, NEED(CHECK_GUARD_ATTACH),
				   "what the kernel does not decide is never decided: do not guard listeners here",
				   check_helper_channel },
	[CHECK_PASS_BACKPRESSURE] = { "pass_backpressure", CHECK_PART_GUARD, NEED(CHECK_GUARD_ATTACH),
				      "allowed requests would lose data, or take memory without bound: do not guard "
				      "listeners here",
				      check_pass_backpressure },
	[CHECK_PARTIAL_SEND] = { "partial_send", CHECK_PART_GUARD, NEED(CHECK_GUARD_ATTACH),
				 "answers would be corrupted, so `mpbpf load` refuses listeners; L3/L4 protection loads. "
				 "Missing: commit 3b4f14b79428 (bpf, sockmap: fix duplicated data transmission), in "
				 "Linux 6.1.142, 6.6.94, 6.12.34, 6.15 and later",
				 check_partial_send },
	[CHECK_DENY_ORDER] = { "deny_order", CHECK_PART_GUARD, NEED(CHECK_HELPER_CHANNEL),
			       "a denial could cut into a response: do not guard listeners here", check_deny_order },
	[CHECK_CLOSE] = { "close", CHECK_PART_GUARD, NEED(CHECK_GUARD_ATTACH),
			  "denied connections stay open (CONFIG_INET_DIAG_DESTROY): do not guard listeners here",
			  check_close },
	[CHECK_MEMBARRIER] = { "membarrier", 0, 0,
			       "a reload waits 0.1 s for the last program under the old policy, twice",
			       check_membarrier },
	[CHECK_VERSION] = { "version", 0, 0, "partial_send decides, the version only explains", check_version },
	[CHECK_FIONREAD] = { "fionread", 0, NEED(CHECK_HELPER_CHANNEL),
			     "nothing: a guarded service that asks FIONREAD for waiting bytes, as nginx does, is told fewer and "
			     "may wait for ever; recv() and poll() are right",
			     check_fionread },
	[CHECK_TCP_BPF_IOCTL] = { "tcp_bpf_ioctl", 0, NEED(CHECK_BTF),
				  "kprobes on tcp_ioctl() add it to what FIONREAD tells (the kernel logs that it "
				  "writes to user memory); `fionread` shows whether that works",
				  check_tcp_bpf_ioctl },
	[CHECK_SPLICE] = { "splice", 0, NEED(CHECK_GUARD_ATTACH),
			   "nothing: a service that splices from its sockets cannot be guarded; one that reads can",
			   check_splice },
	[CHECK_TCP_WALK] = { "tcp_walk", 0, NEED(CHECK_BTF),
			     "nothing: a service that polls may be told again and again, for clients.head_timeout_s, of the "
			     "beginning of a head that came before it accepted the connection",
			     check_tcp_walk },
	[CHECK_SLEEPABLE_LOCK] = { "sleepable_lock", 0, NEED(CHECK_BTF),
				   "connections are changed by a program that never sleeps, on every kernel",
				   check_sleepable_lock },
	[CHECK_SK_LOOKUP] = { "sk_lookup", 0, NEED(CHECK_BTF),
			      "connections of gateways are relayed by mpbpfd, all of them", check_sk_lookup },
	[CHECK_CAPTURE] = { "capture", 0, NEED(CHECK_BTF) | NEED(CHECK_CGROUP2),
			    "nothing: a configuration with a listener whose mode is capture is refused",
			    check_capture },
	[CHECK_FAST_PATH] = { "fast_path", 0, NEED(CHECK_GUARD_REPLY),
			      "all goes by TCP, but for listeners whose fast_path is on", check_fast_path },
};

int check_ok(struct check *c, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(c->detail, sizeof(c->detail), format, args);
	va_end(args);
	return 0;
}

int check_fail(struct check *c, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(c->detail, sizeof(c->detail), format, args);
	va_end(args);
	return -EIO;
}

/*
 * A network of its own, so that no interface of the machine is touched, and mounts that nobody else sees. What tries nothing
 * but connections within the host can do without both: a service manager may have forbidden them.
 */
static int enter_namespaces(struct check *c, uint32_t wanted)
{
	int r;

	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0)
		return errno == EPERM && !(wanted & MAKES_THINGS)
			       ? 0
			       : check_fail(c, "a network namespace of its own: %s", strerror(errno));
	if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return check_fail(c, "a mount namespace of its own: %s", strerror(errno));
	r = net_up("lo");
	return r < 0 ? check_fail(c, "the loopback interface: %s", strerror(-r)) : 0;
}

static void tell(int fd, struct check_result *result, const char *detail)
{
	snprintf(result->detail, sizeof(result->detail), "%s", detail);
	/* Without a reader there is nothing left to do. */
	if (write(fd, result, sizeof(*result)) != sizeof(*result))
		_exit(1);
}

/* The first feature that this one needs and that did not work, or CHECK_MAX. */
static enum check_feature missing(const struct check_row *row, uint32_t worked)
{
	uint32_t missed = row->needs & ~worked;

	return missed ? __builtin_ctz(missed) : CHECK_MAX;
}

static void try_one(struct check *c, int fd, enum check_feature feature, uint32_t *worked)
{
	const struct check_row *row = &check_rows[feature];
	enum check_feature needed = missing(row, *worked);
	struct check_result result = { .feature = feature, .tried = needed == CHECK_MAX };

	if (!result.tried) {
		check_fail(c, "not tried, for %s failed", check_rows[needed].name);
	} else {
		c->detail[0] = '\0';
		result.ok = row->run(c) == 0;
	}
	if (result.ok)
		*worked |= NEED(feature);
	tell(fd, &result, c->detail);
}

void check_run(struct check *c, uint32_t wanted, int fd)
{
	struct check_result failed = { .feature = CHECK_MAX };
	uint32_t worked = 0;

	/* The parent looks after the time; this is for the case that it is gone. */
	alarm(LAST_RESORT_S);
	if (enter_namespaces(c, wanted) < 0) {
		tell(fd, &failed, c->detail);
		return;
	}
	for (enum check_feature feature = 0; feature < CHECK_MAX; feature++)
		if (wanted & NEED(feature))
			try_one(c, fd, feature, &worked);
}
