/* SPDX-License-Identifier: MIT */
/* Tests: flows as their first payloads, cut in segments, and what they are to be seen as. */
#ifndef MPBPF_TESTS_FLOW_CASES_H
#define MPBPF_TESTS_FLOW_CASES_H

#include <stddef.h>
#include <stdint.h>

#define FLOW_SEGMENTS 4

struct flow_case {
	const char *name;
	uint8_t proto;	      /* PROTO_UDP; 0: PROTO_TCP */
	uint16_t dest_port;   /* 0: 80 */
	uint16_t source_port; /* 0: one that no other case has */
	uint16_t zeros;	      /* bytes behind the last segment */
	struct {
		const char *bytes;
		uint16_t len;
	} segments[FLOW_SEGMENTS];
	uint8_t protocol; /* enum protocol */
	uint8_t version;  /* enum tls_version */
	uint8_t open;	  /* the protocol is not decided yet */
	const char *host; /* NULL: none */
};

extern const struct flow_case flow_cases[];
extern const size_t n_flow_cases;

#endif
