// SPDX-License-Identifier: MIT
/* Floor 4: reading PROXY protocol headers. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "core/util.h"
#include "gateway/proxy_internal.h"

/* ---- version 1: a line of text ---- */

/* What is left of the line, without its CR LF. */
struct line {
	const char *at, *end;
};

/* Takes the next word, which a space or the end of the line ends; exactly one space lies between words. */
static bool word_take(struct line *line, char *ret, size_t size)
{
	const char *space = memchr(line->at, ' ', line->end - line->at);
	size_t len = (space ?: line->end) - line->at;

	if (!len || len >= size || memchr(line->at, '\0', len))
		return false;
	memcpy(ret, line->at, len);
	ret[len] = '\0';
	line->at += len;
	return true;
}

static bool space_take(struct line *line)
{
	if (line->at == line->end || *line->at != ' ')
		return false;
	line->at++;
	return true;
}

/* inet_pton(3) refuses leading zeros in IPv4, and anything around the address. */
static bool addr_take(struct line *line, int family, struct addr *ret)
{
	static const struct addr v4_prefix = { .b = { [10] = 0xff, [11] = 0xff } };
	char word[INET6_ADDRSTRLEN];
	struct addr addr = v4_prefix;

	if (!word_take(line, word, sizeof(word)) || !space_take(line))
		return false;
	if (inet_pton(family, word, family == AF_INET ? addr.b + 12 : addr.b) != 1)
		return false;
	*ret = addr;
	return true;
}

static bool port_take(struct line *line, __be16 *ret)
{
	unsigned int port = 0;
	char word[6];
	size_t i;

	if (!word_take(line, word, sizeof(word)) || (word[0] == '0' && word[1]))
		return false;
	for (i = 0; word[i]; i++) {
		if (word[i] < '0' || word[i] > '9')
			return false;
		port = port * 10 + (word[i] - '0');
	}
	if (port > UINT16_MAX)
		return false;
	*ret = htons(port);
	return true;
}

static bool line_read(struct line *line, struct proxy_header *ret)
{
	char word[8];
	int family;

	if (!word_take(line, word, sizeof(word)))
		return false;
	if (!strcmp(word, "UNKNOWN"))
		return line->at == line->end || *line->at == ' ';
	family = !strcmp(word, "TCP4") ? AF_INET : !strcmp(word, "TCP6") ? AF_INET6 : AF_UNSPEC;
	ret->known = true;
	return family != AF_UNSPEC && space_take(line) && addr_take(line, family, &ret->source) &&
	       addr_take(line, family, &ret->destination) && port_take(line, &ret->source_port) && space_take(line) &&
	       port_take(line, &ret->destination_port) && line->at == line->end;
}

/* A CR or LF alone ends no line and belongs into none. */
static int decode_v1(const uint8_t *data, size_t len, struct proxy_header *ret, size_t *ret_len)
{
	struct proxy_header header = { .version = 1 };
	size_t bound = len < PROXY_V1_MAX ? len : PROXY_V1_MAX;
	const uint8_t *lf = memchr(data, '\n', bound), *cr = memchr(data, '\r', bound);
	struct line line;

	if (!lf && len < PROXY_V1_MAX && (!cr || cr == data + len - 1))
		return -EAGAIN;
	if (!lf || !cr || cr + 1 != lf)
		return -EBADMSG;
	line = (struct line){ .at = (const char *)data + strlen(PROXY_V1_START), .end = (const char *)cr };
	if (line.at > line.end || !line_read(&line, &header))
		return -EBADMSG;
	*ret = header;
	*ret_len = lf + 1 - data;
	return 0;
}

/* ---- version 2: binary ---- */

static uint16_t get_be16(const uint8_t *data)
{
	return data[0] << 8 | data[1];
}

/*
 * TLVs from `at` on; the header ends at `total`, and data[0..len) is there to be read, which may be less. A TLV that ends
 * behind `len` is not there.
 */
