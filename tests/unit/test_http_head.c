// SPDX-License-Identifier: MIT
/* Unit tests of gateway/http_head.c: what of a head goes on, and as what. Each head lies flush against its end under ASan. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/util.h"
#include "gateway/http_head.h"

static const uint8_t *head_of(struct http1_buf *buf, const char *text, bool response, struct http1 *h)
{
	size_t len = strlen(text);

	assert_true(len <= HTTP1_BUF_MAX);
	memcpy(buf->b, text, len);
	http1_start(h, response);
	if (http1_scan(buf, h, len) != HTTP1_DONE)
		fail_msg("no head: %s", text);
	return buf->b;
}

struct written {
	char *text; /* NULL: refused */
	struct http1 h;
	struct http_fields fields;
};

/* Written into memory that is as long as was promised to be enough. */
static struct written request(const char *text)
{
	static struct http1_buf buf;
	struct written ret = {};
	const uint8_t *head = head_of(&buf, text, false, &ret.h);
	struct http_target target;
	struct http_request_out what = { .fields = &ret.fields, .target = &target, .source = "192.0.2.7" };
	size_t n;

	if (http_fields_read(head, &ret.h, &ret.fields) < 0 || http_target_read(head, &ret.h, &target) < 0)
		return ret;
	ret.text = malloc(ret.h.head_len + target.authority.len + HTTP_HEAD_MORE);
	n = http_request_write(head, &ret.h, &what, (uint8_t *)ret.text);
	assert_true(n < ret.h.head_len + target.authority.len + HTTP_HEAD_MORE);
	ret.text[n] = '\0';
	return ret;
}

static struct written response(const char *text, bool close, bool keep_alive)
{
	static struct http1_buf buf;
	struct written ret = {};
	const uint8_t *head = head_of(&buf, text, true, &ret.h);
	struct http_response_out what = { .fields = &ret.fields, .close = close, .keep_alive = keep_alive };
	size_t n;

	if (http_fields_read(head, &ret.h, &ret.fields) < 0)
		return ret;
	ret.text = malloc(ret.h.head_len + HTTP_HEAD_MORE);
	n = http_response_write(head, &ret.h, &what, (uint8_t *)ret.text);
	assert_true(n < ret.h.head_len + HTTP_HEAD_MORE);
	ret.text[n] = '\0';
	return ret;
}

static void assert_written(struct written got, const char *want)
{
	if (!want)
		assert_null(got.text);
	else
		assert_string_equal(got.text, want);
	free(got.text);
}

#define FORWARDED "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: http\r\n\r\n"

