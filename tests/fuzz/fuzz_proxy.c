// SPDX-License-Identifier: MIT
/*
 * Fuzz target: PROXY protocol headers. Beyond memory safety: a header is decided once, whatever follows; what was read is
 * written and read again as the same.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/proxy_protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		__builtin_trap();
}

/* From memory that ends where the bytes do. */
static int decode(const uint8_t *data, size_t len, struct proxy_header *ret, size_t *ret_len)
{
	uint8_t *exact = malloc(len ? len : 1);
	int r;

	memcpy(exact, data, len);
	r = proxy_decode(exact, len, ret, ret_len);
	if (r == 0 && ret->authority.len)
		ret->authority.data = data + (ret->authority.data - exact);
	if (r == 0 && ret->unique_id.len)
		ret->unique_id.data = data + (ret->unique_id.data - exact);
	free(exact);
	return r;
}

static bool same_value(const struct proxy_value *a, const struct proxy_value *b)
{
	return a->len == b->len && (!a->len || !memcmp(a->data, b->data, a->len));
}

static bool same(const struct proxy_header *a, const struct proxy_header *b)
{
	return a->known == b->known && a->source_port == b->source_port && a->destination_port == b->destination_port &&
	       !memcmp(&a->source, &b->source, sizeof(a->source)) &&
	       !memcmp(&a->destination, &b->destination, sizeof(a->destination));
}

static void written_and_read(struct proxy_header header)
{
	uint8_t out[PROXY_READ_MAX];
	struct proxy_header again;
	size_t len, n;

	for (header.version = 1; header.version <= 2; header.version++) {
		len = proxy_encode(&header, out);
		must(len <= (header.version == 1 ? PROXY_V1_MAX : PROXY_READ_MAX));
		must(decode(out, len, &again, &n) == 0 && n == len && same(&header, &again));
		must(decode(out, len - 1, &again, &n) == -EAGAIN);
	}
	must(!header.known || !header.unique_id.len || same_value(&header.unique_id, &again.unique_id));
	must(!header.known || header.authority.len > PROXY_AUTHORITY_MAX ||
	     same_value(&header.authority, &again.authority));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy_header header, last;
	size_t i, n = 0, last_n = 0;
	int r, was = -EAGAIN;

	for (i = 0; i <= size; i++) {
		r = decode(data, i, &header, &n);
		must(r == 0 || r == -EAGAIN || r == -EBADMSG);
		must(r != -EAGAIN || i < PROXY_READ_MAX);
		must(was == -EAGAIN || r == was);
		must(r != 0 || was != 0 || (n == last_n && same(&header, &last)));
		if (r == 0 && was != 0)
			must(n >= i);
		last = header;
		last_n = n;
		was = r;
	}
	if (was == 0)
		written_and_read(header);
	return 0;
}
