// SPDX-License-Identifier: MIT
/* Floor 4: writing PROXY protocol headers. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "core/config.h"
#include "gateway/proxy_internal.h"

/* One of TCP6 that is IPv4 all the same is written in hexadecimal, as the specification wants it; inet_ntop(3) would not. */
static void addr_write(const struct addr *addr, bool v4, char out[INET6_ADDRSTRLEN])
{
	const uint8_t *b = addr->b;

	if (v4)
		inet_ntop(AF_INET, b + 12, out, INET6_ADDRSTRLEN);
	else if (cidr_is_v4(addr))
		snprintf(out, INET6_ADDRSTRLEN, "::ffff:%x:%x", b[12] << 8 | b[13], b[14] << 8 | b[15]);
	else
		inet_ntop(AF_INET6, b, out, INET6_ADDRSTRLEN);
}

/* Both have to be of one family: IPv4 only if both are. */
static bool header_is_v4(const struct proxy_header *header)
{
	return cidr_is_v4(&header->source) && cidr_is_v4(&header->destination);
}

static size_t encode_v1(const struct proxy_header *header, uint8_t *out)
{
	char source[INET6_ADDRSTRLEN], destination[INET6_ADDRSTRLEN];
	bool v4 = header_is_v4(header);

	if (!header->known)
		return snprintf((char *)out, PROXY_READ_MAX, PROXY_V1_START "UNKNOWN\r\n");
	addr_write(&header->source, v4, source);
	addr_write(&header->destination, v4, destination);
	return snprintf((char *)out, PROXY_READ_MAX, PROXY_V1_START "%s %s %s %u %u\r\n", v4 ? "TCP4" : "TCP6", source,
			destination, ntohs(header->source_port), ntohs(header->destination_port));
}

static uint8_t *put(uint8_t *at, const void *data, size_t len)
{
	memcpy(at, data, len);
	return at + len;
}

static uint8_t *put_be16(uint8_t *at, size_t value)
{
	*at++ = value >> 8;
	*at++ = value;
	return at;
}

static uint8_t *put_tlv(uint8_t *at, uint8_t type, const struct proxy_value *value, size_t max)
{
	if (!value->len || value->len > max)
		return at;
	*at++ = type;
	at = put_be16(at, value->len);
	return put(at, value->data, value->len);
}

static uint8_t *put_addresses(uint8_t *at, const struct proxy_header *header, size_t addr_len)
{
	at = put(at, header->source.b + 16 - addr_len, addr_len);
	at = put(at, header->destination.b + 16 - addr_len, addr_len);
	at = put(at, &header->source_port, 2);
	return put(at, &header->destination_port, 2);
}

static size_t encode_v2(const struct proxy_header *header, uint8_t *out)
{
	uint8_t *at = put(out, PROXY_V2_SIGNATURE, PROXY_V2_SIGNATURE_LEN);
	bool v4 = header_is_v4(header);

	*at++ = PROXY_V2_VERSION | (header->known ? PROXY_PROXY : PROXY_LOCAL);
	*at++ = !header->known ? 0 : v4 ? PROXY_TCP4 : PROXY_TCP6;
	at = put_be16(at, 0);
	if (!header->known)
		return at - out;
	at = put_addresses(at, header, v4 ? 4 : 16);
	at = put_tlv(at, PROXY_TLV_AUTHORITY, &header->authority, PROXY_AUTHORITY_MAX);
	at = put_tlv(at, PROXY_TLV_UNIQUE_ID, &header->unique_id, PROXY_UNIQUE_ID_MAX);
	put_be16(out + PROXY_V2_HEAD - 2, at - out - PROXY_V2_HEAD);
	return at - out;
}

size_t proxy_encode(const struct proxy_header *header, uint8_t *out)
{
	_Static_assert(PROXY_V2_HEAD + 36 + 2 * PROXY_TLV_HEAD + PROXY_AUTHORITY_MAX + PROXY_UNIQUE_ID_MAX <=
			       PROXY_READ_MAX,
		       "whatever it holds, a header has room");
	return header->version == 1 ? encode_v1(header, out) : encode_v2(header, out);
}
