/* SPDX-License-Identifier: MIT */
/* Floor 3: base64 and base64url (RFC 4648), decoded strictly: every value has exactly one text in each form. */
#ifndef MPBPF_CORE_BASE64_H
#define MPBPF_CORE_BASE64_H

#include <stddef.h>
#include <sys/types.h>

enum base64_alphabet { BASE64_STANDARD, BASE64_URL };

/*
 * base64_decode - text: `len` bytes, without padding
 * out: room for len / 4 * 3 + 2 bytes
 *
 * Returns the number of bytes decoded, or -EINVAL: a foreign character, an impossible length, or unused bits that are
 * not zero (a text that differs in those alone would be a second name for the same bytes).
 */
ssize_t base64_decode(enum base64_alphabet alphabet, const char *text, size_t len, unsigned char *out);

/*
 * base64_unpadded - the length of `text` without its padding, or -EINVAL when it ends in '=' signs that do not make up
 * a multiple of four. A text without any padding is fine.
 */
ssize_t base64_unpadded(const char *text, size_t len);

#endif
