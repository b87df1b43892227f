// SPDX-License-Identifier: MIT
/* Unit tests of gateway/http_policy.c: requests that wait for their turn while policies and routes come and go. */
#include "http_gateway_run.h"

/* A client with a request under way, and another behind it. */
static int pipelining_client(int *ret_at)
{
	int fd = client_open();

	say(fd, GET GET);
	*ret_at = endpoint_accept();
	hear(*ret_at, "\r\n\r\n");
	return fd;
}

static void one_that_an_older_policy_judged_goes_nowhere(void **state)
{
	int at, fd = pipelining_client(&at);
	char c;

	(void)state;
	policy = 2;
	configure_with("\"events\": {\"per_second\": 1},", service(""));
	say(at, OK);
	hear(fd, "ok"
		 "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
	assert_ends(fd, false);
	assert_int_equal(recv(at, &c, 1, MSG_DONTWAIT), -1);
	assert_int_equal(figure("gateway", "web", "answered", "old_policy"), 1);
	close(at);
}

/* The third was judged by the new one, as all behind it; the second was not. */
static void which_policy_judged_is_told_by_number(void **state)
{
	int at, fd = pipelining_client(&at);

	(void)state;
	policy = judged_by = 2;
	judged_from = 2;
	configure_with("\"events\": {\"per_second\": 1},", service(""));
	say(at, OK);
	hear(fd, "503 Service Unavailable");
	close(fd);
	close(at);
	judged_from = 0;
	fd = pipelining_client(&at);
	policy = judged_by = 3;
	judged_from = 1;
	configure_with("\"events\": {\"per_second\": 2},", service(""));
	say(at, OK);
	hear(at, "\r\n\r\n");
	say(at, OK);
	hear(fd, "okHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	close(fd);
	close(at);
}

/* What changes is where requests go: each goes by what is in force at its turn. */
static void another_route_is_no_other_policy(void **state)
{
	int at, fd = pipelining_client(&at), next;

	(void)state;
	policy = 2;
	next = endpoint;
	endpoint = listen_somewhere(&endpoint_port);
	configure(service(", \"drain_s\": 60"));
	say(at, OK);
	hear(fd, "ok");
	close(at);
	close(next);
	at = endpoint_accept();
	hear(at, "\r\n\r\n");
	say(at, OK);
	hear(fd, "ok");
	close(fd);
	close(at);
}

/* A policy is in force a moment before its routes are. */
static void one_that_is_judged_already_waits_for_its_routes(void **state)
{
	int fd = client_open(), at, before;

	(void)state;
	policy = judged_by = 2;
	say(fd, GET);
	usleep(100000);
	assert_int_equal(figure("gateway", "web", NULL, "requests"), 0);
	before = endpoint;
	endpoint = listen_somewhere(&endpoint_port);
	configure_with("\"events\": {\"per_second\": 1},", service(""));
	at = endpoint_accept();
	hear(at, "\r\n\r\n");
	say(at, OK);
	hear(fd, "ok");
	close(before);
	close(fd);
	close(at);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, begin, finish)

static const struct CMUnitTest tests[] = {
	CASE(one_that_an_older_policy_judged_goes_nowhere),
	CASE(which_policy_judged_is_told_by_number),
	CASE(another_route_is_no_other_policy),
	CASE(one_that_is_judged_already_waits_for_its_routes),
};

int main(void)
{
	return cmocka_run_group_tests_name("http_policy", tests, NULL, NULL);
}
