/* SPDX-License-Identifier: MIT */
/* Test tool: what both roles of soak agree upon: who a message is, which bytes it has, and how it is read. */
#ifndef MPBPF_TESTS_SOAK_MESSAGE_H
#define MPBPF_TESTS_SOAK_MESSAGE_H

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define FAULTS_SHOWN 20
#define HEAD_MAX 12000

static unsigned long faults;

static inline void __attribute__((format(printf, 1, 2))) fault(const char *format, ...)
{
	va_list args;

	if (faults++ >= FAULTS_SHOWN)
		return;
	va_start(args, format);
	fputs("fault: ", stdout);
	vprintf(format, args);
	putchar('\n');
	va_end(args);
}

static inline int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000LL + t.tv_nsec / 1000;
}

/* ---- chance: splitmix64, so that a seed gives the same plans again ---- */

struct rng {
	uint64_t state;
};

static inline uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

static inline uint32_t below(struct rng *rng, uint32_t n)
{
	rng->state += 0x9e3779b97f4a7c15ULL;
	return n ? (mix(rng->state) >> 16) % n : 0;
}

static inline bool chance(struct rng *rng, uint32_t percent)
{
	return below(rng, 100) < percent;
}

/* ---- who a message is: in the path of a request, and in a field of its answer ---- */

enum how {
	HOW_CHUNKED = 1 << 0, /* the answer is chunked */
	HOW_SLOW = 1 << 1,    /* the answer comes in pieces, with pauses */
	HOW_LOOSE = 1 << 2,   /* the answer's head comes in two pieces: nobody can follow where the answer ends */
};

struct id {
	uint32_t seed, conn, number;
	uint32_t order; /* how many requests of the connection before this one may reach the service */
	uint32_t length, answer;
	uint32_t how;
	bool denied; /* no service may ever see it */
};

#define ID_TEXT 96

static inline void id_print(const struct id *id, char text[ID_TEXT])
{
	snprintf(text, ID_TEXT, "%s-%u-%u-%u-%u-%u-%u-%u", id->denied ? "denied" : "allowed", id->seed, id->conn,
		 id->number, id->order, id->length, id->answer, id->how);
}

static inline int id_parse(const char *text, struct id *ret)
{
	char mark[8], again[ID_TEXT];
	struct id id;

	if (sscanf(text, "%7[a-z]-%u-%u-%u-%u-%u-%u-%u", mark, &id.seed, &id.conn, &id.number, &id.order, &id.length,
		   &id.answer, &id.how) != 8)
		return -EINVAL;
	id.denied = !strcmp(mark, "denied");
	id_print(&id, again);
	if (strcmp(text, again))
		return -EINVAL;
	*ret = id;
	return 0;
}

/* ---- bytes: eight of them are a function of message and place, so whatever is lost, doubled, moved or another's shows ---- */

static inline uint64_t id_key(const struct id *id, bool answer)
{
	return mix(mix((uint64_t)id->seed << 32 | id->conn) + ((uint64_t)id->number << 1 | answer));
}

static inline void pattern_fill(uint64_t key, uint64_t off, uint8_t *to, size_t n)
{
	uint64_t block;
	size_t skip, take;

	for (; n; to += take, off += take, n -= take) {
		block = mix(key + off / 8 * 0x9e3779b97f4a7c15ULL);
		skip = off % 8;
		take = n < 8 - skip ? n : 8 - skip;
		memcpy(to, (uint8_t *)&block + skip, take);
	}
}

/* Where the bytes first differ from the pattern, or n. */
static inline size_t pattern_differs(uint64_t key, uint64_t off, const uint8_t *data, size_t n)
{
	uint8_t want[4096];
	size_t done, i, take;

	for (done = 0; done < n; done += take) {
		take = n - done < sizeof(want) ? n - done : sizeof(want);
		pattern_fill(key, off + done, want, take);
		if (!memcmp(data + done, want, take))
			continue;
		for (i = 0; data[done + i] == want[i]; i++)
			;
		return done + i;
	}
	return n;
}

/* ---- making a message ---- */

struct bytes {
	uint8_t *data;
	size_t len, cap;
};

static inline uint8_t *bytes_add(struct bytes *b, size_t n)
{
	while (b->len + n > b->cap) {
		b->cap = b->cap ? 2 * b->cap : 4096;
		b->data = realloc(b->data, b->cap);
		if (!b->data)
			abort();
	}
	b->len += n;
	return b->data + b->len - n;
}

static inline void __attribute__((format(printf, 2, 3))) bytes_print(struct bytes *b, const char *format, ...)
{
	char text[HEAD_MAX];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof(text))
		abort();
	memcpy(bytes_add(b, n), text, n);
}

#define SUM_LINE 27 /* "X-Sum: ", 16 digits, and the two line ends that close a head */

static inline void sum_print(const uint8_t *head, size_t n, char text[SUM_LINE + 1])
{
	uint64_t sum = n;
	size_t i;

	for (i = 0; i < n; i++)
		sum = mix(sum + head[i]);
	snprintf(text, SUM_LINE + 1, "X-Sum: %016" PRIx64 "\r\n\r\n", sum);
}

/* Ends the head that began at `start`, with the sum of all its bytes as last field. */
static inline void head_end(struct bytes *b, size_t start)
{
	char text[SUM_LINE + 1];

	sum_print(b->data + start, b->len - start, text);
	memcpy(bytes_add(b, SUM_LINE), text, SUM_LINE);
}

