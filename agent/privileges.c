// SPDX-License-Identifier: MIT
/*
 * Floor 5: keeps three capabilities and drops the rest for good. The user stays 0, so that the runtime directory and
 * files of root stay readable without another account.
 *
 *	CAP_BPF			writing verdicts and policy, running conn_update
 *	CAP_NET_ADMIN		closing a connection (SOCK_DESTROY), the helper's socket into its map, XDP onto an
 *				interface that came back
 *	CAP_DAC_READ_SEARCH	reload: configuration and secrets that belong to others than root
 */
#include <errno.h>
#include <cap-ng.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "agent/privileges.h"

void privileges_prepare(void)
{
	umask(0077);
	prctl(PR_SET_DUMPABLE, 0);
}

int privileges_drop(void)
{
	capng_clear(CAPNG_SELECT_ALL);
	if (capng_updatev(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_BPF, CAP_NET_ADMIN, CAP_DAC_READ_SEARCH,
			  -1))
		return -EINVAL;
	if (capng_apply(CAPNG_SELECT_ALL))
		return -EPERM;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return 0;
}
