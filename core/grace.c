// SPDX-License-Identifier: MIT
/* Floor 3: waiting until no program runs any more that was running. */
#include <unistd.h>
#include <linux/membarrier.h>
#include <sys/syscall.h>

#include "core/grace.h"

/* Longer than any program runs; for kernels whose nohz_full setting rules membarrier's global command out. */
#define GRACE_USEC 100000

/* MEMBARRIER_CMD_GLOBAL is the kernel's synchronize_rcu(): every program that was running has ended. */
void grace_wait(void)
{
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) < 0)
		usleep(GRACE_USEC);
}
