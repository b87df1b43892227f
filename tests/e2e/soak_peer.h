/* SPDX-License-Identifier: MIT */
/* Test tool: a connection of the service of soak: what comes is held against what it has to be, and answered. */
#ifndef MPBPF_TESTS_SOAK_PEER_H
#define MPBPF_TESTS_SOAK_PEER_H

#include <signal.h>
#include <sys/epoll.h>

#include "http_client.h"
#include "soak_message.h"

#define PEERS_MAX 256
#define ANSWERS_MAX 32	    /* more than a client has under way */
#define BACKLOG (256 << 10) /* bytes of answers, above which no request is read */
#define SEEN_SIZE (1 << 20)

/* An answer in a peer's `out`: where it begins, where its head ends, where it ends. */
struct answer {
	size_t start, body, end;
	uint32_t how;
};

struct peer {
	int fd;
	uint32_t index;
	struct rng rng;
	struct reader reader;
	struct id id; /* of the request under way */
	uint64_t key, off;
	bool damaged;	      /* its body is, and that was said */
	bool headless, known; /* its answer has no body; `conn` is known */
	uint32_t conn, order;
	struct bytes out;
	size_t pos;
	struct answer answers[ANSWERS_MAX];
	int n_answers, answer;
	bool eof, full;		   /* the client sends no more; the send buffer takes no more */
	int64_t read_at, write_at; /* not before */
	uint32_t events;	   /* that epoll was asked for */
};

static struct {
	int epoll;
	struct peer *peers[PEERS_MAX];
	uint64_t *seen; /* hash table: 1 + (conn << 32 | number) */
	unsigned long connections, requests, complete, cut, bytes_in, bytes_out, damaged, twice, denied, disorder,
		malformed;
} server;

static volatile sig_atomic_t server_ended;

static void server_end(int signal)
{
	server_ended = signal;
}

static bool seen_before(const struct id *id)
{
	uint64_t key = 1 + ((uint64_t)id->conn << 32 | id->number), i;

	for (i = mix(key) % SEEN_SIZE; server.seen[i]; i = (i + 1) % SEEN_SIZE) {
		if (server.seen[i] == key)
			return true;
	}
	server.seen[i] = key;
	return false;
}

static void peer_close(struct peer *peer)
{
	if (!reader_clean(&peer->reader))
		server.cut++;
	close(peer->fd);
	server.peers[peer->index] = NULL;
	free(peer->out.data);
	free(peer);
}

/* What may never come about, whatever the client does. */
static void request_check(struct peer *peer, const char *path)
{
	const struct id *id = &peer->id;

	server.requests++;
	if (id->denied) {
		server.denied++;
		fault("a denied request reached the service: %s", path);
	}
	if (server.requests > SEEN_SIZE / 2) {
		fault("more requests than can be remembered");
		server_ended = 1;
	} else if (seen_before(id)) {
		server.twice++;
		fault("a request came twice: %s", path);
	}
	if ((peer->known && peer->conn != id->conn) || peer->order != id->order) {
		server.disorder++;
		fault("%s came as number %u of connection %u", path, peer->order, peer->known ? peer->conn : id->conn);
	}
	peer->known = true;
	peer->conn = id->conn;
	peer->order = id->order + 1;
}

static int request_head(struct peer *peer)
{
	struct reader *r = &peer->reader;
	char method[8], path[ID_TEXT + 32], version[12], value[24];
	bool chunked;

	if (!head_whole(r->head, r->head_len) ||
	    sscanf(r->head, "%7[A-Z] %127[^ ] %11[^\r]\r\n", method, path, version) != 3 ||
	    strcmp(version, "HTTP/1.1") || id_parse(strrchr(path, '/') + 1, &peer->id)) {
		server.malformed++;
		fault("a head that no client wrote (%zu bytes): %.60s", r->head_len, r->head);
		return -EBADMSG;
	}
	request_check(peer, path);
	peer->headless = !strcmp(method, "HEAD");
	peer->key = id_key(&peer->id, false);
	peer->off = 0;
	peer->damaged = false;
	chunked = head_field(r->head, "Transfer-Encoding", value, sizeof(value));
	reader_body(r, chunked,
		    head_field(r->head, "Content-Length", value, sizeof(value)) ? strtoull(value, NULL, 10) : 0);
	return 0;
}

static void request_body(struct peer *peer, const struct span *body)
{
	size_t at = peer->damaged ? body->len : pattern_differs(peer->key, peer->off, body->data, body->len);

	if (at < body->len) {
		peer->damaged = true;
		server.damaged++;
		fault("request %u of connection %u: byte %" PRIu64 " of %u is wrong", peer->id.number, peer->id.conn,
		      peer->off + at, peer->id.length);
	}
	peer->off += body->len;
	server.bytes_in += body->len;
}

