// SPDX-License-Identifier: MIT
/* Unit tests of gateway/worker.c and what its threads share: who takes a connection, what is counted, what a reload leaves alone. */
#include <sched.h>

#include "http_gateway_run.h"
#include "core/cluster.h"
#include "gateway/http_internal.h"

#define CHURNERS 8     /* clients that connect again and again */
#define CONNECTIONS 60 /* of each */
#define MANY 200       /* requests at once */

static uint16_t raw_port;
static char raw[256];

static int begin_both(void **state)
{
	int fd = listen_somewhere(&raw_port);

	close(fd);
	snprintf(
		raw, sizeof(raw),
		", {\"name\": \"raw\", \"address\": \"127.0.0.1\", \"port\": %u, \"mode\": \"gateway\", \"protocol\": \"tcp\", "
		"\"cluster_name\": \"s\"}",
		raw_port);
	more_listeners = raw;
	return begin(state);
}

static int finish_both(void **state)
{
	more_listeners = "";
	return finish(state);
}

static double figure_of_endpoint(const char *key)
{
	cJSON *json = cJSON_CreateObject(), *item;
	char place[32];
	double value;

	snprintf(place, sizeof(place), "127.0.0.1:%u", endpoint_port);
	assert_true(gateway_stats(gateway, json));
	item = cJSON_GetObjectItem(cJSON_GetObjectItem(cJSON_GetObjectItem(json, "clusters"), "s"), "endpoints");
	item = cJSON_GetObjectItem(cJSON_GetObjectItem(item, place), key);
	assert_non_null(item);
	value = item->valuedouble;
	cJSON_Delete(json);
	return value;
}

/* ---- who takes a connection ---- */

static void connections_are_shared_out_evenly(void **state)
{
	int fds[EACH * WORKERS];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = client_open();
	assert_shared_out_evenly();
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	await("gateway", "web", NULL, "open", 0);
}

/* ---- what is counted, while everything changes ---- */

/* Answers whatever comes by "ok", as often as there is a head's end in it. */
static void *answerer_serve(void *data)
{
	int fd = (intptr_t)data;
	char text[4096];
	ssize_t n;

	while ((n = recv(fd, text, sizeof(text), 0)) > 0)
		if (n >= 4 && !memcmp(text + n - 4, "\r\n\r\n", 4) && send(fd, OK, strlen(OK), MSG_NOSIGNAL) < 0)
			break;
	close(fd);
	return NULL;
}

static atomic_uint answered;

/* In one piece: whoever reads it has its end. */
static bool is_answered(uint16_t port)
{
	char text[sizeof(OK)] = "";
	int fd = client_open_at(port);
	size_t len = 0;
	ssize_t n = send(fd, GET, strlen(GET), MSG_NOSIGNAL);

	while (n > 0 && len < strlen(OK)) {
		n = recv(fd, text + len, strlen(OK) - len, 0);
		len += n > 0 ? n : 0;
	}
	close(fd);
	return !strcmp(text, OK);
}

static void *churn(void *data)
{
	uint16_t port = (intptr_t)data % 2 ? raw_port : gateway_port;

	for (int i = 0; i < CONNECTIONS; i++)
		answered += is_answered(port);
	return NULL;
}

static void assert_no_connections(size_t service, const struct cluster *cluster, void *data)
{
	(void)service;
	(void)data;
	for (size_t i = 0; i < cluster->n_endpoints; i++)
		assert_int_equal(cluster->endpoints[i].connections, 0);
}

