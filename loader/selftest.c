// SPDX-License-Identifier: MIT
/* Floor 5: the part of `mpbpf check` that decides whether listeners may be guarded, run at the first load after a boot. */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "core/kernel.h"
#include "core/proof.h"
#include "loader/check_watch.h"
#include "loader/selftest.h"
#include "loader/version.h"

#define CLAIM_FAST "mpbpf " MPBPF_VERSION ": partial_send, fast_path"
#define CLAIM "mpbpf " MPBPF_VERSION ": partial_send, no fast_path"
/* A machine that is busy booting may be too slow once. */
#define TRIES 3

#define WANTED                                                                                       \
	(1U << CHECK_BTF | 1U << CHECK_CGROUP2 | 1U << CHECK_GUARD_LOAD | 1U << CHECK_GUARD_ATTACH | \
	 1U << CHECK_GUARD_REPLY | 1U << CHECK_PARTIAL_SEND | 1U << CHECK_FAST_PATH)

/* One run. *ret is the outcome, and *ret_fast; -EINTR or another -errno: there is none, and c->detail says why. */
static int run(const char *cgroup, struct check *c, struct check_result *ret, bool *ret_fast)
{
	struct check_watch watch = { .wanted = WANTED };
	struct context context = {};
	sigset_t set, before;
	int r;

	snprintf(context.cgroup, sizeof(context.cgroup), "%s", cgroup);
	c->context = &context;
	check_signals(&set);
	sigprocmask(SIG_BLOCK, &set, &before);
	r = check_watch(&watch, c);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (r < 0 && r != -ECANCELED)
		snprintf(c->detail, sizeof(c->detail), "%s", strerror(-r));
	for (enum check_feature i = 0; r == 0 && i < CHECK_PARTIAL_SEND; i++)
		if ((WANTED & 1U << i) && !watch.results[i].ok && watch.results[i].tried)
			snprintf(c->detail, sizeof(c->detail), "%s: %s", check_rows[i].name, watch.results[i].detail);
	*ret = watch.results[CHECK_PARTIAL_SEND];
	*ret_fast = watch.results[CHECK_FAST_PATH].ok;
	return r;
}

/* Nothing is proven either way: the version is all there is to go by. */
static int decide_by_version(const char *why, char *ret_note, size_t size)
{
	char version[32] = "";
	const char *fault = kernel_running_fault(version, sizeof(version));

	if (fault) {
		snprintf(ret_note, size, "Linux %s: %s, and whether this one does could not be tried (%s)", version,
			 fault, why);
		return -EOPNOTSUPP;
	}
	snprintf(ret_note, size,
		 "whether this kernel's sockmap keeps data whole could not be tried (%s); nothing is known "
		 "against Linux %s",
		 why, version);
	return 0;
}

int selftest_sockmap(const char *cgroup, bool *ret_fast, char *ret_note, size_t size)
{
	struct check_result result = {};

	ret_note[0] = '\0';
	*ret_fast = proof_known(CLAIM_FAST);
	if (*ret_fast || proof_known(CLAIM))
		return 0;
	for (unsigned int i = 0; i < TRIES && !(result.ok && *ret_fast); i++) {
		static struct check check;
		int r;

		check = (struct check)CHECK_EMPTY;
		r = run(cgroup, &check, &result, ret_fast);
		if (r == -EINTR)
			return r;
		if (r < 0 || !result.tried)
			return decide_by_version(check.detail, ret_note, size);
	}
	if (!result.ok) {
		snprintf(ret_note, size, "%s: %s", result.detail, check_rows[CHECK_PARTIAL_SEND].instead);
		return -EOPNOTSUPP;
	}
	/* Unwritten, it is proven again at the next load. */
	proof_keep(*ret_fast ? CLAIM_FAST : CLAIM);
	return 0;
}
