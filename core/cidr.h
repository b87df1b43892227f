/* SPDX-License-Identifier: MIT */
/* Floor 3: addresses and networks as text; IPv4 is mapped into IPv6 (RFC 4291, section 2.5.5.2). */
#ifndef MPBPF_CORE_CIDR_H
#define MPBPF_CORE_CIDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/types.h>
#include <linux/bpf.h>

#include "mpbpf/abi.h"

#define CIDR_TEXT_MAX 64

struct cidr {
	struct addr addr; /* IPv4 mapped; host bits are zero */
	uint8_t prefix;	  /* of 128; an IPv4 /24 is 120 */
};

extern const struct addr cidr_v4; /* ::ffff:0:0, the beginning of mapped addresses */

bool cidr_is_v4(const struct addr *addr);
/* Clears the bits behind the first `prefix`. */
void cidr_mask(struct addr *addr, unsigned int prefix);
/* A network covers the addresses of its own family only: "::/0" no IPv4 address. */
bool cidr_covers(const struct cidr *cidr, const struct addr *addr);

/* An address. *ret_v4, which may be NULL: as it was written, not what it maps to. */
bool cidr_parse_address(const char *text, struct addr *ret, bool *ret_v4);
/* ADDRESS or ADDRESS/LENGTH. Host bits stay as they were written. */
bool cidr_parse(const char *text, struct cidr *ret, bool *ret_v4);
/* In the family that it was written in; `v4` only for a mapped one. Returns `ret`. */
const char *cidr_text(const struct cidr *cidr, bool v4, char ret[CIDR_TEXT_MAX]);

#endif