static bool tlvs_read(const uint8_t *data, size_t at, size_t len, size_t total, struct proxy_header *ret)
{
	while (at < total) {
		struct proxy_value value;

		if (total - at < PROXY_TLV_HEAD)
			return false;
		if (len < at + PROXY_TLV_HEAD)
			return true;
		value = (struct proxy_value){ .data = data + at + PROXY_TLV_HEAD, .len = get_be16(data + at + 1) };
		if (value.len > total - at - PROXY_TLV_HEAD)
			return false;
		if (value.len > len - at - PROXY_TLV_HEAD)
			return true;
		if (data[at] == PROXY_TLV_AUTHORITY)
			ret->authority = value;
		else if (data[at] == PROXY_TLV_UNIQUE_ID && value.len <= PROXY_UNIQUE_ID_MAX)
			ret->unique_id = value;
		at += PROXY_TLV_HEAD + value.len;
	}
	return true;
}

static void addresses_read(const uint8_t *at, size_t addr_len, struct proxy_header *ret)
{
	if (addr_len == 4)
		ret->source.b[10] = ret->source.b[11] = ret->destination.b[10] = ret->destination.b[11] = 0xff;
	memcpy(ret->source.b + 16 - addr_len, at, addr_len);
	memcpy(ret->destination.b + 16 - addr_len, at + addr_len, addr_len);
	memcpy(&ret->source_port, at + 2 * addr_len, 2);
	memcpy(&ret->destination_port, at + 2 * addr_len + 2, 2);
	ret->known = true;
}

/* The first four bytes behind the signature, as soon as each is there: closing early lets the sender notice. */
static bool is_possible_v2(const uint8_t *data, size_t len)
{
	if (len > 12 && data[12] != (PROXY_V2_VERSION | PROXY_LOCAL) && data[12] != (PROXY_V2_VERSION | PROXY_PROXY))
		return false;
	return len <= 13 || data[12] == (PROXY_V2_VERSION | PROXY_LOCAL) ||
	       (data[13] >> 4 <= PROXY_FAMILY_UNIX && (data[13] & 0xf) <= PROXY_TRANSPORT_DGRAM);
}

static int decode_v2(const uint8_t *data, size_t len, struct proxy_header *ret, size_t *ret_len)
{
	struct proxy_header header = { .version = 2 };
	size_t total, readable, addr_len;

	if (!is_possible_v2(data, len))
		return -EBADMSG;
	if (len < PROXY_V2_HEAD)
		return -EAGAIN;
	total = PROXY_V2_HEAD + get_be16(data + 14);
	readable = total < PROXY_READ_MAX ? total : PROXY_READ_MAX;
	addr_len = data[13] == PROXY_TCP4 ? 4 : data[13] == PROXY_TCP6 ? 16 : 0;
	if (data[12] == (PROXY_V2_VERSION | PROXY_LOCAL))
		addr_len = 0;
	if (addr_len && total < PROXY_V2_HEAD + 2 * addr_len + 4)
		return -EBADMSG;
	if (len < readable)
		return -EAGAIN;
	if (addr_len) {
		addresses_read(data + PROXY_V2_HEAD, addr_len, &header);
		if (!tlvs_read(data, PROXY_V2_HEAD + 2 * addr_len + 4, readable, total, &header))
			return -EBADMSG;
	}
	*ret = header;
	*ret_len = total;
	return 0;
}

static bool begins_with(const uint8_t *data, size_t len, const void *start, size_t start_len)
{
	return !memcmp(data, start, len < start_len ? len : start_len);
}

int proxy_decode(const uint8_t *data, size_t len, struct proxy_header *ret, size_t *ret_len)
{
	if (len == 0)
		return -EAGAIN;
	if (begins_with(data, len, PROXY_V2_SIGNATURE, PROXY_V2_SIGNATURE_LEN))
		return len <= PROXY_V2_SIGNATURE_LEN ? -EAGAIN : decode_v2(data, len, ret, ret_len);
	if (begins_with(data, len, PROXY_V1_START, strlen(PROXY_V1_START)))
		return len < strlen(PROXY_V1_START) ? -EAGAIN : decode_v1(data, len, ret, ret_len);
	return -EBADMSG;
}
