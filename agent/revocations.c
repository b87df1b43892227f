// SPDX-License-Identifier: MIT
/* Floor 5: what the agent does for revocations beside judging by them: at its start, and once a minute. */
#include <errno.h>
#include <stdlib.h>
#include <event2/event.h>

#include "agent/revocations.h"
#include "core/clock.h"
#include "core/revocation.h"
#include "core/util.h"

#define PURGE_SECONDS 60

struct revocations {
	const char *pin_root;
	const struct maps *maps;
	struct event *timer;
};

static int64_t now_s(void)
{
	return clock_ns(CLOCK_REALTIME) / NSEC_PER_SEC;
}

/* Ended revocations only take room: what cannot be done now is done the next time, or by the next revocation. */
static void on_timer(evutil_socket_t fd, short what, void *data)
{
	struct revocations *revocations = data;
	_cleanup_close_ int lock = revocations_lock(revocations->pin_root, false);

	(void)fd;
	(void)what;
	if (lock >= 0)
		revocations_purge(revocations->maps, now_s());
}

static int one_is_there(const void *key, const void *value, void *data)
{
	(void)key;
	(void)value;
	(void)data;
	return 1;
}

/* Without revocations, the cache need not be read. */
static int enforce(const struct maps *maps)
{
	size_t n;
	int r;

	r = revocations_each(maps, one_is_there, NULL);
	return r > 0 ? verdicts_revoke(maps, NULL, now_s(), 0, &n) : r;
}

int revocations_open(struct event_base *base, const char *pin_root, const struct maps *maps, struct revocations **ret)
{
	static const struct timeval interval = { .tv_sec = PURGE_SECONDS };
	struct revocations *revocations;
	int r;

	r = enforce(maps);
	if (r < 0)
		return r;
	revocations = calloc(1, sizeof(*revocations));
	if (!revocations)
		return -ENOMEM;
	*revocations = (struct revocations){ .pin_root = pin_root, .maps = maps };
	on_timer(-1, 0, revocations);
	revocations->timer = event_new(base, -1, EV_PERSIST, on_timer, revocations);
	if (!revocations->timer || event_add(revocations->timer, &interval) < 0) {
		revocations_close(revocations);
		return -ENOMEM;
	}
	*ret = revocations;
	return 0;
}

void revocations_close(struct revocations *revocations)
{
	if (!revocations)
		return;
	if (revocations->timer)
		event_free(revocations->timer);
	free(revocations);
}