static int request_end(struct peer *peer)
{
	const struct id *id = &peer->id;
	uint64_t key = id_key(id, true);
	bool tiny = id->answer <= 200;
	struct bytes *out = &peer->out;
	char text[ID_TEXT];
	struct answer *a = &peer->answers[peer->n_answers];

	if (peer->off != id->length || peer->n_answers == ANSWERS_MAX) {
		server.malformed++;
		fault("request %u of connection %u is not %u bytes long", id->number, id->conn, id->length);
		return -EBADMSG;
	}
	server.complete++;
	peer->n_answers++;
	*a = (struct answer){ .start = out->len, .how = id->how };
	id_print(id, text);
	bytes_print(out, "HTTP/1.1 200 OK\r\nX-Id: %s\r\n", text);
	if (id->how & HOW_CHUNKED)
		bytes_print(out, "Transfer-Encoding: chunked\r\n");
	else
		bytes_print(out, "Content-Length: %u\r\n", id->answer);
	head_end(out, a->start);
	a->body = out->len;
	if (!peer->headless && (id->how & HOW_CHUNKED))
		body_add_chunks(out, key, id->answer, &peer->rng, tiny ? 1 : 300, tiny ? 60 : 8000);
	else if (!peer->headless)
		body_add(out, key, id->answer);
	a->end = out->len;
	return 0;
}

static int peer_feed(struct peer *peer, struct span in)
{
	struct span body;
	int r = 0;

	while (!r) {
		switch (reader_next(&peer->reader, &in, &body)) {
		case EVENT_MORE: return 0;
		case EVENT_HEAD: r = request_head(peer); break;
		case EVENT_BODY: request_body(peer, &body); break;
		case EVENT_END: r = request_end(peer); break;
		case EVENT_BAD:
			server.malformed++;
			fault("framing of request %u of connection %u", peer->id.number, peer->conn);
			r = -EBADMSG;
		}
	}
	return r;
}

/* Every fourth connection is read slowly. */
static int peer_read(struct peer *peer)
{
	static uint8_t buffer[65536];
	size_t most = peer->index % 4 == 1 ? 1 + below(&peer->rng, 6000) : sizeof(buffer);
	ssize_t n = recv(peer->fd, buffer, most, MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (!n) {
		peer->eof = true;
		return peer->pos == peer->out.len ? -ENOTCONN : 0;
	}
	if (most < sizeof(buffer) && chance(&peer->rng, 10))
		peer->read_at = now_us() + below(&peer->rng, 3000);
	return peer_feed(peer, (struct span){ buffer, n });
}

/*
 * Up to where the next write may go. So that answers can be followed, it never ends within a head, but for that of a loose
 * answer. How much of a write the kernel takes is not to matter.
 */
static size_t write_limit(struct peer *peer)
{
	const struct answer *a;
	size_t limit;
	int i;

	while (peer->answers[peer->answer].end <= peer->pos)
		peer->answer++;
	a = &peer->answers[peer->answer];
	if ((a->how & HOW_LOOSE) && peer->pos == a->start)
		return a->start + (a->body - a->start) / 2;
	if (a->how & (HOW_SLOW | HOW_LOOSE)) {
		limit = peer->pos + 1 + below(&peer->rng, 1 + (a->end - a->start) / 8);
		return limit > a->end ? a->end : limit < a->body ? a->body : limit;
	}
	limit = chance(&peer->rng, 25) ? peer->pos + 1 + below(&peer->rng, 20000) : peer->out.len;
	for (i = peer->answer; i < peer->n_answers && peer->answers[i].start < limit; i++) {
		a = &peer->answers[i];
		if (a->how & (HOW_SLOW | HOW_LOOSE))
			limit = a->start;
		else if (limit < a->body)
			limit = a->body;
	}
	return limit > peer->out.len ? peer->out.len : limit;
}

static int peer_write(struct peer *peer)
{
	size_t limit;
	ssize_t n;

	peer->full = false;
	while (peer->pos < peer->out.len && peer->write_at <= now_us()) {
		limit = write_limit(peer);
		n = send(peer->fd, peer->out.data + peer->pos, limit - peer->pos, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN) {
			peer->full = true;
			return 0;
		}
		if (n < 0)
			return -errno;
		peer->pos += n;
		server.bytes_out += n;
		if (peer->answers[peer->answer].how & (HOW_SLOW | HOW_LOOSE))
			peer->write_at = now_us() + 500 + below(&peer->rng, 4000);
	}
	if (peer->pos < peer->out.len)
		return 0;
	peer->out.len = peer->pos = 0;
	peer->n_answers = peer->answer = 0;
	return peer->eof ? -ENOTCONN : 0;
}

#endif
