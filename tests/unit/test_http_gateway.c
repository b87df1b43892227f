// SPDX-License-Identifier: MIT
/* Unit tests of gateway/http_*.c as a whole: clients and endpoints over loopback, with a guard that is told what to say. */
#include "http_gateway_run.h"
#include "icmp_error.h"
#include "gateway/gateway_internal.h"
#include "gateway/socket.h"
#include "gateway/worker.h"

/* ---- the cases ---- */

static void a_connection_that_is_not_judged_is_reset(void **state)
{
	int fd;

	(void)state;
	judged = false;
	fd = client_open();
	assert_ends(fd, true);
	assert_int_equal(figure("gateway", "web", "refused_by", "unjudged"), 1);
	assert_int_equal(figure("gateway", "web", NULL, "requests"), 0);
}

static void one_that_a_new_policy_leaves_is_reset(void **state)
{
	int fd = client_open(), at;
	char c;

	(void)state;
	say(fd, GET);
	at = endpoint_accept();
	hear(at, "\r\n\r\n");
	say(at, OK);
	hear(fd, "ok");
	judged = false;
	say(fd, GET);
	hear(at, "\r\n\r\n");
	say(at, OK);
	hear(fd, "ok");
	policy = 2;
	say(fd, GET);
	assert_ends(fd, true);
	/* The idle connection to the endpoint has seen nothing of it. */
	assert_int_equal(recv(at, &c, 1, MSG_DONTWAIT), -1);
	assert_int_equal(figure("gateway", "web", NULL, "requests"), 2);
	close(at);
}

static void an_endpoint_that_goes_is_left(void **state)
{
	int idle = client_open(), busy, at, at_busy;

	(void)state;
	say(idle, GET);
	at = endpoint_accept();
	hear(at, "\r\n\r\n");
	busy = client_open();
	say(busy, GET);
	at_busy = endpoint_accept();
	hear(at_busy, "\r\n\r\n");
	say(at, OK);
	hear(idle, "ok");
	configure("{\"name\": \"s\", \"hosts\": [\"127.0.0.1\"], \"port\": 9, \"drain_s\": 0}");
	/* Idle ones at once, requests after drain_s, which is 0. */
	assert_ends(at, false);
	assert_ends(busy, true);
	close(at_busy);
	say(idle, GET);
	hear(idle, "503 Service Unavailable\r\nContent-Length: 0\r\n\r\n");
	close(idle);
}

/* It answers nothing: nobody's next request may be met by it. */
static void a_response_too_many_ends_its_connection(void **state)
{
	int fd = client_open(), at;

	(void)state;
	say(fd, GET);
	at = endpoint_accept();
	hear(at, "\r\n\r\n");
	say(at, OK OK);
	hear(fd, "ok");
	assert_ends(at, false);
	say(fd, GET);
	at = endpoint_accept();
	hear(at, "\r\n\r\n");
	say(at, OK);
	hear(fd, "ok");
	/* Also one that comes later, and is not even read. */
	say(at, OK);
	assert_ends(at, true);
	close(fd);
}

