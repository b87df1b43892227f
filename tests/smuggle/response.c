/* SPDX-License-Identifier: MIT */
/* Responses, as the client of a valid stream reads them: in order, each the one that its request deserves. */
#include "smuggle.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct response {
	int status;
	const char *body;
	size_t body_len, total;
	bool closes;
};

static const char *field(const char *head, const char *end, const char *name)
{
	size_t len = strlen(name);
	const char *p = head;

	while ((p = memchr(p, '\n', end - p))) {
		p++;
		if ((size_t)(end - p) > len && !strncasecmp(p, name, len) && p[len] == ':')
			return p + len + 1;
	}
	return NULL;
}

/* 1: whole, 0: more is needed, -1: no response. The length of a chunked one; its content is left where it is. */
static int chunked_read(struct response *res, const char *p, const char *end)
{
	const char *line, *start = p;
	size_t n;

	for (;;) {
		line = memmem(p, end - p, "\r\n", 2);
		if (!line)
			return 0;
		n = strtoul(p, NULL, 16);
		if (n > 1 << 20)
			return -1;
		p = line + 2 + n + 2;
		if (p > end)
			return 0;
		if (!n)
			break; /* the services send no trailers */
	}
	res->body = start;
	res->body_len = p - start;
	res->total += p - start;
	return 1;
}

static int response_parse(struct response *res, const char *b, size_t len, bool no_body, bool end)
{
	const char *stop = memmem(b, len, "\r\n\r\n", 4), *value;

	*res = (struct response){};
	if (!stop)
		return len > 65536 ? -1 : 0;
	if (len < 12 || memcmp(b, "HTTP/1.", 7))
		return -1;
	res->status = atoi(b + 9);
	res->total = stop + 4 - b;
	value = field(b, stop, "Connection");
	res->closes = value && memmem(value, strcspn(value, "\r"), "close", 5);
	res->body = stop + 4;
	if (res->status < 200 || res->status == 204 || res->status == 304 || no_body)
		return 1;
	value = field(b, stop, "Transfer-Encoding");
	if (value)
		return chunked_read(res, res->body, b + len);
	value = field(b, stop, "Content-Length");
	if (value) {
		res->body_len = strtoul(value, NULL, 10);
		res->total += res->body_len;
		return res->total <= len;
	}
	res->body_len = len - res->total;
	res->total = len;
	return end;
}

static bool deserved(struct job *job, const struct want *want, const struct response *res)
{
	if (!want->allowed) {
		if (res->status == 401 || res->status == 403)
			return true;
		job->fault =
			res->status == 200 ? "a denied request was answered with 200" : "a denial has a wrong status";
		return false;
	}
	if (res->status != 200) {
		job->fault = "an allowed request was not answered with 200";
		return false;
	}
	if (!want->head && !memmem(res->body, res->body_len, want->id, ID_LEN)) {
		job->fault = "an answer is not the one to its request";
		return false;
	}
	job->ok[want - job->stream->want] = true;
	return true;
}

bool response_read(struct job *job, bool end)
{
	const struct stream *s = job->stream;
	const struct want *want;
	struct response res;
	int r;

	while (job->rx_parsed < job->rx.len) {
		want = &s->want[job->answered];
		if (job->answered == s->n_wants) {
			job->fault = "an answer to nothing";
			return false;
		}
		r = response_parse(&res, job->rx.b + job->rx_parsed, job->rx.len - job->rx_parsed, want->head, end);
		if (!r)
			return true;
		if (r < 0) {
			job->fault = "what came is no response";
			return false;
		}
		job->rx_parsed += res.total;
		if (res.status < 200)
			continue;
		if (!job->first_status)
			job->first_status = res.status;
		if (!deserved(job, want, &res))
			return false;
		job->answered++;
		job->told_close |= res.closes && res.status == 200;
	}
	return true;
}
