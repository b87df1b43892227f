// SPDX-License-Identifier: MIT
/* Floor 4: a client's HTTP connection, from where it is accepted to its end. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <event2/event.h>

#include "core/clock.h"
#include "core/util.h"
#include "gateway/http_internal.h"

void http_deadline(struct http_client *client, int64_t seconds)
{
	client->deadline = seconds ? clock_ns(CLOCK_MONOTONIC_COARSE) + seconds * NSEC_PER_SEC : 0;
}

/* ---- the end ---- */

void http_end(struct http_client *client, bool reset)
{
	http_server_release(client, false);
	if (client->own)
		http_server_close(client->own);
	flow_clear(&client->request, &client->worker->buffers);
	flow_clear(&client->response, &client->worker->buffers);
	event_del(&client->event);
	if (reset)
		socket_reset_on_close(client->peer.fd);
	close_fd(&client->peer.fd);
	client->counts->traffic.open--;
	TAILQ_REMOVE(&gate_share(client->gate, client->worker)->clients, client, link);
	worker_left(client->worker);
	free(client);
}

/* ---- reading ---- */

enum http_step http_client_read(struct http_client *client)
{
	ssize_t n;

	if (!client->peer.readable || client->ended)
		return STEP_WAIT;
	n = flow_read(&client->request, &client->worker->buffers, &client->peer);
	if (n > 0) {
		client->moved += n;
		client->counts->traffic.bytes_in += n;
		return STEP_MORE;
	}
	if (n == 0) {
		client->ended = true;
		return STEP_MORE;
	}
	if (n == -EAGAIN || n == -ENOBUFS)
		return STEP_WAIT;
	client->reset = true;
	return STEP_END;
}

/* A reset shows when the socket is read; one that is not, for there is no room, is asked. */
enum http_step http_client_watch(struct http_client *client)
{
	enum http_step step = http_client_read(client);

	if (step != STEP_WAIT || !client->peer.readable || client->ended)
		return step;
	if (!socket_is_reset(client->peer.fd))
		return STEP_WAIT;
	client->reset = true;
	return STEP_END;
}

/* The client reads the last response to its end and closes: closing first, with bytes of it unread, would reset it. */
static enum http_step linger(struct http_client *client)
{
	struct http_flow *flow = &client->request;

	flow_clear(flow, &client->worker->buffers);
	return client->ended ? STEP_END : http_client_read(client);
}

/* ---- the turn ---- */

static enum http_step exchange(struct http_client *client)
{
	enum http_step there = http_request_forward(client), back;

	if (there == STEP_END || client->phase != HTTP_EXCHANGE)
		return there;
	back = http_response_forward(client);
	return back == STEP_WAIT ? there : back;
}

static enum http_step step_of(struct http_client *client)
{
	switch (client->phase) {
	case HTTP_IDLE: return http_request_begin(client);
	case HTTP_CONNECTING: return http_client_watch(client);
	case HTTP_EXCHANGE: return exchange(client);
	case HTTP_TUNNEL: return http_tunnel(client);
	default: return linger(client);
	}
}

void http_pump(struct http_client *client)
{
	struct http_buffers *buffers = &client->worker->buffers;
	enum http_step step;

	client->moved = 0;
	do
		step = step_of(client);
	while (step == STEP_MORE && client->moved < HTTP_TURN);
	if (step == STEP_END) {
		http_end(client, client->reset);
		return;
	}
	flow_settle(&client->request, buffers);
	flow_settle(&client->response, buffers);
	if (client->response.sent == client->response.head)
		flow_forget(&client->response, buffers);
	if (client->phase == HTTP_EXCHANGE && client->moved)
		http_deadline(client, client->x.timeout_s);
	if (step == STEP_MORE)
		event_active(&client->event, EV_TIMEOUT, 0);
}

static void on_client(evutil_socket_t fd, short what, void *data)
{
	struct http_client *client = data;
	struct http_peer *peer = &client->peer;

	(void)fd;
	peer->closed |= !!(what & EV_CLOSED);
	peer->readable |= !!(what & (EV_READ | EV_CLOSED));
	peer->writable |= !!(what & EV_WRITE);
	http_pump(client);
}

/* ---- time ---- */

static void too_late(struct http_client *client)
{
	client->deadline = 0;
	if (client->phase == HTTP_CONNECTING) {
		http_request_again(client, "it takes no connection in time");
	} else if (client->phase == HTTP_EXCHANGE && client->server && !client->x.response_head) {
		http_answer(client, ANSWER_TIMEOUT);
	} else {
		/* A response that stands still is cut off: where its length is not known, so that this shows. */
		http_end(client, client->phase == HTTP_EXCHANGE);
		return;
	}
	http_pump(client);
}

