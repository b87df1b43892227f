// SPDX-License-Identifier: MIT
/* Floor 4: the way of a connection: from where to where, the connection to the endpoint, the relay, the end. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <event2/event.h>

#include "core/util.h"
#include "gateway/session.h"

static struct session *session_of(struct relay *relay)
{
	return (struct session *)((char *)relay - offsetof(struct session, relay));
}

static struct gate_counts *gate_counts(const struct session *session)
{
	return &gate_share(session->gate, session->worker)->counts;
}

static struct upstream_counts *upstream_counts(const struct session *session)
{
	return &upstream_share(session->upstream, session->worker)->counts;
}

/* ---- its endpoint ---- */

/* Picked for it. */
static void upstream_enter(struct session *session, struct upstream *upstream)
{
	session->upstream = upstream;
	TAILQ_INSERT_TAIL(&upstream_share(upstream, session->worker)->sessions, session, upstream_link);
}

static void upstream_exit(struct session *session)
{
	struct upstream *upstream = TAKE_PTR(session->upstream);

	if (!upstream)
		return;
	TAILQ_REMOVE(&upstream_share(upstream, session->worker)->sessions, session, upstream_link);
	upstream_done(upstream);
}

/* ---- the end ---- */

static void opening_free(struct session *session)
{
	if (!session->opening)
		return;
	event_del(&session->opening->event);
	event_del(&session->opening->timer);
	free(TAKE_PTR(session->opening));
}

/* Its sockets are closed already. */
static void session_free(struct session *session)
{
	upstream_exit(session);
	opening_free(session);
	TAILQ_REMOVE(&gate_share(session->gate, session->worker)->sessions, session, gate_link);
	worker_left(session->worker);
	free(session);
}

static void session_end(struct session *session, bool reset)
{
	gate_counts(session)->traffic.open--;
	upstream_counts(session)->traffic.open--;
	relay_close(&session->relay, reset);
	session_free(session);
}

void session_refuse(struct session *session, enum refusal why)
{
	gate_counts(session)->refused[why]++;
	gateway_refused(session->worker, &session->source, &session->destination, why);
	opening_free(session);
	socket_reset_on_close(session->client);
	close_fd(&session->client);
	close_fd(&session->server);
	session_free(session);
}

void session_reset(struct session *session)
{
	if (session->opening)
		session_refuse(session, REFUSED_NO_ENDPOINT);
	else
		session_end(session, true);
}

/* ---- the relay ---- */

static void traffic_add(struct traffic *traffic, int from, size_t bytes)
{
	*(from == 0 ? &traffic->bytes_in : &traffic->bytes_out) += bytes;
}

static void on_moved(struct relay *relay, int from, size_t bytes)
{
	struct session *session = session_of(relay);

	traffic_add(&gate_counts(session)->traffic, from, bytes);
	traffic_add(&upstream_counts(session)->traffic, from, bytes);
}

static void on_over(struct relay *relay, bool reset)
{
	session_end(session_of(relay), reset);
}

static void traffic_begin(struct traffic *traffic, size_t bytes)
{
	traffic->connections++;
	traffic->open++;
	traffic->bytes_in += bytes;
}

/* The endpoint has the preface: no other one may have this connection any more. */
static void session_relay(struct session *session)
{
	static const struct relay_hooks hooks = { .moved = on_moved, .over = on_over };
	size_t sent = session->opening->len;

	event_del(&session->opening->event);
	if (relay_open(&session->relay, session->worker->base, &session->worker->gateway->pipes, &hooks,
		       session->client, session->server) < 0) {
		session_refuse(session, REFUSED_RESOURCES);
		return;
	}
	for (int i = 0; i < 2; i++)
		event_priority_set(&session->relay.side[i].event, PRIORITY_RELAY);
	opening_free(session);
	gateway_taken(session->worker, &session->source, &session->destination, CONNECTION_RELAY,
		      &session->upstream->place);
	traffic_begin(&gate_counts(session)->traffic, sent);
	traffic_begin(&upstream_counts(session)->traffic, sent);
}

