/* SPDX-License-Identifier: MIT */
/*
 * Floor 4: the PROXY protocol (HAProxy's proxy-protocol.txt, versions 1 and 2): who the client of a relayed connection is.
 *
 * Pure functions over bytes. Reading is as strict as the specification is: what does not match it exactly is malformed, and
 * the connection must be closed. Beyond that:
 *
 *	version 1	at most 107 bytes with their CR LF. An IPv6 address may be written ::ffff:192.0.2.1, as HAProxy does
 *	version 2	addresses and TLVs are read in the first 536 bytes, which is what a sender may count on to arrive at
 *			once. A header may be as long as its length says, up to 65551: the rest is skipped, unread
 *	LOCAL, UNKNOWN, UNSPEC, UDP and UNIX	are accepted, and say nothing of the client
 *	a CRC32C	is not checked: TCP has its own
 */
#ifndef MPBPF_GATEWAY_PROXY_PROTOCOL_H
#define MPBPF_GATEWAY_PROXY_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/types.h>
#include <linux/bpf.h>

#include "mpbpf/abi.h"

#define PROXY_V1_MAX 107
#define PROXY_READ_MAX 536
#define PROXY_UNIQUE_ID_MAX 128
#define PROXY_AUTHORITY_MAX 255

/* A TLV's value: bytes, not text. */
struct proxy_value {
	const uint8_t *data;
	size_t len; /* 0: there is none */
};

struct proxy_header {
	int version;			 /* 1 or 2; decoding sets it */
	bool known;			 /* the addresses are the client's; else those of the connection itself hold */
	struct addr source, destination; /* IPv4 mapped */
	__be16 source_port, destination_port;
	struct proxy_value unique_id, authority; /* PP2_TYPE_UNIQUE_ID, PP2_TYPE_AUTHORITY; version 2 only */
};

/*
 * proxy_decode - reads the header that a connection begins with
 *
 * Returns 0 with the header's length in *ret_len, which is more than `len` if a part that is skipped is still to come, and
 * values that point into `data`; -EAGAIN: the bytes may become a header with more of them (never at PROXY_READ_MAX bytes);
 * -EBADMSG: they cannot.
 */
int proxy_decode(const uint8_t *data, size_t len, struct proxy_header *ret, size_t *ret_len);

/*
 * proxy_encode - writes `header` in its version, into PROXY_READ_MAX bytes
 *
 * Unknown: "PROXY UNKNOWN", or LOCAL. Values over PROXY_UNIQUE_ID_MAX and PROXY_AUTHORITY_MAX are left out. Returns the length.
 */
size_t proxy_encode(const struct proxy_header *header, uint8_t *out);

#endif
