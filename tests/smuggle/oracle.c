/* SPDX-License-Identifier: MIT */
/*
 * What the services saw, held against what they may see.
 *
 * Of each line: the token that the service read is valid, or the path that it read is exempt; and no marker says that its
 * request has no right. Of a stream that leaves no doubt: each allowed request once, in order, byte for byte.
 */
#include "smuggle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/falloc.h>

/*
 * A line: PORT METHOD TARGET X-ID AUTHORIZATION STATUS BODY PATH HEAD, with tabs between; PATH is what the service made of it, HEAD all
 * fields that it saw, or "-".
 */
enum { PORT, METHOD, TARGET, XID, AUTHORIZATION, STATUS, BODY, PATH, HEAD, FIELDS };

struct line {
	char *field[FIELDS];
	size_t len[FIELDS];
};

struct tail {
	int fd;
	off_t at;
	struct text rest;
};

static struct tail tails[SERVICES_MAX];
static uint32_t port_stream[SERVICES_MAX][65536];
static struct job *batch;
static size_t batch_n;
static uint32_t batch_first;

int oracle_open(void)
{
	int i;

	for (i = 0; i < options.services; i++) {
		tails[i].fd = open(options.service[i].log, O_RDWR | O_CLOEXEC);
		if (tails[i].fd < 0)
			return -errno;
		tails[i].at = lseek(tails[i].fd, 0, SEEK_END);
	}
	return 0;
}

static int unhex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

/* In place; \xHH and C's escapes. */
static size_t unescape(char *s, size_t len)
{
	static const char from[] = "nrtvbf", to[] = "\n\r\t\v\b\f";
	size_t i, n = 0;
	const char *p;

	for (i = 0; i < len; i++) {
		if (s[i] != '\\' || i + 1 == len) {
			s[n++] = s[i];
			continue;
		}
		i++;
		p = s[i] ? strchr(from, s[i]) : NULL;
		if (s[i] == 'x' && i + 2 < len) {
			s[n++] = unhex(s[i + 1]) << 4 | unhex(s[i + 2]);
			i += 2;
		} else {
			s[n++] = p ? to[p - from] : s[i];
		}
	}
	return n;
}

/* Of a whole request line, which Apache logs, the target: between the first and the last blank. */
static void target_only(struct line *line)
{
	char *s = line->field[TARGET], *first = memchr(s, ' ', line->len[TARGET]), *last;

	if (!first)
		return;
	last = memrchr(s, ' ', line->len[TARGET]);
	line->field[TARGET] = first + 1;
	line->len[TARGET] = last > first ? last - first - 1 : s + line->len[TARGET] - first - 1;
}

static bool split(char *s, size_t len, struct line *line)
{
	char *end;
	int i;

	for (i = 0; i < FIELDS; i++) {
		end = i == FIELDS - 1 ? s + len : memchr(s, '\t', len);
		if (!end)
			return false;
		line->field[i] = s;
		line->len[i] = end - s;
		len -= end - s + (i < FIELDS - 1);
		s = end + 1;
	}
	for (i = 0; i < FIELDS; i++)
		line->len[i] = line->len[i] == 1 && *line->field[i] == '-' ? 0 : unescape(line->field[i], line->len[i]);
	target_only(line);
	return true;
}

static bool below(const char *path, size_t len, const char *prefix)
{
	size_t n = strlen(prefix);

	return len >= n && !memcmp(path, prefix, n) && (len == n || path[n] == '/');
}

/* A path without anything that could lead out of it, at or below an exempt one. */
static bool plain_exempt(const char *path, size_t len)
{
	size_t i, n, start = 0;

	for (i = 0; i <= len; i++) {
		if (i < len && strchr("\\;%#", path[i]))
			return false;
		if (i < len && path[i] != '/')
			continue;
		n = i - start;
		if (i &&
		    ((!n && i < len) || (n == 1 && path[start] == '.') || (n == 2 && !memcmp(path + start, "..", 2))))
			return false;
		start = i + 1;
	}
	return below(path, len, "/healthz") || below(path, len, "/metrics") || below(path, len, "/ready");
}

