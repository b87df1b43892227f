// SPDX-License-Identifier: MIT
/* Floor 4: connections to endpoints that carry one request after the other. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <event2/event.h>

#include "core/clock.h"
#include "core/util.h"
#include "gateway/http_internal.h"
#include "gateway/proxy_protocol.h"

/* The endpoint was picked for the request: what the cluster's policy counts is requests that are under way. */
static void server_begin(struct http_server *server, struct http_client *client)
{
	server->client = client;
	client->server = server;
}

static void server_finish(struct http_server *server)
{
	server->client->server = NULL;
	server->client = NULL;
	upstream_done(server->upstream);
}

static bool is_pooled(const struct http_server *server)
{
	return !server->client && !server->owner;
}

static void server_unpool(struct http_server *server)
{
	TAILQ_REMOVE(&server->share->idle, server, idle_link);
	atomic_fetch_sub_explicit(&server->upstream->n_idle, 1, memory_order_relaxed);
}

void http_server_close(struct http_server *server)
{
	if (is_pooled(server))
		server_unpool(server);
	if (server->client)
		server_finish(server);
	if (server->owner && server->owner->own == server)
		server->owner->own = NULL;
	if (server->connected)
		server->share->counts.traffic.open--;
	TAILQ_REMOVE(&server->share->servers, server, link);
	event_del(&server->event);
	close_fd(&server->peer.fd);
	free(server);
}

