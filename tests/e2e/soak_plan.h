/* SPDX-License-Identifier: MIT */
/* Test tool: what a connection of soak's client sends next, how it is cut, and what has to come back. */
#ifndef MPBPF_TESTS_SOAK_PLAN_H
#define MPBPF_TESTS_SOAK_PLAN_H

#include "soak_message.h"

#define BURST_MAX 8 /* requests that are sent together */
#define STOPS_MAX 24
#define TOKENS_MAX 4096

enum act { ACT_PAUSE, ACT_RESET, ACT_SHUT };

/* How a burst ends. */
enum fate {
	FATE_ANSWERED, /* every answer comes */
	FATE_LAST,     /* the same, and the client closes its side right behind the last request */
	FATE_RESET,    /* the client resets the connection somewhere */
	FATE_CUT_HEAD, /* the client closes its side within a head, and resets some time later */
	FATE_CUT_BODY, /* the client closes its side within a body: the service does so too, without an answer */
	FATE_MAX
};

/* Sending halts before byte `at` for some time; then `act`. */
struct stop {
	size_t at;
	uint32_t pause_us;
	enum act act;
};

/* A request of the burst, and what it deserves. */
struct want {
	struct id id;
	int status; /* 408: half a head, and the end */
	bool no_body;
	size_t start, body, end; /* where in the burst's bytes it begins, its body begins, it ends */
};

struct burst {
	struct bytes out;
	struct want wants[BURST_MAX];
	int n_wants;
	struct stop stops[STOPS_MAX];
	int n_stops;
	enum fate fate;
};

/* The tokens of one kind, from the file. */
struct tokens {
	char *token[TOKENS_MAX];
	uint32_t n, used;
};

static struct {
	struct tokens known, fresh, bad;
	int64_t started, until;
	unsigned long new_tokens, pipelined, chunked, long_heads;
} plan;

static int tokens_read(const char *path)
{
	FILE *f = fopen(path, "re");
	char kind[8], token[8192];
	struct tokens *to;

	if (!f)
		return -errno;
	while (fscanf(f, "%7s %8191s", kind, token) == 2) {
		to = !strcmp(kind, "known") ? &plan.known : !strcmp(kind, "new") ? &plan.fresh : &plan.bad;
		if (to->n < TOKENS_MAX)
			to->token[to->n++] = strdup(token);
	}
	fclose(f);
	return plan.known.n > 1 && plan.bad.n > 1 ? 0 : -ENODATA;
}

/* New tokens are handed out evenly over the run. */
static bool token_new(void)
{
	int64_t now = now_us();

	return plan.fresh.used < plan.fresh.n && now < plan.until &&
	       plan.fresh.used < plan.fresh.n * (now - plan.started) / (plan.until - plan.started);
}

static const char *token_good(struct rng *rng)
{
	if (chance(rng, 30) && token_new()) {
		plan.new_tokens++;
		return plan.fresh.token[plan.fresh.used++];
	}
	return plan.known.token[below(rng, plan.known.n)];
}

/* A bad token that is known as such, or one that nobody has seen: a good one with another letter, or a word. */
static void bad_print(struct bytes *out, struct rng *rng)
{
	const char *token = plan.known.token[below(rng, plan.known.n)];
	size_t at = strlen(token) / 2 + below(rng, strlen(token) / 2 - 2);

	if (chance(rng, 60))
		bytes_print(out, "Authorization: Bearer %s\r\n", plan.bad.token[below(rng, plan.bad.n)]);
	else if (chance(rng, 50))
		bytes_print(out, "Authorization: Bearer unheard-of-%08x\r\n", below(rng, UINT32_MAX));
	else
		bytes_print(out, "Authorization: Bearer %.*s%c%s\r\n", (int)at, token, token[at] == 'x' ? 'y' : 'x',
			    token + at + 1);
}

static uint32_t length_pick(struct rng *rng, bool large)
{
	uint32_t r = below(rng, 100);

	if (r < 15)
		return 0;
	if (r < 55 || !large)
		return below(rng, 1000);
	if (r < 85)
		return below(rng, 20000);
	return below(rng, r < 97 ? 100000 : 400000);
}

/* Mostly short; sometimes longer than what the kernel itself reads of a head. */
static void filler_print(struct bytes *out, struct rng *rng)
{
	static const char filler[6001] = { [0 ... 5999] = 'f' };
	bool longer = chance(rng, 5);

	plan.long_heads += longer;
	if (chance(rng, 80))
		bytes_print(out, "X-Filler: %.*s\r\n", (int)(longer ? 4096 + below(rng, 1900) : below(rng, 150)),
			    filler);
}

/* The last field of the head that began at `start`, its end, and the body. */
static void framing_print(struct bytes *out, size_t start, struct rng *rng, struct want *want, bool chunked)
{
	uint64_t key = id_key(&want->id, false);
	bool tiny = want->id.length < 3000 && chance(rng, 50);

	plan.chunked += chunked;
	if (chunked)
		bytes_print(out, "Transfer-Encoding: chunked\r\n");
	else if (want->id.length)
		bytes_print(out, "Content-Length: %u\r\n", want->id.length);
	head_end(out, start);
	want->body = out->len;
	if (chunked)
		body_add_chunks(out, key, want->id.length, rng, 1, tiny ? 20 : 9000);
	else
		body_add(out, key, want->id.length);
	want->end = out->len;
}

