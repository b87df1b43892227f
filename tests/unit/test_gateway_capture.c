// SPDX-License-Identifier: MIT
/* Unit tests of the gateway's relay for captures: who takes a connection, where it goes, what a reload leaves alone. */
#include "http_gateway_run.h"
#include "gateway/socket.h"

#define CAPTURE(name, port)    \
	", {\"name\": \"" name \
	"\", \"mode\": \"capture\", \"direction\": \"out\", \"cgroup\": \"/c\", \"match\": {\"ports\": [" port "]}}"
#define ROUTE(listener) \
	"{\"listener\": \"" listener "\", \"match\": {\"destination\": \"192.0.2.1/32\"}, \"cluster_name\": \"s\"}"

static const char one[] = CAPTURE("one", "1"), both[] = CAPTURE("two", "2") CAPTURE("one", "1");
static const char route[] = "\"source_routes\": [" ROUTE("one") "],";
static const char both_routes[] = "\"source_routes\": [" ROUTE("one") ", " ROUTE("two") "],";

static struct place relays[2];
static atomic_uint n_opened, n_closed, n_connecting;
static atomic_bool captured;

static int on_connecting(void *data, int fd)
{
	(void)data;
	(void)fd;
	n_connecting++;
	return 0;
}

static int on_relay_opened(void *data, const char *name, bool in, const int fds[2])
{
	(void)in;

	struct sockaddr_storage at;
	socklen_t len = sizeof(at);

	(void)data;
	for (size_t i = 0; !strcmp(name, "one") && i < ARRAY_SIZE(relays); i++, len = sizeof(at))
		if (getsockname(fds[i], (struct sockaddr *)&at, &len) == 0)
			place_from(&at, &relays[i]);
	n_opened += fds[0] >= 0;
	n_closed += fds[0] < 0;
	return 0;
}

/* Nothing else leads anywhere. */
static bool on_original(void *data, const struct addr *from, __be16 from_port, __be16 relay,
			struct gateway_original *ret)
{
	(void)data;
	(void)from;
	(void)from_port;
	assert_true(relay == relays[0].port || relay == relays[1].port);
	judges[n_judges++ % ARRAY_SIZE(judges)] = pthread_self();
	*ret = (struct gateway_original){ .addr.b = { [10] = 0xff, 0xff, 192, 0, 2, 1 }, .port = htons(1) };
	return captured;
}

static atomic_bool room;
static atomic_uint n_events, n_told; /* calls; events told of, those of before that found no room among them */
static struct event_record last;

static bool on_event(void *data, const struct event_note *note)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

	(void)data;
	pthread_mutex_lock(&lock);
	last = note->event;
	pthread_mutex_unlock(&lock);
	n_events++;
	n_told += note->suppressed + 1;
	return room;
}

static int begin_capturing(void **state)
{
	int r;

	captured = true;
	n_opened = n_closed = n_connecting = 0;
	memset(relays, 0, sizeof(relays));
	hooks.connecting = on_connecting;
	hooks.relay_opened = on_relay_opened;
	hooks.original = on_original;
	hooks.event = on_event;
	room = true;
	n_events = n_told = 0;
	r = begin(state);
	if (r < 0)
		return r;
	more_listeners = one;
	configure_with(route, service(""));
	return 0;
}

static int finish_capturing(void **state)
{
	more_listeners = "";
	return finish(state);
}

/* family: 1: IPv6, where there is any */
static int relay_client(size_t family)
{
	const struct place *place = relays[family].port ? &relays[family] : &relays[0];
	struct sockaddr_storage at;
	socklen_t len = place_to(place, &at);
	int fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	patience(fd);
	assert_int_equal(connect(fd, (struct sockaddr *)&at, len), 0);
	return fd;
}