static void a_client_that_goes_takes_its_request_along(void **state)
{
	int fd = client_open(), at;

	(void)state;
	say(fd, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345");
	at = endpoint_accept();
	hear(at, "12345");
	close(fd);
	assert_ends(at, false);
}

/* The gateway's end of a client's connection: it is in this process. */
static int gateways_end(int client)
{
	struct sockaddr_in own, peer;
	socklen_t len = sizeof(own);

	assert_int_equal(getsockname(client, (struct sockaddr *)&own, &len), 0);
	for (int fd = 3; fd < 1024; fd++) {
		len = sizeof(peer);
		if (!getpeername(fd, (struct sockaddr *)&peer, &len) && len == sizeof(peer) &&
		    !memcmp(&own, &peer, sizeof(own)))
			return fd;
	}
	fail_msg("the gateway has no such connection");
	return -1;
}

#define ROOM 100000 /* more than it has for a client, less than fits into the sockets as well */

/* The gateway has no room for what the client says meanwhile, and so asks its socket for errors. */
static void an_icmp_error_does_not_end_a_client(void **state)
{
	int fd = client_open(), at, end;

	(void)state;
	say(fd, GET);
	at = endpoint_accept();
	hear(at, "\r\n\r\n");
	end = gateways_end(fd);
	for (int i = 0; i < ROOM / (int)strlen(GET); i++)
		say(fd, GET);
	usleep(100000);
	icmp_error_send(end);
	say(fd, GET);
	usleep(100000);
	say(at, OK);
	hear(fd, "ok");
	close(fd);
	close(at);
}

/* The reset is told to who writes first. Who then reads sees an end, and would take it for that of the response. */
static void a_reset_that_is_met_while_writing_ends_no_response(void **state)
{
	int fd = client_open(), at;

	(void)state;
	say(fd, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n12345");
	at = endpoint_accept();
	hear(at, "12345");
	say(at, "HTTP/1.1 200 OK\r\n\r\nhalf");
	hear(fd, "half");
	workers_halt(gateway);
	say(fd, "67890");
	socket_reset_on_close(at);
	close(at);
	workers_go(gateway);
	assert_ends(fd, true);
}

static void a_client_that_only_half_closes_is_answered(void **state)
{
	int fd = client_open(), at;

	(void)state;
	say(fd, GET);
	shutdown(fd, SHUT_WR);
	at = endpoint_accept();
	hear(at, "\r\n\r\n");
	say(at, OK);
	hear(fd, "ok");
	assert_ends(fd, false);
	close(at);
}

/* ---- many, in pieces ---- */

static size_t response_of(unsigned int id, char *out)
{
	int n = id % 5 == 1 ? id % 400 * 7 : id % 50;

	if (id % 3 == 0)
		return sprintf(out, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%0*u\r\n0\r\n\r\n",
			       n + 8, n + 8, id);
	return sprintf(out, "HTTP/1.1 200 OK\r\nX-Id: %u\r\nContent-Length: %d\r\n\r\n%0*u", id, n + 8, n + 8, id);
}

static size_t request_of(unsigned int id, char *out)
{
	if (id % 4 == 0)
		return sprintf(
			out,
			"POST /%u HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n\r\n",
			id);
	if (id % 4 == 1)
		return sprintf(out, "PUT /%u HTTP/1.1\r\nHost: a\r\nContent-Length: %u\r\n\r\n%0*u", id, id + 4, id + 4,
			       1);
	return sprintf(out, "GET /%u HTTP/1.1\r\nHost: a\r\n\r\n", id);
}

static void send_pieces(int fd, const char *data, size_t len, unsigned int *seed)
{
	size_t at = 0, n;

	while (at < len) {
		n = rand_r(seed) % 3 ? 1 + rand_r(seed) % 40 : 1 + rand_r(seed) % 4000;
		if (n > len - at)
			n = len - at;
		if (send(fd, data + at, n, MSG_NOSIGNAL) != (ssize_t)n)
			return;
		at += n;
	}
}

/* Reads requests and answers each by its number; now and then it says that the connection ends. */
static void *connection_serve(void *data)
{
	int fd = (intptr_t)data;
	unsigned int seed = fd, id;
	char text[16384] = "", out[8192];
	size_t len = 0, n;
	ssize_t got;

	while ((got = recv(fd, text + len, sizeof(text) - 1 - len, 0)) > 0) {
		char *head;

		len += got;
		text[len] = '\0';
		head = strstr(text, "\r\n\r\n");
		if (!head || sscanf(strchr(text, '/'), "/%u", &id) != 1)
			continue;
		/* One request at a time: all that comes is this one's. */
		n = id % 4 == 0 ? strlen("5\r\n12345\r\n0\r\n\r\n") : id % 4 == 1 ? id % 300 + 4 : 0;
		if (len < (size_t)(head + 4 - text) + n)
			continue;
		len = 0;
		n = response_of(id, out);
		if (rand_r(&seed) % 10 == 0) {
			memmove(out + 17 + 19, out + 17, n - 17);
			memcpy(out + 17, "Connection: close\r\n", 19);
			send_pieces(fd, out, n + 19, &seed);
			break;
		}
		send_pieces(fd, out, n, &seed);
	}
	close(fd);
	return NULL;
}

/* A client with requests of its own. */
struct asker {
	unsigned int first;
	int fd;
	bool right;
	char sent[REQUESTS * 512], want[REQUESTS * 4096], got[REQUESTS * 4096];
};

static void *requests_send(void *data)
{
	struct asker *asker = data;
	unsigned int seed = asker->first;
	size_t len = 0;

	for (unsigned int id = asker->first; id < asker->first + REQUESTS; id++)
		len += request_of(id, asker->sent + len);
	send_pieces(asker->fd, asker->sent, len, &seed);
	return NULL;
}

static void *asker_run(void *data)
{
	struct asker *asker = data;
	size_t len = 0, came = 0;
	pthread_t sender;
	ssize_t n = 1;

	for (unsigned int id = asker->first; id < asker->first + REQUESTS; id++)
		len += response_of(id, asker->want + len);
	pthread_create(&sender, NULL, requests_send, asker);
	while (came < len && n > 0) {
		n = recv(asker->fd, asker->got + came, sizeof(asker->got) - came, 0);
		came += n > 0 ? n : 0;
	}
	pthread_join(sender, NULL);
	asker->right = came == len && !memcmp(asker->got, asker->want, len);
	return NULL;
}

/* Many clients share the connections to the endpoint: no response is another's. */
static void responses_come_in_order_and_whole(void **state)
{
	static struct asker askers[CLIENTS];
	pthread_t server, threads[CLIENTS];

	(void)state;
	pthread_create(&server, NULL, endpoint_serve, connection_serve);
	for (unsigned int i = 0; i < CLIENTS; i++) {
		askers[i].first = 1 + i * REQUESTS;
		askers[i].fd = client_open();
		pthread_create(&threads[i], NULL, asker_run, &askers[i]);
	}
	for (unsigned int i = 0; i < CLIENTS; i++)
		pthread_join(threads[i], NULL);
	for (unsigned int i = 0; i < CLIENTS; i++) {
		assert_true(askers[i].right);
		close(askers[i].fd);
	}
	assert_int_equal(figure("gateway", "web", NULL, "requests"), CLIENTS * REQUESTS);
	shutdown(endpoint, SHUT_RDWR);
	pthread_join(server, NULL);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, begin, finish)

static const struct CMUnitTest tests[] = {
	CASE(a_connection_that_is_not_judged_is_reset),
	CASE(one_that_a_new_policy_leaves_is_reset),
	CASE(an_endpoint_that_goes_is_left),
	CASE(a_response_too_many_ends_its_connection),
	CASE(a_client_that_goes_takes_its_request_along),
	CASE(a_reset_that_is_met_while_writing_ends_no_response),
	CASE(a_client_that_only_half_closes_is_answered),
	CASE(an_icmp_error_does_not_end_a_client),
	CASE(responses_come_in_order_and_whole),
};

int main(void)
{
	return cmocka_run_group_tests_name("http_gateway", tests, NULL, NULL);
}
