// SPDX-License-Identifier: MIT
/* Unit tests of gateway/http_flow.c: bytes go on in their order up to where the message reaches, whatever comes at once. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "core/util.h"
#include "gateway/http_flow.h"

/* A source and a target, each with its other end. */
struct pair {
	struct http_buffers buffers;
	struct http_flow flow;
	struct http_peer from, to;
	int source, sink;
};

static void pair_open(struct pair *p)
{
	int a[2], b[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, a), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, b), 0);
	*p = (struct pair){ .source = a[0], .sink = b[1] };
	http_buffers_init(&p->buffers, HTTP_BUFFERS_IDLE);
	p->from = (struct http_peer){ .fd = a[1], .readable = true };
	p->to = (struct http_peer){ .fd = b[0], .writable = true };
}

static void pair_close(struct pair *p)
{
	flow_clear(&p->flow, &p->buffers);
	assert_null(p->flow.in);
	assert_null(p->flow.out);
	http_buffers_close(&p->buffers);
	close(p->source);
	close(p->sink);
	close(p->from.fd);
	close(p->to.fd);
}

static void give(struct pair *p, const char *data, size_t len)
{
	assert_int_equal(send(p->source, data, len, 0), len);
}

static void assert_came(struct pair *p, const char *want, size_t len)
{
	_cleanup_free_ char *got = malloc(len + 1);

	assert_int_equal(recv(p->sink, got, len + 1, MSG_DONTWAIT), len);
	assert_memory_equal(got, want, len);
}

static void head_put(struct pair *p, const char *text)
{
	uint8_t *out = flow_head_room(&p->flow, &p->buffers, strlen(text));

	assert_non_null(out);
	memcpy(out, text, strlen(text));
	flow_head(&p->flow, strlen(text));
}

static void a_head_goes_before_what_was_read(void **state)
{
	struct pair p;

	(void)state;
	pair_open(&p);
	give(&p, "12345NEXT", 9);
	assert_int_equal(flow_read(&p.flow, &p.buffers, &p.from), 9);
	assert_false(p.from.readable);
	p.flow.body = (struct http1_body){ .kind = BODY_LENGTH, .left = 5 };
	assert_int_equal(flow_body(&p.flow), 1);
	head_put(&p, "HEAD ");
	assert_int_equal(flow_pending(&p.flow), 10);
	assert_int_equal(flow_send(&p.flow, &p.to), 10);
	assert_came(&p, "HEAD 12345", 10);
	/* What follows the body stays, and so does the head, which may have to be sent again. */
	assert_int_equal(flow_len(&p.flow), 4);
	assert_memory_equal(flow_data(&p.flow), "NEXT", 4);
	p.flow.sent = 0;
	assert_int_equal(flow_send(&p.flow, &p.to), 5);
	assert_came(&p, "HEAD ", 5);
	flow_forget(&p.flow, &p.buffers);
	flow_settle(&p.flow, &p.buffers);
	assert_non_null(p.flow.in);
	flow_skip(&p.flow, 4);
	flow_settle(&p.flow, &p.buffers);
	assert_null(p.flow.in);
	pair_close(&p);
}

/* Each border of the message in each place. */
static void chunks_end_where_they_end(void **state)
{
	static const char body[] = "5;x=y\r\nhello\r\n0A\r\n0123456789\r\n0\r\nTrailer: 1\r\n\r\n", next[] = "GET";
	const size_t len = sizeof(body) - 1;

	(void)state;
	for (size_t cut = 0; cut <= len; cut++) {
		struct pair p;
		int r = 0;

		pair_open(&p);
		p.flow.body.kind = BODY_CHUNKED;
		give(&p, body, cut);
		if (cut) {
			assert_int_equal(flow_read(&p.flow, &p.buffers, &p.from), cut);
			r = flow_body(&p.flow);
			assert_int_equal(r, cut == len);
			assert_int_equal(flow_send(&p.flow, &p.to), cut);
		}
		give(&p, body + cut, len - cut);
		give(&p, next, 3);
		assert_true(flow_read(&p.flow, &p.buffers, &p.from) > 0);
		if (!r)
			assert_int_equal(flow_body(&p.flow), 1);
		if (flow_pending(&p.flow))
			assert_int_equal(flow_send(&p.flow, &p.to), len - cut);
		assert_came(&p, body, len);
		assert_int_equal(flow_len(&p.flow), 3);
		pair_close(&p);
	}
}

static void chunks_that_are_none_are_refused(void **state)
{
	static const char *const cases[] = { "x", "5\n", "1\r\nab", "0\r\n\n", "1\r\na\r\n\r\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct pair p;

		pair_open(&p);
		p.flow.body.kind = BODY_CHUNKED;
		give(&p, cases[i], strlen(cases[i]));
		assert_true(flow_read(&p.flow, &p.buffers, &p.from) > 0);
		assert_int_equal(flow_body(&p.flow), -1);
		pair_close(&p);
	}
}

