/* SPDX-License-Identifier: MIT */
/* Tests: legal frames, both families, every layer that the parser knows and some that it does not. */
#include <linux/types.h>
#include <linux/bpf.h>

#include "mpbpf/abi.h"
#include "xdp_packets.h"

/* clang-format off */
#define VLAN 0x8100
#define QINQ 0x88a8
#define MORE 0x2000		/* IPv4: more fragments */
#define BYTES(s) .payload = (s), .payload_len = sizeof(s) - 1
#define CLASS(n, p) .classes = { { 1, PROTOCOL_OTHER }, { (n), (p) } }
#define TCP4 .family = 4, .proto = PROTO_TCP
#define TCP6 .family = 6, .proto = PROTO_TCP
#define UDP4 .family = 4, .proto = PROTO_UDP
#define UDP6 .family = 6, .proto = PROTO_UDP

#define HELLO "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
#define LINE "GET /chat HTTP/1.1\r\nHost: example.com\r\n"
#define POST "POST /pkg.Service/Method HTTP/1.1\r\nHost: example.com\r\nContent-Length: 5\r\n"
#define FILLER "X-Filler: 0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567\r\n"

/* Up to the end of what has to be read. */
#define UPGRADE LINE "Upgrade: websocket"
#define ODD_UPGRADE LINE "Connection: keep-alive, Upgrade\r\nuPgRaDe:\t WebSocket"
#define FAR_UPGRADE LINE FILLER FILLER FILLER FILLER "Upgrade: websocket"
#define GRPC_TYPE POST "content-type: application/grpc"

