/* SPDX-License-Identifier: MIT */
/* Floor 5: loading a data path as a whole or not at all, and taking it away. Logs what it does and why it cannot. */
#ifndef MPBPF_LOADER_DATAPATH_H
#define MPBPF_LOADER_DATAPATH_H

#include <stdbool.h>
#include <stddef.h>

#include "core/config.h"
#include "core/runtime.h"
#include "loader/attach.h"

struct load_request {
	const char *pin_root;	 /* absolute, as path_resolve() gives it */
	const char *cgroup;	 /* a directory on cgroup2 */
	const char *config_path; /* absolute; NULL: built-in defaults */
	const char *const *ifaces;
	size_t n_ifaces; /* 1 to RUNTIME_IFACES_MAX */
	enum xdp_mode mode;
};

struct load_report {
	bool l7;   /* listeners can be guarded */
	bool fast; /* and bytes were proven to go past TCP whole (selftest.h) */
	struct runtime_facts facts;
};

/* Is a data path published at this pin root? */
bool datapath_is_loaded(const char *pin_root);
/* With listeners, or able to get them by reload? */
bool datapath_has_l7(const char *pin_root);

/*
 * datapath_load - runtime: locked. Interrupting signals are to be blocked by the caller: one that is pending makes
 * the load fail.
 *
 * Returns 0, or -errno after logging; then nothing is attached or pinned, and datapath_forget() takes the rest away.
 */
int datapath_load(const struct load_request *request, const struct config *config, const struct runtime *runtime,
		  struct load_report *ret);

/*
 * datapath_unload - stops the agent, closes guarded connections, detaches and unpins everything; runtime: locked,
 * removed
 *
 * Goes on where an unload or a load that was killed has stopped. Returns 0; -ENOENT: there was nothing; -errno after
 * logging.
 */
int datapath_unload(const char *pin_root, struct runtime *runtime);

/* Removes the runtime directory, and the mount that a load made. runtime: locked. 0 or -errno. */
int datapath_forget(struct runtime *runtime);

/* Has the user asked to stop (SIGINT, SIGTERM or SIGHUP, blocked and pending)? */
bool interrupted(void);
/* Blocks those signals. */
void interrupts_block(void);

#endif
