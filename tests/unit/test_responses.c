// SPDX-License-Identifier: MIT
/* Unit tests of what is measured: buckets, percentiles, methods, sums by name, and the numbers that names have. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <cjson/cJSON.h>

#include "core/config.h"
#include "core/policy_headers.h"
#include "core/policy_names.h"
#include "core/responses.h"
#include "method.h"

static void every_value_lies_in_its_bucket(void **state)
{
	(void)state;
	for (unsigned int bit = 0; bit < 64; bit++) {
		for (unsigned int k = 0; k < 64; k++) {
			uint64_t base = 1ULL << bit, v = base + (base >> 6) * k;
			uint32_t i = histogram_index(v);

			assert_true(i < HISTOGRAM_BUCKETS);
			assert_true(histogram_low(i) <= v);
			assert_true(i + 1 == HISTOGRAM_BUCKETS || v < histogram_low(i + 1));
			assert_true(histogram_index(histogram_low(i)) == i);
		}
	}
	assert_int_equal(histogram_index(0), 0);
	assert_int_equal(histogram_index(1023), 0);
	assert_int_equal(histogram_index(1024), 1);
	assert_int_equal(histogram_index((1ULL << 36) - 1), HISTOGRAM_BUCKETS - 2);
	assert_int_equal(histogram_index(1ULL << 36), HISTOGRAM_BUCKETS - 1);
	assert_int_equal(histogram_index(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
}

static void buckets_grow_by_a_sixteenth(void **state)
{
	(void)state;
	for (uint32_t i = 1; i + 1 < HISTOGRAM_BUCKETS; i++) {
		double low = histogram_low(i), high = histogram_low(i + 1);

		assert_true(high > low);
		assert_true((high - low) / low <= 1.0 / 16);
	}
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Against the values themselves, which span from microseconds to seconds. */
static void percentiles_are_within_five_percent(void **state)
{
	static const double qs[] = { 0.001, 0.01, 0.5, 0.9, 0.99, 0.999, 1 };
	static uint64_t values[10007];
	size_t n = sizeof(values) / sizeof(values[0]);
	uint64_t histogram[HISTOGRAM_BUCKETS] = {};
	uint64_t seed = 88172645463325252ULL;

	(void)state;
	for (size_t i = 0; i < n; i++) {
		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		values[i] = 1024 + ((seed >> 8) & ((1ULL << (11 + seed % 24)) - 1));
		histogram[histogram_index(values[i])]++;
	}
	qsort(values, n, sizeof(values[0]), by_value);
	for (size_t k = 0; k < sizeof(qs) / sizeof(qs[0]); k++) {
		size_t rank = qs[k] * n;
		double want = values[rank < qs[k] * n ? rank : rank - 1];
		double got = responses_percentile(histogram, qs[k]);

		if (got < want * 0.95 || got > want * 1.05)
			fail_msg("percentile %g: %g, not %g", qs[k], got, want);
	}
}

static void percentiles_of_little(void **state)
{
	uint64_t histogram[HISTOGRAM_BUCKETS] = {};

	(void)state;
	assert_true(responses_percentile(histogram, 0.5) == 0);
	histogram[histogram_index(1000000)] = 1;
	assert_true(responses_percentile(histogram, 0) > 950000 && responses_percentile(histogram, 0) < 1050000);
	assert_true(responses_percentile(histogram, 1) == responses_percentile(histogram, 0));
	histogram[HISTOGRAM_BUCKETS - 1] = 5;
	assert_true(responses_percentile(histogram, 0.9) == 1ULL << 36);
}

