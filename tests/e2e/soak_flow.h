/* SPDX-License-Identifier: MIT */
/* Test tool: one connection of soak's client: it sends what is planned, and holds each answer against what it deserves. */
#ifndef MPBPF_TESTS_SOAK_FLOW_H
#define MPBPF_TESTS_SOAK_FLOW_H

#include <linux/sockios.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

#include "http_client.h"
#include "soak_plan.h"

#define FLOWS_MAX 64
#define HOSTS_MAX 8

/* One connection at a time; when it ends, the next. */
struct flow {
	int fd; /* -1: none */
	uint32_t index, bursts;
	const char *host;
	struct rng rng;
	struct id next;
	struct burst burst;
	size_t pos;
	int stop, want; /* the next ones */
	bool stopped;	/* and this stop's pause is taken */
	struct reader reader;
	uint64_t key, off; /* of the answer's body */
	bool connecting, full, shut;
	bool loose;   /* the guard may lose track of the answers: a denial may end the connection */
	bool may_end; /* and a denial was asked for */
	uint32_t sip; /* read at most so much at a time, with pauses; 0: all there is */
	int64_t write_at, read_at, progress_at;
	uint32_t events;
};

static struct {
	uint32_t n_flows, seed;
	int port, n_hosts, epoll;
	const char *hosts[HOSTS_MAX];
	int64_t wait_us;
	unsigned long requests_max;
	struct flow flows[FLOWS_MAX];
	unsigned long connections, requests, answered, no_token, bad_token, unanswered, undenied;
	unsigned long resets, cut_heads, cut_answered, cut_bodies, last, joined, split, slow, loose_ends, bytes_out,
		bytes_in;
} client_run = { .n_flows = 12, .wait_us = 10000000, .requests_max = 300000 };

static bool run_over(void)
{
	return now_us() >= plan.until || client_run.requests >= client_run.requests_max || faults > 5 * FAULTS_SHOWN;
}

static const struct want *flow_want(const struct flow *flow)
{
	return flow->want < flow->burst.n_wants ? &flow->burst.wants[flow->want] : NULL;
}

/* Requests whose head went out and that have no answer: whether the service saw them nobody knows. */
static void flow_close(struct flow *flow)
{
	const struct want *want;

	for (; (want = flow_want(flow)); flow->want++) {
		if (flow->pos < want->body)
			continue;
		client_run.requests++;
		if (want->id.denied)
			client_run.undenied++;
		else
			client_run.unanswered++;
	}
	close(flow->fd);
	flow->fd = -1;
}

