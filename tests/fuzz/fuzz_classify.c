// SPDX-License-Identifier: MIT
/*
 * Fuzz target: the readers of first payloads. Beyond memory safety: what is found depends on the bytes that there are and on
 * none behind them, and lies among them.
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "classify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		__builtin_trap();
}

static int look(const uint8_t *data, size_t size, bool udp, uint32_t hints, int fill, struct classified *ret)
{
	static struct classify_buf buf;
	uint32_t len = size < CLASSIFY_MAX ? size : CLASSIFY_MAX;
	int result;

	memset(buf.b + len, fill, sizeof(buf) - len);
	memcpy(buf.b, data, len);
	result = udp ? classify_udp(&buf, len, size, hints, ret) : classify_tcp(&buf, len, hints, ret);
	must(result == CLASSIFY_DONE || result == CLASSIFY_MORE);
	must(ret->protocol < PROTOCOL_MAX && ret->version < TLS_VERSION_MAX);
	must(!ret->version || ret->protocol == PROTOCOL_TLS);
	must(!ret->name_len || (ret->name_off < len && ret->name_len <= len - ret->name_off));
	/* Enough bytes always decide. */
	must(result == CLASSIFY_DONE || len < MPBPF_FLOW_START);
	return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct classified a, b;
	uint32_t i;

	if (!size)
		return 0;
	for (i = 0; i < 8; i++) {
		int one = look(data, size, i & 4, i & 3, 0, &a), other = look(data, size, i & 4, i & 3, '\n', &b);

		must(one == other && a.protocol == b.protocol && a.version == b.version && a.name_len == b.name_len);
		must(!a.name_len || a.name_off == b.name_off);
	}
	return 0;
}
