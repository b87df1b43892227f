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

#define LAST_RESORT_S 25

#define NEED(feature) (1U << (feature))
#define BOTH (CHECK_PART_XDP | CHECK_PART_GUARD)

const struct check_row check_rows[CHECK_MAX] = {
	[CHECK_BTF] = { "btf", BOTH, 0, "programs cannot be fitted to this kernel", check_btf },
	[CHECK_BPFFS] = { "bpffs", BOTH, 0, "nothing can stay loaded", check_bpffs },
	[CHECK_CGROUP2] = { "cgroup2", CHECK_PART_GUARD, 0, "no service can be guarded", check_cgroup2 },
	[CHECK_XDP_LOAD] = { "xdp_load", CHECK_PART_XDP, NEED(CHECK_BTF), "no L3/L4 protection", check_xdp_load },
	[CHECK_XDP_VERDICT] = { "xdp_verdict", CHECK_PART_XDP, NEED(CHECK_XDP_LOAD), "no L3/L4 protection",
				check_xdp_verdict },
	[CHECK_XDP_NATIVE] = { "xdp_native", 0, NEED(CHECK_XDP_VERDICT),
			       "only the slower skb mode (can do without; real drivers may differ)", check_xdp_native },
	[CHECK_XDP_SKB] = { "xdp_skb", CHECK_PART_XDP, NEED(CHECK_XDP_VERDICT),
			    "no protection of interfaces whose driver lacks native XDP", check_xdp_skb },
	[CHECK_GUARD_LOAD] = { "guard_load", CHECK_PART_GUARD, NEED(CHECK_BTF), "no listener can be guarded",
			       check_guard_load },
	[CHECK_GUARD_ATTACH] = { "guard_attach", CHECK_PART_GUARD, NEED(CHECK_GUARD_LOAD) | NEED(CHECK_CGROUP2),
				 "no listener can be guarded", check_guard_attach },
	[CHECK_GUARD_REPLY] = { "guard_reply", CHECK_PART_GUARD, NEED(CHECK_GUARD_ATTACH),
				"the kernel cannot deny requests", check_guard_reply },
	[CHECK_HELPER_CHANNEL] = { "helper_channel", CHECK_PART_GUARD, NEED(CHECK_GUARD_ATTACH),
				   "what the kernel does not decide is never decided", check_helper_channel },
	[CHECK_PASS_BACKPRESSURE] = { "pass_backpressure", CHECK_PART_GUARD, NEED(CHECK_GUARD_ATTACH),
				      "allowed requests would lose data, or take memory without bound",
				      check_pass_backpressure },
	[CHECK_PARTIAL_SEND] = { "partial_send", CHECK_PART_GUARD, NEED(CHECK_GUARD_ATTACH),
				 "responses would be corrupted; a kernel with commit 3b4f14b79428 is needed",
				 check_partial_send },
	[CHECK_DENY_ORDER] = { "deny_order", CHECK_PART_GUARD, NEED(CHECK_HELPER_CHANNEL),
			       "a denial could cut into a response", check_deny_order },
	[CHECK_CLOSE] = { "close", CHECK_PART_GUARD, NEED(CHECK_GUARD_ATTACH),
			  "denied connections stay open (CONFIG_INET_DIAG_DESTROY)", check_close },
	[CHECK_MEMBARRIER] = { "membarrier", 0, 0, "a new policy takes 0.1 s longer (can do without)",
			       check_membarrier },
	[CHECK_VERSION] = { "version", CHECK_PART_GUARD, 0, "`mpbpf load` refuses listeners on it", check_version },
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

/* A network of its own, so that no interface of the machine is touched, and mounts that nobody else sees. */
static int enter_namespaces(struct check *c)
{
	int r;

	if (unshare(CLONE_NEWNET | CLONE_NEWNS) < 0)
		return check_fail(c, "a network namespace of its own: %s", strerror(errno));
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

void check_run(struct check *c, int fd)
{
	struct check_result failed = { .feature = CHECK_MAX };
	uint32_t worked = 0;

	/* The parent looks after the time; this is for the case that it is gone. */
	alarm(LAST_RESORT_S);
	if (enter_namespaces(c) < 0) {
		tell(fd, &failed, c->detail);
		return;
	}
	for (enum check_feature feature = 0; feature < CHECK_MAX; feature++)
		try_one(c, fd, feature, &worked);
}