const struct packet_spec xdp_packets[] = {
	{ .name = "IPv4 TCP without payload", TCP4 },
	{ .name = "IPv6 TCP without payload", TCP6 },
	{ .name = "IPv4 TCP, other payload", TCP4, BYTES("\x17\x03\x03\x00\x20zzz"), CLASS(1, PROTOCOL_OTHER) },
	{ .name = "IPv6 TCP, other payload", TCP6, BYTES("\x17\x03\x03\x00\x20zzz"), CLASS(1, PROTOCOL_OTHER) },
	{ .name = "IPv4 UDP", UDP4, BYTES("xyz"), CLASS(1, PROTOCOL_OTHER) },
	{ .name = "IPv4 UDP, empty datagram", UDP4 },
	{ .name = "IPv6 UDP", UDP6, BYTES("xyz"), CLASS(1, PROTOCOL_OTHER) },
	{ .name = "IPv4 ICMP echo", .family = 4, .proto = PROTO_ICMP, .icmp_type = 8, BYTES("ping") },
	{ .name = "IPv6 ICMPv6 echo", .family = 6, .proto = PROTO_ICMPV6, .icmp_type = 128, BYTES("ping") },
	{ .name = "VLAN IPv4 TCP", .tags = { VLAN }, TCP4, BYTES("GET /"), CLASS(4, PROTOCOL_HTTP1) },
	{ .name = "VLAN IPv6 UDP", .tags = { VLAN }, UDP6, BYTES("xyz"), CLASS(1, PROTOCOL_OTHER) },
	{ .name = "QinQ IPv4 TCP", .tags = { QINQ, VLAN }, TCP4, BYTES(HELLO), CLASS(6, PROTOCOL_TLS) },
	{ .name = "VLAN in VLAN IPv6 TCP", .tags = { VLAN, VLAN }, TCP6, BYTES("PUT /"), CLASS(4, PROTOCOL_HTTP1) },
	{ .name = "802.1ad alone IPv4 UDP", .tags = { QINQ }, UDP4, BYTES("xyz"), CLASS(1, PROTOCOL_OTHER) },
	{ .name = "three tags are not read", .tags = { QINQ, VLAN, VLAN }, .type = 0x0800, BYTES("\x01\x02\x03") },
	{ .name = "IPv4 options, TCP options", TCP4, .options = 10, .tcp_options = 10, BYTES("HEAD / HTTP/1.1\r\n"),
	  CLASS(5, PROTOCOL_HTTP1) },
	{ .name = "IPv4 options, UDP", UDP4, .options = 1, BYTES("xyz"), CLASS(1, PROTOCOL_OTHER) },
	{ .name = "IPv4 first fragment, TCP", TCP4, .fragment = MORE, BYTES("GET / HTTP/1.1\r\nA"),
	  CLASS(4, PROTOCOL_HTTP1) },
	{ .name = "IPv4 later fragment, TCP", TCP4, .fragment = MORE | 185, BYTES("GET / HTTP/1.1\r\n") },
	{ .name = "IPv4 last fragment, UDP, short", UDP4, .fragment = 370, BYTES("x") },
	{ .name = "IPv4 later fragment without anything", UDP4, .fragment = 1 },
	{ .name = "IPv6 later fragment", TCP6, .extensions = { EXT_FRAGMENT(1480 | 1) }, BYTES("GET / HTTP/1.1\r\n") },
	{ .name = "IPv6 atomic fragment", TCP6, .extensions = { EXT_FRAGMENT(0) }, BYTES("GET / HTTP"),
	  CLASS(4, PROTOCOL_HTTP1) },
	{ .name = "IPv6 last fragment, odd length", TCP6, .extensions = { EXT_FRAGMENT(1480) }, BYTES("odd") },
	{ .name = "IPv6 first fragment, TCP", TCP6, .extensions = { EXT_FRAGMENT(1) }, BYTES("GET / HTTP/1"),
	  CLASS(4, PROTOCOL_HTTP1) },
	{ .name = "IPv6 hop-by-hop", TCP6, .extensions = { EXT(PROTO_HOPOPTS, 0) }, BYTES("GET /"),
	  CLASS(4, PROTOCOL_HTTP1) },
	{ .name = "IPv6 every extension header", UDP6,
	  .extensions = { EXT(PROTO_HOPOPTS, 1), EXT(PROTO_DSTOPTS, 0), EXT(PROTO_ROUTING, 2), EXT_FRAGMENT(0),
			  EXT(PROTO_AH, 4), EXT(PROTO_DSTOPTS, 0) },
	  BYTES("xyz"), CLASS(1, PROTOCOL_OTHER) },
	{ .name = "IPv6 authentication header of odd size", UDP6, .extensions = { EXT(PROTO_AH, 1) }, BYTES("xyz"),
	  CLASS(1, PROTOCOL_OTHER) },
	{ .name = "IPv6 eight extension headers", TCP6,
	  .extensions = { EXT(PROTO_HOPOPTS, 0), EXT(PROTO_DSTOPTS, 0), EXT(PROTO_DSTOPTS, 0), EXT(PROTO_DSTOPTS, 0),
			  EXT(PROTO_DSTOPTS, 0), EXT(PROTO_DSTOPTS, 0), EXT(PROTO_DSTOPTS, 0), EXT(PROTO_DSTOPTS, 0) },
	  BYTES("GET /"), CLASS(4, PROTOCOL_HTTP1) },
	{ .name = "IPv6 long extension headers", TCP6,
	  .extensions = { EXT(PROTO_HOPOPTS, 20), EXT(PROTO_DSTOPTS, 30) }, BYTES("GET /"), CLASS(4, PROTOCOL_HTTP1) },
	{ .name = "IPv6 options and then nothing", .family = 6, .extensions = { EXT(PROTO_DSTOPTS, 1) },
	  .proto = PROTO_NONE },
	{ .name = "IPv6 authentication and then ESP", .family = 6, .extensions = { EXT(PROTO_AH, 4) },
	  .proto = PROTO_ESP },
	{ .name = "IPv6 ESP", .family = 6, .proto = PROTO_ESP, BYTES("\x01\x02\x03\x04") },
	{ .name = "IPv6 no next header", .family = 6, .proto = PROTO_NONE },
	{ .name = "IPv6 no next header, bytes behind", .family = 6, .proto = PROTO_NONE, BYTES("zz") },
	{ .name = "IPv6 ICMP of IPv4 is unknown", .family = 6, .proto = PROTO_ICMP, BYTES("z") },
	{ .name = "IPv6 SCTP", .family = 6, .proto = 132, BYTES("z") },
	{ .name = "IPv4 SCTP", .family = 4, .proto = 132, BYTES("z") },
	{ .name = "IPv4 GRE", .family = 4, .proto = 47, BYTES("z") },
	{ .name = "IPv4 ESP", .family = 4, .proto = PROTO_ESP, BYTES("z") },
	{ .name = "IPv4 AH", .family = 4, .proto = PROTO_AH, BYTES("z") },
	{ .name = "IPv4 IPv6 in IPv4", .family = 4, .proto = 41, BYTES("z") },
	{ .name = "IPv4 IGMP with router alert", .family = 4, .proto = 2, .options = 1, .hop_limit = 1, BYTES("z") },
	{ .name = "IPv4 ICMPv6 is unknown", .family = 4, .proto = PROTO_ICMPV6, BYTES("z") },
	{ .name = "IPv4 hop-by-hop number is unknown", .family = 4, .proto = PROTO_HOPOPTS },
	{ .name = "DHCP from 0.0.0.0", UDP4, .source = "0.0.0.0", .source_port = 68, .dest_port = 67,
	  BYTES("\x01\x01\x06"), CLASS(1, PROTOCOL_OTHER) },
	{ .name = "mDNS", UDP4, .dest = "224.0.0.251", .source_port = 5353, .dest_port = 5353, .hop_limit = 255,
	  BYTES("\0\0"), CLASS(1, PROTOCOL_OTHER) },
	{ .name = "mDNS over IPv6", UDP6, .dest = "ff02::fb", .source_port = 5353, .dest_port = 5353, .hop_limit = 255,
	  BYTES("\0\0"), CLASS(1, PROTOCOL_OTHER) },
	{ .name = "UDP broadcast", UDP4, .dest = "255.255.255.255", BYTES("z"), CLASS(1, PROTOCOL_OTHER) },
	{ .name = "VRRP", .family = 4, .proto = 112, .dest = "224.0.0.18", .hop_limit = 255, BYTES("\x21\x01") },
	{ .name = "OSPF", .family = 4, .proto = 89, .dest = "224.0.0.5", .hop_limit = 1, BYTES("\x02\x01") },
	{ .name = "OSPF over IPv6", .family = 6, .proto = 89, .dest = "ff02::5", .hop_limit = 1, BYTES("\x03\x01") },
	{ .name = "PIM", .family = 4, .proto = 103, .dest = "224.0.0.13", .hop_limit = 1, BYTES("\x20") },
	{ .name = "neighbour solicitation for a tentative address", .family = 6, .proto = PROTO_ICMPV6, .source = "::",
	  .dest = "ff02::1:ff00:1", .icmp_type = 135, .hop_limit = 255, .zeros = 16 },
	{ .name = "listener report", .family = 6, .proto = PROTO_ICMPV6, .source = "fe80::1", .dest = "ff02::16",
	  .extensions = { EXT(PROTO_HOPOPTS, 0) }, .icmp_type = 143, .hop_limit = 1, .zeros = 20 },
	{ .name = "IPv4 protocol that nobody has", .family = 4, .proto = 253, BYTES("z") },
	{ .name = "IPv6 protocol that nobody has", .family = 6, .proto = 254, BYTES("z") },
	{ .name = "ARP", .type = 0x0806, BYTES("\x00\x01\x08\x00\x06\x04\x00\x01") },
	{ .name = "LLDP", .type = 0x88cc, BYTES("\x02\x07\x04") },
	{ .name = "spanning tree (802.3 length)", .type = 38, BYTES("\x42\x42\x03") },
	{ .name = "unknown type without anything", .type = 0x9999 },
	{ .name = "MPLS", .type = 0x8847, BYTES("\x00\x01\x01\x40") },
	{ .name = "VLAN ARP", .tags = { VLAN }, .type = 0x0806, BYTES("\x00\x01") },

	{ .name = "GET", TCP4, BYTES("GET / HTTP/1.1\r\n\r\n"), CLASS(4, PROTOCOL_HTTP1) },
	{ .name = "POST", TCP6, BYTES("POST / HTTP/1.1\r\n\r\n"), CLASS(5, PROTOCOL_HTTP1) },
	{ .name = "PUT", TCP4, BYTES("PUT / HTTP/1.1\r\n\r\n"), CLASS(4, PROTOCOL_HTTP1) },
	{ .name = "DELETE", TCP6, BYTES("DELETE / HTTP/1.1\r\n\r\n"), CLASS(7, PROTOCOL_HTTP1) },
	{ .name = "HEAD", TCP4, BYTES("HEAD / HTTP/1.1\r\n\r\n"), CLASS(5, PROTOCOL_HTTP1) },
	{ .name = "OPTIONS", TCP6, BYTES("OPTIONS * HTTP/1.1\r\n\r\n"), CLASS(8, PROTOCOL_HTTP1) },
	{ .name = "PATCH", TCP4, BYTES("PATCH / HTTP/1.1\r\n\r\n"), CLASS(6, PROTOCOL_HTTP1) },
	{ .name = "CONNECT", TCP6, BYTES("CONNECT a:443 HTTP/1.1\r\n\r\n"), CLASS(8, PROTOCOL_HTTP1) },
	{ .name = "TRACE", TCP4, BYTES("TRACE / HTTP/1.1\r\n\r\n"), CLASS(6, PROTOCOL_HTTP1) },
	{ .name = "GETX is no method", TCP4, BYTES("GETX / HTTP/1.1\r\n\r\n"), CLASS(1, PROTOCOL_OTHER) },
	{ .name = "a method in small letters is none", TCP4, BYTES("get / HTTP/1.1\r\n\r\n"),
	  CLASS(1, PROTOCOL_OTHER) },
	{ .name = "ClientHello of TLS 1.0", TCP4, BYTES("\x16\x03\x01\x00\x40\x01"), CLASS(6, PROTOCOL_TLS) },
	{ .name = "ClientHello of TLS 1.1", TCP6, BYTES("\x16\x03\x02\x00\x40\x01"), CLASS(6, PROTOCOL_TLS) },
	{ .name = "ClientHello of TLS 1.2", TCP4, BYTES("\x16\x03\x03\x00\x40\x01"), CLASS(6, PROTOCOL_TLS) },
	{ .name = "ClientHello of TLS 1.3", TCP6, BYTES("\x16\x03\x04\x00\x40\x01"), CLASS(6, PROTOCOL_TLS) },
	{ .name = "SSL 3.0 is none", TCP4, BYTES("\x16\x03\x00\x00\x40\x01"), CLASS(1, PROTOCOL_OTHER) },
	{ .name = "version 3.5 is none", TCP4, BYTES("\x16\x03\x05\x00\x40\x01"), CLASS(1, PROTOCOL_OTHER) },
	{ .name = "ServerHello is none", TCP4, BYTES("\x16\x03\x03\x00\x40\x02"), CLASS(1, PROTOCOL_OTHER) },
	{ .name = "HTTP/2 preface", TCP4, BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), CLASS(14, PROTOCOL_HTTP2) },
	{ .name = "HTTP/2 SETTINGS", TCP6, BYTES("\0\0\x0c\x04\0\0\0\0\0\0\x03\0\0\0\x64"), CLASS(9, PROTOCOL_HTTP2) },
	{ .name = "HTTP/2 SETTINGS, empty", TCP4, BYTES("\0\0\0\x04\0\0\0\0\0"), CLASS(9, PROTOCOL_HTTP2) },
	{ .name = "HTTP/2 SETTINGS, ACK", TCP4, BYTES("\0\0\0\x04\x01\0\0\0\0"), CLASS(9, PROTOCOL_HTTP2) },
	{ .name = "HTTP/2 SETTINGS, reserved bit", TCP4, BYTES("\0\0\x06\x04\0\x80\0\0\0"), CLASS(9, PROTOCOL_HTTP2) },
	{ .name = "SETTINGS of half a setting is none", TCP4, BYTES("\0\0\x07\x04\0\0\0\0\0"),
	  CLASS(1, PROTOCOL_OTHER) },
	{ .name = "SETTINGS on a stream is none", TCP4, BYTES("\0\0\x06\x04\0\0\0\0\x01"), CLASS(1, PROTOCOL_OTHER) },
	{ .name = "SETTINGS, ACK with settings is none", TCP4, BYTES("\0\0\x06\x04\x01\0\0\0\0"),
	  CLASS(1, PROTOCOL_OTHER) },
	{ .name = "SETTINGS, strange flags is none", TCP4, BYTES("\0\0\x06\x04\x04\0\0\0\0"),
	  CLASS(1, PROTOCOL_OTHER) },
	{ .name = "another HTTP/2 frame is none", TCP4, BYTES("\0\0\x06\x01\0\0\0\0\0"), CLASS(1, PROTOCOL_OTHER) },
	{ .name = "gRPC port", TCP4, .dest_port = 50051, BYTES("\0\0\x06\x04"), .classes = { { 1, PROTOCOL_GRPC } } },
	{ .name = "gRPC port, from the server", TCP6, .source_port = 50051, BYTES("zzz"),
	  .classes = { { 1, PROTOCOL_GRPC } } },
	{ .name = "gRPC port without payload", TCP4, .dest_port = 50051 },
	{ .name = "gRPC content type", TCP4, BYTES(GRPC_TYPE "+proto\r\n\r\n"),
	  .classes = { { 1, PROTOCOL_OTHER }, { 5, PROTOCOL_HTTP1 }, { sizeof(GRPC_TYPE) - 1, PROTOCOL_GRPC } } },
	{ .name = "another content type", TCP4, BYTES(POST "Content-Type: application/json\r\n\r\n"),
	  CLASS(5, PROTOCOL_HTTP1) },
	{ .name = "WebSocket", TCP4, BYTES(UPGRADE "\r\nConnection: Upgrade\r\n\r\n"),
	  .classes = { { 1, PROTOCOL_OTHER }, { 4, PROTOCOL_HTTP1 }, { sizeof(UPGRADE) - 1, PROTOCOL_WEBSOCKET } } },
	{ .name = "WebSocket, any case, any blanks", TCP6, BYTES(ODD_UPGRADE "\r\n\r\n"),
	  .classes = { { 1, PROTOCOL_OTHER }, { 4, PROTOCOL_HTTP1 },
		       { sizeof(ODD_UPGRADE) - 1, PROTOCOL_WEBSOCKET } } },
	{ .name = "WebSocket, late in the head", TCP4, BYTES(FAR_UPGRADE "\r\n\r\n"),
	  .classes = { { 1, PROTOCOL_OTHER }, { 4, PROTOCOL_HTTP1 },
		       { sizeof(FAR_UPGRADE) - 1, PROTOCOL_WEBSOCKET } } },
	{ .name = "upgrade to something else", TCP4, BYTES(LINE "Upgrade: h2c\r\n\r\n"), CLASS(4, PROTOCOL_HTTP1) },
	{ .name = "upgrade within a field is none", TCP4, BYTES(LINE "X-Upgrade: websocket\r\n\r\n"),
	  CLASS(4, PROTOCOL_HTTP1) },
	{ .name = "upgrade in the body is none", TCP4, BYTES(LINE "\r\nUpgrade: websocket\r\n"),
	  CLASS(4, PROTOCOL_HTTP1) },
	{ .name = "only a GET becomes a WebSocket", TCP4, BYTES("PUT / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"),
	  CLASS(4, PROTOCOL_HTTP1) },
};
/* clang-format on */

const size_t n_xdp_packets = sizeof(xdp_packets) / sizeof(*xdp_packets);
