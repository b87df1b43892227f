/* SPDX-License-Identifier: MIT */
/* Tests: one flow of each protocol, of what resembles one, whole and in pieces. */
#include <linux/types.h>
#include <linux/bpf.h>

#include "flow_cases.h"
#include "mpbpf/abi.h"
#include "packets.h"

/* clang-format off */
#define S(s) { (s), sizeof(s) - 1 }
#define ONE(s) .segments = { S(s) }
#define IS(p) .protocol = PROTOCOL_##p
#define TLS(v) .protocol = PROTOCOL_TLS, .version = TLS_##v

#define RANDOM "0123456789abcdef0123456789abcdef"
/* A ClientHello without session, with one suite; `ext` are `n` bytes of extensions, less than 200. Lengths are of the whole. */
#define RECORD(n) "\x16\x03\x01\x00" n "\x01\x00\x00"
#define SUITES "\x00\x00\x02\x13\x01\x01\x00"
#define SNI "\x00\x00\x00\x10\x00\x0e\x00\x00\x0b" "example.com"		/* 20 bytes */
#define VERSIONS "\x00\x2b\x00\x07\x06\x3a\x3a\x03\x04\x03\x03"			/* 11 bytes, GREASE first */
#define OLD_VERSIONS "\x00\x2b\x00\x05\x04\x03\x02\x03\x01"			/* 9 bytes */
#define HELLO_PLAIN(v) RECORD("\x2d") "\x29" "\x03" v RANDOM SUITES		/* 41 bytes and no extensions */
#define HELLO(record, hello, ext, v) RECORD(record) hello "\x03" v RANDOM SUITES ext

#define HOST "GET /index.html HTTP/1.1\r\nHost: www.example.com\r\nAccept: */*\r\n\r\n"
#define LONG_NAME "a123456789b123456789c123456789d123456789e123456789f1234"
#define QUIC(first, version) first version "\x08" "01234567" "\x00\x00\x44\x9e"

