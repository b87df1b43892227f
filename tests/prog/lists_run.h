/* SPDX-License-Identifier: MIT */
/* Tests: a pin root that is as core/lists wants it, on a bpffs that goes with this process. */
#ifndef MPBPF_TESTS_LISTS_RUN_H
#define MPBPF_TESTS_LISTS_RUN_H

#include "core/maps.h"
#include "xdp_run.h"

struct lists_run {
	struct xdp_run xdp;
	struct maps maps;
	char pin_root[64];
};

/* Loads, mounts and maps, or ends the test program. */
void lists_run_open(struct lists_run *run);
void lists_run_close(struct lists_run *run);

#endif
