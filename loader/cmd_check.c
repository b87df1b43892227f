// SPDX-License-Identifier: MIT
/* Floor 5: `mpbpf check`: tells what was found of each feature, and what works by it. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <cjson/cJSON.h>
#include <sys/utsname.h>

#include "core/util.h"
#include "loader/check_watch.h"
#include "loader/log.h"
#include "loader/view.h"

/* What is missing: FAIL when it is needed, `no` when mpbpf can do without. */
static void print_result(const struct check_row *row, const struct check_result *result)
{
	const char *word = result->ok ? "ok  " : row->part ? "FAIL" : "no  ";

	if (result->ok || !result->tried)
		printf("%s %-18s %s\n", word, row->name, result->detail);
	else
		printf("%s %-18s %s: %s\n", word, row->name, result->detail, row->instead);
}

static bool part_works(const struct check_watch *w, enum check_part part)
{
	for (size_t i = 0; i < CHECK_MAX; i++)
		if ((check_rows[i].part & part) && !w->results[i].ok)
			return false;
	return true;
}

static int print_json(const struct check_watch *w, const char *kernel)
{
	cJSON *json = cJSON_CreateObject(), *features;

	cJSON_AddStringToObject(json, "kernel", kernel);
	features = cJSON_AddArrayToObject(json, "features");
	for (size_t i = 0; i < CHECK_MAX; i++) {
		cJSON *one = cJSON_CreateObject();

		cJSON_AddStringToObject(one, "name", check_rows[i].name);
		cJSON_AddBoolToObject(one, "ok", w->results[i].ok);
		cJSON_AddBoolToObject(one, "required", check_rows[i].part != 0);
		cJSON_AddStringToObject(one, "detail", w->results[i].detail);
		cJSON_AddStringToObject(one, "instead", check_rows[i].instead);
		if (!cJSON_AddItemToArray(features, one))
			cJSON_Delete(one);
	}
	cJSON_AddBoolToObject(json, "xdp", part_works(w, CHECK_PART_XDP));
	cJSON_AddBoolToObject(json, "guard", part_works(w, CHECK_PART_GUARD));
	return view_print_json(json);
}

/* EXIT_DONE: everything that is needed works. */
static int conclude(const struct check_watch *w, bool json)
{
	bool xdp = part_works(w, CHECK_PART_XDP), guard = part_works(w, CHECK_PART_GUARD);
	struct utsname name = {};
	int r = EXIT_DONE;

	uname(&name);
	if (json)
		r = print_json(w, name.release);
	else
		printf("Linux %s: L3/L4 protection %s, guarded listeners %s\n", name.release,
		       xdp ? "works" : "does not work", guard ? "work" : "do not work");
	return xdp && guard ? r : EXIT_FAILED;
}

/* As if the pending signal had ended us where it came, but for the cleaning up that is done. */
static void end_by_signal(const sigset_t *set)
{
	static const struct timespec now;
	int signo = sigtimedwait(set, NULL, &now);

	if (signo < 0)
		return;
	signal(signo, SIG_DFL);
	raise(signo);
	sigprocmask(SIG_UNBLOCK, set, NULL);
}

int cmd_check(const struct context *context)
{
	static struct check check = CHECK_EMPTY;
	static struct check_watch watch;
	sigset_t set;
	int r;

	r = context_need_root();
	if (r != EXIT_DONE)
		return r;
	check.context = context;
	watch.wanted = CHECK_ALL;
	watch.told = context->json ? NULL : print_result;
	check_signals(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	/* A reader that goes away (head, less) must not keep us from cleaning up. */
	signal(SIGPIPE, SIG_IGN);
	r = check_watch(&watch, &check);
	end_by_signal(&set);
	if (r == 0)
		return conclude(&watch, context->json);
	log_line("%s", r == -ECANCELED ? check.detail : strerror(-r));
	return EXIT_FAILED;
}
