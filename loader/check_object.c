// SPDX-License-Identifier: MIT
/* Floor 5: `mpbpf check`, an instance of the data path with small maps and a policy of its own, pinned nowhere. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <bpf/libbpf.h>

#include "core/clock.h"
#include "core/policy.h"
#include "core/util.h"
#include "loader/check.h"
#include "loader/fionread.h"
#include "mpbpf.skel.h"

#define ENTRIES 1200 /* no other instance is likely to have that many: its maps can be told from theirs */

/* The first thing that libbpf complains of: which program or map it was, and why. */
static char complaint[160];

static int on_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	char text[sizeof(complaint)], *start = text;

	if (level != LIBBPF_WARN || complaint[0])
		return 0;
	vsnprintf(text, sizeof(text), format, args);
	if (!strncmp(start, "libbpf: ", 8))
		start += 8;
	start[strcspn(start, "\n")] = '\0';
	snprintf(complaint, sizeof(complaint), "%s", start);
	return 0;
}

/* The XDP instance guards nothing: it has no listener. */
static int make_config(struct check *c, bool l7, struct config **ret)
{
	char listeners[128] = "", text[1024];
	struct config_error error = {};
	int n;

	if (l7)
		snprintf(listeners, sizeof(listeners),
			 "{\"name\": \"check\", \"address\": \"127.0.0.1\", \"port\": %u}", c->port);
	n = snprintf(text, sizeof(text),
		     "{\"version\": \"1\", \"rate_limit\": {\"enabled\": false, \"max_sources\": %d},"
		     " \"ddos\": {\"syn_cookies\": \"off\", \"deny\": [\"" CHECK_DENIED "\"]},"
		     " \"cache\": {\"max_verdicts\": %d}, \"listeners\": [%s],"
		     " \"auth\": {\"base64_tokens\": [\"" CHECK_TOKEN "\"], \"exempt_paths\": [\"" CHECK_FREE "\"]}}",
		     ENTRIES, ENTRIES, listeners);
	if (config_parse(text, n, "check", NULL, ret, &error) < 0)
		return check_fail(c, "%s", error.text);
	return 0;
}

/* The same programs on smaller maps: room for what is tried here. */
static int shrink(struct mpbpf *object, bool l7)
{
	struct bpf_map *maps[] = { object->maps.sources, object->maps.verdicts,	      object->maps.sockets,
				   object->maps.conns,	 object->maps.client_sockets, object->maps.fast_clients };
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(maps); i++)
		r = bpf_map__set_max_entries(maps[i], ENTRIES);
	if (r == 0 && !l7)
		r = bpf_map__set_max_entries(object->maps.asks, getpagesize());
	return r;
}

/* The programs of a kind: `only` this one, or without it all that guarding needs. */
static bool is_wanted(const struct mpbpf *object, const struct bpf_program *program, const struct bpf_program *only)
{
	if (only)
		return program == only;
	return strncmp(bpf_program__name(program), "capture_", 8) && program != object->progs.xdp_ingress &&
	       program != object->progs.sleepable_lock && program != object->progs.sk_lookup_steer &&
	       program != object->progs.iter_settle && program != object->progs.iter_listeners;
}

int check_object_load(struct check *c, struct mpbpf *object, const struct bpf_program *only)
{
	struct bpf_program *program;
	int r;

	if (!c->context->verbose)
		libbpf_set_print(on_libbpf);
	bpf_object__for_each_program(program, object->obj)
		bpf_program__set_autoload(program, is_wanted(object, program, only));
	fionread_choose(object, !only && fionread_try() == FIONREAD_ADDED);
	complaint[0] = '\0';
	r = shrink(object, !only);
	if (r == 0)
		r = mpbpf__load(object);
	if (r < 0)
		return check_fail(c, "%s%s", complaint[0] ? complaint : strerror(-r),
				  c->context->verbose ? "" : " (-v shows more)");
	return 0;
}

static int put_in_force(struct check *c, struct check_instance *instance)
{
	struct control *control = instance->maps.control;
	int r;

	if (getrandom(control->hash_key, sizeof(control->hash_key), 0) != sizeof(control->hash_key))
		return check_fail(c, "random bytes: %s", strerror(errno));
	control->wall_offset_ns = clock_wall_offset();
	control->abi = MPBPF_ABI_VERSION;
	r = policy_publish(&instance->maps, instance->config, NULL);
	return r < 0 ? check_fail(c, "writing the policy: %s", strerror(-r)) : 0;
}

int check_instance_load(struct check *c, bool l7, struct check_instance *ret)
{
	int r;

	r = make_config(c, l7, &ret->config);
	if (r < 0)
		return r;
	ret->object = mpbpf__open();
	if (!ret->object)
		return check_fail(c, "opening the programs: %s", strerror(errno));
	r = check_object_load(c, ret->object, l7 ? NULL : ret->object->progs.xdp_ingress);
	if (r < 0)
		return r;
	r = maps_of_object(ret->object->obj, &ret->maps);
	if (r < 0)
		return check_fail(c, "the maps of the programs: %s", strerror(-r));
	return put_in_force(c, ret);
}