static void share_sweep(struct gate_share *share, int64_t now)
{
	struct http_client *client, *next;

	for (client = TAILQ_FIRST(&share->clients); client; client = next) {
		next = TAILQ_NEXT(client, link);
		if (client->deadline && client->deadline <= now)
			too_late(client);
	}
}

void http_sweep(struct worker *worker)
{
	int64_t now = clock_ns(CLOCK_MONOTONIC_COARSE);
	struct gate *gate;

	TAILQ_FOREACH(gate, &worker->gateway->gates, link)
	share_sweep(gate_share(gate, worker), now);
	http_servers_sweep(worker, now);
}

/* ---- the gate ---- */

static void share_leave(struct gate_share *share)
{
	struct http_client *client, *next;

	for (client = TAILQ_FIRST(&share->clients); client; client = next) {
		next = TAILQ_NEXT(client, link);
		client->leaving = true;
		if (client->phase == HTTP_IDLE)
			http_end(client, false);
	}
}

static void share_wake(struct gate_share *share)
{
	struct http_client *client;

	TAILQ_FOREACH(client, &share->clients, link)
	if (client->phase == HTTP_IDLE)
		event_active(&client->event, EV_TIMEOUT, 0);
}

void http_wake(struct gate *gate)
{
	for (size_t i = 0; i < gate->gateway->n_workers; i++)
		share_wake(&gate->shares[i]);
}

void http_leave(struct gate *gate)
{
	for (size_t i = 0; i < gate->gateway->n_workers; i++)
		share_leave(&gate->shares[i]);
}

void http_reset(struct gate_share *share)
{
	struct http_client *client;

	while ((client = TAILQ_FIRST(&share->clients)))
		http_end(client, true);
}

/* ---- the beginning ---- */

static struct http_client *client_new(struct worker *worker, struct gate *gate, int fd,
				      const struct sockaddr_storage *peer)
{
	struct http_client *client = calloc(1, sizeof(*client));
	struct sockaddr_storage self;
	socklen_t len = sizeof(self);
	bool v4;

	if (!client)
		return NULL;
	client->peer = (struct http_peer){ .fd = fd, .readable = true, .writable = true };
	client->worker = worker;
	client->gate = gate;
	client->counts = &gate_share(gate, worker)->counts;
	place_from(peer, &client->source);
	if (getsockname(fd, (struct sockaddr *)&self, &len) == 0)
		place_from(&self, &client->destination);
	v4 = cidr_is_v4(&client->source.addr);
	inet_ntop(v4 ? AF_INET : AF_INET6, client->source.addr.b + (v4 ? 12 : 0), client->source_text,
		  sizeof(client->source_text));
	if (loop_event(worker->base, &client->event, fd, EV_READ | EV_WRITE | EV_CLOSED | EV_ET | EV_PERSIST, on_client,
		       client) < 0 ||
	    event_add(&client->event, NULL) < 0) {
		free(client);
		return NULL;
	}
	return client;
}

static void refuse(struct worker *worker, struct gate *gate, int fd, const struct sockaddr_storage *peer,
		   enum refusal why)
{
	struct place source, self = gate->place;
	struct sockaddr_storage at;
	socklen_t len = sizeof(at);

	gate_share(gate, worker)->counts.refused[why]++;
	place_from(peer, &source);
	if (getsockname(fd, (struct sockaddr *)&at, &len) == 0)
		place_from(&at, &self);
	gateway_refused(worker, &source, &self, why);
	worker_left(worker);
	socket_reset_on_close(fd);
	close(fd);
}

/* Nobody has judged what comes on a connection that is not under guard: it ends before anything of it is read. */
void http_accept(struct worker *worker, struct gate *gate, int fd, const struct sockaddr_storage *peer)
{
	const struct gateway *gateway = worker->gateway;
	const struct gateway_hooks *hooks = gateway->hooks;
	bool dry_run = !gateway->config->listeners[gate->index].enforce;
	struct gateway_judged judged;
	struct http_client *client;

	if (!hooks->judged || !hooks->judged(hooks->data, fd, dry_run, &judged)) {
		refuse(worker, gate, fd, peer, REFUSED_UNJUDGED);
		return;
	}
	client = client_new(worker, gate, fd, peer);
	if (!client) {
		refuse(worker, gate, fd, peer, REFUSED_RESOURCES);
		return;
	}
	http_policy_begin(client, &judged);
	client->counts->http_connections++;
	gateway_taken(worker, &client->source, &client->destination, CONNECTION_HTTP, NULL);
	client->counts->traffic.open++;
	TAILQ_INSERT_TAIL(&gate_share(gate, worker)->clients, client, link);
	http_deadline(client, HTTP_IDLE_S);
	http_pump(client);
}
