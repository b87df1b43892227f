// SPDX-License-Identifier: MIT
/* Floor 5: loads a data path: programs, policy, attachments, pins, in an order that can be undone at every step. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include <sys/random.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "core/census.h"
#include "core/clock.h"
#include "core/maps.h"
#include "core/pins.h"
#include "core/policy.h"
#include "core/util.h"
#include "loader/capturing.h"
#include "loader/datapath.h"
#include "loader/fionread.h"
#include "loader/log.h"
#include "loader/netns.h"
#include "loader/object.h"
#include "loader/placement.h"
#include "loader/steering.h"
#include "loader/syn_links.h"
#include "loader/syncookies.h"
#include "loader/unload.h"
#include "mpbpf.skel.h"

/*
 * xdp_ingress, which the agent attaches to interfaces that come back; and programs that no link holds: they are attached to
 * maps, or run by the agent.
 */
static const char *const pinned_programs[] = {
	"xdp_ingress",	   "conn_update",   "event_note",     "sk_skb_request",
	"sk_msg_response", "sk_skb_client", "sk_msg_request", "sk_msg_handback"
};

void interrupts_block(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

bool interrupted(void)
{
	sigset_t set;

	return sigpending(&set) == 0 &&
	       (sigismember(&set, SIGINT) || sigismember(&set, SIGTERM) || sigismember(&set, SIGHUP));
}

bool datapath_is_loaded(const char *pin_root)
{
	return pins_exist(pin_root);
}

bool datapath_has_l7(const char *pin_root)
{
	char path[PIN_PATH_MAX];

	return pins_path(path, pin_root, "links", "sockops_track") == 0 && access(path, F_OK) == 0;
}

static int check_request(const struct load_request *request)
{
	char staging[PIN_PATH_MAX];
	unsigned int ifindex;
	int r;

	if (datapath_is_loaded(request->pin_root)) {
		log_line("already loaded at %s; `mpbpf reload` changes its configuration, `mpbpf unload` removes it",
			 request->pin_root);
		return -EEXIST;
	}
	/* What a load that was killed left attached would be in the way. */
	r = pins_staging(staging, request->pin_root);
	if (r == 0)
		r = unload_tree(staging, 0, NULL);
	if (r < 0)
		return r;
	for (size_t i = 0; i < request->n_ifaces; i++) {
		r = attach_xdp_check(request->ifaces[i], &ifindex);
		if (r < 0)
			return r;
	}
	return 0;
}

static int prepare_pins(const char *pin_root, int *ret_fd)
{
	int r = pins_prepare(pin_root, ret_fd);

	if (r == -EOPNOTSUPP)
		log_line(
			"%s: the directory above is not on a BPF file system; mount one there (`mount -t bpf bpf DIR`) "
			"or use a --pin-root below /sys/fs/bpf",
			pin_root);
	else if (r == -EXDEV)
		log_line("no BPF file system at /sys/fs/bpf, and what is mounted in this private mount namespace would "
			 "be gone with it; to load in a network namespace use `nsenter --net=/run/netns/NAME mpbpf …`, "
			 "not `ip netns exec`");
	else if (r < 0)
		log_line("%s: preparing the pin directory: %s", pin_root, strerror(-r));
	return r;
}

static int fill_control(struct control *control, bool fast)
{
	if (getrandom(control->hash_key, sizeof(control->hash_key), 0) != sizeof(control->hash_key))
		return -errno;
	control->wall_offset_ns = clock_wall_offset();
	control->loaded_at = clock_ns(CLOCK_BOOTTIME);
	control->fast_proven = fast;
	control->abi = MPBPF_ABI_VERSION;
	return 0;
}

static int fill_maps(const struct maps *maps, const struct config *config, const char *config_path, bool fast)
{
	int r;

	r = fill_control(maps->control, fast);
	if (r == 0)
		r = policy_publish(maps, config, config_path);
	if (r == -ENAMETOOLONG)
		log_line("%s: a configuration's path must be shorter than %zu bytes", config_path,
			 sizeof(maps->control->config_path));
	else if (r < 0)
		log_line("writing the policy: %s", strerror(-r));
	return r;
}

static int pin_everything(const struct mpbpf *object, const struct maps *maps, bool l7, const char *root)
{
	char path[PIN_PATH_MAX];
	int r;

	for (size_t i = 0; i < MAP_MAX; i++) {
		r = pins_path(path, root, "maps", map_names[i]);
		if (r == 0)
			r = bpf_obj_pin(maps->fd[i], path);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < (l7 ? ARRAY_SIZE(pinned_programs) : 1); i++) {
		const struct bpf_program *program;

		program = bpf_object__find_program_by_name(object->obj, pinned_programs[i]);
		r = program ? pins_path(path, root, "progs", pinned_programs[i]) : -ENOENT;
		if (r == 0)
			r = bpf_obj_pin(bpf_program__fd(program), path);
		if (r < 0)
			return r;
	}
	return 0;
}

static int attach_everything(const struct load_request *request, const struct mpbpf *object, const struct maps *maps,
			     const char *root, struct load_report *report)
{
	struct runtime_facts *facts = &report->facts;
	int r;

	r = pin_everything(object, maps, report->l7, root);
	if (r < 0) {
		log_line("%s: pinning: %s", root, strerror(-r));
		return r;
	}
	r = steering_pin(object, root);
	if (r == 0)
		r = capturing_pin(object, root);
	if (r < 0)
		return r;
	if (report->l7) {
		r = attach_l7(object, maps, request->cgroup, root);
		if (r < 0)
			return r;
		fionread_attach_or_say(object, root);
	}
	for (size_t i = 0; i < request->n_ifaces; i++) {
		const char *name = request->ifaces[i];

		r = attach_xdp(bpf_program__fd(object->progs.xdp_ingress), name, request->mode, root,
			       &facts->ifaces[i].native);
		if (r < 0)
			return r;
		placement_note(name);
		r = syn_link_add(maps->fd[MAP_SYN_LINKS], name);
		if (r < 0) {
			log_line("%s: its link address: %s", name, strerror(-r));
			return r;
		}
		strncpy(facts->ifaces[i].name, name, sizeof(facts->ifaces[i].name) - 1);
		facts->n_ifaces++;
	}
	return 0;
}

/* Not knowing how many connections were open is no reason to leave the service unprotected. */
static void take_census(const struct maps *maps, const struct config *config, struct runtime_facts *facts)
{
	int r = census_unguarded(maps, config, facts->cgroup, &facts->unguarded);

	if (r < 0)
		log_line("connections open at load time could not be counted: %s", strerror(-r));
}

static int publish(const struct load_request *request, const struct runtime *runtime, const struct load_report *report)
{
	int r = interrupted() ? -EINTR : 0;

	if (r == 0)
		r = runtime_facts_write(runtime, &report->facts);
	if (r == 0)
		r = pins_publish(request->pin_root);
	if (r < 0)
		log_line("%s: %s", request->pin_root, r == -EINTR ? "interrupted, nothing is loaded" : strerror(-r));
	return r;
}

/* What is always active does not wait for an agent. Without the sysctl SYNs pass to the stack. */
static void raise_syncookies(const struct runtime *runtime, const struct config *config)
{
	int r;

	if (config->ddos.syn_cookies != SYN_ALWAYS)
		return;
	r = syncookies_raise(runtime);
	if (r < 0)
		log_line("the SYN guard cannot have net.ipv4.tcp_syncookies: %s", strerror(-r));
}

/* From the first pin on: whatever fails, the staging directory goes, and with it every attachment. */
static int stage_and_publish(const struct load_request *request, const struct config *config,
			     const struct mpbpf *object, const struct maps *maps, const struct runtime *runtime,
			     struct load_report *report)
{
	char staging[PIN_PATH_MAX];
	int r;

	r = pins_staging(staging, request->pin_root);
	if (r < 0)
		return r;
	r = pins_stage(request->pin_root);
	if (r < 0) {
		log_line("%s: %s", staging, strerror(-r));
		return r;
	}
	strcpy(report->facts.cgroup, request->cgroup);
	netns_cookie(&report->facts.netns);
	r = attach_everything(request, object, maps, staging, report);
	if (r == 0) {
		take_census(maps, config, &report->facts);
		r = publish(request, runtime, report);
	}
	if (r < 0)
		unload_tree(staging, 0, NULL);
	return r;
}

int datapath_load(const struct load_request *request, const struct config *config, const struct runtime *runtime,
		  struct load_report *ret)
{
	_cleanup_(object_free) struct mpbpf *object = NULL;
	_cleanup_(maps_close) struct maps maps = MAPS_EMPTY;
	_cleanup_close_ int bpffs = -1;
	struct load_report report = {};
	int r;

	r = check_request(request);
	if (r < 0)
		return r;
	r = prepare_pins(request->pin_root, &bpffs);
	if (r < 0)
		return r;
	r = object_load(config, request->cgroup, &object, &report.l7, &report.fast);
	if (r == 0) {
		r = maps_of_object(object->obj, &maps);
		if (r < 0)
			log_line("the maps of the programs: %s", strerror(-r));
	}
	if (r == 0)
		r = fill_maps(&maps, config, request->config_path, report.fast);
	if (r == 0)
		r = stage_and_publish(request, config, object, &maps, runtime, &report);
	if (r < 0)
		return r;
	raise_syncookies(runtime, config);
	*ret = report;
	return 0;
}