static void counts_are_exact_and_reloads_lose_no_connection(void **state)
{
	const unsigned int half = CHURNERS / 2 * CONNECTIONS;
	pthread_t server, clients[CHURNERS];
	unsigned int reloads = 0;

	(void)state;
	answered = 0;
	pthread_create(&server, NULL, endpoint_serve, answerer_serve);
	for (intptr_t i = 0; i < CHURNERS; i++)
		pthread_create(&clients[i], NULL, churn, (void *)i);
	while (figure("gateway", "web", NULL, "accepted") + figure("gateway", "raw", NULL, "accepted") < 2 * half) {
		configure(service(reloads++ % 2 ? ", \"policy\": \"least_conn\"" : ", \"policy\": \"round_robin\""));
		usleep(1000);
	}
	for (size_t i = 0; i < CHURNERS; i++)
		pthread_join(clients[i], NULL);
	assert_int_equal(answered, 2 * half);
	assert_true(reloads > 1);
	await("gateway", "web", NULL, "open", 0);
	await("gateway", "raw", NULL, "open", 0);
	assert_int_equal(figure("gateway", "web", NULL, "accepted"), half);
	assert_int_equal(figure("gateway", "web", NULL, "requests"), half);
	assert_int_equal(figure("gateway", "web", NULL, "bytes_in"), half * strlen(GET));
	assert_int_equal(figure("gateway", "web", NULL, "bytes_out"), half * strlen(OK));
	assert_int_equal(figure("gateway", "web", NULL, "refused"), 0);
	assert_int_equal(figure("gateway", "raw", "path", "relay"), half);
	assert_int_equal(figure("gateway", "raw", NULL, "bytes_in"), half * strlen(GET));
	assert_int_equal(figure("gateway", "raw", NULL, "bytes_out"), half * strlen(OK));
	assert_int_equal(figure("gateway", "raw", NULL, "refused"), 0);
	assert_int_equal(figure_of_endpoint("requests"), half);
	assert_int_equal(figure_of_endpoint("bytes_out"), 2 * half * strlen(OK));
	assert_int_equal(figure_of_endpoint("open"), figure_of_endpoint("idle"));
	gateway_clusters(gateway, assert_no_connections, NULL);
	shutdown(endpoint, SHUT_RDWR);
	pthread_join(server, NULL);
}

/* ---- all of them ---- */

static void the_end_resets_the_connections_of_each(void **state)
{
	int fds[EACH * WORKERS];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = client_open();
	await("gateway", "web", NULL, "open", ARRAY_SIZE(fds));
	gateway_close(TAKE_PTR(gateway));
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		assert_ends(fds[i], true);
}

static void idle_connections_to_an_endpoint_are_bounded_together(void **state)
{
	int fds[MANY], at[MANY];

	(void)state;
	for (size_t i = 0; i < MANY; i++) {
		fds[i] = client_open();
		say(fds[i], GET);
		at[i] = endpoint_accept();
		hear(at[i], "\r\n\r\n");
	}
	assert_int_equal(figure_of_endpoint("open"), MANY);
	for (size_t i = 0; i < MANY; i++) {
		say(at[i], OK);
		hear(fds[i], "ok");
	}
	for (int i = 0; i < PATIENCE_S * 100 && figure_of_endpoint("open") > HTTP_SERVERS_IDLE; i++)
		usleep(10000);
	assert_int_equal(figure_of_endpoint("open"), HTTP_SERVERS_IDLE);
	assert_int_equal(figure_of_endpoint("idle"), HTTP_SERVERS_IDLE);
	for (size_t i = 0; i < MANY; i++) {
		close(fds[i]);
		close(at[i]);
	}
}

/* ---- how they run ---- */

static int policy_of_workers(void)
{
	struct sched_param parameter;
	int fd = client_open(), policy_found = -1;

	for (int i = 0; i < PATIENCE_S * 100 && !n_judges; i++)
		usleep(10000);
	assert_int_equal(n_judges, 1);
	assert_int_equal(pthread_getschedparam(judges[0], &policy_found, &parameter), 0);
	close(fd);
	return policy_found;
}

static void workers_take_no_processor_from_whom_they_serve(void **state)
{
	(void)state;
	assert_int_equal(policy_of_workers(), SCHED_BATCH);
}

static int begin_idle(void **state)
{
	struct sched_param parameter = {};
	int r;

	sched_setscheduler(0, SCHED_IDLE, &parameter);
	r = begin(state);
	sched_setscheduler(0, SCHED_OTHER, &parameter);
	return r;
}

static void what_mpbpfd_was_given_stays(void **state)
{
	(void)state;
	assert_int_equal(policy_of_workers(), SCHED_IDLE);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(connections_are_shared_out_evenly, begin, finish),
	cmocka_unit_test_setup_teardown(counts_are_exact_and_reloads_lose_no_connection, begin_both, finish_both),
	cmocka_unit_test_setup_teardown(the_end_resets_the_connections_of_each, begin, finish),
	cmocka_unit_test_setup_teardown(idle_connections_to_an_endpoint_are_bounded_together, begin, finish),
	cmocka_unit_test_setup_teardown(workers_take_no_processor_from_whom_they_serve, begin, finish),
	cmocka_unit_test_setup_teardown(what_mpbpfd_was_given_stays, begin_idle, finish),
};

int main(void)
{
	return cmocka_run_group_tests_name("gateway_workers", tests, NULL, NULL);
}
