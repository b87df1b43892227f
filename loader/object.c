// SPDX-License-Identifier: MIT
/* Floor 5: opens the skeleton, sizes its maps and loads it, with the L7 programs where the kernel can carry them. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "loader/capturing.h"
#include "loader/fionread.h"
#include "loader/log.h"
#include "loader/object.h"
#include "loader/selftest.h"
#include "loader/steering.h"
#include "mpbpf.skel.h"

#define VMLINUX_BTF "/sys/kernel/btf/vmlinux"

void object_free(struct mpbpf **object)
{
	mpbpf__destroy(*object);
}

void object_leave_out(struct mpbpf *object, const struct bpf_map *const *needed, size_t n)
{
	struct bpf_program *program;
	struct bpf_map *map;

	bpf_object__for_each_program(program, object->obj) bpf_program__set_autoload(program, false);
	bpf_object__for_each_map(map, object->obj)
	{
		bool wanted = bpf_map__is_internal(map);

		for (size_t i = 0; i < n; i++)
			wanted |= map == needed[i];
		bpf_map__set_autocreate(map, wanted);
	}
}

static void leave_out_l7(struct mpbpf *object)
{
	struct bpf_program *programs[] = {
		object->progs.sockops_track, object->progs.sk_skb_request, object->progs.sk_msg_response,
		object->progs.sk_skb_client, object->progs.sk_msg_request, object->progs.sk_msg_handback,
		object->progs.cgroup_gate,   object->progs.conn_update,
	};

	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		bpf_program__set_autoload(programs[i], false);
}

/* What an attempt to load takes in. */
struct parts {
	bool l7;	/* the programs that listeners need */
	bool walk;	/* iter_settle, without which they are guarded all the same */
	bool steering;	/* without which gateways relay all connections */
	bool capturing; /* without which no configuration may have captures */
	bool fionread;	/* the kprobes that some kernels need */
};

/* One attempt. *ret is untouched on failure; libbpf's log says why. */
static int load_with(const struct config *config, const struct parts *parts, struct mpbpf **ret)
{
	struct mpbpf *object = mpbpf__open();
	int r;

	if (!object)
		return -errno;
	if (!parts->l7)
		leave_out_l7(object);
	bpf_program__set_autoload(object->progs.iter_settle, parts->walk);
	steering_choose(object, parts->steering);
	capturing_choose(object, parts->capturing);
	fionread_choose(object, parts->fionread);
	r = bpf_map__set_max_entries(object->maps.sources, MPBPF_SOURCE_SETS(config->rate_limit.max_sources));
	if (r == 0)
		r = bpf_map__set_max_entries(object->maps.quotas, config->rate_limit.max_quotas);
	if (r == 0)
		r = bpf_map__set_max_entries(object->maps.verdicts, config->max_verdicts);
	if (r == 0)
		r = bpf_map__set_max_entries(object->maps.flows, config->classify.max_flows);
	if (r == 0)
		r = mpbpf__load(object);
	if (r < 0) {
		mpbpf__destroy(object);
		return r;
	}
	*ret = object;
	return 0;
}

static int load_failed(int r)
{
	log_libbpf_show();
	log_line("the kernel refuses the programs: %s (its reasons are above; `mpbpf check` tries each feature)",
		 strerror(-r));
	return r;
}

/* The L7 programs cannot be had: an error if a listener needs them, else XDP goes on without them. */
static int load_without_l7(const struct config *config, const char *why, struct mpbpf **ret, bool *ret_l7)
{
	int r;

	if (config_n_guarded(config)) {
		log_line(
			"listeners cannot be guarded on this kernel: %s; remove `listeners` from the configuration for "
			"L3/L4 protection only",
			why);
		return -EOPNOTSUPP;
	}
	log_libbpf_forget();
	r = load_with(config, &(struct parts){ .steering = steering_try(), .capturing = capturing_try() }, ret);
	if (r < 0)
		return load_failed(r);
	log_line("L3/L4 protection only, no listener can be added by reload: %s", why);
	*ret_l7 = false;
	return 0;
}

/*
 * All of it: most kernels take that. Else what can be done without is tried by itself, and left out if it is what the kernel
 * refuses.
 */
static int load_l7(const struct config *config, struct mpbpf **ret)
{
	struct parts parts = {
		.l7 = true, .walk = true, .steering = true, .capturing = true, .fionread = !fionread_is_whole()
	};
	int r = load_with(config, &parts, ret);

	if (r == 0)
		return 0;
	log_libbpf_forget();
	parts.steering = steering_try();
	parts.capturing = capturing_try();
	parts.fionread = fionread_try() == FIONREAD_ADDED;
	r = load_with(config, &parts, ret);
	if (r == 0 || r == -EPERM)
		return r;
	log_libbpf_forget();
	parts.walk = false;
	r = load_with(config, &parts, ret);
	if (r == 0)
		log_line("this kernel lets no program walk its connections: a service that polls may be told again and "
			 "again of a head that is not complete, for as long as clients.head_timeout_s lets it be");
	return r;
}

int object_load(const struct config *config, const char *cgroup, struct mpbpf **ret, bool *ret_l7, bool *ret_fast)
{
	char why[1024];
	int r;

	if (access(VMLINUX_BTF, R_OK) < 0) {
		log_line(VMLINUX_BTF ": %s; a kernel with CONFIG_DEBUG_INFO_BTF=y is needed", strerror(errno));
		return -EOPNOTSUPP;
	}
	if ((config_n_captures(config, CAPTURE_OUT) && !capturing_try()) ||
	    (config_n_captures(config, CAPTURE_IN) && !steering_try())) {
		log_line(
			"this kernel cannot capture connections (`mpbpf check` says why), and a listener's mode is capture");
		return -EOPNOTSUPP;
	}
	r = selftest_sockmap(cgroup, ret_fast, why, sizeof(why));
	if (r == -EOPNOTSUPP)
		return load_without_l7(config, why, ret, ret_l7);
	if (r < 0) {
		log_line("interrupted");
		return r;
	}
	if (why[0])
		log_line("%s", why);
	r = load_l7(config, ret);
	if (r == 0) {
		*ret_l7 = true;
		return 0;
	}
	if (config_n_guarded(config) || r == -EPERM)
		return load_failed(r);
	snprintf(why, sizeof(why), "it refuses the L7 programs (%s)", strerror(-r));
	return load_without_l7(config, why, ret, ret_l7);
}
