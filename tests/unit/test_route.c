// SPDX-License-Identifier: MIT
/* Unit tests of core/route.c: which rule wins, as a table, over a configuration as a user writes it. */
#include "config_test.h"
#include "core/route.h"

#define SERVICE(name) "{\"name\": \"" name "\", \"hosts\": [\"127.0.0.1\"], \"port\": 80}"
#define ROUTE(name, prefix, more) \
	"{\"name\": \"" name "\", \"prefix\": \"" prefix "\", \"cluster_name\": \"" name "\"" more "}"
#define SOURCE(listener, match, cluster) \
	"{\"listener\": \"" listener "\", \"match\": {" match "}, \"cluster_name\": \"" cluster "\"}"

/* The order in the file is mostly against that of precedence: nothing may hang on it. */
/* clang-format off */
static const char text[] =
	"{\"version\": \"1\", \"listeners\": ["
	"{\"name\": \"guard\", \"port\": 1, \"auth\": {\"require_auth\": false}},"
	"{\"name\": \"egress\", \"port\": 2, \"mode\": \"gateway\", \"protocol\": \"tcp\", \"cluster_name\": \"rest\"},"
	"{\"name\": \"bare\", \"port\": 3, \"mode\": \"gateway\", \"protocol\": \"tcp\"},"
	"{\"name\": \"web\", \"port\": 4, \"mode\": \"gateway\", \"auth\": {\"require_auth\": false}},"
	"{\"name\": \"shop\", \"port\": 5, \"mode\": \"gateway\", \"auth\": {\"require_auth\": false}, \"cluster_name\": \"rest\"}"
	"], \"services\": ["
	SERVICE("rest")
	"," SERVICE("net8")
	"," SERVICE("net16")
	"," SERVICE("even")
	"," SERVICE("odd")
	"," SERVICE("four")
	"," SERVICE("v6")
	"," SERVICE("all")
	"," SERVICE("api")
	"," SERVICE("v1")
	"," SERVICE("wild")
	"," SERVICE("wilder")
	"," SERVICE("deep")
	"," SERVICE("lit")
	"," SERVICE("twice")
	"," SERVICE("never")
	"], \"source_routes\": ["
	SOURCE("egress", "\"mod\": 4, \"equals\": 3", "four")
	"," SOURCE("egress", "\"last_octet\": \"odd\"", "odd")
	"," SOURCE("egress", "\"mod\": 1000, \"equals\": 998", "even")
	"," SOURCE("egress", "\"cidr\": \"10.0.0.0/8\"", "net8")
	"," SOURCE("egress", "\"cidr\": \"10.1.0.0/16\"", "net16")
	"," SOURCE("egress", "\"cidr\": \"2001:db8::/32\"", "v6")
	"," SOURCE("bare", "\"cidr\": \"::/0\"", "v6")
	"," SOURCE("web", "\"cidr\": \"198.51.100.0/24\"", "net8")
	"], \"routes\": ["
	ROUTE("all", "/all", "")
	"," ROUTE("wild", "/", ", \"hosts\": [\"*.example.org\"]")
	"," ROUTE("wilder", "/", ", \"hosts\": [\"*.b.example.org\"]")
	"," ROUTE("api", "/api/", ", \"hosts\": [\"API.example.org:80\", \"other.example\"]")
	"," ROUTE("v1", "/api/v1", ", \"hosts\": [\"api.example.org\"]")
	"," ROUTE("lit", "/", ", \"hosts\": [\"[2001:DB8:0::1]\"]")
	"," ROUTE("deep", "/all/deep", ", \"hosts\": [\"*\"]")
	"," ROUTE("twice", "/all", "")
	"," ROUTE("never", "/", ", \"hosts\": [\"*bad\"]")
	"]}";
/* clang-format on */

struct route_case {
	const char *listener, *source, *host, *path;
	enum route_by by;
	const char *cluster; /* NULL: none */
	enum route_why why;
};

static void assert_route(const struct config *config, const struct route_table *table, const struct route_case *c)
{
	struct route_answer got = { .timeout_s = 77 };
	struct addr source;
	size_t i = 0;

	assert_true(cidr_parse_address(c->source, &source, NULL));
	while (strcmp(config->listeners[i].name, c->listener))
		i++;
	route_match(table, i, &source, c->host, c->path, &got);
	if (got.by != c->by || got.why != c->why || !got.service != !c->cluster ||
	    (c->cluster && strcmp(got.service->name, c->cluster)))
		fail_msg("%s %s %s %s: by %d, %s, why %d", c->listener, c->source, c->host ?: "-", c->path ?: "-",
			 got.by, got.service ? got.service->name : "-", got.why);
	assert_int_equal(got.timeout_s, got.by == ROUTE_BY_REQUEST ? 30 : 0);
}

static void assert_routes(const struct route_case *cases, size_t n)
{
	_cleanup_config_ struct config *config = parse(text);
	_cleanup_(route_table_free_ptr) struct route_table *table = NULL;

	assert_int_equal(route_table_new(config, &table), 0);
	for (size_t i = 0; i < n; i++)
		assert_route(config, table, &cases[i]);
}

