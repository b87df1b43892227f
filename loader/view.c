// SPDX-License-Identifier: MIT
/* Floor 5: looks at a loaded data path: its links, listeners, agent and policy. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <cjson/cJSON.h>

#include "core/capture.h"
#include "core/clock.h"
#include "core/pins.h"
#include "core/runtime.h"
#include "core/util.h"
#include "loader/capturing.h"
#include "loader/datapath.h"
#include "loader/log.h"
#include "loader/relink.h"
#include "loader/steering.h"
#include "loader/view.h"

int view_open(const struct context *c, struct maps *ret)
{
	char staging[PIN_PATH_MAX];
	int r;

	r = maps_open(c->pin_root, ret);
	if (r == 0)
		return EXIT_DONE;
	if (r == -EPROTO)
		log_line("%s was loaded by another version of mpbpf: only unload works", c->pin_root);
	else if (r != -ENOENT)
		log_line("%s: %s", c->pin_root, strerror(-r));
	else if (datapath_is_loaded(c->pin_root) || (pins_staging(staging, c->pin_root) == 0 && pins_exist(staging)))
		log_line("%s: a load or unload was cut short; `mpbpf unload` cleans up", c->pin_root);
	else
		log_line("nothing is loaded at %s", c->pin_root);
	return EXIT_FAILED;
}

static const char *const syn_modes[] = { [SYN_OFF] = "off", [SYN_AUTO] = "auto", [SYN_ALWAYS] = "always" };

struct look {
	const struct context *context;
	const struct runtime_facts *facts;
	cJSON *interfaces;
};

static const char *mode_of(const struct runtime_facts *facts, const char *ifname)
{
	for (size_t i = 0; i < facts->n_ifaces; i++)
		if (!strcmp(facts->ifaces[i].name, ifname))
			return xdp_mode_name(facts->ifaces[i].native);
	return "unknown";
}

static int add_interface(const char *name, void *data)
{
	struct look *look = data;
	char ifname[NAME_MAX + 1];
	cJSON *one;

	if (pins_xdp_name(name, ifname, sizeof(ifname)) < 0)
		return 0;
	one = cJSON_CreateObject();
	if (!cJSON_AddItemToArray(look->interfaces, one)) {
		cJSON_Delete(one);
		return -ENOMEM;
	}
	cJSON_AddStringToObject(one, "name", ifname);
	cJSON_AddStringToObject(one, "mode", mode_of(look->facts, ifname));
	cJSON_AddBoolToObject(one, "attached", relink_attached(look->context->pin_root, name));
	return 0;
}

static void address_text(const struct addr *addr, char *ret, size_t size)
{
	static const struct addr any;

	if (!memcmp(addr, &any, sizeof(any)))
		snprintf(ret, size, "*");
	else if (!addr->w[0] && !addr->w[1] && addr->w[2] == htonl(0xffff))
		inet_ntop(AF_INET, &addr->w[3], ret, size);
	else
		inet_ntop(AF_INET6, addr, ret, size);
}

static cJSON *listener_json(const struct listener_key *key, const struct listener *listener)
{
	cJSON *one = cJSON_CreateObject();
	char address[INET6_ADDRSTRLEN];

	address_text(&key->addr, address, sizeof(address));
	cJSON_AddNumberToObject(one, "index", listener->index);
	cJSON_AddStringToObject(one, "address", address);
	cJSON_AddNumberToObject(one, "port", ntohs(key->port));
	cJSON_AddBoolToObject(one, "require_auth", listener->flags & LISTENER_REQUIRE_AUTH);
	return one;
}

/* Those that are guarded, in the order of the configuration. */
static void add_listeners(cJSON *json, const struct maps *maps)
{
	cJSON *array = cJSON_AddArrayToObject(json, "listeners"), *by_index[MPBPF_LISTENERS_MAX] = {};
	__u32 generation = maps->control->generation;
	int fd = maps->fd[MAP_LISTENERS];
	struct listener_key key;
	struct listener value;

	for (int r = bpf_map_get_next_key(fd, NULL, &key); r == 0; r = bpf_map_get_next_key(fd, &key, &key))
		if (key.generation == generation && bpf_map_lookup_elem(fd, &key, &value) == 0 &&
		    !(value.flags & LISTENER_GONE) && value.index < MPBPF_LISTENERS_MAX && !by_index[value.index])
			by_index[value.index] = listener_json(&key, &value);
	for (size_t i = 0; i < MPBPF_LISTENERS_MAX; i++)
		if (by_index[i])
			cJSON_AddItemToArray(array, by_index[i]);
}