static void captured_connections_are_shared_out_and_go_where_their_destination_leads(void **state)
{
	int fds[EACH * WORKERS], at[EACH * WORKERS];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = relay_client(i % 2);
	assert_shared_out_evenly();
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		at[i] = endpoint_accept();
		say(fds[i], "question");
	}
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		hear(at[i], "question");
		say(at[i], "answer");
	}
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		hear(fds[i], "answer");
		close(fds[i]);
		close(at[i]);
	}
	await("gateway", "one", NULL, "open", 0);
	assert_int_equal(n_connecting, ARRAY_SIZE(fds));
	assert_int_equal(figure("gateway", "one", NULL, "accepted"), ARRAY_SIZE(fds));
	assert_int_equal(figure("gateway", "one", "path", "relay"), ARRAY_SIZE(fds));
	assert_int_equal(figure("gateway", "one", NULL, "refused"), 0);
}

static void who_was_not_captured_is_reset(void **state)
{
	(void)state;
	captured = false;
	assert_ends(relay_client(0), true);
	assert_ends(relay_client(1), true);
	assert_int_equal(figure("gateway", "one", "refused_by", "uncaptured"), 2);
	assert_int_equal(n_connecting, 0);
}

/* Also with another place in the configuration: it has no address and port that it could be known by. */
static void a_capture_keeps_its_sockets_over_a_reload(void **state)
{
	int fd, at;

	(void)state;
	more_listeners = both;
	configure_with(both_routes, service(""));
	assert_int_equal(n_opened, 2);
	for (size_t family = 0; family < 2; family++) {
		fd = relay_client(family);
		at = endpoint_accept();
		say(fd, "question");
		hear(at, "question");
		close(fd);
		close(at);
	}
	await("gateway", "one", NULL, "open", 0);
	assert_int_equal(figure("gateway", "one", "path", "relay"), 2);
	assert_int_equal(figure("gateway", "two", NULL, "accepted"), 0);
}

/* Before it is in force the kernel is told of a relay that nobody had, and of none that another has; given up, that it is gone. */
static void a_plan_tells_of_its_relays_and_takes_that_back(void **state)
{
	struct config *next;
	struct gateway_plan *plan;

	(void)state;
	assert_int_equal(n_opened, 1);
	more_listeners = both;
	plan = plan_with(both_routes, service(""), &next);
	assert_int_equal(n_opened, 2);
	assert_int_equal(n_closed, 0);
	gateway_abandon(plan);
	config_free(next);
	assert_int_equal(n_opened, 2);
	assert_int_equal(n_closed, 1);
	configure_with(both_routes, service(""));
	assert_int_equal(n_opened, 3);
}

/* A refusal of the kernel's to record one, for a tenth of a second; what was not told is told with the next. */
static void events_that_find_no_room_are_counted(void **state)
{
	(void)state;
	room = false;
	captured = false;
	for (int i = 0; i < 5; i++)
		assert_ends(relay_client(0), true);
	await("gateway", "one", "refused_by", "uncaptured", 5);
	assert_in_range(n_events, 1, WORKERS);
	room = true;
	usleep(200000);
	for (int i = 0; i < 2 * WORKERS; i++)
		assert_ends(relay_client(0), true);
	await("gateway", "one", "refused_by", "uncaptured", 5 + 2 * WORKERS);
	assert_int_equal(n_told, 5 + 2 * WORKERS);
	assert_int_equal(last.kind, EVENT_CONNECTION);
	assert_int_equal(last.reason, CONNECTION_UNCAPTURED);
	assert_int_equal(last.dest_port, relays[0].port);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test_setup_teardown(captured_connections_are_shared_out_and_go_where_their_destination_leads,
					begin_capturing, finish_capturing),
	cmocka_unit_test_setup_teardown(who_was_not_captured_is_reset, begin_capturing, finish_capturing),
	cmocka_unit_test_setup_teardown(a_capture_keeps_its_sockets_over_a_reload, begin_capturing, finish_capturing),
	cmocka_unit_test_setup_teardown(a_plan_tells_of_its_relays_and_takes_that_back, begin_capturing,
					finish_capturing),
	cmocka_unit_test_setup_teardown(events_that_find_no_room_are_counted, begin_capturing, finish_capturing),
};

int main(void)
{
	return cmocka_run_group_tests_name("gateway_capture", tests, NULL, NULL);
}