static void the_longest_network_wins_then_the_order(void **state)
{
	static const struct route_case cases[] = {
		{ "egress", "10.1.2.3", NULL, NULL, ROUTE_BY_SOURCE, "net16", 0 },
		{ "egress", "10.2.0.3", NULL, NULL, ROUTE_BY_SOURCE, "net8", 0 },
		{ "egress", "10.1.255.255", NULL, NULL, ROUTE_BY_SOURCE, "net16", 0 },
		{ "egress", "10.0.255.255", NULL, NULL, ROUTE_BY_SOURCE, "net8", 0 },
		{ "egress", "2001:db8::3", NULL, NULL, ROUTE_BY_SOURCE, "v6", 0 },
		/* 192.0.2.3 % 4 == 3, and the rule stands before that of odd ones. */
		{ "egress", "192.0.2.3", NULL, NULL, ROUTE_BY_SOURCE, "four", 0 },
		{ "egress", "192.0.2.5", NULL, NULL, ROUTE_BY_SOURCE, "odd", 0 },
		{ "egress", "2001:db9::5", NULL, NULL, ROUTE_BY_SOURCE, "odd", 0 },
		{ "egress", "2001:db9::ffff:7", NULL, NULL, ROUTE_BY_SOURCE, "four", 0 },
		/* All 32 bits count: 3221226086 and 3221226998. */
		{ "egress", "192.0.2.102", NULL, NULL, ROUTE_BY_DEFAULT, "rest", 0 },
		{ "egress", "192.0.5.246", NULL, NULL, ROUTE_BY_SOURCE, "even", 0 },
		{ "egress", "192.0.2.4", NULL, NULL, ROUTE_BY_DEFAULT, "rest", 0 },
		/* Rules are for one listener; "::/0" is IPv6. */
		{ "bare", "10.1.2.3", NULL, NULL, ROUTE_BY_NONE, NULL, ROUTE_NO_SOURCE },
		{ "bare", "2001:db9::1", NULL, NULL, ROUTE_BY_SOURCE, "v6", 0 },
		/* tcp knows neither hosts nor paths. */
		{ "bare", "192.0.2.4", "api.example.org", "/api", ROUTE_BY_NONE, NULL, ROUTE_NO_SOURCE },
		{ "egress", "192.0.2.4", "[", "/api", ROUTE_BY_DEFAULT, "rest", 0 },
	};

	(void)state;
	assert_routes(cases, ARRAY_SIZE(cases));
}

static void exact_hosts_then_wildcards_then_prefixes(void **state)
{
	static const struct route_case cases[] = {
		{ "web", "192.0.2.1", "api.example.org", "/api", ROUTE_BY_REQUEST, "api", 0 },
		{ "web", "192.0.2.1", "API.EXAMPLE.ORG:8080", "/api/x", ROUTE_BY_REQUEST, "api", 0 },
		{ "web", "192.0.2.1", "api.example.org.", "/api/v1", ROUTE_BY_REQUEST, "v1", 0 },
		{ "web", "192.0.2.1", "api.example.org", "/api/v1/x", ROUTE_BY_REQUEST, "v1", 0 },
		{ "web", "192.0.2.1", "api.example.org", "/api/v12", ROUTE_BY_REQUEST, "api", 0 },
		/* The exact host has no such path: the wildcard has all. */
		{ "web", "192.0.2.1", "api.example.org", "/apix", ROUTE_BY_REQUEST, "wild", 0 },
		{ "web", "192.0.2.1", "api.example.org", "/all/deep", ROUTE_BY_REQUEST, "wild", 0 },
		{ "web", "192.0.2.1", "x.b.example.org", "/", ROUTE_BY_REQUEST, "wilder", 0 },
		{ "web", "192.0.2.1", "b.example.org", "/", ROUTE_BY_REQUEST, "wild", 0 },
		{ "web", "192.0.2.1", "example.org", "/", ROUTE_BY_NONE, NULL, ROUTE_NO_PATH },
		{ "web", "192.0.2.1", "other.example", "/api/v1", ROUTE_BY_REQUEST, "api", 0 },
		{ "web", "192.0.2.1", "other.example", "/all/deep/x", ROUTE_BY_REQUEST, "deep", 0 },
		{ "web", "192.0.2.1", "other.example", "/all/deeper", ROUTE_BY_REQUEST, "all", 0 },
		{ "web", "192.0.2.1", "[2001:db8::1]:443", "/x", ROUTE_BY_REQUEST, "lit", 0 },
		{ "web", "192.0.2.1", "[2001:db8::2]", "/x", ROUTE_BY_NONE, NULL, ROUTE_NO_PATH },
		/* HTTP/1.0 need not send one. */
		{ "web", "192.0.2.1", NULL, "/all", ROUTE_BY_REQUEST, "all", 0 },
		{ "web", "192.0.2.1", NULL, "*", ROUTE_BY_NONE, NULL, ROUTE_NO_PATH },
		{ "web", "192.0.2.1", "x.example.org", NULL, ROUTE_BY_REQUEST, "wild", 0 },
		{ "web", "192.0.2.1", "a b", "/all", ROUTE_BY_NONE, NULL, ROUTE_BAD_HOST },
		{ "web", "192.0.2.1", "", "/all", ROUTE_BY_NONE, NULL, ROUTE_BAD_HOST },
		{ "shop", "192.0.2.1", "nowhere.example", "/x", ROUTE_BY_DEFAULT, "rest", 0 },
		{ "shop", "192.0.2.1", "nowhere.example", "/all", ROUTE_BY_REQUEST, "all", 0 },
		{ "shop", "192.0.2.1", "a b", "/x", ROUTE_BY_NONE, NULL, ROUTE_BAD_HOST },
		/* The source comes first, and needs no host. */
		{ "web", "198.51.100.9", "api.example.org", "/api", ROUTE_BY_SOURCE, "net8", 0 },
		{ "web", "198.51.100.9", "[", NULL, ROUTE_BY_SOURCE, "net8", 0 },
		{ "shop", "198.51.100.9", "api.example.org", "/api", ROUTE_BY_REQUEST, "api", 0 },
	};

	(void)state;
	assert_routes(cases, ARRAY_SIZE(cases));
}

