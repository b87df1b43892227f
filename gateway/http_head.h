/* SPDX-License-Identifier: MIT */
/*
 * Floor 4: heads of HTTP/1 messages as a gateway passes them on. Pure: no I/O, no allocation.
 *
 * A head that was read by http1.h is written anew, line by line: what concerns one connection alone (RFC 9110, section 7.6.1)
 * stays behind, every other line goes on byte by byte. Framing is never taken from anywhere but struct http1.
 */
#ifndef MPBPF_GATEWAY_HTTP_HEAD_H
#define MPBPF_GATEWAY_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "http1_body.h"

/* What a written head may be longer than the one that was read. */
#define HTTP_HEAD_MORE 512
#define HTTP_OPTIONS_MAX 32 /* names in Connection */

struct http_span {
	const uint8_t *data;
	size_t len;
};

/* What its fields say beside the framing. Spans lie in the head. */
struct http_fields {
	bool close, keep_alive; /* options in Connection */
	struct http_span host;	/* data NULL: there is none */
	struct http_span options[HTTP_OPTIONS_MAX];
	size_t n_options;
};

/*
 * http_fields_read - of a head that http1_scan() has taken
 *
 * Returns 0, or -EBADMSG: a line is no field, or there are too many options in Connection.
 */
int http_fields_read(const uint8_t *head, const struct http1 *h, struct http_fields *ret);

/* The parts of a request's target. */
struct http_target {
	struct http_span authority; /* of an absolute form; data NULL: it is none */
	struct http_span origin;    /* path and query, or "*"; empty: "/" */
};

/* 0, or -EINVAL: a form of target that no endpoint is asked for. */
int http_target_read(const uint8_t *head, const struct http1 *h, struct http_target *ret);

struct http_request_out {
	const struct http_fields *fields;
	const struct http_target *target;
	const char *source; /* the client's address, for X-Forwarded-For */
};

struct http_response_out {
	const struct http_fields *fields;
	bool close;	 /* the client's connection ends with it */
	bool keep_alive; /* it does not, which a client of HTTP/1.0 has to be told */
};

/*
 * Writes the head of a request for the endpoint, of a response for the client. out: room for h->head_len + HTTP_HEAD_MORE and
 * the length of the authority. Returns the length.
 */
size_t http_request_write(const uint8_t *head, const struct http1 *h, const struct http_request_out *what,
			  uint8_t *out);
size_t http_response_write(const uint8_t *head, const struct http1 *h, const struct http_response_out *what,
			   uint8_t *out);

/* Whether the connection may carry another message, as far as this head says. */
static inline bool http_persists(const struct http1 *h, const struct http_fields *fields)
{
	return !fields->close && (h->minor || fields->keep_alive);
}

/* The body that follows a response. `head`: it answers HEAD. BODY_UNTIL_CLOSE: nothing says where it ends. */
void http_response_body(const struct http1 *h, bool head, struct http1_body *ret);

#endif