/* A head that ends with the right sum is as its writer made it. */
static inline bool head_whole(const char *head, size_t len)
{
	char text[SUM_LINE + 1];

	if (len < SUM_LINE)
		return false;
	sum_print((const uint8_t *)head, len - SUM_LINE, text);
	return !memcmp(head + len - SUM_LINE, text, SUM_LINE);
}

/* The value of a field that stands there as "NAME: VALUE", up to size - 1 bytes of it; false: no such field. */
static inline bool head_field(const char *head, const char *name, char *value, size_t size)
{
	char begin[64];
	const char *at;
	size_t n;

	snprintf(begin, sizeof(begin), "\r\n%s: ", name);
	at = strstr(head, begin);
	if (!at)
		return false;
	at += strlen(begin);
	n = strcspn(at, "\r");
	n = n < size - 1 ? n : size - 1;
	memcpy(value, at, n);
	value[n] = 0;
	return true;
}

static inline void body_add(struct bytes *b, uint64_t key, uint32_t length)
{
	pattern_fill(key, 0, bytes_add(b, length), length);
}

/* In chunks of least to most bytes. */
static inline void body_add_chunks(struct bytes *b, uint64_t key, uint32_t length, struct rng *rng, uint32_t least,
				   uint32_t most)
{
	uint32_t off, n;

	for (off = 0; off < length; off += n) {
		n = least + below(rng, most - least + 1);
		n = n < length - off ? n : length - off;
		bytes_print(b, "%x\r\n", n);
		pattern_fill(key, off, bytes_add(b, n), n);
		bytes_print(b, "\r\n");
	}
	bytes_print(b, "0\r\n\r\n");
}

/* ---- reading a message, byte for byte as the grammar has it: no trailers, no extensions, no other line ends ---- */

enum event { EVENT_MORE, EVENT_HEAD, EVENT_BODY, EVENT_END, EVENT_BAD };

struct reader {
	enum { READ_HEAD, READ_LENGTH, READ_SIZE, READ_DATA, READ_DATA_END, READ_LAST } state;
	char head[HEAD_MAX + 1];
	size_t head_len;
	uint64_t left; /* of the body, or of the chunk */
	char line[16]; /* of framing */
	size_t line_len;
};

struct span {
	const uint8_t *data;
	size_t len;
};

/* The caller has read the head; this is what follows it. */
static inline void reader_body(struct reader *r, bool chunked, uint64_t length)
{
	r->state = chunked ? READ_SIZE : READ_LENGTH;
	r->left = length;
	r->line_len = 0;
}

static inline bool reader_clean(const struct reader *r)
{
	return r->state == READ_HEAD && !r->head_len;
}

static inline enum event reader_end(struct reader *r)
{
	r->state = READ_HEAD;
	r->head_len = 0;
	return EVENT_END;
}

static inline enum event reader_head(struct reader *r, struct span *in)
{
	while (in->len) {
		if (r->head_len == HEAD_MAX || !*in->data)
			return EVENT_BAD;
		r->head[r->head_len++] = *in->data++;
		in->len--;
		if (r->head_len < 4 || memcmp(r->head + r->head_len - 4, "\r\n\r\n", 4))
			continue;
		r->head[r->head_len] = 0;
		return EVENT_HEAD;
	}
	return EVENT_MORE;
}

/* A line of framing into `line`, without its end. */
static inline enum event reader_line(struct reader *r, struct span *in)
{
	while (in->len) {
		if (r->line_len == sizeof(r->line))
			return EVENT_BAD;
		r->line[r->line_len++] = *in->data++;
		in->len--;
		if (r->line[r->line_len - 1] != '\n')
			continue;
		if (r->line_len < 2 || r->line[r->line_len - 2] != '\r')
			return EVENT_BAD;
		r->line[r->line_len - 2] = 0;
		r->line_len = 0;
		return EVENT_END;
	}
	return EVENT_MORE;
}

static inline enum event reader_frame(struct reader *r, struct span *in)
{
	enum event event = reader_line(r, in);
	size_t n;

	if (event != EVENT_END)
		return event;
	n = strlen(r->line);
	if (r->state != READ_SIZE) {
		if (n)
			return EVENT_BAD;
		if (r->state == READ_LAST)
			return reader_end(r);
		r->state = READ_SIZE;
		return EVENT_BODY;
	}
	if (!n || n > 8 || strspn(r->line, "0123456789abcdef") != n)
		return EVENT_BAD;
	r->left = strtoul(r->line, NULL, 16);
	r->state = r->left ? READ_DATA : READ_LAST;
	return EVENT_BODY;
}

/* The next thing in the input, which moves on; EVENT_BODY: `body` has bytes of the body, perhaps none. */
static inline enum event reader_next(struct reader *r, struct span *in, struct span *body)
{
	*body = (struct span){ .data = in->data };
	if (r->state == READ_HEAD)
		return reader_head(r, in);
	if (r->state == READ_LENGTH && !r->left)
		return reader_end(r);
	if (r->state != READ_LENGTH && r->state != READ_DATA)
		return reader_frame(r, in);
	if (!in->len)
		return EVENT_MORE;
	body->len = in->len < r->left ? in->len : r->left;
	in->data += body->len;
	in->len -= body->len;
	r->left -= body->len;
	if (r->state == READ_DATA && !r->left)
		r->state = READ_DATA_END;
	return EVENT_BODY;
}

#endif
