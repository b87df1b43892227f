/* SPDX-License-Identifier: MIT */
/* Floor 4: the verdict on one request head, by the tables and the code that the kernel uses. */
#ifndef MPBPF_AUTH_JUDGE_H
#define MPBPF_AUTH_JUDGE_H

#include <stdint.h>

#include "core/config.h"
#include "core/maps.h"
#include "http1.h"

struct judge {
	const struct maps *maps;
	const struct config *config;
};

/* Under what policy a connection stands now. Returns 0, or -ENOENT: the configuration has no listener for it. */
int judge_listener(const struct judge *judge, const struct conn *conn, struct listener *ret);

/* Could these bytes be a bearer token (RFC 6750, section 2.1)? */
bool judge_is_token(const char *token, size_t len);

/* What was found of a request: why it passes or does not, and what it counts against when it passes. */
struct judgement {
	enum request_reason reason;
	uint64_t limits; /* bits */
	uint64_t token[2];
	uint64_t subject;
	uint8_t prefix; /* path_rule.prefix */
	uint8_t would;	/* enum request_reason: a rule that is a dry run would deny it; 0: none */
	uint8_t host;	/* metric_key.host */
};

/*
 * judge_head - the verdict on a complete head; writes the token's verdict into `verdicts` when it validated one, with what was
 * revoked as a denial
 *
 * head: where h was scanned. Limits are not asked: whoever lets the request pass counts it.
 */
void judge_head(const struct judge *judge, const struct listener *listener, const char *head, const struct http1 *h,
		struct judgement *ret);

#endif