static void a_request_goes_on_line_by_line(void **state)
{
	(void)state;
	assert_written(request("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "GET / HTTP/1.1\r\nHost: a\r\n" FORWARDED);
	assert_written(request("POST /p?q=1 HTTP/1.1\r\nA: 1\r\nHost: a\r\ncontent-LENGTH:  5 \r\nB:\r\n\r\n"),
		       "POST /p?q=1 HTTP/1.1\r\nA: 1\r\nHost: a\r\ncontent-LENGTH:  5 \r\nB:\r\n" FORWARDED);
	assert_written(request("GET / HTTP/1.0\r\n\r\n"), "GET / HTTP/1.0\r\n" FORWARDED);
	assert_written(request("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"), "OPTIONS * HTTP/1.1\r\nHost: a\r\n" FORWARDED);
}

static void what_concerns_one_connection_stays(void **state)
{
	(void)state;
	assert_written(
		request("GET / HTTP/1.1\r\nConnection: close, x-a,X-B ,,\r\nX-A: 1\r\nHost: a\r\nx-b: 2\r\nX-C: 3\r\n"
			"Keep-Alive: 5\r\nTE: trailers\r\nProxy-Connection: close\r\nUpgrade: h2c\r\n\r\n"),
		"GET / HTTP/1.1\r\nHost: a\r\nX-C: 3\r\n" FORWARDED);
	/* Several fields are one list. */
	assert_written(request("GET / HTTP/1.1\r\nA: 1\r\nB: 2\r\nHost: a\r\nConnection: a\r\nConnection: b\r\n\r\n"),
		       "GET / HTTP/1.1\r\nHost: a\r\n" FORWARDED);
	/* What was judged, and what says where the body ends, is not to be taken out. */
	assert_written(
		request("POST / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer t\r\nTransfer-Encoding: chunked\r\n"
			"Connection: host, authorization, transfer-encoding, content-length\r\n\r\n"),
		"POST / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer t\r\nTransfer-Encoding: chunked\r\n" FORWARDED);
	assert_written(request("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: https\r\nX-Forwarded-For: 1\r\n\r\n"),
		       "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1\r\n" FORWARDED);
}

static void a_websocket_is_asked_for(void **state)
{
	(void)state;
	assert_written(
		request("GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\r\n"),
		"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n" FORWARDED);
	assert_written(request("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket, h2c\r\n\r\n"),
		       "GET / HTTP/1.1\r\nHost: a\r\n" FORWARDED);
}

static void an_absolute_target_becomes_a_path(void **state)
{
	static const struct {
		const char *target, *start; /* NULL: refused */
	} cases[] = {
		{ "http://b.example:81/x?y", "/x?y HTTP/1.1\r\nHost: b.example:81" },
		{ "HTTPS://b", "/ HTTP/1.1\r\nHost: b" },
		{ "http://b?q", "/?q HTTP/1.1\r\nHost: b" },
		{ "http://u@b/", NULL },
		{ "http:///x", NULL },
		{ "ftp://b/", NULL },
		{ "b:443", NULL },
		{ "*", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[256], want[256];

		snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: a\r\nA: 1\r\n\r\n", cases[i].target);
		snprintf(want, sizeof(want), "GET %s\r\nA: 1\r\n" FORWARDED, cases[i].start ?: "");
		assert_written(request(text), cases[i].start ? want : NULL);
	}
	assert_written(request("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n"), NULL);
}

static void fields_are_found(void **state)
{
	struct written got = request("GET / HTTP/1.1\r\nhost:  a.example:80\t \r\n\r\n");

	(void)state;
	assert_int_equal(got.fields.host.len, 12);
	assert_memory_equal(got.fields.host.data, "a.example:80", 12);
	assert_true(!got.fields.close && http_persists(&got.h, &got.fields));
	free(got.text);
	got = request("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n\r\n");
	assert_false(http_persists(&got.h, &got.fields));
	free(got.text);
	got = request("GET / HTTP/1.0\r\n\r\n");
	assert_true(!http_persists(&got.h, &got.fields) && !got.fields.host.data);
	free(got.text);
	got = request("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	assert_true(http_persists(&got.h, &got.fields));
	free(got.text);
}

static void connection_has_so_many_names(void **state)
{
	char text[512] = "GET / HTTP/1.1\r\nHost: a\r\nConnection: a";
	size_t start = strlen(text);

	(void)state;
	for (int i = 1; i < HTTP_OPTIONS_MAX; i++)
		strcat(text, ",a");
	strcat(text, "\r\n\r\n");
	assert_written(request(text), "GET / HTTP/1.1\r\nHost: a\r\n" FORWARDED);
	text[start] = '\0';
	for (int i = 0; i < HTTP_OPTIONS_MAX; i++)
		strcat(text, ",a");
	strcat(text, "\r\n\r\n");
	assert_written(request(text), NULL);
}

static void a_response_goes_on(void **state)
{
	(void)state;
	assert_written(
		response(
			"HTTP/1.0 200 OK\r\nServer: x\r\nConnection: keep-alive, A\r\nA: 1\r\nContent-Length: 2\r\n\r\n",
			false, false),
		"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 2\r\n\r\n");
	assert_written(response("HTTP/1.1 200 OK\r\nUpgrade: h2\r\nX-Forwarded-Proto: a\r\n\r\n", true, true),
		       "HTTP/1.1 200 OK\r\nX-Forwarded-Proto: a\r\nConnection: close\r\n\r\n");
	assert_written(response("HTTP/1.1 200\r\nA: b\r\n\r\n", false, true),
		       "HTTP/1.1 200\r\nA: b\r\nConnection: keep-alive\r\n\r\n");
	assert_written(response("HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", false, false),
		       "HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
}

/* http1.h passes over the names of a response that say nothing of its framing; here they have to be names. */
static void a_response_has_fields_only(void **state)
{
	(void)state;
	assert_written(response("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", false, false), NULL);
	assert_written(response("HTTP/1.1 200 OK\r\nX y: 1\r\n\r\n", false, false), NULL);
	assert_written(response("HTTP/1.1 200 OK\r\nX : 1\r\n\r\n", false, false), NULL);
}

static void a_body_ends_as_the_head_says(void **state)
{
	static const struct {
		const char *text;
		bool head;
		enum body_kind kind;
		uint64_t left;
	} cases[] = {
		{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", false, BODY_LENGTH, 5 },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true, BODY_NONE, 0 },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, BODY_NONE, 0 },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", false, BODY_CHUNKED, 0 },
		{ "HTTP/1.1 200 OK\r\n\r\n", false, BODY_UNTIL_CLOSE, 0 },
		{ "HTTP/1.1 204 N\r\n\r\n", false, BODY_NONE, 0 },
		{ "HTTP/1.1 304 N\r\nContent-Length: 5\r\n\r\n", false, BODY_NONE, 0 },
		{ "HTTP/1.1 100 C\r\n\r\n", false, BODY_NONE, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		static struct http1_buf buf;
		struct http1_body body;
		struct http1 h;

		head_of(&buf, cases[i].text, true, &h);
		http_response_body(&h, cases[i].head, &body);
		if (body.kind != cases[i].kind || body.left != cases[i].left)
			fail_msg("case %zu", i);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_request_goes_on_line_by_line),
	cmocka_unit_test(what_concerns_one_connection_stays),
	cmocka_unit_test(a_websocket_is_asked_for),
	cmocka_unit_test(an_absolute_target_becomes_a_path),
	cmocka_unit_test(fields_are_found),
	cmocka_unit_test(connection_has_so_many_names),
	cmocka_unit_test(a_response_goes_on),
	cmocka_unit_test(a_response_has_fields_only),
	cmocka_unit_test(a_body_ends_as_the_head_says),
};

int main(void)
{
	return cmocka_run_group_tests_name("http_head", tests, NULL, NULL);
}
