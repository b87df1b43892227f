// SPDX-License-Identifier: MIT
/*
 * Floor 5: looks at the key files once a second. inotify(7) would have to follow every link and directory on the way to a
 * file (Kubernetes swaps a link two levels up), and does not see other hosts' writes; stat(2) looks where open(2) would.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <event2/event.h>

#include "agent/agent.h"
#include "agent/keywatch.h"
#include "core/util.h"
#include "loader/commands.h"
#include "loader/log.h"

#define LOOK_SECONDS 1

/* What a change of a file's bytes changes with it, if the clock of its file system has moved on. */
struct stamp {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec written, changed;
};

struct keywatch {
	struct agent *agent;
	struct event *timer;
	struct stamp *stamps;
	size_t n;
	bool again; /* a change in the same tick of the file system's clock is seen by looking inside once more */
	bool stale; /* the keys in force are not those of the files */
	char error[sizeof(((struct apply_report *)0)->text)]; /* why, as it was logged */
};

static void stamp_take(const char *path, struct stamp *ret)
{
	struct stat st;

	memset(ret, 0, sizeof(*ret));
	if (stat(path, &st) < 0)
		return;
	ret->dev = st.st_dev;
	ret->ino = st.st_ino;
	ret->size = st.st_size;
	ret->written = st.st_mtim;
	ret->changed = st.st_ctim;
}

/* 1: some file is not as it was, or the files are others; 0; -ENOMEM. */
static int stamps_renew(struct keywatch *watch)
{
	const struct config *config = watch->agent->config;
	size_t n = config->n_key_files, i;
	struct stamp *stamps;
	bool changed;

	stamps = calloc(n ?: 1, sizeof(*stamps));
	if (!stamps)
		return -ENOMEM;
	for (i = 0; i < n; i++)
		stamp_take(config->key_files[i], &stamps[i]);
	changed = n != watch->n || (n && memcmp(stamps, watch->stamps, n * sizeof(*stamps)));
	free(watch->stamps);
	watch->stamps = stamps;
	watch->n = n;
	return changed;
}

/* The keys in force stay when it fails; that is said once for each reason, and tried again until it works. */
static void reload(struct keywatch *watch)
{
	struct agent *agent = watch->agent;
	struct apply_report report;
	size_t i;

	if (agent_reload(agent, "", &report) != EXIT_DONE) {
		if (strcmp(watch->error, report.text))
			log_line("a key file has changed, the keys in force stay: %s", report.text);
		strcpy(watch->error, report.text);
		return;
	}
	log_line("a key file has changed: generation %u is in force", agent->maps.control->generation);
	for (i = 0; i < agent->config->n_warnings; i++)
		log_line("%s", agent->config->warnings[i]);
	if (report.text[0])
		log_line("%s", report.text);
	watch->stale = false;
}

static void on_look(evutil_socket_t fd, short what, void *data)
{
	struct keywatch *watch = data;
	int changed = stamps_renew(watch);

	(void)fd;
	(void)what;
	if (!changed && !watch->again && !watch->stale)
		return;
	watch->again = changed;
	watch->stale = config_keys_current(watch->agent->config) != 1;
	if (watch->stale)
		reload(watch);
	if (!watch->stale)
		watch->error[0] = '\0';
}

int keywatch_open(struct agent *agent, struct keywatch **ret)
{
	struct timeval look = { .tv_sec = LOOK_SECONDS };
	struct keywatch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return -ENOMEM;
	watch->agent = agent;
	watch->timer = event_new(agent->base, -1, EV_PERSIST, on_look, watch);
	if (!watch->timer || event_add(watch->timer, &look) < 0) {
		keywatch_close(watch);
		return -ENOMEM;
	}
	*ret = watch;
	return 0;
}

void keywatch_close(struct keywatch *watch)
{
	if (!watch)
		return;
	if (watch->timer)
		event_free(watch->timer);
	free(watch->stamps);
	free(watch);
}
