/* SPDX-License-Identifier: MIT */
/* Tests: builds frames from their description. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "packets.h"

/* How far the description was carried out: where the next header's number has to be written. */
struct builder {
	struct frame *frame;
	size_t type_at;
	size_t proto_at;
};

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = value >> 8;
	at[1] = value;
}

static uint8_t *append(struct frame *frame, size_t size)
{
	uint8_t *at = frame->bytes + frame->len;

	if (frame->len + size > FRAME_MAX)
		abort();
	memset(at, 0, size);
	frame->len += size;
	return at;
}

void address_parse(const char *text, uint8_t address[16])
{
	memset(address, 0, 16);
	if (inet_pton(AF_INET6, text, address) == 1)
		return;
	address[10] = address[11] = 0xff;
	if (inet_pton(AF_INET, text, address + 12) != 1)
		abort();
}

static void build_link(struct builder *b, const struct packet_spec *spec)
{
	static const uint8_t eth[12] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2 };
	struct frame *frame = b->frame;
	size_t i;

	memcpy(append(frame, 14), eth, sizeof(eth));
	b->type_at = 12;
	frame->link_end = frame->len;
	for (i = 0; i < PACKET_TAGS && spec->tags[i]; i++) {
		put16(frame->bytes + b->type_at, spec->tags[i]);
		put16(append(frame, 4), 100 + i);
		b->type_at = frame->len - 2;
		if (i < 2) /* a third tag is not looked at */
			frame->link_end = frame->len;
	}
	put16(frame->bytes + b->type_at, spec->family == 4 ? 0x0800 : spec->family == 6 ? 0x86dd : spec->type);
}

static void build_ipv4(struct builder *b, const struct packet_spec *spec)
{
	struct frame *frame = b->frame;
	uint8_t address[16], *ip;

	frame->l3 = frame->len;
	ip = append(frame, 20 + 4 * spec->options);
	memset(ip + 20, 1, 4 * spec->options);
	if (spec->option_bytes)
		memcpy(ip + 20, spec->option_bytes, 4 * spec->options);
	ip[0] = 0x40 | (5 + spec->options);
	put16(ip + 6, spec->fragment);
	ip[8] = spec->hop_limit ? spec->hop_limit : 64;
	address_parse(spec->source ? spec->source : "192.0.2.1", address);
	memcpy(ip + 12, address + 12, 4);
	address_parse(spec->dest ? spec->dest : "198.51.100.1", address);
	memcpy(ip + 16, address + 12, 4);
	b->proto_at = frame->l3 + 9;
}

static void build_extension(struct builder *b, const struct extension *extension)
{
	struct frame *frame = b->frame;
	size_t at = frame->len, size = 8 * (extension->length + 1);
	uint8_t *header;

	if (extension->proto == PROTO_AH)
		size = 4 * (extension->length + 2);
	frame->bytes[b->proto_at] = extension->proto;
	header = append(frame, size);
	header[1] = extension->length;
	if (extension->proto == PROTO_ROUTING) {
		header[2] = extension->type;
		header[3] = extension->left;
	}
	if (extension->proto == PROTO_FRAGMENT)
		put16(header + 2, extension->fragment);
	if (extension->proto == PROTO_FRAGMENT && extension->fragment & 1)
		frame->units_from = frame->len;
	b->proto_at = at;
}

static void build_ipv6(struct builder *b, const struct packet_spec *spec)
{
	struct frame *frame = b->frame;
	uint8_t *ip;
	size_t i;

	frame->l3 = frame->len;
	ip = append(frame, 40);
	ip[0] = 0x60;
	ip[7] = spec->hop_limit ? spec->hop_limit : 64;
	address_parse(spec->source ? spec->source : "2001:db8::1", ip + 8);
	address_parse(spec->dest ? spec->dest : "2001:db8:ffff::1", ip + 24);
	b->proto_at = frame->l3 + 6;
	for (i = 0; i < PACKET_EXTENSIONS && spec->extensions[i].here; i++)
		build_extension(b, &spec->extensions[i]);
}

static int is_later_fragment(const struct packet_spec *spec)
{
	size_t i;

	for (i = 0; i < PACKET_EXTENSIONS && spec->extensions[i].here; i++) {
		if (spec->extensions[i].proto == PROTO_FRAGMENT && spec->extensions[i].fragment & 0xfff8)
			return 1;
	}
	return spec->family == 4 && spec->fragment & 0x1fff;
}

/* The size of the transport header; 0: one that is not looked into. */
static size_t transport_size(const struct packet_spec *spec)
{
	if (is_later_fragment(spec))
		return 0;
	if (spec->proto == PROTO_TCP)
		return 20 + 4 * spec->tcp_options;
	if (spec->proto == PROTO_UDP)
		return 8;
	if (spec->proto == (spec->family == 4 ? PROTO_ICMP : PROTO_ICMPV6))
		return 8;
	return 0;
}

static void build_transport(struct builder *b, const struct packet_spec *spec)
{
	struct frame *frame = b->frame;
	size_t size = transport_size(spec);
	uint8_t *header;

	frame->bytes[b->proto_at] = spec->proto;
	if (size) {
		frame->l4 = frame->len;
		header = append(frame, size);
		if (spec->proto == PROTO_TCP || spec->proto == PROTO_UDP) {
			frame->payload = frame->len;
			put16(header, spec->source_port ? spec->source_port : 40000);
			put16(header + 2, spec->dest_port ? spec->dest_port : 80);
		} else {
			header[0] = spec->icmp_type;
		}
		if (spec->proto == PROTO_TCP) {
			header[12] = (5 + spec->tcp_options) << 4;
			header[13] = spec->tcp_flags ? spec->tcp_flags : 0x10;
		}
	}
	frame->headers_end = frame->len;
}

void frame_set_end(struct frame *frame, size_t end, int udp)
{
	uint8_t *ip = frame->bytes + frame->l3;

	if (ip[0] >> 4 == 4)
		put16(ip + 2, end - frame->l3);
	else
		put16(ip + 4, end - frame->l3 - 40);
	if (udp && frame->l4)
		put16(frame->bytes + frame->l4 + 4, end - frame->l4);
	frame->ip_end = end;
}

void frame_pad(struct frame *frame)
{
	size_t len = frame->len;

	if (len < 60)
		memset(append(frame, 60 - len), 0x16, 60 - len);
}

void packet_build(const struct packet_spec *spec, struct frame *frame)
{
	struct builder b = { .frame = frame };
	size_t len = spec->payload_len ? spec->payload_len : spec->payload ? strlen(spec->payload) : 0;

	memset(frame, 0, sizeof(*frame));
	build_link(&b, spec);
	if (spec->family == 4)
		build_ipv4(&b, spec);
	if (spec->family == 6)
		build_ipv6(&b, spec);
	if (spec->family)
		build_transport(&b, spec);
	if (spec->payload)
		memcpy(append(frame, len), spec->payload, len);
	append(frame, spec->zeros);
	if (spec->family)
		frame_set_end(frame, frame->len, spec->proto == PROTO_UDP);
}