static bool exempt(const struct line *line)
{
	char path[2048];
	const char *s = line->field[TARGET], *end = memchr(s, '?', line->len[TARGET]);
	size_t len = end ? (size_t)(end - s) : line->len[TARGET], i, n = 0;

	if (len > 7 && !strncasecmp(s, "http://", 7)) { /* RFC 3986, section 3.1: in any case */
		end = memchr(s + 7, '/', len - 7);
		if (!end)
			return false;
		len -= end - s;
		s = end;
	}
	for (i = 0; i < len && n < sizeof(path); i++) {
		if (s[i] == '%' && i + 2 < len) {
			path[n++] = unhex(s[i + 1]) << 4 | unhex(s[i + 2]);
			i += 2;
		} else {
			path[n++] = s[i];
		}
	}
	if (!plain_exempt(path, n))
		return false;
	return !line->len[PATH] || plain_exempt(line->field[PATH], line->len[PATH]);
}

static struct job *job_of(uint32_t index, int service)
{
	size_t i = options.in_turn ? index - batch_first : (size_t)(index - batch_first) * options.services + service;

	return index >= batch_first && i < batch_n && batch[i].service == service ? &batch[i] : NULL;
}

static void report(int service, uint32_t index, const char *what, const char *text, size_t len)
{
	struct job *job = job_of(index, service);
	struct stream other;

	if (job) {
		failure(job, job->stream, service, what, text, len);
		return;
	}
	stream_make(&other, index);
	failure(NULL, &other, service, what, text, len);
	stream_free(&other);
}

/* Of which stream it is only the port of its connection would tell. */
static void report_unknown(int service, const char *what, const char *text, size_t len)
{
	tally.failures++;
	printf("FAILURE %s: %s, of a stream from %u on\n  found: ", options.service[service].name, what, batch_first);
	text_escape(stdout, text, len);
	printf("\n");
}

static bool same(const char *a, size_t a_len, const char *b, size_t b_len)
{
	return a_len == b_len && !memcmp(a, b, a_len);
}

/* nginx leaves "http://server" out of what it logs. */
static bool same_target(const char *seen, size_t seen_len, const char *sent, size_t sent_len)
{
	static const char absolute[] = "http://server";
	size_t n = sizeof(absolute) - 1;

	return same(seen, seen_len, sent, sent_len) ||
	       (sent_len > n && !memcmp(sent, absolute, n) && same(seen, seen_len, sent + n, sent_len - n));
}

/* A service that refuses a head stops at what it does not like, and may not have come to the token. */
static bool refused_unread(const struct line *line)
{
	return line->len[STATUS] == 3 && *line->field[STATUS] == '4' && !line->len[AUTHORIZATION];
}

/* A request of a stream that leaves no doubt. */
static const char *expected(struct job *job, const struct line *line, const char *id)
{
	const struct stream *s = job->stream;
	const struct want *want;
	int i;

	for (i = 0; i < s->n_wants; i++)
		if (!memcmp(s->want[i].id, id, ID_LEN))
			break;
	if (i == s->n_wants)
		return "what stands inside a body was seen as a request";
	want = &s->want[i];
	if (job->seen >> i & 1)
		return "a request was seen twice";
	if (job->seen >> i)
		return "requests were seen out of order";
	job->seen |= 1U << i;
	if (!same(line->field[METHOD], line->len[METHOD], want->method, strlen(want->method)) ||
	    !same_target(line->field[TARGET], line->len[TARGET], s->expect.b + want->target_off, want->target_len) ||
	    !same(line->field[XID], line->len[XID], want->id, ID_LEN))
		return "the head of a request was changed";
	if (line->len[HEAD] &&
	    !heads_same(s->bytes.b + want->fields_off, want->fields_len, line->field[HEAD], line->len[HEAD]))
		return "the fields of a request were changed";
	if ((want->body_read || !options.service[job->service].body_only_b) && atoi(line->field[STATUS]) == 200 &&
	    !same(line->field[BODY], line->len[BODY], s->expect.b + want->body_off, want->body_len))
		return "the body of a request was changed";
	return NULL;
}

