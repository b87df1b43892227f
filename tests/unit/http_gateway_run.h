/* SPDX-License-Identifier: MIT */
/* Tests: a gateway for HTTP with its endpoint, its clients and a guard that is told what to say. */
#ifndef MPBPF_TESTS_HTTP_GATEWAY_RUN_H
#define MPBPF_TESTS_HTTP_GATEWAY_RUN_H

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>
#include <cjson/cJSON.h>

#include "core/util.h"
#include "gateway/gateway.h"

#define WORKERS 3
#define EACH 4 /* connections of each worker */
#define CLIENTS 6
#define REQUESTS 100 /* of each */
#define PATIENCE_S 20

static atomic_bool judged;
static atomic_uint policy, judged_by, judged_from;
static pthread_t judges[64]; /* the threads that asked, one after the other */
static atomic_uint n_judges;
static struct gateway *gateway;
static struct config *config;
static int endpoint; /* listens */
static uint16_t endpoint_port, gateway_port;
static const char *more_listeners = ""; /* behind a comma */

static void on_note(const char *text)
{
	(void)text;
}

/* A thread for each connection to the endpoint: serve(), with the socket as its argument. */
__attribute__((unused)) static void *endpoint_serve(void *serve)
{
	pthread_attr_t detached;
	pthread_t thread;
	int fd;

	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	while ((fd = accept(endpoint, NULL, NULL)) >= 0)
		pthread_create(&thread, &detached, (void *(*)(void *))serve, (void *)(intptr_t)fd);
	pthread_attr_destroy(&detached);
	return NULL;
}

static bool on_judged(void *data, int fd, bool dry_run, struct gateway_judged *ret)
{
	(void)data;
	(void)fd;
	(void)dry_run;
	judges[n_judges++ % 64] = pthread_self();
	*ret = (struct gateway_judged){ .policy = judged_by, .from = judged_from };
	return judged;
}

static uint32_t on_policy(void *data)
{
	(void)data;
	return policy;
}

static struct gateway_hooks hooks = { .note = on_note, .judged = on_judged, .policy = on_policy };

/* ---- sockets ---- */

static int listen_somewhere(uint16_t *ret_port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
	assert_int_equal(listen(fd, 1024), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	*ret_port = ntohs(at.sin_port);
	return fd;
}

static void patience(int fd)
{
	const struct timeval limit = { .tv_sec = PATIENCE_S };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
}

static int client_open_at(uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				  .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	patience(fd);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static inline int client_open(void)
{
	return client_open_at(gateway_port);
}

static int endpoint_accept(void)
{
	int fd = accept(endpoint, NULL, NULL);

	assert_true(fd >= 0);
	patience(fd);
	return fd;
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Reads until `end` has come. */
static void hear(int fd, const char *end)
{
	char text[4096] = "";
	size_t len = 0;
	ssize_t n;

	while (!strstr(text, end)) {
		n = recv(fd, text + len, sizeof(text) - 1 - len, 0);
		if (n <= 0)
			fail_msg("%s after \"%s\"", n ? strerror(errno) : "end", text);
		len += n;
		text[len] = '\0';
	}
}

/* What comes next is the end: by RST, or not. */
static void assert_ends(int fd, bool reset)
{
	char c;
	ssize_t n = recv(fd, &c, 1, 0);

	if (reset)
		assert_true(n < 0 && errno == ECONNRESET);
	else
		assert_int_equal(n, 0);
	close(fd);
}

#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static double figure(const char *section, const char *name, const char *group, const char *key)
{
	cJSON *json = cJSON_CreateObject(), *item;
	double value;

	assert_true(gateway_stats(gateway, json));
	item = cJSON_GetObjectItem(cJSON_GetObjectItem(json, section), name);
	if (group)
		item = cJSON_GetObjectItem(item, group);
	item = cJSON_GetObjectItem(item, key);
	assert_non_null(item);
	value = item->valuedouble;
	cJSON_Delete(json);
	return value;
}

static inline void await(const char *section, const char *name, const char *group, const char *key, double want)
{
	for (int i = 0; i < PATIENCE_S * 100 && figure(section, name, group, key) != want; i++)
		usleep(10000);
	assert_int_equal(figure(section, name, group, key), want);
}

/* ---- the gateway ---- */

/* members: of the configuration, with a comma behind each */
static struct gateway_plan *plan_with(const char *members, const char *services, struct config **ret)
{
	struct gateway_plan *plan;
	struct config_error error;
	char text[2048];

	snprintf(
		text, sizeof(text),
		"{%s\"version\": \"1\", \"auth\": {\"require_auth\": false}, \"listeners\": [{\"name\": \"web\", \"address\": "
		"\"127.0.0.1\", \"port\": %u, \"mode\": \"gateway\", \"cluster_name\": \"s\"}%s], \"services\": [%s]}",
		members, gateway_port, more_listeners, services);
	if (config_parse(text, strlen(text), "x", NULL, ret, &error) < 0)
		fail_msg("%s", error.text);
	if (gateway_prepare(gateway, *ret, &plan, &error) < 0)
		fail_msg("%s", error.text);
	return plan;
}

static void configure_with(const char *members, const char *services)
{
	struct gateway_plan *plan;
	struct config *next;

	plan = plan_with(members, services, &next);
	gateway_commit(gateway, plan);
	config_free(config);
	config = next;
}

static void configure(const char *services)
{
	configure_with("", services);
}

static char *service(const char *more)
{
	static char text[256];

	snprintf(text, sizeof(text), "{\"name\": \"s\", \"hosts\": [\"127.0.0.1\"], \"port\": %u%s}", endpoint_port,
		 more);
	return text;
}

static int begin(void **state)
{
	int fd;

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	judged = true;
	policy = judged_by = 1;
	judged_from = 0;
	n_judges = 0;
	endpoint = listen_somewhere(&endpoint_port);
	fd = listen_somewhere(&gateway_port);
	close(fd);
	if (gateway_open(&hooks, WORKERS, &gateway) < 0)
		return -1;
	configure(service(", \"drain_s\": 0"));
	return gateway_start(gateway);
}

static int finish(void **state)
{
	(void)state;
	gateway_close(gateway);
	config_free(config);
	config = NULL;
	close(endpoint);
	return 0;
}

/* By the threads that asked about each. Counts are not read before that: then another thread does what workers who stand still cannot. */
static inline void assert_shared_out_evenly(void)
{
	size_t workers = 0;

	for (int i = 0; i < PATIENCE_S * 100 && n_judges < EACH * WORKERS; i++)
		usleep(10000);
	assert_int_equal(n_judges, EACH * WORKERS);
	for (size_t i = 0; i < EACH * WORKERS; i++) {
		size_t same = 0, before = 0;

		for (size_t k = 0; k < EACH * WORKERS; k++) {
			same += pthread_equal(judges[i], judges[k]) != 0;
			before += k < i && pthread_equal(judges[i], judges[k]);
		}
		assert_int_equal(same, EACH);
		workers += !before;
	}
	assert_int_equal(workers, WORKERS);
}

#endif