static void methods_by_their_first_bytes(void **state)
{
	static const struct {
		const char head[16];
		enum method method;
	} cases[] = {
		{ "GET / HTTP", METHOD_GET },	      { "HEAD / HTTP", METHOD_HEAD },
		{ "POST / HTTP", METHOD_POST },	      { "PUT / HTTP", METHOD_PUT },
		{ "DELETE / HTTP", METHOD_DELETE },   { "PATCH / HTTP", METHOD_PATCH },
		{ "OPTIONS / HTTP", METHOD_OPTIONS }, { "CONNECT / HTTP", METHOD_CONNECT },
		{ "TRACE / HTTP", METHOD_TRACE },     { "GETS / HTTP", METHOD_OTHER },
		{ "get / HTTP", METHOD_OTHER },	      { "OPTIONSX /", METHOD_OTHER },
	};

	static struct http1_buf buf;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memcpy(buf.b, cases[i].head, sizeof(cases[i].head));
		assert_int_equal(method_of(http1_word(&buf, 0)), cases[i].method);
	}
}

static const cJSON *at(const cJSON *json, const char *a, const char *b, const char *c)
{
	json = cJSON_GetObjectItemCaseSensitive(json, a);
	json = b ? cJSON_GetObjectItemCaseSensitive(json, b) : json;
	return c ? cJSON_GetObjectItemCaseSensitive(json, c) : json;
}

static void add(struct responses *responses, uint16_t listener, uint8_t prefix, enum metric_kind kind, uint16_t key,
		uint64_t count, uint64_t sum)
{
	struct metric_key metric_key = { .listener = listener, .prefix = prefix, .kind = kind, .at = key };
	struct metric metric = { .count = count, .sum = sum };

	assert_int_equal(responses_add(responses, &metric_key, &metric), 0);
}

static void sums_by_name(void **state)
{
	struct name *names = calloc(MPBPF_NAMES_MAX, sizeof(*names));
	struct responses *responses = calloc(1, sizeof(*responses));
	cJSON *json = cJSON_CreateObject();
	const cJSON *web;

	(void)state;
	names[1] = (struct name){ .generation = 1, .text = "/api" };
	names[200] = (struct name){ .generation = 1, .text = "web" };
	names[201] = (struct name){ .generation = 1, .text = "idle" };
	responses->names = names;
	add(responses, 200, 1, METRIC_RESPONSE, 200, 3, 3000);
	add(responses, 200, 0, METRIC_RESPONSE, 429, 2, 20);
	add(responses, 200, 0, METRIC_REQUEST, METHOD_PUT, 5, 50);
	add(responses, 200, 1, METRIC_FIRST, histogram_index(1000000), 4, 4000000);
	add(responses, 200, 1, METRIC_LAST, histogram_index(2000000), 4, 8000000);
	add(responses, 200, 0, METRIC_RESPONSE, 65535, 1, 7); /* no such status; its bytes are bytes */
	assert_true(responses_json(json, responses));
	assert_true(at(json, "bytes", "out", NULL)->valuedouble == 3027);
	assert_true(at(json, "bytes", "in", NULL)->valuedouble == 50);
	assert_true(at(at(json, "responses", "status", NULL), "429", NULL, NULL)->valuedouble == 2);
	assert_int_equal(cJSON_GetArraySize(at(json, "responses", "status", NULL)), 2);
	assert_true(at(at(json, "responses", "classes", NULL), "4xx", NULL, NULL)->valuedouble == 2);
	web = at(json, "listeners", "web", NULL);
	assert_true(at(web, "methods", "PUT", NULL)->valuedouble == 5);
	assert_null(at(json, "listeners", "idle", NULL));
	assert_true(at(at(json, "prefixes", "/api", NULL), "bytes", "out", NULL)->valuedouble == 3000);
	assert_true(at(web, "latency_us", "p50", NULL)->valuedouble > 950);
	assert_true(at(web, "latency_us", "p50", NULL)->valuedouble < 1050);
	assert_true(at(web, "latency_last_us", "p99", NULL)->valuedouble > 1900);
	assert_int_equal(cJSON_GetArraySize(at(web, "latency_us", "histogram", NULL)), 1);
	cJSON_Delete(json);
	responses_free(responses);
}

