/* SPDX-License-Identifier: MIT */
/*
 * Tests: frames built from a description, and what their layout says of them: up to where the headers reach, where the
 * payload begins, where IP ends. Expectations come from here, never from the program under test.
 */
#ifndef MPBPF_TESTS_PACKETS_H
#define MPBPF_TESTS_PACKETS_H

#include <stddef.h>
#include <stdint.h>

#define FRAME_MAX 9216
#define FRAME_LEAST 14 /* BPF_PROG_TEST_RUN accepts no less, and no Ethernet driver delivers less */
#define PACKET_TAGS 3
#define PACKET_EXTENSIONS 10
#define PACKET_CLASSES 3

enum {
	PROTO_HOPOPTS = 0,
	PROTO_ICMP = 1,
	PROTO_TCP = 6,
	PROTO_UDP = 17,
	PROTO_ROUTING = 43,
	PROTO_FRAGMENT = 44,
	PROTO_ESP = 50,
	PROTO_AH = 51,
	PROTO_ICMPV6 = 58,
	PROTO_NONE = 59,
	PROTO_DSTOPTS = 60,
};

/* An IPv6 extension header. HERE marks that there is one, for hop-by-hop is number 0. */
struct extension {
	uint8_t here;
	uint8_t proto;
	uint8_t length;	    /* as in the header: units of 8 bytes (AH: 4) beyond the first unit (AH: two) */
	uint16_t fragment;  /* PROTO_FRAGMENT: offset and flags as in the header, host order */
	uint8_t type, left; /* PROTO_ROUTING: its type, and segments left */
};

#define EXT(p, n) { .here = 1, .proto = (p), .length = (n) }
#define EXT_ROUTING(t, l) { .here = 1, .proto = PROTO_ROUTING, .length = 2, .type = (t), .left = (l) }
#define EXT_FRAGMENT(f) { .here = 1, .proto = PROTO_FRAGMENT, .fragment = (f) }

/* From so many bytes of payload on, the packet is of this class (enum protocol). */
struct class_step {
	uint16_t bytes;
	uint8_t protocol;
};

struct packet_spec {
	const char *name;
	uint16_t tags[PACKET_TAGS]; /* tag protocol ids; 0: no more */
	uint8_t family;		    /* 4, 6 or 0: neither, `type` then */
	uint16_t type;
	uint8_t options;	  /* IPv4: 32-bit words of options */
	const char *option_bytes; /* all of them; NULL: each byte is a NOP */
	uint16_t fragment;	  /* IPv4: offset and flags as in the header, host order */
	struct extension extensions[PACKET_EXTENSIONS];
	uint8_t proto;
	uint8_t tcp_options;  /* 32-bit words */
	uint8_t tcp_flags;    /* 0: ACK */
	uint16_t source_port; /* 0: 40000 */
	uint16_t dest_port;   /* 0: 80 */
	uint8_t icmp_type;
	uint8_t hop_limit;    /* 0: 64 */
	const char *source;   /* NULL: 192.0.2.1 or 2001:db8::1 */
	const char *dest;     /* NULL: 198.51.100.1 or 2001:db8:ffff::1 */
	const char *payload;  /* bytes behind the last header */
	uint16_t payload_len; /* 0: strlen(payload) */
	uint16_t zeros;	      /* bytes behind the payload */
	struct class_step classes[PACKET_CLASSES];
};

struct frame {
	uint8_t bytes[FRAME_MAX];
	size_t len;
	size_t link_end;    /* of Ethernet and the tags that must be whole */
	size_t l3;	    /* 0: not IP */
	size_t l4;	    /* 0: no transport header that is read */
	size_t units_from;  /* IPv6: from here to ip_end it is whole units of 8 bytes; 0: it need not be */
	size_t headers_end; /* an IP packet that ends before is malformed */
	size_t payload;	    /* 0: neither TCP nor UDP */
	size_t ip_end;
};

void packet_build(const struct packet_spec *spec, struct frame *frame);
/* Pads to the 60 bytes that Ethernet wants, with bytes that must not be read. */
void frame_pad(struct frame *frame);
/* Makes the IP packet, and the UDP datagram if `udp`, end at `end`. */
void frame_set_end(struct frame *frame, size_t end, int udp);
/* Text of either family to 16 bytes, IPv4 mapped. */
void address_parse(const char *text, uint8_t address[16]);

#endif
