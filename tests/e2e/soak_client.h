/* SPDX-License-Identifier: MIT */
/* Test tool: the client of soak: many connections in one loop, by time. */
#ifndef MPBPF_TESTS_SOAK_CLIENT_H
#define MPBPF_TESTS_SOAK_CLIENT_H

#include "soak_flow.h"

static void flow_event(struct flow *flow, uint32_t events)
{
	socklen_t len = sizeof(int);
	int err = 0;

	if (flow->connecting) {
		getsockopt(flow->fd, SOL_SOCKET, SO_ERROR, &err, &len);
		flow->connecting = false;
		if (err) {
			flow_fault(flow, strerror(err));
			return;
		}
	}
	if (events & EPOLLOUT)
		flow->full = false;
	if (events & ~EPOLLOUT)
		flow_read(flow);
}

/* What is due without an event. */
static void flow_tick(struct flow *flow)
{
	if (!flow->connecting && !flow->full)
		flow_write(flow);
	if (flow->fd >= 0 && flow->burst.fate == FATE_ANSWERED && flow->pos == flow->burst.out.len &&
	    !flow_want(flow)) {
		flow_next(flow);
		if (flow->fd >= 0)
			flow_write(flow);
	}
	if (flow->fd >= 0 && now_us() - flow->progress_at > client_run.wait_us)
		flow_fault(flow, "nothing moves");
}

/* What to wait for now. Returns how long that may take, in us. */
static int64_t flow_interest(struct flow *flow)
{
	struct epoll_event event = { .data.u32 = flow->index };
	int64_t now = now_us(), wait = 200000;

	if (flow->connecting || flow->full)
		event.events |= EPOLLOUT;
	if (flow->read_at <= now)
		event.events |= EPOLLIN;
	else
		wait = flow->read_at - now;
	if (flow->write_at > now && flow->write_at - now < wait)
		wait = flow->write_at - now;
	if (event.events != flow->events)
		epoll_ctl(client_run.epoll, EPOLL_CTL_MOD, flow->fd, &event);
	flow->events = event.events;
	return wait;
}

/* Returns how many connections there are. */
static unsigned int client_turn(void)
{
	struct epoll_event events[FLOWS_MAX];
	int64_t wait = 200000, w;
	unsigned int i, open = 0;
	struct flow *flow;
	int k, n;

	for (i = 0; i < client_run.n_flows; i++) {
		flow = &client_run.flows[i];
		if (flow->fd < 0 && !run_over() && flow_open(flow) < 0)
			flow_fault(flow, "cannot be opened");
		if (flow->fd >= 0)
			flow_tick(flow);
		if (flow->fd < 0)
			continue;
		open++;
		w = flow_interest(flow);
		wait = w < wait ? w : wait;
	}
	n = epoll_wait(client_run.epoll, events, FLOWS_MAX, open ? (wait + 999) / 1000 : 0);
	for (k = 0; k < n; k++) {
		flow = &client_run.flows[events[k].data.u32];
		if (flow->fd >= 0)
			flow_event(flow, events[k].events);
	}
	return open;
}

static void client_print(void)
{
	printf("seed=%u connections=%lu requests=%lu answered=%lu no_token=%lu bad_token=%lu unanswered=%lu undenied=%lu\n",
	       client_run.seed, client_run.connections, client_run.requests, client_run.answered, client_run.no_token,
	       client_run.bad_token, client_run.unanswered, client_run.undenied);
	printf("bytes_out=%lu bytes_in=%lu new_tokens=%lu split=%lu pipelined=%lu chunked=%lu long_heads=%lu slow=%lu\n",
	       client_run.bytes_out, client_run.bytes_in, plan.new_tokens, client_run.split, plan.pipelined,
	       plan.chunked, plan.long_heads, client_run.slow);
	printf("resets=%lu cut_heads=%lu cut_answered=%lu cut_bodies=%lu last=%lu joined=%lu loose_ends=%lu faults=%lu\n",
	       client_run.resets, client_run.cut_heads, client_run.cut_answered, client_run.cut_bodies, client_run.last,
	       client_run.joined, client_run.loose_ends, faults);
}

/* The seed was set by the caller. */
static int client_main(double seconds, const char *tokens, int port, char **hosts)
{
	unsigned int i;

	while (*hosts && client_run.n_hosts < HOSTS_MAX)
		client_run.hosts[client_run.n_hosts++] = *hosts++;
	client_run.port = port;
	client_run.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (client_run.epoll < 0 || tokens_read(tokens) < 0) {
		fprintf(stderr, "soak client: too few tokens in %s\n", tokens);
		return 2;
	}
	plan.started = now_us();
	plan.until = plan.started + seconds * 1000000;
	for (i = 0; i < client_run.n_flows; i++)
		client_run.flows[i] = (struct flow){ .fd = -1, .index = i };
	while (client_turn() || !run_over())
		;
	client_print();
	return faults != 0;
}

#endif