/* An idle one has nothing to say: an end, or bytes that answer nothing. What was seen may also have been read before. */
static bool server_is_quiet(const struct http_server *server)
{
	char c;

	return recv(server->peer.fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

/* Beyond the bound this worker's oldest goes: other workers' are theirs. */
static void server_pool(struct http_server *server)
{
	struct upstream_share *share = server->share;

	TAILQ_INSERT_HEAD(&share->idle, server, idle_link);
	if (atomic_fetch_add_explicit(&server->upstream->n_idle, 1, memory_order_relaxed) >= HTTP_SERVERS_IDLE)
		http_server_close(TAILQ_LAST(&share->idle, http_server_list));
}

void http_server_release(struct http_client *client, bool reusable)
{
	struct http_server *server = client->server;

	if (!server)
		return;
	if (!reusable || server->upstream->gone || server->peer.closed ||
	    (server->peer.readable && !server_is_quiet(server))) {
		http_server_close(server);
		return;
	}
	server_finish(server);
	server->reused = true;
	server->since = clock_ns(CLOCK_MONOTONIC_COARSE);
	if (server->owner)
		client->own = server;
	else
		server_pool(server);
}

/*
 * The latest of the idle ones: what it needs is in the caches, and the others can grow old. One that has ended, or said more
 * than it was asked, is none, whether the loop has come to tell of that or not.
 */
static struct http_server *idle_take(struct upstream_share *share)
{
	struct http_server *server;

	while ((server = TAILQ_FIRST(&share->idle)) && !server_is_quiet(server))
		http_server_close(server);
	if (server)
		server_unpool(server);
	return server;
}

struct http_server *http_server_take(struct http_client *client, struct upstream *upstream)
{
	const struct service_config *service = upstream->backend->service;
	bool proxied = service->proxy_protocol != PROXY_OFF;
	struct http_server *server = client->own;

	if (server && (!proxied || server->upstream != upstream || !server_is_quiet(server)))
		http_server_close(server);
	server = proxied ? TAKE_PTR(client->own) : idle_take(upstream_share(upstream, client->worker));
	if (server)
		server_begin(server, client);
	return server;
}

/* ---- making one ---- */

static int proxy_send(struct http_server *server)
{
	const struct service_config *service = server->upstream->backend->service;
	const struct http_client *client = server->client;
	struct proxy_header header = { .known = true };
	uint8_t data[PROXY_READ_MAX];
	size_t len;
	ssize_t n;

	/* A reload took the service away, or changed what it wants. */
	if (!service || !!server->owner != (service->proxy_protocol != PROXY_OFF))
		return -ESTALE;
	if (!server->owner)
		return 0;
	header.version = service->proxy_protocol == PROXY_V1 ? 1 : 2;
	header.source = client->source.addr;
	header.source_port = client->source.port;
	header.destination = client->destination.addr;
	header.destination_port = client->destination.port;
	len = proxy_encode(&header, data);
	n = send(server->peer.fd, data, len, MSG_NOSIGNAL);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}

static void server_connected(struct http_server *server)
{
	struct http_client *client = server->client;
	int r = -socket_error(server->peer.fd);

	/* Only now: an endpoint of this node may have its fast path. */
	socket_inline(server->peer.fd, true);
	if (r == 0)
		r = proxy_send(server);
	if (r < 0) {
		http_request_again(client, strerror(-r));
		http_pump(client);
		return;
	}
	server->connected = true;
	server->share->counts.traffic.connections++;
	server->share->counts.traffic.open++;
	client->phase = HTTP_EXCHANGE;
	http_deadline(client, client->x.timeout_s);
	http_pump(client);
}

static void on_server(evutil_socket_t fd, short what, void *data)
{
	struct http_server *server = data;
	struct http_peer *peer = &server->peer;

	(void)fd;
	peer->closed |= !!(what & EV_CLOSED);
	peer->readable |= !!(what & (EV_READ | EV_CLOSED));
	peer->writable |= !!(what & EV_WRITE);
	if (!server->client) {
		if (peer->closed || !server_is_quiet(server))
			http_server_close(server);
	} else if (!server->connected) {
		server_connected(server);
	} else {
		http_pump(server->client);
	}
}

int http_server_connect(struct http_client *client, struct upstream *upstream)
{
	struct http_server *server = calloc(1, sizeof(*server));
	int fd;

	if (!server)
		return -ENOMEM;
	fd = gateway_connect(client->worker->gateway, &upstream->place, false);
	if (fd < 0) {
		free(server);
		return fd;
	}
	*server = (struct http_server){ .peer.fd = fd,
					.upstream = upstream,
					.share = upstream_share(upstream, client->worker) };
	if (loop_event(client->worker->base, &server->event, fd, EV_READ | EV_WRITE | EV_CLOSED | EV_ET | EV_PERSIST,
		       on_server, server) < 0 ||
	    event_add(&server->event, NULL) < 0) {
		close(fd);
		free(server);
		return -ENOMEM;
	}
	if (upstream->backend->service->proxy_protocol != PROXY_OFF)
		server->owner = client;
	TAILQ_INSERT_TAIL(&server->share->servers, server, link);
	server_begin(server, client);
	return 0;
}

/* ---- the end ---- */

void http_drop_idle(struct upstream_share *share)
{
	struct http_server *server, *next;

	for (server = TAILQ_FIRST(&share->servers); server; server = next) {
		next = TAILQ_NEXT(server, link);
		if (!server->client)
			http_server_close(server);
	}
}

/* A client may have a second one, of its own use: so each time the first. */
void http_drop_all(struct upstream_share *share)
{
	struct http_server *server;

	while ((server = TAILQ_FIRST(&share->servers))) {
		if (server->client)
			http_end(server->client, true);
		else
			http_server_close(server);
	}
}

static void share_sweep(struct upstream_share *share, int64_t until)
{
	struct http_server *server, *next;

	for (server = TAILQ_FIRST(&share->servers); server; server = next) {
		next = TAILQ_NEXT(server, link);
		if (!server->client && server->since < until)
			http_server_close(server);
	}
}

void http_servers_sweep(struct worker *worker, int64_t now)
{
	struct backend *backend;
	struct upstream *upstream;

	TAILQ_FOREACH(backend, &worker->gateway->backends, link)
	TAILQ_FOREACH(upstream, &backend->upstreams, link)
	share_sweep(upstream_share(upstream, worker), now - HTTP_SERVER_IDLE_S * NSEC_PER_SEC);
}