static void add_of_host(struct responses *responses, uint8_t host, uint64_t count, uint64_t sum)
{
	struct metric_key key = { .host = host, .kind = METRIC_RESPONSE, .at = 200 };
	struct metric metric = { .count = count, .sum = sum };

	assert_int_equal(responses_add(responses, &key, &metric), 0);
}

static void sums_by_host(void **state)
{
	struct name *names = calloc(MPBPF_NAMES_MAX, sizeof(*names));
	struct responses *responses = calloc(1, sizeof(*responses));
	cJSON *json = cJSON_CreateObject();
	const cJSON *hosts;

	(void)state;
	names[MPBPF_PROTOCOL_NAMES - 1] = (struct name){ .generation = 1, .text = "a protocol rule" };
	names[MPBPF_PROTOCOL_NAMES + 1] = (struct name){ .generation = 1, .text = "*.example.org" };
	names[MPBPF_NAMES_MAX - 1] = (struct name){ .generation = 1, .text = "a.example.org" };
	responses->names = names;
	add(responses, 0, 0, METRIC_RESPONSE, 200, 7, 70);
	add_of_host(responses, 1, 2, 20);
	add_of_host(responses, MPBPF_NAMES_MAX - 1 - MPBPF_PROTOCOL_NAMES, 4, 40);
	assert_true(responses_json(json, responses));
	hosts = at(json, "hosts", NULL, NULL);
	assert_int_equal(cJSON_GetArraySize(hosts), 2);
	assert_true(at(at(hosts, "*.example.org", NULL, NULL), "bytes", "out", NULL)->valuedouble == 20);
	assert_true(at(at(hosts, "a.example.org", "responses", "status"), "200", NULL, NULL)->valuedouble == 4);
	/* What counts for a host counts apart from that as well. */
	assert_true(at(json, "bytes", "out", NULL)->valuedouble == 70);
	assert_int_equal(cJSON_GetArraySize(at(json, "listeners", NULL, NULL)), 0);
	cJSON_Delete(json);
	responses_free(responses);
}

static void names_keep_their_numbers(void **state)
{
	struct name names[5] = {};
	bool reused;

	(void)state;
	assert_int_equal(names_take(names, 1, 5, "a", 2, 1, &reused), 1);
	assert_int_equal(names_take(names, 1, 5, "b", 2, 1, &reused), 2);
	assert_int_equal(names_take(names, 1, 5, "b", 3, 2, &reused), 2);
	assert_int_equal(names_take(names, 1, 5, "c", 3, 2, &reused), 3);
	assert_int_equal(names_take(names, 1, 5, "d", 3, 2, &reused), 4);
	/* "a" is of the generation in force, "b" to "d" of the one to come. */
	assert_int_equal(names_take(names, 1, 5, "e", 3, 2, &reused), -E2BIG);
	assert_int_equal(names_take(names, 1, 5, "b", 4, 3, &reused), 2);
	assert_false(reused);
	assert_int_equal(names_take(names, 1, 5, "e", 4, 3, &reused), 1);
	assert_true(reused);
	assert_string_equal(names[1].text, "e");
	assert_int_equal(names[0].generation, 0);
}

static struct config *parse(const char *text)
{
	struct config *config = NULL;
	struct config_error err = {};

	if (config_parse(text, strlen(text), "mpbpf.json", NULL, &config, &err) < 0)
		fail_msg("%s", err.text);
	return config;
}

static void refused(const char *text, const char *what)
{
	struct config *config = NULL;
	struct config_error err = {};

	assert_int_equal(config_parse(text, strlen(text), "mpbpf.json", NULL, &config, &err), -EINVAL);
	if (!strstr(err.text, what))
		fail_msg("%s: does not say %s", err.text, what);
}

#define LISTENER(name, port, more) "{\"name\": \"" name "\", \"port\": " port more "}"
#define CONFIG(more, listeners) "{\"version\": \"1\"" more ", \"listeners\": [" listeners "]}"
#define HEADERS(text) ", \"response_headers\": {" text "}"
#define LICENSED ", \"license\": {\"license_key\": \"PENG-AAAA-BBBB-CCCC-DDDD-WXYZ\"}"

