/* SPDX-License-Identifier: MIT */
/*
 * Floor 3: what has been proven of the running kernel since it booted, kept in /run/mpbpf so that it need not be proven at each
 * load. The next boot, another kernel and another version of what was tried know nothing of it.
 */
#ifndef MPBPF_CORE_PROOF_H
#define MPBPF_CORE_PROOF_H

#include <stdbool.h>

/* claim: one line, what was proven and by which version. False also when it cannot be read. */
bool proof_known(const char *claim);
/* 0 or -errno. /run/mpbpf must be there. */
int proof_keep(const char *claim);
/* Removes the file, so that nothing is left of mpbpf. */
void proof_forget(void);

#endif