const struct flow_case flow_cases[] = {
	{ .name = "HTTP/1 and its host", ONE(HOST), IS(HTTP1), .host = "www.example.com" },
	{ .name = "HTTP/1, host in any case, with blanks and port", ONE("POST /a HTTP/1.1\r\nX: y\r\nhOST:\t a.b:8080\r\n\r\n"),
	  IS(HTTP1), .host = "a.b:8080" },
	{ .name = "HTTP/1, no host", ONE("GET / HTTP/1.0\r\n\r\nHost: in.body\r\n"), IS(HTTP1) },
	{ .name = "HTTP/1, host in the name of another field", ONE("GET / HTTP/1.1\r\nX-Host: no.example\r\n\r\n"), IS(HTTP1) },
	{ .name = "HTTP/1, host cut off", ONE("GET / HTTP/1.1\r\nHost: www.exam"), IS(HTTP1), .host = "www.exam" },
	{ .name = "HTTP/1, a host that is too long", ONE("GET / HTTP/1.1\r\nHost: " LONG_NAME "xyz\r\n\r\n"), IS(HTTP1),
	  .host = LONG_NAME },
	{ .name = "HTTP/1, hostile bytes in the host", ONE("GET / HTTP/1.1\r\nHost: a\xff\"\\\x1b[2J\r\n\r\n"), IS(HTTP1),
	  .host = "a\xff\"\\" },
	{ .name = "HTTP/1 byte by byte", .segments = { S("G"), S("E"), S("T"), S(" / HTTP/1.1\r\nHost: pieces\r\n\r\n") },
	  IS(HTTP1), .host = "pieces" },
	{ .name = "a byte alone is open", ONE("G"), IS(OTHER), .open = 1 },
	{ .name = "what comes later decides nothing", .segments = { S(HOST), S("SSH-2.0-x\r\n"), S("\x16\x03\x01\x00\x40\x01") },
	  IS(HTTP1), .host = "www.example.com" },
	{ .name = "nor behind other bytes", .segments = { S("xyz"), S(HOST) }, IS(OTHER) },
	{ .name = "WebSocket", ONE("GET /chat HTTP/1.1\r\nHost: ws.example\r\nUpgrade: websocket\r\n\r\n"), IS(WEBSOCKET),
	  .host = "ws.example" },
	{ .name = "gRPC by content type", ONE("POST /s/M HTTP/1.1\r\nHost: g\r\nContent-Type: application/grpc\r\n\r\n"),
	  IS(GRPC), .host = "g" },
	{ .name = "gRPC by port", .dest_port = 50051, ONE("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), IS(GRPC) },
	{ .name = "TLS on gRPC's port", .dest_port = 50051, ONE(HELLO_PLAIN("\x03")), TLS(1_2) },
	{ .name = "HTTP/2", ONE("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), IS(HTTP2) },
	{ .name = "HTTP/2 in pieces", .segments = { S("PRI * HT"), S("TP/2.0\r\n\r\nSM\r\n\r\n") }, IS(HTTP2) },

	{ .name = "TLS 1.0", ONE(HELLO_PLAIN("\x01")), TLS(1_0) },
	{ .name = "TLS 1.1", ONE(HELLO_PLAIN("\x02")), TLS(1_1) },
	{ .name = "TLS 1.2", ONE(HELLO_PLAIN("\x03")), TLS(1_2) },
	{ .name = "1.3 in the old field is 1.2", ONE(HELLO_PLAIN("\x04")), TLS(1_2) },
	{ .name = "SSL 3.0 within a record of TLS", ONE(HELLO_PLAIN("\x00")), TLS(UNKNOWN) },
	{ .name = "TLS 1.3 and its server", ONE(HELLO("\x4e", "\x4a", "\x00\x1f" SNI VERSIONS, "\x03")), TLS(1_3),
	  .host = "example.com" },
	{ .name = "server behind the versions", ONE(HELLO("\x4e", "\x4a", "\x00\x1f" VERSIONS SNI, "\x03")), TLS(1_3),
	  .host = "example.com" },
	{ .name = "only old versions offered", ONE(HELLO("\x38", "\x34", "\x00\x09" OLD_VERSIONS, "\x03")), TLS(1_1) },
	{ .name = "ClientHello in two segments", .segments = { S("\x16\x03\x01\x00\x4e\x01\x00\x00\x4a\x03\x03" RANDOM), S(SUITES "\x00\x1f" SNI VERSIONS) },
	  TLS(1_2) },
	{ .name = "the old version in the second segment", .segments = { S("\x16\x03\x01\x00\x4e\x01\x00\x00\x4a"),
	  S("\x03\x03" RANDOM SUITES "\x00\x1f" SNI VERSIONS) }, TLS(1_3), .host = "example.com" },
	{ .name = "and in no segment yet", ONE("\x16\x03\x01\x00\x4e\x01\x00\x00\x4a"), TLS(UNKNOWN), .open = 1 },
	{ .name = "a hello over two records", ONE("\x16\x03\x01\x00\x05\x01\x00\x00\x4a\x03\x16\x03\x01\x00\x45\x03" RANDOM),
	  TLS(UNKNOWN) },
	{ .name = "extensions that claim more than there is", ONE(HELLO("\x4e", "\x4a", "\xff\xff" SNI VERSIONS, "\x03")),
	  TLS(1_3), .host = "example.com" },
	{ .name = "a name longer than its extension", ONE(HELLO("\x4e", "\x4a", "\x00\x1f\x00\x00\x00\x10\x00\x0e\x00\x00\xff" "example.com" VERSIONS, "\x03")),
	  TLS(1_3) },
	{ .name = "a session longer than all", ONE(RECORD("\x4e") "\x4a\x03\x03" RANDOM "\xff" SNI VERSIONS), TLS(1_2) },
	{ .name = "a record shorter than its hello", ONE("\x16\x03\x01\x00\x06\x01\x00\x00\x4a\x03\x02" RANDOM SUITES "\x00\x1f" SNI VERSIONS),
	  TLS(1_1) },

	{ .name = "SSH", .dest_port = 22, ONE("SSH-2.0-OpenSSH_9.2\r\n"), IS(SSH) },
	{ .name = "SSH in pieces", .segments = { S("S"), S("SH-2.0-x\r\n") }, IS(SSH) },
	{ .name = "Redis, an array", ONE("*1\r\n$4\r\nPING\r\n"), IS(REDIS) },
	{ .name = "Redis, a long array", ONE("*1024\r\n$4\r\nMSET\r\n"), IS(REDIS) },
	{ .name = "Redis, inline", ONE("PING\r\n"), IS(REDIS) },
	{ .name = "a list is no Redis", ONE("*1 item, and some more text"), IS(OTHER) },
	{ .name = "PostgreSQL", ONE("\x00\x00\x00\x21\x00\x03\x00\x00user\0me\0database\0db\0\0"), IS(POSTGRESQL) },
	{ .name = "PostgreSQL, TLS", ONE("\x00\x00\x00\x08\x04\xd2\x16\x2f"), IS(POSTGRESQL) },
	{ .name = "PostgreSQL, GSSAPI", ONE("\x00\x00\x00\x08\x04\xd2\x16\x30"), IS(POSTGRESQL) },
	{ .name = "PostgreSQL, cancel", ONE("\x00\x00\x00\x10\x04\xd2\x16\x2e\x00\x00\x00\x01\x00\x00\x00\x02"), IS(POSTGRESQL) },
	{ .name = "PostgreSQL, TLS, a wrong length", ONE("\x00\x00\x00\x09\x04\xd2\x16\x2fzzzzzzzz"), IS(OTHER) },
	{ .name = "MQTT 3.1.1", ONE("\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00"), IS(MQTT) },
	{ .name = "MQTT 3.1, a longer length", ONE("\x10\x8e\x01\x00\x06MQIsdp\x03\x02\x00\x3c"), IS(MQTT) },
	{ .name = "MQTT, longest length", ONE("\x10\x80\x80\x80\x01\x00\x04MQTT\x05\x02"), IS(MQTT) },
	{ .name = "another name than MQTT", ONE("\x10\x0c\x00\x04MQTX\x04\x02\x00\x3c\x00\x00zz"), IS(OTHER) },

	{ .name = "DNS", .proto = PROTO_UDP, .dest_port = 53, IS(DNS),
	  ONE("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01" "a\x00\x00\x01\x00\x01") },
	{ .name = "DNS, an answer", .proto = PROTO_UDP, .source_port = 53, IS(DNS),
	  ONE("\x12\x34\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00\x01" "a\x00\x00\x01\x00\x01") },
	{ .name = "DNS over TCP", .dest_port = 53, IS(DNS),
	  ONE("\x00\x13\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01" "a\x00\x00\x01\x00\x01") },
	{ .name = "DNS over TCP, its length alone", .dest_port = 53, IS(DNS), .segments = { S("\x00\x13"),
	  S("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01" "a\x00\x00\x01\x00\x01") } },
	{ .name = "a flood of something else at port 53", .proto = PROTO_UDP, .dest_port = 53,
	  ONE("\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), IS(OTHER) },
	{ .name = "DNS at another port", .proto = PROTO_UDP, .dest_port = 5353,
	  ONE("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01" "a\x00\x00\x01\x00\x01"), IS(OTHER) },
	{ .name = "QUIC 1", .proto = PROTO_UDP, .dest_port = 443, .zeros = 1200, ONE(QUIC("\xc3", "\x00\x00\x00\x01")), IS(QUIC) },
	{ .name = "QUIC 2", .proto = PROTO_UDP, .dest_port = 443, .zeros = 1200, ONE(QUIC("\xd3", "\x6b\x33\x43\xcf")), IS(QUIC) },
	{ .name = "QUIC, too short", .proto = PROTO_UDP, .dest_port = 443, ONE(QUIC("\xc3", "\x00\x00\x00\x01")), IS(OTHER) },
	{ .name = "QUIC, no Initial", .proto = PROTO_UDP, .dest_port = 443, .zeros = 1200, ONE(QUIC("\xe3", "\x00\x00\x00\x01")),
	  IS(OTHER) },
	{ .name = "HTTP in a datagram is none", .proto = PROTO_UDP, ONE(HOST), IS(OTHER) },
};
/* clang-format on */

const size_t n_flow_cases = sizeof(flow_cases) / sizeof(*flow_cases);
