// SPDX-License-Identifier: MIT
/* Test: the host that a request is counted under when the helper judges it. No kernel is asked. */
#include "core/util.h"
#include "tests/unit/stream_kernel.h"

#define HOST_A "Host: a.example\r\n\r\n"
#define HOST_B "Host: b.example\r\n\r\n"

/* In a stream of its own. */
static uint8_t counted(const char *host, uint32_t flags, const char *head)
{
	teardown(NULL);
	assert_int_equal(setup(NULL), 0);
	kernel.listener.flags = flags;
	kernel.listener.metrics = METRICS_REQUEST | METRICS_HOST;
	kernel.host = host;
	kernel.room = 1000;
	kernel.counted = 0xff;
	asked(head);
	return kernel.counted;
}

static void is_that_of_host(void **state)
{
	(void)state;
	assert_int_equal(counted("a.example", 0, "GET / HTTP/1.1\r\n" HOST_A), KERNEL_HOST);
	assert_int_equal(counted("a.example", 0, "GET /a%20b/../c HTTP/1.1\r\n" HOST_A), KERNEL_HOST);
	assert_int_equal(counted("a.example", 0, "OPTIONS * HTTP/1.1\r\n" HOST_A), KERNEL_HOST);
	assert_int_equal(counted("a.example", 0, "GET / HTTP/1.1\r\nHost:A.Example:80 \r\n\r\n"), KERNEL_HOST);
	assert_int_equal(kernel.allowed, 1);
	assert_int_equal(counted("b.example", 0, "GET / HTTP/1.1\r\n" HOST_A), 0);
	assert_int_equal(counted(NULL, 0, "GET / HTTP/1.1\r\n" HOST_A), 0);
	assert_int_equal(counted("a.example", 0, "GET / HTTP/1.0\r\n\r\n"), 0);
	assert_int_equal(kernel.allowed, 1);
}

static void is_that_of_the_target_if_it_has_one(void **state)
{
	static const char *const targets[] = {
		"http://a.example",	 "http://a.example/",	 "HTTP://A.Example:8080/x/y",
		"https://a.example.:/x", "http://a.example?x/y", "http://a.example:80?",
	};
	char head[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		snprintf(head, sizeof(head), "GET %s HTTP/1.1\r\n" HOST_B, targets[i]);
		assert_int_equal(counted("a.example", 0, head), KERNEL_HOST);
		assert_int_equal(counted("b.example", 0, head), 0);
		assert_int_equal(kernel.allowed, 1);
	}
	assert_int_equal(counted("b.example", 0, "GET http://user@b.example/ HTTP/1.1\r\n" HOST_B), 0);
	assert_int_equal(counted("a.example", 0, "GET http://a.example/ HTTP/1.0\r\n\r\n"), KERNEL_HOST);
}

static void counts_what_is_denied_as_well(void **state)
{
	(void)state;
	assert_int_equal(counted("a.example", LISTENER_REQUIRE_AUTH, "GET / HTTP/1.1\r\n" HOST_A), KERNEL_HOST);
	assert_int_equal(kernel.last, REQUEST_NO_TOKEN);
	assert_int_equal(counted("a.example", LISTENER_OVERFULL, "GET http://a.example/ HTTP/1.1\r\n" HOST_B),
			 KERNEL_HOST);
	assert_int_equal(kernel.last, REQUEST_PROXY_COUNT);
}

static void counts_what_is_over_a_limit(void **state)
{
	(void)state;
	kernel.listener.flags = 0;
	kernel.listener.metrics = METRICS_HOST;
	kernel.host = "a.example";
	kernel.retry_s = 5;
	kernel.room = 1000;
	asked("GET / HTTP/1.1\r\n" HOST_A);
	assert_int_equal(kernel.last, REQUEST_RATE);
	assert_int_equal(kernel.counted, KERNEL_HOST);
}

static void is_not_asked_for_where_none_is_measured(void **state)
{
	(void)state;
	kernel.listener.flags = 0;
	kernel.listener.metrics = METRICS_REQUEST;
	kernel.host = "a.example";
	kernel.counted = 0xff;
	asked("GET / HTTP/1.1\r\n" HOST_A);
	assert_int_equal(kernel.counted, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(is_that_of_host),
		TEST(is_that_of_the_target_if_it_has_one),
		TEST(counts_what_is_denied_as_well),
		TEST(counts_what_is_over_a_limit),
		TEST(is_not_asked_for_where_none_is_measured),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
