// SPDX-License-Identifier: MIT
/* Floor 4: a request, from its head to the endpoint. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <event2/event.h>

#include "core/host.h"
#include "core/path.h"
#include "core/util.h"
#include "gateway/http_internal.h"
#include "method.h"

/* A longer one than any host with its port is none. */
#define HOST_TEXT_MAX 512

/* ---- which endpoint ---- */

static bool is_shortage(int r)
{
	return r == -EMFILE || r == -ENFILE || r == -ENOBUFS || r == -ENOMEM || r == -EADDRNOTAVAIL;
}

static void request_wait(struct http_client *client)
{
	client->phase = HTTP_CONNECTING;
	http_deadline(client, HTTP_CONNECT_S);
}

/* Over a connection that is there, or a new one. `fresh`: a new one in any case. */
static void request_send(struct http_client *client, struct backend *backend, bool fresh)
{
	struct http_exchange *x = &client->x;
	struct upstream_counts *counts;
	struct upstream *upstream;
	char text[PLACE_TEXT_MAX];
	int r;

	for (;;) {
		r = x->n_tried < HTTP_TRIES
			    ? backend_pick(backend, &client->source.addr, x->tried, x->n_tried, &upstream)
			    : -EHOSTUNREACH;
		if (r < 0) {
			http_answer(client, r == -ENOMEM ? ANSWER_RESOURCES : ANSWER_NO_ENDPOINT);
			return;
		}
		counts = &upstream_share(upstream, client->worker)->counts;
		if (!fresh && http_server_take(client, upstream)) {
			counts->requests++;
			client->phase = HTTP_EXCHANGE;
			http_deadline(client, x->timeout_s);
			return;
		}
		x->tried[x->n_tried++] = upstream->place;
		r = http_server_connect(client, upstream);
		if (r == 0) {
			counts->requests++;
			request_wait(client);
			return;
		}
		upstream_done(upstream);
		if (is_shortage(r)) {
			gateway_note_limit(client->worker->gateway);
			http_answer(client, ANSWER_RESOURCES);
			return;
		}
		counts->failed++;
		place_text(&upstream->place, text);
		upstream_report(upstream, false, strerror(-r));
	}
}

/* Its cluster, unless a reload has taken that away. It outlives the connection that is closed then. */
static struct backend *server_leave(struct http_client *client)
{
	struct backend *backend = client->server->upstream->backend;

	if (!backend->service)
		backend = NULL;
	http_server_release(client, false);
	return backend;
}

static void request_resend(struct http_client *client, bool fresh)
{
	struct backend *backend = server_leave(client);

	client->request.sent = 0;
	if (backend)
		request_send(client, backend, fresh);
	else
		http_answer(client, ANSWER_NO_ENDPOINT);
}

void http_request_again(struct http_client *client, const char *why)
{
	struct http_server *server = client->server;

	server->share->counts.failed++;
	upstream_report(server->upstream, false, why);
	request_resend(client, false);
}

bool http_request_repeat(struct http_client *client)
{
	struct http_exchange *x = &client->x;

	if (x->response_begun || x->retried || !x->repeatable || !client->server->reused)
		return false;
	x->retried = true;
	x->request_cut = x->server_reset = false;
	client->server->share->counts.retried++;
	request_resend(client, true);
	return true;
}

/* ---- where it goes ---- */

static int host_copy(const struct http_span *span, char ret[HOST_TEXT_MAX])
{
	if (span->len >= HOST_TEXT_MAX)
		return -EINVAL;
	memcpy(ret, span->data ?: (const uint8_t *)"", span->len);
	ret[span->len] = '\0';
	return 0;
}

/* As servers read it, where they agree on that: with dot segments resolved, and so on. */
static int path_copy(const struct http_span *origin, bool odd, char *ret)
{
	const uint8_t *query = origin->len ? memchr(origin->data, '?', origin->len) : NULL;
	size_t len = query ? (size_t)(query - origin->data) : origin->len;
	bool exact = true;
	int n;

	if (!len || origin->data[0] != '/') {
		memcpy(ret, "/", 2);
		return 0;
	}
	if (!odd) {
		memcpy(ret, origin->data, len);
		ret[len] = '\0';
		return 0;
	}
	n = path_normalize((const char *)origin->data, len, ret, &exact);
	if (n < 0)
		return n;
	if (!exact)
		path_reduce(ret, n);
	return 0;
}

/* 0, or what is answered instead, negative: -1 - enum http_answer. */
static int request_route(struct http_client *client, const struct http_fields *fields, const struct http_target *target,
			 struct backend **ret)
{
	const struct http_span *host = target->authority.data ? &target->authority : &fields->host;
	struct gateway *gateway = client->worker->gateway;
	char name[HOST_TEXT_MAX], path[HTTP1_BUF_MAX + 2];
	struct route_answer answer;

	if (host_copy(host, name) < 0 || path_copy(&target->origin, client->scan.flags & HTTP1_ODD, path) < 0)
		return -1 - ANSWER_BAD_REQUEST;
	route_match(gateway->routes, client->gate->index, &client->source.addr, host->len ? name : NULL, path, &answer);
	if (answer.why == ROUTE_BAD_HOST)
		return -1 - ANSWER_BAD_REQUEST;
	*ret = answer.service ? gateway->served[answer.service - gateway->config->services] : NULL;
	client->x.timeout_s = answer.by == ROUTE_BY_REQUEST ? answer.timeout_s : HTTP_TIMEOUT_S;
	return *ret ? 0 : -1 - ANSWER_NO_ROUTE;
}

