/* SPDX-License-Identifier: MIT */
/* Ways out of HTTP/1.1: h2c, WebSocket and other upgrades that one side takes for done and the other does not. */
#include "smuggle.h"

#include <string.h>

static const char *const h2c[] = {
	"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n",
	"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n",
	"Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n",
	"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: websocket, h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n",
	"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nUpgrade: websocket\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n",
	"Connection: HTTP2-Settings, Upgrade\r\nUpgrade: H2C\r\nHTTP2-Settings:\r\n",
};

static const char *const others[] = {
	"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: c211Z2dsZXNtdWdnbGU=\r\n",
	"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 777\r\nSec-WebSocket-Key: c211Z2dsZXNtdWdnbGU=\r\n",
	"Connection: Upgrade\r\nUpgrade: WebSocket\r\n",
	"Connection: upgrade, keep-alive\r\nUpgrade: websocket\r\nContent-Length: 0\r\n",
	"Upgrade: websocket\r\n",
	"Connection: Upgrade\r\nUpgrade : websocket\r\n",
	"Connection: Upgrade\r\nUpgrade:\r\n websocket\r\n",
	"Connection: Upgrade\r\nUpgrade: xwebsocket\r\n",
	"Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n",
	"Connection: Upgrade\r\nUpgrade: HTTP/1.1\r\n",
	"Connection: close\r\nUpgrade: websocket\r\n",
	"Connection: Upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n",
	"Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 20\r\n",
};

static void frame(struct text *t, uint8_t type, uint8_t flags, uint8_t stream, const void *payload, uint32_t len)
{
	unsigned char head[9] = { len >> 16, len >> 8, len, type, flags, 0, 0, 0, stream };

	text_add(t, head, sizeof(head));
	text_add(t, payload, len);
}

/* A literal field without indexing (RFC 7541, section 6.2.2). */
static void literal(struct text *t, const char *name, const char *value)
{
	unsigned char byte = 0;

	text_add(t, &byte, 1);
	byte = strlen(name);
	text_add(t, &byte, 1);
	text_puts(t, name);
	byte = strlen(value);
	text_add(t, &byte, 1);
	text_puts(t, value);
}

/* What a client of HTTP/2 says first, and a request without a right. */
static void h2_request(struct stream *s, struct text *t, int number)
{
	char id[ID_LEN + 1], path[ID_LEN + 4];
	struct text fields = {};

	next_id(s, id, RIGHT_NONE);
	snprintf(path, sizeof(path), "/b/%s", id);
	literal(&fields, ":method", "GET");
	literal(&fields, ":scheme", "http");
	literal(&fields, ":authority", "server");
	literal(&fields, ":path", path);
	literal(&fields, "x-id", id);
	text_puts(t, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
	frame(t, 4, 0, 0, "", 0);
	frame(t, 1, 5, number, fields.b, fields.len);
	text_free(&fields);
}

void upgrade_make(struct stream *s, struct rng *r)
{
	struct text *t = &s->bytes;
	bool good = rng_below(r, 4), two = rng_one_in(r, 2);
	char id[ID_LEN + 1];

	s->name = two ? "h2c" : "upgrade";
	if (rng_one_in(r, 6)) { /* with prior knowledge */
		h2_request(s, t, 1);
		return;
	}
	next_id(s, id, good ? RIGHT_TOKEN : RIGHT_NONE);
	text_printf(t, "GET /b/%s HTTP/1.1\r\nHost: server\r\nX-Id: %s\r\n", id, id);
	token_line(t, r, token_pick(r, good));
	text_puts(t, two ? *RNG_PICK(r, h2c) : *RNG_PICK(r, others));
	text_puts(t, "\r\n");
	if (two && rng_below(r, 3))
		h2_request(s, t, 3);
	else
		simple_request(s, r, t, RIGHT_NONE, false);
	closing_request(s, r);
}
