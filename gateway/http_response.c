// SPDX-License-Identifier: MIT
/* Floor 4: a response, from the endpoint or from mpbpfd, to the client; and what comes behind it. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "core/util.h"
#include "gateway/http_internal.h"

/* ---- mpbpfd's own ---- */

static const char *const answers[ANSWER_MAX] = {
	[ANSWER_BAD_REQUEST] = "400 Bad Request",	  [ANSWER_TOO_LARGE] = "431 Request Header Fields Too Large",
	[ANSWER_BAD_RESPONSE] = "502 Bad Gateway",	  [ANSWER_NO_ROUTE] = "503 Service Unavailable",
	[ANSWER_NO_ENDPOINT] = "503 Service Unavailable", [ANSWER_RESOURCES] = "503 Service Unavailable",
	[ANSWER_TIMEOUT] = "504 Gateway Timeout",	  [ANSWER_OLD_POLICY] = "503 Service Unavailable",
};

#define ANSWER_TEXT_MAX 256

/* What the endpoint has sent of a response goes nowhere. A client that has not sent all of its request has to end. */
void http_answer(struct http_client *client, enum http_answer answer)
{
	struct http_exchange *x = &client->x;
	struct http_flow *flow = &client->response;
	uint8_t *out = flow_head_room(flow, &client->worker->buffers, ANSWER_TEXT_MAX);

	http_server_release(client, false);
	flow->start = flow->end;
	client->scanned = 0;
	client->leaving |= !x->request_done || !x->keep_alive || !out;
	if (out)
		flow_head(flow, snprintf((char *)out, ANSWER_TEXT_MAX, "HTTP/1.1 %s\r\nContent-Length: 0\r\n%s\r\n",
					 answers[answer],
					 client->leaving ? "Connection: close\r\n"
					 : x->old	 ? "Connection: keep-alive\r\n"
							 : ""));
	x->response_begun = x->response_head = x->response_done = true;
	x->reusable = false;
	x->timeout_s = HTTP_IDLE_S;
	client->phase = HTTP_EXCHANGE;
	client->counts->answers[answer]++;
	http_deadline(client, HTTP_IDLE_S);
}

/* ---- its head ---- */

static enum http_step response_bad(struct http_client *client)
{
	http_answer(client, ANSWER_BAD_RESPONSE);
	return STEP_MORE;
}

static enum http_step head_put(struct http_client *client, const struct http_fields *fields)
{
	struct http_exchange *x = &client->x;
	struct http_flow *flow = &client->response;
	const struct http_response_out what = { .fields = fields,
						.close = client->leaving && client->scan.status >= 200,
						.keep_alive = x->old };
	uint8_t *out;

	/* What has gone is not needed again: there may be many interim ones. */
	if (flow->sent == flow->head)
		flow_forget(flow, &client->worker->buffers);
	out = flow_head_room(flow, &client->worker->buffers, client->scan.head_len + HTTP_HEAD_MORE);
	if (!out) {
		client->reset = true;
		return STEP_END;
	}
	flow_head(flow, http_response_write(flow_data(flow), &client->scan, &what, out));
	return STEP_MORE;
}

static enum http_step response_final(struct http_client *client, const struct http_fields *fields)
{
	struct http_exchange *x = &client->x;
	const struct http1 *h = &client->scan;
	struct http_flow *flow = &client->response;

	http_response_body(h, x->head, &flow->body);
	x->until_close = flow->body.kind == BODY_UNTIL_CLOSE;
	x->reusable = http_persists(h, fields) && !x->until_close && !x->old;
	/* Behind an early response nobody knows whether the rest of the request comes. */
	client->leaving |= !x->keep_alive || x->until_close || !x->request_done || client->gate->gone;
	if (head_put(client, fields) == STEP_END)
		return STEP_END;
	flow_skip(flow, h->head_len);
	x->response_head = true;
	x->response_done = flow->body.kind == BODY_NONE;
	return STEP_MORE;
}

/* 1xx. The client of HTTP/1.0 knows none. */
static enum http_step response_interim(struct http_client *client, const struct http_fields *fields)
{
	struct http_exchange *x = &client->x;
	bool switches = client->scan.status == 101;
	enum http_step step = x->old ? STEP_MORE : head_put(client, fields);

	if (step == STEP_END)
		return step;
	flow_skip(&client->response, client->scan.head_len);
	if (switches) {
		x->response_head = true;
		flow_forget(&client->request, &client->worker->buffers);
		client->phase = HTTP_TUNNEL;
		client->deadline = 0;
	}
	return STEP_MORE;
}

static enum http_step response_take(struct http_client *client)
{
	const struct http1 *h = &client->scan;
	struct http_fields fields;

	client->scanned = 0;
	if (http_fields_read(flow_data(&client->response), h, &fields) < 0)
		return response_bad(client);
	/* A client of HTTP/1.0 would not be told. */
	if (h->status == 101 && (!client->x.upgrade || !client->x.request_done || client->x.old))
		return response_bad(client);
	if (h->status < 200)
		return response_interim(client, &fields);
	if (client->x.old && (h->flags & HTTP1_CHUNKED))
		return response_bad(client);
	return response_final(client, &fields);
}

/* STEP_WAIT: more of it has to come. */
static enum http_step response_scan(struct http_client *client)
{
	struct http_flow *flow = &client->response;
	size_t len = flow_len(flow);
	int r;