/* ---- the connection to the endpoint ---- */

/* This endpoint did not take it: the next one may. */
static void session_again(struct session *session, const char *why)
{
	struct upstream *upstream = session->upstream;

	event_del(&session->opening->event);
	event_del(&session->opening->timer);
	close_fd(&session->server);
	upstream_counts(session)->failed++;
	upstream_report(upstream, false, why);
	upstream_exit(session);
	session_connect(session);
}

static void on_connected(evutil_socket_t fd, short what, void *data)
{
	struct session *session = data;
	int r;

	(void)what;
	event_del(&session->opening->timer);
	r = socket_error(fd);
	if (r) {
		session_again(session, strerror(r));
		return;
	}
	r = preface_send(session);
	if (r == -EIO)
		session_refuse(session, REFUSED_NO_ENDPOINT); /* it has a part: that is no other one's */
	else if (r < 0)
		session_again(session, strerror(-r));
	else
		session_relay(session);
}

static void on_timeout(evutil_socket_t fd, short what, void *data)
{
	(void)fd;
	(void)what;
	session_again(data, "it takes no connection in time");
}

static int await_connection(struct session *session)
{
	static const struct timeval timeout = { .tv_sec = CONNECT_MS / 1000, .tv_usec = CONNECT_MS % 1000 * 1000 };
	struct session_opening *opening = session->opening;

	if (loop_event(session->worker->base, &opening->event, session->server, EV_WRITE, on_connected, session) < 0 ||
	    loop_event(session->worker->base, &opening->timer, -1, 0, on_timeout, session) < 0 ||
	    event_add(&opening->event, NULL) < 0 || event_add(&opening->timer, &timeout) < 0)
		return -ENOMEM;
	return 0;
}

/* What the process lacks says nothing about the endpoint. */
static bool is_shortage(int r)
{
	return r == -ENOBUFS || r == -ENOMEM || r == -EADDRNOTAVAIL;
}

static void on_shortage_over(evutil_socket_t fd, short what, void *data)
{
	(void)fd;
	(void)what;
	session_connect(data);
}

/* Others end, and leave theirs; meanwhile the gate does not accept either. */
static void session_wait(struct session *session)
{
	static const struct timeval wait = { .tv_usec = SHORTAGE_MS * 1000 };
	struct session_opening *opening = session->opening;

	gateway_note_limit(session->worker->gateway);
	upstream_exit(session);
	opening->n_tried--;
	if (++opening->shortages > SHORTAGES_MAX ||
	    loop_event(session->worker->base, &opening->timer, -1, 0, on_shortage_over, session) < 0 ||
	    event_add(&opening->timer, &wait) < 0)
		session_refuse(session, REFUSED_RESOURCES);
}

static void upstream_connect(struct session *session, struct upstream *upstream)
{
	int r;

	upstream_enter(session, upstream);
	session->opening->tried[session->opening->n_tried++] = upstream->place;
	session->server = r = gateway_connect(session->worker->gateway, &upstream->place, true);
	if (r >= 0)
		r = await_connection(session);
	if (r >= 0)
		return;
	if (r == -EMFILE || r == -ENFILE)
		session_wait(session);
	else if (is_shortage(r))
		session_refuse(session, REFUSED_RESOURCES);
	else
		session_again(session, strerror(-r));
}

/* ---- where it goes ---- */

static struct backend *session_backend(const struct session *session)
{
	struct gateway *gateway = session->worker->gateway;
	struct route_answer answer;

	if (session->gate->gone)
		return NULL;
	if (session->gate->captures)
		route_capture(gateway->routes, session->gate->index, &session->source.addr, &session->destination.addr,
			      &answer);
	else
		route_match(gateway->routes, session->gate->index, &session->source.addr, NULL, NULL, &answer);
	return answer.service ? gateway->served[answer.service - gateway->config->services] : NULL;
}