static cJSON *capture_json(const struct context *c, const struct capture *capture)
{
	cJSON *one = cJSON_CreateObject();

	cJSON_AddStringToObject(one, "name", capture->name);
	cJSON_AddStringToObject(one, "direction", capture->cgroup[0] ? "out" : "in");
	if (capture->cgroup[0])
		cJSON_AddStringToObject(one, "cgroup", capture->cgroup);
	cJSON_AddBoolToObject(one, "attached",
			      capture->cgroup[0] ? capturing_attached(c->pin_root, capture_cgroup(capture->cgroup))
						 : steering_attached(c->pin_root));
	return one;
}

/* In the order of the configuration, too. */
static void add_captures(cJSON *json, const struct context *c, const struct maps *maps)
{
	cJSON *array = cJSON_AddArrayToObject(json, "captures");
	struct capture_key key = { .generation = maps->control->generation };
	struct capture capture;

	for (key.number = 1; key.number <= MPBPF_LISTENERS_MAX; key.number++)
		if (bpf_map_lookup_elem(maps->fd[MAP_CAPTURES], &key, &capture) == 0)
			cJSON_AddItemToArray(array, capture_json(c, &capture));
}

static void add_time(cJSON *json, const struct control *control)
{
	time_t t = ((int64_t)control->loaded_at + control->wall_offset_ns) / NSEC_PER_SEC;
	char text[32] = "";
	struct tm tm;

	if (gmtime_r(&t, &tm))
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	cJSON_AddStringToObject(json, "loaded_at", text);
}

static void add_agent(cJSON *json, const struct runtime *runtime)
{
	pid_t pid = runtime->fd >= 0 ? runtime_agent_pid(runtime) : 0;
	cJSON *agent = cJSON_AddObjectToObject(json, "agent");

	cJSON_AddBoolToObject(agent, "running", pid > 0);
	cJSON_AddNumberToObject(agent, "pid", pid > 0 ? pid : 0);
}

static void add_syn_guard(cJSON *json, const struct maps *maps)
{
	cJSON *guard = cJSON_AddObjectToObject(json, "syn_guard");
	__u32 zero = 0, slot = maps->control->generation & 1;
	struct syn_state state = {};
	struct policy policy = {};
	bool active;

	bpf_map_lookup_elem(maps->fd[MAP_POLICIES], &slot, &policy);
	bpf_map_lookup_elem(maps->fd[MAP_SYN_STATE], &zero, &state);
	active = policy.syn_mode == SYN_ALWAYS ||
		 (policy.syn_mode == SYN_AUTO && state.until > (__u64)clock_ns(CLOCK_MONOTONIC));
	cJSON_AddStringToObject(guard, "mode", policy.syn_mode < SYN_MODE_MAX ? syn_modes[policy.syn_mode] : "unknown");
	cJSON_AddBoolToObject(guard, "active", active);
}

cJSON *view_status(const struct context *c, const struct maps *maps)
{
	_cleanup_(runtime_close) struct runtime runtime = RUNTIME_EMPTY;
	_cleanup_free_ struct runtime_facts *facts = calloc(1, sizeof(*facts));
	cJSON *json = cJSON_CreateObject();
	struct look look = { .context = c, .facts = facts };

	if (!facts || !json) {
		cJSON_Delete(json);
		return NULL;
	}
	if (runtime_open(c->pin_root, false, &runtime) == 0)
		runtime_facts_read(&runtime, facts);
	cJSON_AddBoolToObject(json, "loaded", true);
	cJSON_AddStringToObject(json, "pin_root", c->pin_root);
	cJSON_AddStringToObject(json, "cgroup", facts->cgroup);
	add_time(json, maps->control);
	cJSON_AddBoolToObject(json, "l7", datapath_has_l7(c->pin_root));
	look.interfaces = cJSON_AddArrayToObject(json, "interfaces");
	pins_links(c->pin_root, add_interface, &look);
	add_listeners(json, maps);
	add_captures(json, c, maps);
	add_syn_guard(json, maps);
	cJSON_AddBoolToObject(json, "steering", steering_attached(c->pin_root));
	add_agent(json, &runtime);
	cJSON_AddNumberToObject(json, "generation", maps->control->generation);
	cJSON_AddStringToObject(json, "config", maps->control->config_path);
	return json;
}

int view_print_json(cJSON *json)
{
	_cleanup_free_ char *text = json ? cJSON_Print(json) : NULL;

	cJSON_Delete(json);
	if (!text) {
		log_line("out of memory");
		return EXIT_FAILED;
	}
	puts(text);
	return EXIT_DONE;
}