/* ---- its head ---- */

static void exchange_begin(struct http_client *client, const struct http_fields *fields)
{
	const struct http1 *h = &client->scan;
	uint8_t method = method_of(http1_word((const struct http1_buf *)flow_data(&client->request), 0));

	client->x = (struct http_exchange){
		.old = !h->minor,
		.head = h->method == HTTP1_METHOD_HEAD,
		.upgrade = h->flags & HTTP1_WEBSOCKET,
		.keep_alive = http_persists(h, fields),
	};
	http1_body_of(h, &client->request.body);
	client->x.request_done = client->request.body.kind == BODY_NONE;
	client->x.repeatable = client->x.request_done && !client->x.upgrade && method != METHOD_POST &&
			       method != METHOD_PATCH && method != METHOD_OTHER;
}

static int head_write(struct http_client *client, const struct http_fields *fields, const struct http_target *target)
{
	const struct http_request_out what = { .fields = fields, .target = target, .source = client->source_text };
	struct http_flow *flow = &client->request;
	uint8_t *out = flow_head_room(flow, &client->worker->buffers,
				      client->scan.head_len + target->authority.len + HTTP_HEAD_MORE);

	if (!out)
		return -1 - ANSWER_RESOURCES;
	flow_head(flow, http_request_write(flow_data(flow), &client->scan, &what, out));
	return 0;
}

/* What cannot be read ends the connection: nobody knows where the next request begins. */
static enum http_step request_bad(struct http_client *client, enum http_answer answer)
{
	client->x = (struct http_exchange){};
	client->scanned = 0;
	client->counts->requests++;
	http_answer(client, answer);
	return STEP_MORE;
}

/* A policy may have come while it waited. */
static enum http_step request_unjudged(struct http_client *client, enum http_judged judged)
{
	if (judged == HTTP_JUDGED_BEFORE)
		return request_bad(client, ANSWER_OLD_POLICY);
	if (judged == HTTP_JUDGED_LATER) {
		client->scanned = 0;
		return STEP_WAIT;
	}
	client->counts->refused[REFUSED_UNJUDGED]++;
	gateway_refused(client->worker, &client->source, &client->destination, REFUSED_UNJUDGED);
	client->reset = true;
	return STEP_END;
}

static enum http_step request_take(struct http_client *client)
{
	enum http_judged judged = http_policy_judged(client);
	struct http_flow *flow = &client->request;
	const uint8_t *head = flow_data(flow);
	struct http_fields fields;
	struct http_target target;
	struct backend *backend;
	int r;

	if (judged != HTTP_JUDGED)
		return request_unjudged(client, judged);
	client->taken++;
	if (http_fields_read(head, &client->scan, &fields) < 0 || http_target_read(head, &client->scan, &target) < 0)
		return request_bad(client, ANSWER_BAD_REQUEST);
	client->counts->requests++;
	client->scanned = 0;
	exchange_begin(client, &fields);
	r = request_route(client, &fields, &target, &backend);
	if (r == 0)
		r = head_write(client, &fields, &target);
	flow_skip(flow, client->scan.head_len);
	if (r < 0)
		http_answer(client, -1 - r);
	else
		request_send(client, backend, false);
	return STEP_MORE;
}

enum http_step http_request_begin(struct http_client *client)
{
	struct http_flow *flow = &client->request;
	size_t len = flow_len(flow);
	int r;

	if (len > client->scanned) {
		if (len > HTTP1_BUF_MAX)
			len = HTTP1_BUF_MAX;
		if (!client->scanned)
			http1_start(&client->scan, false);
		r = http1_resume((struct http1_buf *)flow_data(flow), &client->scan, client->scanned, len);
		client->scanned = len;
		if (r == HTTP1_DONE)
			return request_take(client);
		if (r == HTTP1_BAD)
			return request_bad(client, ANSWER_BAD_REQUEST);
		if (len == HTTP1_BUF_MAX)
			return request_bad(client, ANSWER_TOO_LARGE);
	}
	if (client->ended)
		return STEP_END;
	if (flow->in && flow->end == flow->in->size && !flow->start && flow_grow(flow, &client->worker->buffers) < 0)
		return request_bad(client, ANSWER_RESOURCES);
	return http_client_read(client);
}

/* ---- on its way ---- */

static enum http_step request_push(struct http_client *client)
{
	struct http_server *server = client->server;
	ssize_t n;

	if (!server->peer.writable)
		return STEP_WAIT;
	n = flow_send(&client->request, &server->peer);
	if (n >= 0) {
		client->moved += n;
		server->share->counts.traffic.bytes_in += n;
		return STEP_MORE;
	}
	if (n == -EAGAIN)
		return STEP_WAIT;
	/* It may have answered before it closed. Behind its end a reset is told as -EPIPE. */
	client->x.request_cut = true;
	client->x.server_reset = n == -ECONNRESET;
	server->peer.readable = true;
	return STEP_MORE;
}

enum http_step http_request_forward(struct http_client *client)
{
	struct http_exchange *x = &client->x;
	struct http_flow *flow = &client->request;
	int r;

	if (!client->server || x->request_cut)
		return STEP_WAIT;
	if (!x->request_done) {
		r = flow_body(flow);
		if (r < 0) {
			client->reset = true;
			return STEP_END;
		}
		x->request_done = r;
	}
	if (flow_pending(flow))
		return request_push(client);
	if (x->request_done)
		return http_client_watch(client);
	if (!client->ended)
		return http_client_read(client);
	client->reset = true;
	return STEP_END;
}