/* By the configuration that is in force now, which another try may find changed. */
void session_connect(struct session *session)
{
	const struct session_opening *opening = session->opening;
	struct backend *backend = session_backend(session);
	struct upstream *upstream;
	int r;

	if (!backend) {
		session_refuse(session, REFUSED_NO_ROUTE);
		return;
	}
	r = opening->n_tried < CONNECT_TRIES
		    ? backend_pick(backend, &session->source.addr, opening->tried, opening->n_tried, &upstream)
		    : -EHOSTUNREACH;
	if (r == 0)
		upstream_connect(session, upstream);
	else
		session_refuse(session, r == -ENOMEM ? REFUSED_RESOURCES : REFUSED_NO_ENDPOINT);
}

/* ---- the beginning ---- */

static bool peer_is_trusted(const struct accept_proxy_config *accept, const struct place *peer)
{
	if (!accept->enabled)
		return false;
	for (size_t i = 0; i < accept->n_trusted; i++)
		if (cidr_covers(&accept->trusted[i], &peer->addr))
			return true;
	return !accept->n_trusted;
}

static struct session *session_new(struct worker *worker, struct gate *gate, int client)
{
	struct session *session = calloc(1, sizeof(*session));

	if (!session)
		return NULL;
	session->opening = calloc(1, sizeof(*session->opening));
	if (!session->opening) {
		free(session);
		return NULL;
	}
	session->worker = worker;
	session->gate = gate;
	session->client = client;
	session->server = -1;
	loop_event(worker->base, &session->opening->event, client, EV_READ, NULL, NULL);
	loop_event(worker->base, &session->opening->timer, -1, 0, NULL, NULL);
	TAILQ_INSERT_TAIL(&gate_share(gate, worker)->sessions, session, gate_link);
	return session;
}

static bool is_loopback(const struct addr *addr)
{
	static const struct addr v6 = { .b[15] = 1 };

	return cidr_is_v4(addr) ? addr->b[12] == 127 : !memcmp(addr, &v6, sizeof(v6));
}

/*
 * A captured connection: where it wanted to go, and from where it would have. Over loopback a socket that was not bound has an
 * address of loopback, in place of the one that the routes would have given it.
 */
static bool session_original(struct session *session)
{
	const struct gateway_hooks *hooks = session->worker->gateway->hooks;
	struct place *from = &session->source, *to = &session->destination;
	struct gateway_original original;

	if (!hooks->original || !hooks->original(hooks->data, &from->addr, from->port, to->port, &original))
		return false;
	*to = (struct place){ .addr = original.addr, .port = original.port };
	/* Without a route it could not have been made either: then it stays as it is. */
	if (!original.bound && is_loopback(&from->addr))
		socket_source(to, &from->addr);
	return true;
}

/* A connection that came to this host shows where it wanted to go. Who came to the relay itself was not sent there. */
static bool session_came(const struct session *session)
{
	const struct gate *gate = session->gate;
	const struct place *to = &session->destination;

	return !is_loopback(&to->addr) || (ntohs(to->port) != gate->ports[0] && ntohs(to->port) != gate->ports[1]);
}

void session_accept(struct worker *worker, struct gate *gate, int client, const struct sockaddr_storage *peer)
{
	const struct listener_config *listener = &gate->gateway->config->listeners[gate->index];
	struct session *session = session_new(worker, gate, client);
	struct sockaddr_storage self;
	socklen_t len = sizeof(self);

	socket_inline(client, true); /* it may have come when the listener's protocol was another */
	if (!session) {
		gate_share(gate, worker)->counts.refused[REFUSED_RESOURCES]++;
		worker_left(worker);
		socket_reset_on_close(client);
		close(client);
		return;
	}
	place_from(peer, &session->source);
	/* What the client asked for: also where it did not ask for an address of ours. */
	if (getsockname(client, (struct sockaddr *)&self, &len) == 0)
		place_from(&self, &session->destination);
	if (gate->captures && !(gate->in ? session_came(session) : session_original(session)))
		session_refuse(session, REFUSED_UNCAPTURED);
	else if (peer_is_trusted(&listener->accept_proxy, &session->source))
		preface_await(session);
	else
		session_connect(session);
}
