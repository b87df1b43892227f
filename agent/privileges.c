// SPDX-License-Identifier: MIT
/*
 * Floor 5: keeps four capabilities and drops the rest for good. The user stays 0, so that the runtime directory and
 * files of root stay readable without another account.
 *
 *	CAP_BPF			writing verdicts and policy, running conn_update
 *	CAP_NET_ADMIN		closing a connection (SOCK_DESTROY), the helper's socket into its map, XDP onto an
 *				interface that came back
 *	CAP_NET_BIND_SERVICE	a reload that adds a gateway's listener below port 1024
 *	CAP_DAC_READ_SEARCH	reload: configuration and secrets that belong to others than root
 *
 * The porter, a process apart that holds no secret and talks to nobody but this one, keeps others:
 *
 *	CAP_SYS_ADMIN		setns(2) into a network namespace
 *	CAP_SYS_PTRACE		a look at the namespaces of processes that have other rights or users
 *	CAP_NET_ADMIN		a socket is good for SOCK_DESTROY only if who opened it might do that itself
 */
#include <errno.h>
#include <stdbool.h>
#include <cap-ng.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "agent/privileges.h"

#define DESCRIPTORS_MAX 1048576 /* fs.nr_open, unless somebody changed it */

/* Each relayed connection takes two, and more while bytes are under way. Less than asked for is no reason not to serve. */
static void descriptors_raise(void)
{
	struct rlimit limit = { .rlim_cur = DESCRIPTORS_MAX, .rlim_max = DESCRIPTORS_MAX };

	if (setrlimit(RLIMIT_NOFILE, &limit) == 0 || getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

void privileges_prepare(void)
{
	umask(0077);
	prctl(PR_SET_DUMPABLE, 0);
	descriptors_raise();
}

/* Keeps what was added to libcap-ng's state. */
static int drop_others(void)
{
	if (capng_apply(CAPNG_SELECT_ALL))
		return -EPERM;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

int privileges_drop(void)
{
	/* A unit that does not grant it has no gateways on such ports. */
	bool binds = capng_get_caps_process() == 0 && capng_have_capability(CAPNG_PERMITTED, CAP_NET_BIND_SERVICE);

	capng_clear(CAPNG_SELECT_ALL);
	if (capng_updatev(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_BPF, CAP_NET_ADMIN, CAP_DAC_READ_SEARCH,
			  -1))
		return -EINVAL;
	if (binds && capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_BIND_SERVICE))
		return -EINVAL;
	return drop_others();
}

int privileges_drop_porter(void)
{
	/* Without it namespaces that have a name, or processes with no more rights than the porter, are found. */
	bool sees = capng_get_caps_process() == 0 && capng_have_capability(CAPNG_PERMITTED, CAP_SYS_PTRACE);

	capng_clear(CAPNG_SELECT_ALL);
	if (capng_updatev(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_SYS_ADMIN, CAP_NET_ADMIN, -1))
		return -EINVAL;
	if (sees && capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_SYS_PTRACE))
		return -EINVAL;
	return drop_others();
}