static void headers_as_lines(void **state)
{
	static const char lines[] = "X-License-Edition: community\r\nX-License-Key: PENG-****-****-****-****-WXYZ\r\n"
				    "X-MarchProxy-Edition: community\r\nX-A: b c";
	struct config *config = parse(CONFIG(
		LICENSED,
		LISTENER("a", "1", "") "," LISTENER("b", "2", HEADERS("\"X-A\": \"b c\"")) "," LISTENER(
			"c", "3",
			HEADERS("\"X-A\": \"b c\"") ", \"license_headers\": true") "," LISTENER("d", "4",
												HEADERS("\"X-A\": \"b c\""))));
	struct header_block block;

	(void)state;
	assert_int_equal(header_block_of(config, 0, 7, &block), 0);
	assert_int_equal(block.len, 0);
	assert_int_equal(header_block_of(config, 1, 7, &block), 0);
	assert_int_equal(block.len, 128);
	assert_int_equal(block.generation, 7);
	assert_memory_equal(block.text, "X-A: b c ", 9);
	assert_memory_equal(block.text + 125, " \r\n", 3);
	assert_int_equal(header_block_of(config, 2, 7, &block), 0);
	assert_int_equal(block.len, 128);
	assert_memory_equal(block.text, lines, sizeof(lines) - 1);
	for (size_t i = sizeof(lines) - 1; i < 126; i++)
		assert_int_equal(block.text[i], ' ');
	assert_int_equal(headers_place(config, 0), 0);
	assert_int_equal(headers_place(config, 1), 1);
	assert_int_equal(headers_place(config, 2), 2);
	assert_int_equal(headers_place(config, 3), 1);
	config_free(config);
}

#define LONG "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
#define LONGER LONG LONG "0123456789012345678901234567890123456789"

static void headers_that_are_refused(void **state)
{
	(void)state;
	refused(CONFIG("", LISTENER("a", "1", HEADERS("\"X A\": \"b\""))), "token");
	refused(CONFIG("", LISTENER("a", "1", HEADERS("\"X-A\": \"b\\r\\nX-B: c\""))), "visible ASCII");
	refused(CONFIG("", LISTENER("a", "1", HEADERS("\"X-A\": \"\""))), "visible ASCII");
	refused(CONFIG("", LISTENER("a", "1", HEADERS("\"content-length\": \"5\""))), "framing");
	refused(CONFIG("", LISTENER("a", "1", HEADERS("\"Transfer-Encoding\": \"chunked\""))), "framing");
	refused(CONFIG("", LISTENER("a", "1", HEADERS("\"X-A\": 5"))), "listeners[0].response_headers.X-A");
	refused(CONFIG("", LISTENER("a", "1",
				    HEADERS("\"A\": \"" LONGER "\", \"B\": \"" LONGER "\", \"C\": \"" LONG "\""))),
		"at most 512 bytes");
	refused(CONFIG(LICENSED,
		       LISTENER("a", "1",
				HEADERS("\"A\": \"" LONGER "\", \"B\": \"" LONGER "\"") ", \"license_headers\": true")),
		"at most 512 bytes");
	refused(CONFIG("", LISTENER("a", "1", ", \"license_headers\": true")), "a license");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_value_lies_in_its_bucket),
		cmocka_unit_test(buckets_grow_by_a_sixteenth),
		cmocka_unit_test(percentiles_are_within_five_percent),
		cmocka_unit_test(percentiles_of_little),
		cmocka_unit_test(methods_by_their_first_bytes),
		cmocka_unit_test(sums_by_name),
		cmocka_unit_test(sums_by_host),
		cmocka_unit_test(names_keep_their_numbers),
		cmocka_unit_test(headers_as_lines),
		cmocka_unit_test(headers_that_are_refused),
	};

	return cmocka_run_group_tests_name("responses", tests, NULL, NULL);
}
