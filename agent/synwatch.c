// SPDX-License-Identifier: MIT
/*
 * Floor 5: while the SYN guard is active net.ipv4.tcp_syncookies is 2, else as it was. A program cannot set it, so the agent looks
 * often enough that few SYNs of a flood find it unset; those the stack answers.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <event2/event.h>

#include "agent/agent.h"
#include "agent/synwatch.h"
#include "core/clock.h"
#include "core/util.h"
#include "loader/log.h"
#include "loader/netns.h"
#include "loader/syncookies.h"

#define LOOK_USEC 200000

struct synwatch {
	struct agent *agent;
	struct event *timer;
	const struct syn_state *state; /* shared with the programs */
	int error;		       /* logged already */
};

static bool active(const struct synwatch *watch)
{
	__u64 until;

	switch (watch->agent->config->ddos.syn_cookies) {
	case SYN_ALWAYS: return true;
	case SYN_AUTO:
		until = __atomic_load_n(&watch->state->until, __ATOMIC_RELAXED);
		return until && (__u64)clock_ns(CLOCK_MONOTONIC) < until;
	default: return false;
	}
}

/* The sysctl of another network namespace than the interfaces' would help nobody, and this process cannot enter theirs. */
static bool at_home(const struct synwatch *watch)
{
	_cleanup_free_ struct runtime_facts *facts = calloc(1, sizeof(*facts));
	uint64_t netns;

	return facts && runtime_facts_read(&watch->agent->runtime, facts) == 0 && netns_cookie(&netns) == 0 &&
	       (!facts->netns || facts->netns == netns);
}

static int follow(struct synwatch *watch)
{
	struct runtime_sysctl before;

	if (active(watch))
		return at_home(watch) ? syncookies_raise(&watch->agent->runtime) : -EXDEV;
	if (runtime_sysctl_read(&watch->agent->runtime, &before) == -ENOENT)
		return 0;
	return syncookies_lower(&watch->agent->runtime);
}

static void on_look(evutil_socket_t fd, short what, void *data)
{
	struct synwatch *watch = data;
	int r = follow(watch);

	(void)fd;
	(void)what;
	if (r < 0 && r != watch->error)
		log_line("the SYN guard cannot have net.ipv4.tcp_syncookies: %s",
			 r == -EXDEV ? "mpbpfd runs in another network namespace than the interfaces are in"
				     : strerror(-r));
	watch->error = r;
}

int synwatch_open(struct agent *agent, struct synwatch **ret)
{
	struct timeval look = { .tv_usec = LOOK_USEC };
	struct synwatch *watch = calloc(1, sizeof(*watch));
	void *p;

	if (!watch)
		return -ENOMEM;
	watch->agent = agent;
	p = mmap(NULL, sizeof(*watch->state), PROT_READ, MAP_SHARED, agent->maps.fd[MAP_SYN_STATE], 0);
	watch->state = p == MAP_FAILED ? NULL : p;
	if (watch->state)
		watch->timer = event_new(agent->base, -1, EV_PERSIST, on_look, watch);
	if (!watch->timer || event_add(watch->timer, &look) < 0) {
		synwatch_close(watch);
		return -ENOMEM;
	}
	on_look(-1, 0, watch);
	*ret = watch;
	return 0;
}

void synwatch_close(struct synwatch *watch)
{
	if (!watch)
		return;
	if (watch->timer)
		event_free(watch->timer);
	if (watch->state)
		munmap((void *)watch->state, sizeof(*watch->state));
	free(watch);
}
