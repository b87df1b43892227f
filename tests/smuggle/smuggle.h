/* SPDX-License-Identifier: MIT */
/*
 * Request streams against guarded services, and what each service may have seen of them.
 *
 * Nothing here shares code with the product: what is right is known from how a stream was made, and from what the service
 * itself says that it saw.
 */
#ifndef MPBPF_TESTS_SMUGGLE_H
#define MPBPF_TESTS_SMUGGLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* ---- random.c, text.c ---- */

struct rng {
	uint64_t state;
};

uint64_t rng_next(struct rng *r);
uint32_t rng_below(struct rng *r, uint32_t n);
bool rng_one_in(struct rng *r, uint32_t n);
uint64_t mix(uint64_t x);

#define RNG_PICK(r, array) (&(array)[rng_below((r), sizeof(array) / sizeof((array)[0]))])

/* Bytes that grow. */
struct text {
	char *b;
	size_t len, cap;
};

void text_add(struct text *t, const void *bytes, size_t len);
void text_puts(struct text *t, const char *s);
void text_printf(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_free(struct text *t);
/* Bytes as a C string would name them, for a report. */
void text_escape(FILE *to, const char *bytes, size_t len);

/* A constant that may contain NUL. In text_form() '@' stands for a number in decimal, '#' for it in hexadecimal. */
struct form {
	const char *s;
	size_t len;
};

#define F(s) { s, sizeof(s) - 1 }

void text_form(struct text *t, const struct form *form, unsigned long n);

/* ---- token.c ---- */

enum token_kind {
	TOKEN_KNOWN, /* valid, the same ones all the time */
	TOKEN_STATIC,
	TOKEN_NEW, /* valid, never seen before */
	TOKEN_VALID_MAX,
	TOKEN_EXPIRED = TOKEN_VALID_MAX,
	TOKEN_EARLY,
	TOKEN_FORGED,
	TOKEN_BASIC,
	TOKEN_NONE,
	TOKEN_MAX,
};

#define TOKEN_SECRET "end-to-end-secret-0123456789abcdef"
#define TOKEN_STATIC_TEXT "static-token-1"

/* A line "Authorization: ...\r\n", or nothing. */
void token_line(struct text *t, struct rng *r, enum token_kind kind);
/* Which kind of token a request bears that shall have a right, or none. */
enum token_kind token_pick(struct rng *r, bool good);
/* Whether the value of an Authorization field gives a right, by our own reading. */
bool token_valid(const char *value, size_t len);

/* ---- streams: stream.c valid.c family.c mutate.c ---- */

enum stream_kind { STREAM_VALID, STREAM_FAMILY, STREAM_MUTATED, STREAM_MAX };

/* What a marker says of the request that bears it. */
enum right {
	RIGHT_TOKEN = 'a', /* a valid token in its own head */
	RIGHT_NONE = 'd',  /* none: nobody may see it as a request */
	RIGHT_SEEN = 'p',  /* the service's own view decides: its path, its token */
};

#define ID_LEN 17
#define WANTS_MAX 8
#define INNER_FIRST 8 /* the number of a marker that stands inside another request */
#define CUTS_MAX 128

/* A request of a valid stream, in order. */
struct want {
	char id[ID_LEN + 1];
	const char *method;
	size_t fields_off, fields_len; /* in stream.bytes: the lines of its head behind the first */
	size_t target_off, target_len; /* in stream.expect */
	size_t body_off, body_len;
	bool allowed, head, body_read;
};

struct cut {
	uint32_t at;
	uint32_t pause_ms;
};

struct stream {
	uint32_t index;
	enum stream_kind kind;
	const char *name; /* of the family */
	struct text bytes, expect;
	struct want want[WANTS_MAX];
	int n_wants;
	struct cut cut[CUTS_MAX + 1];
	int n_cuts;
	int n_ids;
	bool closes; /* the last request asks for the end of the connection */
};

extern uint64_t stream_seed;
extern const char *stream_only; /* a family: no others, and nothing is mutated */

void stream_make(struct stream *s, uint32_t index);
void stream_free(struct stream *s);
void id_make(char *id, uint32_t index, unsigned int number, enum right right);
/* Finds a marker. Returns its right, or 0. */
int id_find(const char *text, size_t len, uint32_t *index, unsigned int *number);

void valid_make(struct stream *s, struct rng *r);
void family_make(struct stream *s, struct rng *r);
/* -1: there is none of this name. */
int family_named(struct stream *s, struct rng *r, const char *name);
void framing_make(struct stream *s, struct rng *r);
void chunks_make(struct stream *s, struct rng *r);
void upgrade_make(struct stream *s, struct rng *r);
void mutate(struct stream *s, struct rng *r);
/* A request without a body; `closing`: Connection: close. */
void simple_request(struct stream *s, struct rng *r, struct text *t, enum right right, bool closing);
/* The end of many a stream: a request that shows whether the service is still in step, and ends the connection. */
void closing_request(struct stream *s, struct rng *r);
void next_id(struct stream *s, char *id, enum right right);

/* ---- client.c, response.c: one stream to one service ---- */

struct service {
	const char *name;
	int port;
	const char *log;
	bool body_only_b; /* reads bodies below /b/ only */
};

#define SERVICES_MAX 4

struct job {
	struct stream *stream;
	int service;
	int fd;
	uint32_t sent;
	int cut;
	int64_t next_send, last_event, deadline, began;
	struct text rx;
	size_t rx_parsed;
	int answered; /* responses that were read */
	int first_status;
	uint16_t port;
	bool connected, waits_for_end, done, ended;
	bool told_close;    /* the service itself said that it ends the connection */
	bool ok[WANTS_MAX]; /* answered with 200 */
	const char *fault;  /* what the client found */
	unsigned int seen;  /* markers that the service logged, as bits */
	int last_seen;
};

struct options {
	const char *server;
	int concurrency;
	int quiet_ms;
	int limit_ms;
	int slow;
	int services;
	bool in_turn; /* a stream goes to one service, not to each */
	bool gateway; /* services are reached through gateways: their clients' ports are not ours */
	struct service service[SERVICES_MAX];
};

extern struct options options;

int64_t now_ms(void);
void client_run(struct job *jobs, size_t n);
/* Reads what has come. Returns false when it is not what was deserved; job->fault says why. */
bool response_read(struct job *job, bool end);

/* ---- heads.c ---- */

/* Whether the fields that a service saw, a line each, are those that were sent. */
bool heads_same(const char *sent, size_t sent_len, const char *seen, size_t seen_len);

/* ---- oracle.c ---- */

struct tally {
	uint64_t streams[STREAM_MAX], connections, requests, expected, answered, failures;
	uint64_t lines[SERVICES_MAX];
	uint64_t status[SERVICES_MAX][600];
	uint64_t waited_out, ended;
};

extern struct tally tally;

int oracle_open(void);
/* Reads the logs until what was answered is there, then judges. */
void oracle_judge(struct job *jobs, size_t n, uint32_t first_index);
void oracle_last(void);
void failure(const struct job *job, const struct stream *s, int service, const char *what, const char *detail,
	     size_t len);

extern bool verbose;

#endif
