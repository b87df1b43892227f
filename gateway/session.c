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

struct session *session_next(const struct session *session)
{
	return TAILQ_NEXT(session, upstream_link);
}

/* ---- its endpoint ---- */

static void upstream_enter(struct session *session, struct upstream *upstream)
{
	session->upstream = upstream;
	TAILQ_INSERT_TAIL(&upstream->sessions, session, upstream_link);
	cluster_opened(&upstream->backend->cluster, &upstream->place.addr, ntohs(upstream->place.port));
}

static void upstream_exit(struct session *session)
{
	struct upstream *upstream = TAKE_PTR(session->upstream);

	if (!upstream)
		return;
	TAILQ_REMOVE(&upstream->sessions, session, upstream_link);
	cluster_closed(&upstream->backend->cluster, &upstream->place.addr, ntohs(upstream->place.port));
	upstream_settle(upstream);
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
	struct gate *gate = session->gate;

	upstream_exit(session);
	opening_free(session);
	TAILQ_REMOVE(&gate->sessions, session, gate_link);
	free(session);
	gate_settle(gate);
}

static void session_end(struct session *session, bool reset)
{
	session->gate->traffic.open--;
	session->upstream->traffic.open--;
	relay_close(&session->relay, reset);
	session_free(session);
}

void session_refuse(struct session *session, enum refusal why)
{
	session->gate->refused[why]++;
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

	traffic_add(&session->gate->traffic, from, bytes);
	traffic_add(&session->upstream->traffic, from, bytes);
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
	if (relay_open(&session->relay, session->gateway->base, &session->gateway->pipes, &hooks, session->client,
		       session->server) < 0) {
		session_refuse(session, REFUSED_RESOURCES);
		return;
	}
	for (int i = 0; i < 2; i++)
		event_priority_set(&session->relay.side[i].event, PRIORITY_RELAY);
	opening_free(session);
	traffic_begin(&session->gate->traffic, sent);
	traffic_begin(&session->upstream->traffic, sent);
}

/* ---- the connection to the endpoint ---- */

/* This endpoint did not take it: the next one may. */
static void session_again(struct session *session, const char *why)
{
	struct upstream *upstream = session->upstream;

	event_del(&session->opening->event);
	event_del(&session->opening->timer);
	close_fd(&session->server);
	upstream->failed++;
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

	if (gateway_event(session->gateway, &opening->event, session->server, EV_WRITE, on_connected, session) < 0 ||
	    gateway_event(session->gateway, &opening->timer, -1, 0, on_timeout, session) < 0 ||
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

	gateway_note_limit(session->gateway);
	upstream_exit(session);
	opening->n_tried--;
	if (++opening->shortages > SHORTAGES_MAX ||
	    gateway_event(session->gateway, &opening->timer, -1, 0, on_shortage_over, session) < 0 ||
	    event_add(&opening->timer, &wait) < 0)
		session_refuse(session, REFUSED_RESOURCES);
}

static void upstream_connect(struct session *session, struct upstream *upstream)
{
	int r;

	upstream_enter(session, upstream);
	session->opening->tried[session->opening->n_tried++] = upstream->place;
	session->server = r = socket_connect(&upstream->place);
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

/* An endpoint that was not tried. 0, or -errno: there is none. */
static int upstream_pick(const struct session *session, struct backend *backend, struct upstream **ret)
{
	struct cluster *cluster = &backend->cluster;
	_cleanup_free_ bool *tried = calloc(cluster->n_endpoints ?: 1, sizeof(*tried));
	const struct session_opening *opening = session->opening;
	size_t i;
	int r;

	if (!tried)
		return -ENOMEM;
	for (i = 0; i < opening->n_tried; i++) {
		const struct place *place = &opening->tried[i];
		const struct endpoint *endpoint = cluster_find(cluster, &place->addr, ntohs(place->port));

		if (endpoint)
			tried[endpoint - cluster->endpoints] = true;
	}
	r = cluster_pick(cluster, &session->source.addr, tried, &i);
	if (r < 0)
		return r;
	*ret = backend_upstream(backend, i);
	return *ret ? 0 : -ENOMEM;
}

static struct backend *session_backend(const struct session *session)
{
	struct gateway *gateway = session->gateway;
	struct route_answer answer;

	if (session->gate->gone)
		return NULL;
	route_match(gateway->routes, session->gate->index, &session->source.addr, NULL, NULL, &answer);
	return answer.service ? gateway->served[answer.service - gateway->config->services] : NULL;
}

/* By the configuration that is in force now, which another try may find changed. */
void session_connect(struct session *session)
{
	struct backend *backend = session_backend(session);
	struct upstream *upstream;
	int r;

	if (!backend) {
		session_refuse(session, REFUSED_NO_ROUTE);
		return;
	}
	r = session->opening->n_tried < CONNECT_TRIES ? upstream_pick(session, backend, &upstream) : -EHOSTUNREACH;
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

static struct session *session_new(struct gate *gate, int client)
{
	struct session *session = calloc(1, sizeof(*session));

	if (!session)
		return NULL;
	session->opening = calloc(1, sizeof(*session->opening));
	if (!session->opening) {
		free(session);
		return NULL;
	}
	session->gateway = gate->gateway;
	session->gate = gate;
	session->client = client;
	session->server = -1;
	gateway_event(gate->gateway, &session->opening->event, client, EV_READ, NULL, NULL);
	gateway_event(gate->gateway, &session->opening->timer, -1, 0, NULL, NULL);
	TAILQ_INSERT_TAIL(&gate->sessions, session, gate_link);
	return session;
}

void session_accept(struct gate *gate, int client, const struct sockaddr_storage *peer)
{
	const struct listener_config *listener = &gate->gateway->config->listeners[gate->index];
	struct session *session = session_new(gate, client);
	struct sockaddr_storage self;
	socklen_t len = sizeof(self);

	if (!session) {
		gate->refused[REFUSED_RESOURCES]++;
		socket_reset_on_close(client);
		close(client);
		return;
	}
	place_from(peer, &session->source);
	/* What the client asked for: also where it did not ask for an address of ours. */
	if (getsockname(client, (struct sockaddr *)&self, &len) == 0)
		place_from(&self, &session->destination);
	if (peer_is_trusted(&listener->accept_proxy, &session->source))
		preface_await(session);
	else
		session_connect(session);
}