static void request_add(struct bytes *out, struct rng *rng, struct want *want)
{
	bool exempt = want->status == 200 && chance(rng, 5), late = chance(rng, 50);
	bool chunked = !want->no_body && chance(rng, 30);
	const char *method = want->no_body ? "HEAD" : want->id.length || chunked ? "POST" : "GET";
	char text[ID_TEXT];

	want->start = out->len;
	id_print(&want->id, text);
	bytes_print(out, "%s /%s%s HTTP/1.1\r\nHost: server\r\n", method, exempt ? "healthz/" : "", text);
	if (late)
		filler_print(out, rng);
	if (want->status == 403)
		bad_print(out, rng);
	else if (want->status == 200 && !exempt)
		bytes_print(out, "Authorization: Bearer %s\r\n", token_good(rng));
	if (!late)
		filler_print(out, rng);
	framing_print(out, want->start, rng, want, chunked);
}

static void want_pick(struct want *want, struct rng *rng, struct id *next, bool large)
{
	*want = (struct want){ .id = *next, .status = 200, .no_body = chance(rng, 5) };
	if (chance(rng, 15))
		want->status = chance(rng, 50) ? 401 : 403;
	want->id.denied = want->status != 200;
	want->id.length = want->no_body ? 0 : length_pick(rng, large);
	want->id.answer = length_pick(rng, large);
	want->id.how = (chance(rng, 30) ? HOW_CHUNKED : 0) | (chance(rng, 4) ? HOW_SLOW : 0) |
		       (chance(rng, 1) ? HOW_LOOSE : 0);
	next->number++;
	next->order += !want->id.denied;
}

static void stop_add(struct burst *burst, size_t at, uint32_t pause_us, enum act act)
{
	if (burst->n_stops < STOPS_MAX)
		burst->stops[burst->n_stops++] = (struct stop){ .at = at, .pause_us = pause_us, .act = act };
}

static int stop_compare(const void *a, const void *b)
{
	const struct stop *x = a, *y = b;

	return x->at < y->at ? -1 : x->at > y->at;
}

/* Segments: some heads are cut, now and then byte by byte, and some bursts anywhere. */
static void stops_pick(struct burst *burst, struct rng *rng)
{
	const struct want *want = &burst->wants[below(rng, burst->n_wants)];
	size_t head = want->body - want->start, at;
	int i, n;

	if (chance(rng, 4)) {
		at = want->start + 1 + below(rng, head - 12);
		for (i = 0; i < 10; i++)
			stop_add(burst, at + i, 200 + below(rng, 800), ACT_PAUSE);
	} else if (chance(rng, 40)) {
		n = 1 + below(rng, 4);
		for (i = 0; i < n; i++)
			stop_add(burst, want->start + 1 + below(rng, head - 1), 200 + below(rng, 5000), ACT_PAUSE);
	}
	if (chance(rng, 20)) {
		n = 1 + below(rng, 4);
		for (i = 0; i < n; i++)
			stop_add(burst, 1 + below(rng, burst->out.len - 1), 200 + below(rng, 5000), ACT_PAUSE);
	}
	qsort(burst->stops, burst->n_stops, sizeof(burst->stops[0]), stop_compare);
}

/* From `at` on nothing of the burst is sent. */
static void burst_cut(struct burst *burst, size_t at)
{
	while (burst->n_stops && burst->stops[burst->n_stops - 1].at >= at)
		burst->n_stops--;
	if (burst->n_stops > STOPS_MAX - 2)
		burst->n_stops = STOPS_MAX - 2;
	while (burst->n_wants && burst->wants[burst->n_wants - 1].start >= at)
		burst->n_wants--;
	burst->out.len = at;
}

/* want: where a cut lies. */
static void fate_set(struct burst *burst, struct rng *rng, enum fate fate, struct want *want)
{
	burst->fate = fate;
	if (fate == FATE_RESET && chance(rng, 50))
		burst_cut(burst, 1 + below(rng, burst->out.len));
	else if (fate == FATE_CUT_HEAD) {
		burst_cut(burst, want->start + 1 + below(rng, want->body - want->start - 1));
		want->status = 408;
	} else if (fate == FATE_CUT_BODY)
		burst_cut(burst, want->body + below(rng, want->end - want->body));
	else
		burst_cut(burst, burst->out.len);
	if (fate != FATE_ANSWERED && fate != FATE_RESET)
		stop_add(burst, burst->out.len, below(rng, 3000), ACT_SHUT);
	if (fate == FATE_RESET || (fate == FATE_CUT_HEAD && chance(rng, 50)))
		stop_add(burst, burst->out.len, below(rng, 20000), ACT_RESET);
}

/* The next requests of a connection; next: who the first of them is, moved on. */
static void burst_make(struct burst *burst, struct rng *rng, struct id *next, enum fate fate)
{
	uint32_t r = below(rng, 100);
	int i, n = r < 70 ? 1 : r < 88 ? 2 : 3 + below(rng, BURST_MAX - 2), cut = below(rng, n);
	struct want *want;

	burst->out.len = 0;
	burst->n_stops = 0;
	burst->n_wants = n;
	for (i = 0; i < n; i++) {
		want = &burst->wants[i];
		want_pick(want, rng, next, n < 3);
		if (i == cut && fate == FATE_CUT_BODY) {
			want->no_body = false;
			want->id.length++;
		}
		request_add(&burst->out, rng, want);
	}
	stops_pick(burst, rng);
	fate_set(burst, rng, fate, &burst->wants[cut]);
	plan.pipelined += burst->n_wants > 1;
}

#endif
