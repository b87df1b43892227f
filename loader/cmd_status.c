// SPDX-License-Identifier: MIT
/* Floor 5: `mpbpf status` and `mpbpf stats`. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cjson/cJSON.h>

#include "core/responses.h"
#include "core/rule_stats.h"
#include "core/runtime.h"
#include "core/stats.h"
#include "core/util.h"
#include "loader/ask.h"
#include "loader/commands.h"
#include "loader/log.h"
#include "loader/view.h"

static const char *text_of(const cJSON *json, const char *name)
{
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, name)) ?: "";
}

static double number_of(const cJSON *json, const char *name)
{
	return cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(json, name));
}

static bool is_true(const cJSON *json, const char *name)
{
	return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(json, name));
}

static void print_status(const cJSON *json)
{
	const cJSON *agent = cJSON_GetObjectItemCaseSensitive(json, "agent"), *one;

	printf("%-12s %s, since %s\n", "loaded", text_of(json, "pin_root"), text_of(json, "loaded_at"));
	printf("%-12s %s\n", "cgroup", text_of(json, "cgroup"));
	cJSON_ArrayForEach(one, cJSON_GetObjectItemCaseSensitive(json, "interfaces"))
		printf("%-12s %s: %s%s\n", "interface", text_of(one, "name"), text_of(one, "mode"),
		       is_true(one, "attached") ? "" : ", gone");
	cJSON_ArrayForEach(one, cJSON_GetObjectItemCaseSensitive(json, "listeners"))
		printf("%-12s %s port %.0f, %s\n", "listener", text_of(one, "address"), number_of(one, "port"),
		       is_true(one, "require_auth") ? "token required" : "no token required");
	cJSON_ArrayForEach(one, cJSON_GetObjectItemCaseSensitive(json, "captures"))
		printf("%-12s %s: connections %s%s, %s\n", "capture", text_of(one, "name"),
		       text_of(one, "cgroup")[0] ? "out of " : "to this host", text_of(one, "cgroup"),
		       is_true(one, "attached") ? "attached" : "not attached");
	if (!cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(json, "listeners")) &&
	    !cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(json, "captures")))
		printf("%-12s none: L3/L4 protection only%s\n", "listener",
		       is_true(json, "l7") ? "" : " (the L7 programs are not loaded)");
	one = cJSON_GetObjectItemCaseSensitive(json, "syn_guard");
	printf("%-12s %s%s\n", "SYN guard", text_of(one, "mode"), is_true(one, "active") ? ", active now" : "");
	if (is_true(json, "steering"))
		printf("%-12s attached (`mpbpf route list` says what is steered)\n", "steering");
	if (is_true(agent, "running"))
		printf("%-12s running, pid %.0f\n", "mpbpfd", number_of(agent, "pid"));
	else
		printf("%-12s not running: what the kernel cannot decide is answered 503\n", "mpbpfd");
	printf("%-12s generation %.0f, %s\n", "policy", number_of(json, "generation"),
	       text_of(json, "config")[0] ? text_of(json, "config") : "built-in defaults");
}

int cmd_status(const struct context *c)
{
	_cleanup_(maps_close) struct maps maps = MAPS_EMPTY;
	cJSON *json;
	int r;

	r = context_need_root();
	if (r == EXIT_DONE)
		r = view_open(c, &maps);
	if (r != EXIT_DONE) {
		if (c->json)
			puts("{\"loaded\": false}");
		return r;
	}
	json = view_status(c, &maps);
	if (c->json || !json)
		return view_print_json(json);
	print_status(json);
	cJSON_Delete(json);
	return EXIT_DONE;
}

/* As the JSON has it: counts are whole, times may not be. */
static void print_counter(const char *name, double value)
{
	printf(value == (uint64_t)value ? "%-36s %.0f\n" : "%-36s %.15g\n", name, value);
}

/* One line a counter, by its path in the JSON: both forms always show the same. */
static void print_counters(const cJSON *json, const char *prefix)
{
	const cJSON *one;
	size_t i = 0;

	cJSON_ArrayForEach(one, json) {
		char name[256], number[16];

		snprintf(number, sizeof(number), "%zu", i++);
		snprintf(name, sizeof(name), "%s%s%s", prefix, prefix[0] ? "." : "", one->string ?: number);
		if (cJSON_IsObject(one) || cJSON_IsArray(one))
			print_counters(one, name);
		else
			print_counter(name, cJSON_GetNumberValue(one));
	}
}

/* Without an agent, or with one that does not answer, there is nothing of its own. */
static void add_agent(cJSON *json, const struct runtime *runtime)
{
	cJSON *own, *one;

	if (runtime_agent_pid(runtime) <= 0 || ask_stats(runtime, &own) < 0)
		return;
	while ((one = cJSON_DetachItemFromArray(own, 0)))
		cJSON_AddItemToObject(json, one->string, one);
	cJSON_Delete(own);
}

int cmd_stats(const struct context *c)
{
	_cleanup_(runtime_close) struct runtime runtime = RUNTIME_EMPTY;
	_cleanup_(maps_close) struct maps maps = MAPS_EMPTY;
	_cleanup_(responses_free_ptr) struct responses *responses = NULL;
	struct runtime_facts facts = {};
	struct stats stats;
	bool has_runtime;
	cJSON *json;
	int r;

	r = context_need_root();
	if (r == EXIT_DONE)
		r = view_open(c, &maps);
	if (r != EXIT_DONE)
		return r;
	r = stats_read(&maps, &stats);
	if (r == 0)
		r = responses_read(&maps, &responses);
	if (r < 0) {
		log_line("reading the counters: %s", strerror(-r));
		return EXIT_FAILED;
	}
	has_runtime = runtime_open(c->pin_root, false, &runtime) == 0;
	if (has_runtime && runtime_facts_read(&runtime, &facts) == 0)
		stats.unguarded = facts.unguarded;
	json = stats_json(&stats);
	if (json && (rule_stats_json(&maps, json) < 0 || !responses_json(json, responses))) {
		cJSON_Delete(json);
		json = NULL;
	}
	if (json && has_runtime)
		add_agent(json, &runtime);
	if (c->json || !json)
		return view_print_json(json);
	print_counters(json, "");
	cJSON_Delete(json);
	return EXIT_DONE;
}