static void without_a_length_all_goes_on(void **state)
{
	struct pair p;

	(void)state;
	pair_open(&p);
	p.flow.body.kind = BODY_UNTIL_CLOSE;
	give(&p, "abc", 3);
	assert_int_equal(flow_read(&p.flow, &p.buffers, &p.from), 3);
	assert_int_equal(flow_body(&p.flow), 0);
	assert_int_equal(flow_send(&p.flow, &p.to), 3);
	assert_int_equal(flow_read(&p.flow, &p.buffers, &p.from), -EAGAIN);
	shutdown(p.source, SHUT_WR);
	assert_int_equal(flow_read(&p.flow, &p.buffers, &p.from), 0);
	pair_close(&p);
}

/* Short reads are the last ones, unless the peer's end was told of: then there is one more. */
static void an_end_that_was_told_is_read(void **state)
{
	struct pair p;

	(void)state;
	pair_open(&p);
	p.from.closed = true;
	give(&p, "abc", 3);
	assert_int_equal(flow_read(&p.flow, &p.buffers, &p.from), 3);
	assert_true(p.from.readable);
	pair_close(&p);
}

/* A buffer is no larger than has to be, and a target that takes nothing stops the reading. */
static void buffers_are_bounded(void **state)
{
	static char data[2 * HTTP_BUFFER_LARGE];
	struct pair p;
	size_t room = 0;
	int size = sizeof(data);

	(void)state;
	pair_open(&p);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = i * 7 + (i >> 8);
	setsockopt(p.source, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	give(&p, data, sizeof(data));
	assert_int_equal(flow_read(&p.flow, &p.buffers, &p.from), HTTP_BUFFER);
	assert_true(p.from.readable);
	assert_int_equal(flow_read(&p.flow, &p.buffers, &p.from), -ENOBUFS);
	assert_int_equal(flow_grow(&p.flow, &p.buffers), 0);
	assert_int_equal(flow_read(&p.flow, &p.buffers, &p.from), HTTP_BUFFER_LARGE - HTTP_BUFFER);
	assert_int_equal(flow_read(&p.flow, &p.buffers, &p.from), -ENOBUFS);
	assert_int_equal(flow_grow(&p.flow, &p.buffers), -ENOBUFS);
	assert_memory_equal(flow_data(&p.flow), data, HTTP_BUFFER_LARGE);
	/* What is left moves to the front. */
	flow_skip(&p.flow, 100);
	room = flow_read(&p.flow, &p.buffers, &p.from);
	assert_int_equal(room, 100);
	assert_memory_equal(flow_data(&p.flow), data + 100, HTTP_BUFFER_LARGE);
	pair_close(&p);
}

static void heads_gather(void **state)
{
	static char big[HTTP_BUFFER];
	struct pair p;

	(void)state;
	pair_open(&p);
	head_put(&p, "one ");
	head_put(&p, "two ");
	memset(big, 'x', sizeof(big) - 1);
	head_put(&p, big);
	assert_int_equal(flow_pending(&p.flow), 8 + sizeof(big) - 1);
	assert_memory_equal(p.flow.out->data, "one two xx", 10);
	assert_null(flow_head_room(&p.flow, &p.buffers, HTTP_BUFFER_LARGE));
	pair_close(&p);
}

static void a_full_target_takes_a_part(void **state)
{
	static char data[HTTP_BUFFER], got[HTTP_BUFFER];
	struct pair p;
	size_t sent = 0, came = 0;
	int size = 2048;
	ssize_t n;

	(void)state;
	pair_open(&p);
	setsockopt(p.to.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = i * 11 + (i >> 8);
	give(&p, data + 10, sizeof(data) - 10);
	assert_true(flow_read(&p.flow, &p.buffers, &p.from) > 0);
	p.flow.body = (struct http1_body){ .kind = BODY_LENGTH, .left = sizeof(data) - 10 };
	assert_int_equal(flow_body(&p.flow), 1);
	memcpy(flow_head_room(&p.flow, &p.buffers, 10), data, 10);
	flow_head(&p.flow, 10);
	while (flow_pending(&p.flow)) {
		n = flow_send(&p.flow, &p.to);
		assert_true(n > 0 || n == -EAGAIN);
		assert_int_equal(p.to.writable, n > 0);
		sent += n > 0 ? n : 0;
		n = recv(p.sink, got + came, sizeof(got) - came, MSG_DONTWAIT);
		came += n > 0 ? n : 0;
		p.to.writable = true;
	}
	assert_int_equal(sent, sizeof(data));
	while ((n = recv(p.sink, got + came, sizeof(got) - came, MSG_DONTWAIT)) > 0)
		came += n;
	assert_int_equal(came, sizeof(data));
	assert_memory_equal(got, data, sizeof(data));
	pair_close(&p);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_head_goes_before_what_was_read),
	cmocka_unit_test(chunks_end_where_they_end),
	cmocka_unit_test(chunks_that_are_none_are_refused),
	cmocka_unit_test(without_a_length_all_goes_on),
	cmocka_unit_test(an_end_that_was_told_is_read),
	cmocka_unit_test(buffers_are_bounded),
	cmocka_unit_test(heads_gather),
	cmocka_unit_test(a_full_target_takes_a_part),
};

int main(void)
{
	return cmocka_run_group_tests_name("http_flow", tests, NULL, NULL);
}