static void judge(int service, struct line *line, const char *text, size_t len)
{
	uint32_t index = 0, other;
	unsigned int number;
	int right = id_find(line->field[TARGET], line->len[TARGET], &index, &number), right2;
	const char *what = NULL, *p;
	struct job *job;

	right2 = id_find(line->field[XID], line->len[XID], right ? &other : &index, &number);
	if (!right && !right2)
		index = port_stream[service][atoi(line->field[PORT]) & 65535];
	job = job_of(index, service);
	if (!token_valid(line->field[AUTHORIZATION], line->len[AUTHORIZATION]) && !exempt(line) &&
	    !refused_unread(line))
		what = "a request without a right was seen";
	else if ((right == RIGHT_NONE || right2 == RIGHT_NONE) && (!job || job->stream->kind != STREAM_MUTATED))
		what = "a request that is marked to have no right was seen";
	else if (job && right && job->stream->kind == STREAM_VALID) {
		p = memchr(line->field[TARGET], 'x', line->len[TARGET]);
		while (p && !id_find(p, ID_LEN, &other, &number))
			p = memchr(p + 1, 'x', line->field[TARGET] + line->len[TARGET] - p - 1);
		what = p ? expected(job, line, p) : NULL;
	}
	if (what && options.gateway && !right && !right2)
		report_unknown(service, what, text, len);
	else if (what)
		report(service, index, what, text, len);
}

static void line_read(int service, const char *text, size_t len)
{
	char *copy = malloc(len + 1);
	struct line line;

	if (!copy)
		abort();
	memcpy(copy, text, len);
	copy[len] = 0;
	tally.lines[service]++;
	if (split(copy, len, &line))
		judge(service, &line, text, len);
	else
		report(service, 0, "a line of the log cannot be read", text, len);
	free(copy);
}

/* What has been read is given back to the disk. Returns whether there was something. */
static bool tail_read(int service)
{
	struct tail *tail = &tails[service];
	char buf[1 << 17], *p, *end;
	bool any = false;
	ssize_t n;

	while ((n = pread(tail->fd, buf, sizeof(buf), tail->at)) > 0) {
		any = true;
		tail->at += n;
		text_add(&tail->rest, buf, n);
	}
	if (!any)
		return false;
	for (p = tail->rest.b; (end = memchr(p, '\n', tail->rest.b + tail->rest.len - p)); p = end + 1)
		line_read(service, p, end - p);
	tail->rest.len -= p - tail->rest.b;
	memmove(tail->rest.b, p, tail->rest.len);
	fallocate(tail->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, tail->at & ~4095L);
	return true;
}

/* What was answered must be in the log sooner or later. */
static bool job_complete(const struct job *job)
{
	int i;

	for (i = 0; i < job->stream->n_wants; i++)
		if (job->ok[i] && !(job->seen >> i & 1))
			return false;
	return true;
}

static void job_judge(struct job *job)
{
	const struct stream *s = job->stream;
	bool denied = false;
	int i;

	tally.status[job->service][job->first_status < 600 ? job->first_status : 599]++;
	tally.waited_out += job->waits_for_end && s->kind != STREAM_VALID;
	tally.ended += job->ended;
	for (i = 0; i < s->n_wants && !job->fault; i++) {
		denied |= !s->want[i].allowed;
		tally.expected += s->want[i].allowed;
		tally.answered += job->ok[i];
		if (job->ok[i] && !(job->seen >> i & 1))
			job->fault = "a request was answered that the service does not know of";
		else if (!denied && !job->ok[i] && !job->told_close)
			job->fault = "an allowed request was not answered";
	}
	if (job->fault)
		failure(job, s, job->service, job->fault, job->rx.b, job->rx.len);
}

void oracle_judge(struct job *jobs, size_t n, uint32_t first_index)
{
	int64_t until = now_ms() + 3000 * options.slow;
	bool whole = false;
	size_t i;
	int s;

	batch = jobs;
	batch_n = n;
	batch_first = first_index;
	for (i = 0; i < n; i++)
		port_stream[jobs[i].service][jobs[i].port] = jobs[i].stream->index;
	for (;;) {
		for (s = 0; s < options.services; s++)
			tail_read(s);
		if (whole || now_ms() > until)
			break;
		for (i = 0, whole = true; i < n && whole; i++)
			whole = job_complete(&jobs[i]);
		usleep(whole ? 10000 : 2000);
	}
	for (i = 0; i < n; i++)
		job_judge(&jobs[i]);
}

/* What comes late: lines of connections that were given up. */
void oracle_last(void)
{
	int64_t until = now_ms() + 1000 * options.slow;
	int s;

	batch_n = 0;
	while (now_ms() < until) {
		for (s = 0; s < options.services; s++)
			tail_read(s);
		usleep(20000);
	}
}