static void flow_reset(struct flow *flow)
{
	struct linger linger = { .l_onoff = 1 };

	setsockopt(flow->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	flow_close(flow);
}

static void flow_fault(struct flow *flow, const char *what)
{
	const struct want *want = flow_want(flow);

	fault("connection %u to %s, request %u (%d%s, how %u), burst of %d with fate %d, %zu of %zu bytes sent: %s",
	      flow->next.conn, flow->host, want ? want->id.number : flow->next.number, want ? want->status : 0,
	      want && want->no_body ? ", HEAD" : "", want ? want->id.how : 0, flow->burst.n_wants, flow->burst.fate,
	      flow->pos, flow->burst.out.len, what);
	flow_reset(flow);
}

/* The next burst, or the end of the connection. */
static void flow_next(struct flow *flow)
{
	struct burst *burst = &flow->burst;
	uint32_t expected = 0;
	int i;

	flow->pos = flow->stop = flow->want = 0;
	burst->n_wants = 0;
	if (!flow->bursts || run_over()) {
		flow_close(flow);
		return;
	}
	/* The fates take turns, so that a short run has all of them. */
	burst_make(burst, &flow->rng, &flow->next, --flow->bursts ? FATE_ANSWERED : flow->next.conn % FATE_MAX);
	for (i = 0; i < burst->n_wants; i++) {
		expected += burst->wants[i].id.answer;
		flow->loose = flow->loose || (burst->wants[i].id.how & HOW_LOOSE);
		flow->may_end =
			flow->may_end || (flow->loose && (burst->wants[i].id.denied || burst->wants[i].status == 408));
	}
	flow->sip = chance(&flow->rng, 15) ? 200 + below(&flow->rng, 5000) + expected / 50 : 0;
	client_run.slow += flow->sip && expected > 2 * flow->sip;
}

static int flow_open(struct flow *flow)
{
	struct epoll_event event = { .data.u32 = flow->index };
	struct sockaddr_storage to;
	int one = 1, small = 4096;
	socklen_t len;

	*flow = (struct flow){ .index = flow->index, .fd = -1, .burst = flow->burst, .connecting = true };
	flow->next = (struct id){ .seed = client_run.seed, .conn = ++client_run.connections };
	flow->host = client_run.hosts[flow->next.conn % client_run.n_hosts];
	flow->rng.state = mix((uint64_t)client_run.seed << 32 | flow->next.conn);
	flow->bursts = 1 + below(&flow->rng, 10);
	flow->progress_at = now_us();
	if (client_address(flow->host, client_run.port, &to, &len) < 0)
		return -EINVAL;
	flow->fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (flow->fd < 0)
		return -errno;
	setsockopt(flow->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (chance(&flow->rng, 25))
		setsockopt(flow->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	if (connect(flow->fd, (void *)&to, len) < 0 && errno != EINPROGRESS)
		return -errno;
	flow_next(flow);
	return flow->fd < 0 || !epoll_ctl(client_run.epoll, EPOLL_CTL_ADD, flow->fd, &event) ? 0 : -errno;
}

/* ---- sending ---- */

static void stop_count(const struct flow *flow)
{
	int i;

	for (i = 0; i < flow->burst.n_wants; i++)
		client_run.split += flow->pos > flow->burst.wants[i].start && flow->pos < flow->burst.wants[i].body;
}

/* At a stop: its pause, then its act. */
static void flow_stop(struct flow *flow)
{
	const struct stop *stop = &flow->burst.stops[flow->stop];
	int unsent = 0;

	if (!flow->stopped) {
		flow->stopped = true;
		flow->write_at = now_us() + stop->pause_us;
		return;
	}
	flow->stopped = false;
	flow->stop++;
	flow->progress_at = now_us();
	switch (stop->act) {
	case ACT_PAUSE: stop_count(flow); break;
	case ACT_SHUT:
		client_run.joined += !ioctl(flow->fd, SIOCOUTQNSD, &unsent) && unsent;
		shutdown(flow->fd, SHUT_WR);
		flow->shut = true;
		client_run.last += flow->burst.fate == FATE_LAST;
		client_run.cut_heads += flow->burst.fate == FATE_CUT_HEAD;
		client_run.cut_bodies += flow->burst.fate == FATE_CUT_BODY;
		break;
	case ACT_RESET:
		client_run.resets += flow->burst.fate == FATE_RESET;
		flow_reset(flow);
		break;
	}
}

/* What the other side's end means, which came as an errno or, 0, in order. */
static void flow_ended(struct flow *flow, int err)
{
	const struct burst *burst = &flow->burst;
	bool clean = reader_clean(&flow->reader);

	if (burst->fate == FATE_LAST && flow->shut && clean && flow->want == burst->n_wants && !err)
		flow_close(flow);
	else if (burst->fate == FATE_CUT_BODY && flow->shut && clean && flow->want >= burst->n_wants - 1)
		flow_close(flow);
	else if (burst->fate == FATE_CUT_HEAD && clean && flow->want == burst->n_wants)
		flow_close(flow);
	else if (flow->may_end) {
		client_run.loose_ends++;
		flow_close(flow);
	} else
		flow_fault(flow, err ? strerror(err) : "the service closed");
}

static void flow_write(struct flow *flow)
{
	const struct burst *burst = &flow->burst;
	size_t limit;
	int one = 1;
	ssize_t n;

	flow->full = false;
	while (flow->fd >= 0 && flow->write_at <= now_us()) {
		if (flow->stop < burst->n_stops && burst->stops[flow->stop].at == flow->pos) {
			flow_stop(flow);
			continue;
		}
		if (flow->pos == burst->out.len)
			return;
		limit = flow->stop < burst->n_stops ? burst->stops[flow->stop].at : burst->out.len;
		/* The last bytes often leave in one segment with the FIN. */
		if (limit == burst->out.len && flow->stop < burst->n_stops &&
		    burst->stops[flow->stop].act == ACT_SHUT && chance(&flow->rng, 60))
			setsockopt(flow->fd, IPPROTO_TCP, TCP_CORK, &one, sizeof(one));
		n = send(flow->fd, burst->out.data + flow->pos, limit - flow->pos, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN) {
			flow_ended(flow, errno);
			return;
		}
		flow->full = n < 0;
		if (flow->full)
			return;
		flow->pos += n;
		flow->progress_at = now_us();
		client_run.bytes_out += n;
	}
}

/* ---- receiving ---- */

static int answer_allowed(struct flow *flow, const struct want *want)
{
	struct reader *r = &flow->reader;
	char text[ID_TEXT], begin[ID_TEXT + 32], value[24];

	id_print(&want->id, text);
	snprintf(begin, sizeof(begin), "HTTP/1.1 200 OK\r\nX-Id: %s\r\n", text);
	if (strncmp(r->head, begin, strlen(begin)) || !head_whole(r->head, r->head_len))
		return -EBADMSG;
	if (flow->pos < want->end)
		return -EPROTO;
	flow->key = id_key(&want->id, true);
	if (want->no_body)
		reader_body(r, false, 0);
	else if (want->id.how & HOW_CHUNKED)
		reader_body(r, true, 0);
	else if (head_field(r->head, "Content-Length", value, sizeof(value)))
		reader_body(r, false, strtoull(value, NULL, 10));
	return r->state == READ_HEAD ? -EBADMSG : 0;
}

/* The guard's own words: its length may be followed by white space, its body is white space. */
static int answer_denied(struct flow *flow, const struct want *want)
{
	static const char *const begins[] = {
		"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nContent-Length: ",
		"HTTP/1.1 403 Forbidden\r\nWWW-Authenticate: Bearer error=\"invalid_token\"\r\nContent-Length: ",
	};
	const char *begin = begins[want->status == 403];
	struct reader *r = &flow->reader;
	char *end;
	unsigned long length;

	if (strncmp(r->head, begin, strlen(begin)))
		return -EBADMSG;
	length = strtoul(r->head + strlen(begin), &end, 10);
	if (end == r->head + strlen(begin) || strcmp(end + strspn(end, " "), "\r\n\r\n"))
		return -EBADMSG;
	reader_body(r, false, want->no_body ? 0 : length);
	return 0;
}

/* Once the client has said that nothing completes the head. */
static int answer_cut(struct flow *flow)
{
	if (!flow->shut)
		return -EPROTO;
	if (strcmp(flow->reader.head, "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"))
		return -EBADMSG;
	reader_body(&flow->reader, false, 0);
	return 0;
}

static int answer_head(struct flow *flow)
{
	const struct want *want = flow_want(flow);

	if (!want)
		return -ENOMSG;
	flow->off = 0;
	if (want->status == 408)
		return answer_cut(flow);
	return want->id.denied ? answer_denied(flow, want) : answer_allowed(flow, want);
}

static int answer_body(struct flow *flow, const struct span *body)
{
	bool denied = flow_want(flow)->id.denied;
	size_t i = 0;

	if (!denied && pattern_differs(flow->key, flow->off, body->data, body->len) < body->len)
		return -EILSEQ;
	while (denied && i < body->len) {
		if (body->data[i++] != ' ')
			return -EILSEQ;
	}
	flow->off += body->len;
	client_run.bytes_in += body->len;
	return 0;
}

static int answer_end(struct flow *flow)
{
	const struct want *want = flow_want(flow);

	if (want->status == 408) {
		client_run.cut_answered++;
		flow->want++;
		return 0;
	}
	if (!want->id.denied && flow->off != (want->no_body ? 0 : want->id.answer))
		return -EMSGSIZE;
	client_run.requests++;
	client_run.answered += want->status == 200;
	client_run.no_token += want->status == 401;
	client_run.bad_token += want->status == 403;
	flow->want++;
	return 0;
}

static void flow_feed(struct flow *flow, struct span in)
{
	struct span body;
	char text[200];
	int r = 0;

	while (!r) {
		switch (reader_next(&flow->reader, &in, &body)) {
		case EVENT_MORE: return;
		case EVENT_HEAD: r = answer_head(flow); break;
		case EVENT_BODY: r = answer_body(flow, &body); break;
		case EVENT_END: r = answer_end(flow); break;
		case EVENT_BAD: r = -EBADMSG; break;
		}
	}
	snprintf(text, sizeof(text), "%s; the answer is \"%.*s\", %" PRIu64 " bytes of its body are right",
		 r == -EILSEQ	  ? "a byte of its body differs"
		 : r == -EMSGSIZE ? "its body is too short or too long"
		 : r == -EPROTO	  ? "answered before it was sent"
		 : r == -ENOMSG	  ? "an answer that nobody asked for"
				  : "not the answer that it deserves",
		 (int)strcspn(flow->reader.head, "\r"), flow->reader.head, flow->off);
	flow_fault(flow, text);
}

static void flow_read(struct flow *flow)
{
	static uint8_t buffer[65536];
	size_t most = flow->sip && flow->sip < sizeof(buffer) ? flow->sip : sizeof(buffer);
	ssize_t n = recv(flow->fd, buffer, most, MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		flow_ended(flow, n < 0 ? errno : 0);
		return;
	}
	flow->progress_at = now_us();
	if (flow->sip)
		flow->read_at = now_us() + 300 + below(&flow->rng, 5000);
	flow_feed(flow, (struct span){ buffer, n });
}

#endif
