/* SPDX-License-Identifier: MIT */
/* Floor 3: waiting until no program runs any more that was running. */
#ifndef MPBPF_CORE_GRACE_H
#define MPBPF_CORE_GRACE_H

void grace_wait(void);

#endif
