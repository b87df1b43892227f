// SPDX-License-Identifier: MIT
/* Unit tests of bpf/include/replies.h: every denial has an answer, and however filled up it is a well-formed response. */
#include <stdio.h>
#include <string.h>

#include "core/util.h"
#include "http1_body.h"
#include "http1_check.h"
#include "replies.h"

#define FILL_MAX 256 /* spaces behind the value of Content-Length */

/* What each answer must say; the rest of the text is not for a test to repeat. */
static const struct {
	enum request_reason reason;
	const char *line;
	unsigned int status;
	bool close;
	const char *field; /* besides Connection and Content-Length */
} expected[] = {
	{ REQUEST_BAD, "HTTP/1.1 400 Bad Request\r\n", 400, true, "" },
	{ REQUEST_NO_TOKEN, "HTTP/1.1 401 Unauthorized\r\n", 401, false, "WWW-Authenticate: Bearer\r\n" },
	{ REQUEST_BAD_TOKEN, "HTTP/1.1 403 Forbidden\r\n", 403, false,
	  "WWW-Authenticate: Bearer error=\"invalid_token\"\r\n" },
	{ REQUEST_EXPIRED, "HTTP/1.1 403 Forbidden\r\n", 403, false,
	  "WWW-Authenticate: Bearer error=\"invalid_token\"\r\n" },
	{ REQUEST_FEATURE, "HTTP/1.1 402 Payment Required\r\n", 402, false, "" },
	{ REQUEST_PROXY_COUNT, "HTTP/1.1 429 Too Many Requests\r\n", 429, false, "" },
	{ REQUEST_RATE, "HTTP/1.1 429 Too Many Requests\r\n", 429, false, "Retry-After:     1\r\n" },
	{ REQUEST_HELPER_DOWN, "HTTP/1.1 503 Service Unavailable\r\n", 503, true, "" },
	{ REQUEST_TOO_LARGE, "HTTP/1.1 431 Request Header Fields Too Large\r\n", 431, true, "" },
	{ REQUEST_TIMEOUT, "HTTP/1.1 408 Request Timeout\r\n", 408, true, "" },
	{ REQUEST_BUSY, "HTTP/1.1 503 Service Unavailable\r\n", 503, true, "" },
	{ REQUEST_ASK_RATE, "HTTP/1.1 429 Too Many Requests\r\n", 429, true, "Retry-After:     1\r\n" },
};

static void every_denial_has_an_answer_and_nothing_else(void **state)
{
	static const char nothing[REPLY_TEXT_MAX];
	size_t i, answered = 0;

	(void)state;
	assert_int_equal(ARRAY_SIZE(expected), REQUEST_REASON_MAX - REQUEST_BAD);
	for (i = 0; i < ARRAY_SIZE(expected); i++)
		assert_in_range(expected[i].reason, REQUEST_BAD, REQUEST_REASON_MAX - 1);
	for (i = 0; i < REQUEST_REASON_MAX; i++) {
		answered += replies[i].len > 0;
		if (i >= REQUEST_BAD) {
			assert_true(replies[i].len > 0);
			continue;
		}
		assert_int_equal(replies[i].len, 0);
		assert_int_equal(replies[i].close, 0);
		assert_memory_equal(replies[i].text, nothing, sizeof(nothing));
	}
	assert_int_equal(answered, ARRAY_SIZE(expected));
}

static void lengths_are_those_of_the_texts(void **state)
{
	size_t i;

	(void)state;
	for (i = REQUEST_BAD; i < REQUEST_REASON_MAX; i++) {
		assert_true(replies[i].len < REPLY_TEXT_MAX);
		assert_int_equal(replies[i].len, strlen(replies[i].text));
	}
}

/* The text is the status line, the fields in any order, and Content-Length up to its value. */
static void answers_say_what_they_must(void **state)
{
	char text[REPLY_TEXT_MAX * 2];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(expected); i++) {
		const struct reply *reply = &replies[expected[i].reason];

		sprintf(text, "%s%s%sContent-Length: ", expected[i].line, expected[i].field,
			expected[i].close ? "Connection: close\r\n" : "");
		assert_int_equal(reply->len, strlen(text));
		assert_int_equal(!!reply->close, expected[i].close);
		assert_int_equal(strncmp(reply->text, expected[i].line, strlen(expected[i].line)), 0);
		assert_non_null(strstr(reply->text, expected[i].field));
		assert_int_equal(!!strstr(reply->text, "\r\nConnection: close\r\n"), expected[i].close);
		assert_int_equal(!!reply->retry,
				 expected[i].reason == REQUEST_RATE || expected[i].reason == REQUEST_ASK_RATE);
		if (reply->retry)
			assert_memory_equal(reply->text + reply->retry - REPLY_RETRY_LEN, "    1\r\n",
					    REPLY_RETRY_LEN + 2);
		assert_string_equal(reply->text + reply->len - 18, "\r\nContent-Length: ");
	}
}

static void assert_response(const char *text, size_t len, unsigned int status, uint64_t content)
{
	struct http1 h = http1_whole(text, len, true);

	http1_compare(text, len, len / 2, true);
	assert_int_equal(h.result, HTTP1_DONE);
	assert_int_equal(h.head_len, len);
	assert_int_equal(h.status, status);
	assert_int_equal(h.minor, 1);
	assert_int_equal(h.flags & (HTTP1_LENGTH | HTTP1_CHUNKED), HTTP1_LENGTH);
	assert_int_equal(h.content_length, content);
}

/* As the helper ends them, and as the kernel does: with blanks behind the value, or with five digits. */
static void every_filling_is_a_well_formed_response(void **state)
{
	static const unsigned int contents[] = { 0, 1, 9, 10, 12345, 99999 };
	char text[REPLY_TEXT_MAX + FILL_MAX + 16];
	size_t i, j, n;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(expected); i++) {
		const struct reply *reply = &replies[expected[i].reason];

		memcpy(text, reply->text, reply->len);
		for (n = 0; n <= FILL_MAX; n++) {
			sprintf(text + reply->len, "0%*s\r\n\r\n", (int)n, "");
			assert_response(text, reply->len + n + 5, expected[i].status, 0);
		}
		for (j = 0; j < ARRAY_SIZE(contents); j++) {
			sprintf(text + reply->len, "%05u\r\n\r\n", contents[j]);
			assert_response(text, reply->len + 9, expected[i].status, contents[j]);
		}
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_denial_has_an_answer_and_nothing_else),
		cmocka_unit_test(lengths_are_those_of_the_texts),
		cmocka_unit_test(answers_say_what_they_must),
		cmocka_unit_test(every_filling_is_a_well_formed_response),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