static void prefixes_end_at_a_segment(void **state)
{
	(void)state;
	assert_true(prefix_covers("/", "/"));
	assert_true(prefix_covers("/", "/a"));
	assert_true(prefix_covers("/a", "/a"));
	assert_true(prefix_covers("/a", "/a/"));
	assert_true(prefix_covers("/a/", "/a"));
	assert_true(prefix_covers("/a/", "/a/b"));
	assert_false(prefix_covers("/a", "/ab"));
	assert_false(prefix_covers("/a/", "/ab"));
	assert_false(prefix_covers("/a/b", "/a"));
	assert_false(prefix_covers("/a", "/A"));
	assert_false(prefix_covers("/", "*"));
	assert_false(prefix_covers("/", ""));
}

/* A host that no route is for is another thing than a path that none is for. */
static void without_a_route_it_says_why(void **state)
{
	_cleanup_config_ struct config *config = parse(
		"{\"version\": \"1\", \"listeners\": [{\"name\": \"web\", \"port\": 4, \"mode\": \"gateway\", \"auth\": "
		"{\"require_auth\": false}}], \"services\": [" SERVICE("r") "], \"routes\": [" ROUTE(
			"r", "/a", ", \"hosts\": [\"a\"], \"timeout\": 5") "]}");
	_cleanup_(route_table_free_ptr) struct route_table *table = NULL;
	struct addr source = {};
	struct route_answer got;

	(void)state;
	assert_int_equal(route_table_new(config, &table), 0);
	route_match(table, 0, &source, "b", "/a", &got);
	assert_int_equal(got.why, ROUTE_NO_HOST);
	route_match(table, 0, &source, NULL, "/a", &got);
	assert_int_equal(got.why, ROUTE_NO_HOST);
	route_match(table, 0, &source, "a", "/b", &got);
	assert_int_equal(got.why, ROUTE_NO_PATH);
	route_match(table, 0, &source, "a", "/a", &got);
	assert_int_equal(got.why, ROUTE_FOUND);
	assert_int_equal(got.timeout_s, 5);
	assert_false(route_by_source(table, 0, &source, &got));
	for (enum route_why why = ROUTE_NO_SOURCE; why <= ROUTE_NO_PATH; why++)
		assert_true(strlen(route_why_text(why)) > 5);
}

static void source_rules_are_listed_in_their_order(void **state)
{
	static const size_t want[] = { 5, 4, 3, 0, 1, 2 };
	_cleanup_config_ struct config *config = parse(text);
	_cleanup_(route_table_free_ptr) struct route_table *table = NULL;

	(void)state;
	assert_int_equal(route_table_new(config, &table), 0);
	assert_int_equal(config->n_warnings, 1);
	/* IPv6 /32 is shorter than IPv4 /8, which is ::ffff:10.0.0.0/104. */
	assert_int_equal(route_source_at(table, 1, 0), want[1]);
	assert_int_equal(route_source_at(table, 1, 1), want[2]);
	assert_int_equal(route_source_at(table, 1, 2), want[0]);
	for (size_t i = 3; i < ARRAY_SIZE(want); i++)
		assert_int_equal(route_source_at(table, 1, i), want[i]);
	assert_true(route_source_at(table, 1, ARRAY_SIZE(want)) == SIZE_MAX);
	assert_int_equal(route_source_at(table, 2, 0), 6);
	assert_true(route_source_at(table, 0, 0) == SIZE_MAX);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(the_longest_network_wins_then_the_order),
	cmocka_unit_test(exact_hosts_then_wildcards_then_prefixes),
	cmocka_unit_test(prefixes_end_at_a_segment),
	cmocka_unit_test(without_a_route_it_says_why),
	cmocka_unit_test(source_rules_are_listed_in_their_order),
};

int main(void)
{
	return cmocka_run_group_tests_name("route", tests, directory_make, directory_remove);
}
