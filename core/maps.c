// SPDX-License-Identifier: MIT
/*
 * Floor 3: opens the maps of one data path by name, from their pins or from an object, and maps those into memory that are
 * changed in place.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "core/maps.h"
#include "core/pins.h"
#include "core/util.h"

const char *const map_names[MAP_MAX] = {
	[MAP_CONTROL] = "control",
	[MAP_POLICIES] = "policies",
	[MAP_CIDRS] = "cidrs",
	[MAP_SOURCES] = "sources",
	[MAP_OFFENDERS] = "offenders",
	[MAP_BANS] = "bans",
	[MAP_XDP_STATS] = "xdp_stats",
	[MAP_LISTENERS] = "listeners",
	[MAP_PATHS] = "paths",
	[MAP_LIMITS] = "limits",
	[MAP_BUCKETS] = "buckets",
	[MAP_VERDICTS] = "verdicts",
	[MAP_REVOCATIONS] = "revocations",
	[MAP_SOCKETS] = "sockets",
	[MAP_CONNS] = "conns",
	[MAP_CLIENT_SOCKETS] = "client_sockets",
	[MAP_FAST_CLIENTS] = "fast_clients",
	[MAP_FAST_SYNS] = "fast_syns",
	[MAP_FAST_PAIRS] = "fast_pairs",
	[MAP_HELPER] = "helper",
	[MAP_SINK] = "sink",
	[MAP_TARGET] = "target",
	[MAP_ASKS] = "asks",
	[MAP_REQUEST_STATS] = "request_stats",
	[MAP_METRICS] = "metrics",
	[MAP_NAMES] = "names",
	[MAP_HOSTS] = "hosts",
	[MAP_HEADERS] = "headers",
	[MAP_PIECES] = "pieces",
	[MAP_LISTS4] = "lists4",
	[MAP_LISTS6] = "lists6",
	[MAP_LIST_LENGTHS] = "list_lengths",
	[MAP_LIST_REASONS] = "list_reasons",
	[MAP_RULES] = "rules",
	[MAP_OVERRIDES] = "overrides",
	[MAP_EVENTS] = "events",
	[MAP_EVENT_GATES] = "event_gates",
	[MAP_QUOTAS] = "quotas",
	[MAP_RULE_NAMES] = "rule_names",
	[MAP_RULE_STATS] = "rule_stats",
	[MAP_SYN_PORTS] = "syn_ports",
	[MAP_SYN_LINKS] = "syn_links",
	[MAP_SYN_STATE] = "syn_state",
	[MAP_ARRIVALS] = "arrivals",
	[MAP_OPENERS] = "openers",
	[MAP_OPENINGS] = "openings",
	[MAP_FLOWS] = "flows",
	[MAP_PROTOCOL_RULES] = "protocol_rules",
	[MAP_RULE_COUNTS] = "rule_counts",
	[MAP_GATEWAYS] = "gateways",
	[MAP_STEERS] = "steers",
	[MAP_CLUSTERS] = "clusters",
	[MAP_ENDPOINTS] = "endpoints",
	[MAP_BACKENDS] = "backends",
	[MAP_SEARCHES] = "searches",
	[MAP_STEER_STATS] = "steer_stats",
	[MAP_CAPTURE_CGROUPS] = "capture_cgroups",
	[MAP_CAPTURE_NETS] = "capture_nets",
	[MAP_CAPTURES] = "captures",
	[MAP_CAPTURE_ENDS] = "capture_ends",
	[MAP_RELAYS] = "relays",
	[MAP_RELAY_SOCKETS] = "relay_sockets",
	[MAP_OWN_PLACES] = "own_places",
	[MAP_CAPTURED] = "captured",
	[MAP_RELAYED] = "relayed",
	[MAP_CAPTURE_STATS] = "capture_stats",
};

#define CLUSTERS_SIZE (2 * MPBPF_STEER_CLUSTERS * sizeof(struct steer_cluster))

void maps_close(struct maps *maps)
{
	if (maps->control)
		munmap(maps->control, sizeof(*maps->control));
	if (maps->clusters)
		munmap(maps->clusters, CLUSTERS_SIZE);
	maps->control = NULL;
	maps->clusters = NULL;
	for (size_t i = 0; i < MAP_MAX; i++)
		close_fd(&maps->fd[i]);
}

static int share(int fd, size_t size, void *ret)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		return -errno;
	*(void **)ret = p;
	return 0;
}

/* A control map of another size belongs to another ABI; its pages must not be read as ours. */
static int control_map(struct maps *maps)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);
	int r;

	r = bpf_obj_get_info_by_fd(maps->fd[MAP_CONTROL], &info, &len);
	if (r < 0)
		return r;
	if (info.value_size != sizeof(struct control))
		return -EPROTO;
	return share(maps->fd[MAP_CONTROL], sizeof(*maps->control), &maps->control);
}

/* `control` comes first: whatever else differs under another ABI is reported as that. */
int maps_open(const char *pin_root, struct maps *ret)
{
	_cleanup_(maps_close) struct maps maps = MAPS_EMPTY;
	char path[PIN_PATH_MAX];
	int r;

	for (size_t i = 0; i < MAP_MAX; i++) {
		r = pins_path(path, pin_root, "maps", map_names[i]);
		if (r < 0)
			return r;
		maps.fd[i] = bpf_obj_get(path);
		if (maps.fd[i] < 0)
			return maps.fd[i];
		if (i != MAP_CONTROL)
			continue;
		r = control_map(&maps);
		if (r < 0)
			return r;
		if (maps.control->abi != MPBPF_ABI_VERSION)
			return -EPROTO;
	}
	r = share(maps.fd[MAP_CLUSTERS], CLUSTERS_SIZE, &maps.clusters);
	if (r < 0)
		return r;
	*ret = maps;
	maps = (struct maps)MAPS_EMPTY;
	return 0;
}

int maps_of_object(const struct bpf_object *object, struct maps *ret)
{
	_cleanup_(maps_close) struct maps maps = MAPS_EMPTY;
	int r;

	for (size_t i = 0; i < MAP_MAX; i++) {
		r = bpf_object__find_map_fd_by_name(object, map_names[i]);
		if (r < 0)
			return r;
		maps.fd[i] = fcntl(r, F_DUPFD_CLOEXEC, 3);
		if (maps.fd[i] < 0)
			return -errno;
	}
	r = control_map(&maps);
	if (r == 0)
		r = share(maps.fd[MAP_CLUSTERS], CLUSTERS_SIZE, &maps.clusters);
	if (r < 0)
		return r;
	*ret = maps;
	maps = (struct maps)MAPS_EMPTY;
	return 0;
}