	if (len <= client->scanned)
		return STEP_WAIT;
	if (len > HTTP1_BUF_MAX)
		len = HTTP1_BUF_MAX;
	if (!client->scanned)
		http1_start(&client->scan, true);
	r = http1_resume((struct http1_buf *)flow_data(flow), &client->scan, client->scanned, len);
	client->scanned = len;
	if (r == HTTP1_DONE)
		return response_take(client);
	if (r == HTTP1_BAD || len == HTTP1_BUF_MAX)
		return response_bad(client);
	if (flow->end == flow->in->size && !flow->start && flow_grow(flow, &client->worker->buffers) < 0)
		return response_bad(client);
	return STEP_WAIT;
}

/* ---- the connection to the endpoint ---- */

/* It has ended, by a reset or not. */
static enum http_step server_gone(struct http_client *client, bool reset)
{
	struct http_exchange *x = &client->x;

	client->server->peer.closed = true;
	if (!x->response_head)
		return http_request_repeat(client) ? STEP_MORE : response_bad(client);
	if (x->until_close && !reset) {
		x->response_done = true;
		return STEP_MORE;
	}
	/* The client sees that its response is cut off: by its length, or by the reset. */
	client->reset = x->until_close;
	return STEP_END;
}

static enum http_step response_read(struct http_client *client)
{
	struct http_server *server = client->server;
	ssize_t n;

	if (!server->peer.readable)
		return STEP_WAIT;
	n = flow_read(&client->response, &client->worker->buffers, &server->peer);
	if (n > 0) {
		client->moved += n;
		client->x.response_begun = true;
		server->share->counts.traffic.bytes_out += n;
		return STEP_MORE;
	}
	if (n == -EAGAIN)
		return STEP_WAIT;
	return server_gone(client, n < 0 || client->x.server_reset);
}

/* ---- to the client ---- */

static enum http_step response_push(struct http_client *client)
{
	ssize_t n;

	if (!client->peer.writable)
		return STEP_WAIT;
	n = flow_send(&client->response, &client->peer);
	if (n >= 0) {
		client->moved += n;
		client->counts->traffic.bytes_out += n;
		return STEP_MORE;
	}
	if (n == -EAGAIN)
		return STEP_WAIT;
	client->reset = true;
	return STEP_END;
}

static enum http_step exchange_end(struct http_client *client)
{
	struct http_buffers *buffers = &client->worker->buffers;
	struct http_exchange *x = &client->x;
	struct http_flow *request = &client->request;

	http_server_release(client, x->reusable && x->request_done && !x->request_cut && !flow_pending(request) &&
					    !flow_len(&client->response));
	flow_clear(&client->response, buffers);
	flow_forget(request, buffers);
	request->start += request->raw;
	request->raw = 0;
	request->bulk = false;
	client->scanned = 0;
	client->phase = HTTP_IDLE;
	http_deadline(client, HTTP_IDLE_S);
	if (!client->leaving)
		return STEP_MORE;
	if (client->ended)
		return STEP_END;
	shutdown(client->peer.fd, SHUT_WR);
	client->phase = HTTP_LINGER;
	http_deadline(client, HTTP_LINGER_S);
	return STEP_MORE;
}

enum http_step http_response_forward(struct http_client *client)
{
	struct http_exchange *x = &client->x;
	struct http_flow *flow = &client->response;
	enum http_step step;
	int r;

	if (!x->response_head && flow_len(flow)) {
		step = response_scan(client);
		if (step == STEP_END || (step == STEP_MORE && !x->response_head))
			return step;
	}
	if (x->response_head && !x->response_done && client->phase == HTTP_EXCHANGE) {
		r = flow_body(flow);
		if (r < 0) {
			client->reset = true;
			return STEP_END;
		}
		x->response_done = r;
	}
	if (flow_pending(flow))
		return response_push(client);
	if (x->response_done)
		return exchange_end(client);
	return client->server ? response_read(client) : STEP_WAIT;
}

/* ---- a tunnel ---- */

static enum http_step tunnel_way(struct http_client *client, struct http_flow *flow, struct http_peer *from,
				 struct http_peer *to, int way)
{
	struct traffic *gate = &client->counts->traffic, *upstream = &client->server->share->counts.traffic;
	bool *ended = way ? &client->server_ended : &client->ended;
	ssize_t n;

	flow->raw += flow_len(flow);
	if (flow_pending(flow)) {
		if (!to->writable)
			return STEP_WAIT;
		n = flow_send(flow, to);
		if (n > 0)
			*(way ? &gate->bytes_out : &upstream->bytes_in) += n;
	} else if (*ended) {
		if (client->shut[way])
			return STEP_WAIT;
		client->shut[way] = true;
		shutdown(to->fd, SHUT_WR);
		return STEP_MORE;
	} else {
		if (!from->readable)
			return STEP_WAIT;
		n = flow_read(flow, &client->worker->buffers, from);
		*ended = n == 0;
		if (n > 0)
			*(way ? &upstream->bytes_out : &gate->bytes_in) += n;
	}
	if (n >= 0) {
		client->moved += n;
		return STEP_MORE;
	}
	client->reset = n != -EAGAIN;
	return n == -EAGAIN ? STEP_WAIT : STEP_END;
}

enum http_step http_tunnel(struct http_client *client)
{
	struct http_peer *a = &client->peer, *b = &client->server->peer;
	enum http_step there = tunnel_way(client, &client->request, a, b, 0), back;

	if (there == STEP_END)
		return there;
	back = tunnel_way(client, &client->response, b, a, 1);
	if (client->shut[0] && client->shut[1])
		return STEP_END;
	return back == STEP_WAIT ? there : back;
}
