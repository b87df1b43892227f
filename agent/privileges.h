/* SPDX-License-Identifier: MIT */
/* Floor 5: giving up what serving does not need. */
#ifndef MPBPF_AGENT_PRIVILEGES_H
#define MPBPF_AGENT_PRIVILEGES_H

/* Before secrets are read: no core dumps of them, no debugger, no files for others. */
void privileges_prepare(void);
/* Once all is open: the few capabilities that are left cannot be added to, by no exec either. 0 or -errno. */
int privileges_drop(void);
/* The same for the porter, see agent/porter.h. */
int privileges_drop_porter(void);

#endif
