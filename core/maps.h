/* SPDX-License-Identifier: MIT */
/* Floor 3: the maps of one data path, by name. */
#ifndef MPBPF_CORE_MAPS_H
#define MPBPF_CORE_MAPS_H

#include <stdint.h>
#include <linux/types.h>
#include <linux/bpf.h>

#include "mpbpf/abi.h"
#include "mpbpf/steer.h"

struct bpf_object;

enum map_id {
	MAP_CONTROL,
	MAP_POLICIES,
	MAP_CIDRS,
	MAP_LISTS4,
	MAP_LISTS6,
	MAP_LIST_LENGTHS,
	MAP_LIST_REASONS,
	MAP_SOURCES,
	MAP_RULES,
	MAP_OVERRIDES,
	MAP_QUOTAS,
	MAP_RULE_NAMES,
	MAP_RULE_STATS,
	MAP_EVENTS,
	MAP_EVENT_GATES,
	MAP_OFFENDERS,
	MAP_BANS,
	MAP_XDP_STATS,
	MAP_LISTENERS,
	MAP_PATHS,
	MAP_LIMITS,
	MAP_BUCKETS,
	MAP_VERDICTS,
	MAP_REVOCATIONS,
	MAP_SOCKETS,
	MAP_CONNS,
	MAP_CLIENT_SOCKETS,
	MAP_FAST_CLIENTS,
	MAP_FAST_SYNS,
	MAP_FAST_PAIRS,
	MAP_HELPER,
	MAP_SINK,
	MAP_TARGET,
	MAP_ASKS,
	MAP_REQUEST_STATS,
	MAP_METRICS,
	MAP_NAMES,
	MAP_HOSTS,
	MAP_HEADERS,
	MAP_PIECES,
	MAP_SYN_PORTS,
	MAP_SYN_LINKS,
	MAP_SYN_STATE,
	MAP_ARRIVALS,
	MAP_OPENERS,
	MAP_OPENINGS,
	MAP_FLOWS,
	MAP_PROTOCOL_RULES,
	MAP_RULE_COUNTS,
	MAP_GATEWAYS,
	MAP_STEERS,
	MAP_CLUSTERS,
	MAP_ENDPOINTS,
	MAP_BACKENDS,
	MAP_SEARCHES,
	MAP_STEER_STATS,
	MAP_CAPTURE_CGROUPS,
	MAP_CAPTURE_NETS,
	MAP_CAPTURES,
	MAP_CAPTURE_ENDS,
	MAP_RELAYS,
	MAP_RELAY_SOCKETS,
	MAP_OWN_PLACES,
	MAP_CAPTURED,
	MAP_RELAYED,
	MAP_CAPTURE_STATS,
	MAP_MAX
};

/* Their names in the programs and below PINROOT/maps. */
extern const char *const map_names[MAP_MAX];

struct maps {
	int fd[MAP_MAX];
	/* Shared with the kernel: */
	struct control *control;	/* the control map's only value */
	struct steer_cluster *clusters; /* all of that map */
};

#define MAPS_EMPTY { .fd = { [0 ... MAP_MAX - 1] = -1 } }

/*
 * maps_open - opens every map below PIN_ROOT/maps and maps `control` and `clusters` into memory
 *
 * Returns 0; -ENOENT: nothing is loaded there, or only a part; -EPROTO: loaded by a version with another ABI; -errno.
 * *ret is untouched on failure.
 */
int maps_open(const char *pin_root, struct maps *ret);
/* The same from an object just loaded, whose control.abi is still 0. The object may be closed afterwards. */
int maps_of_object(const struct bpf_object *object, struct maps *ret);
/* For _cleanup_(maps_close). MAPS_EMPTY is fine. */
void maps_close(struct maps *maps);

#endif
