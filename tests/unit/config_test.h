/* SPDX-License-Identifier: MIT */
/* What the tests of core/config* share: a directory of their own, files, and parsing that sees a byte read too far. */
#ifndef MPBPF_TESTS_CONFIG_TEST_H
#define MPBPF_TESTS_CONFIG_TEST_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <arpa/inet.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "core/config_internal.h"

#define _cleanup_config_ _cleanup_(config_free_ptr)

static char directory[] = "/tmp/mpbpf-test-config-XXXXXX";

/* Valid until the next call. */
static inline const char *in_directory(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static inline const char *from_env(const char *name, const char *otherwise)
{
	const char *value = getenv(name);

	return value ? value : otherwise;
}

static inline char *slurp(const char *path, size_t *ret_len)
{
	_cleanup_fclose_ FILE *f = fopen(path, "r");
	char *data = calloc(1, 1 << 20);

	if (!f || !data) {
		fprintf(stderr, "cannot read %s: %s\n", path, strerror(errno));
		exit(1);
	}
	*ret_len = fread(data, 1, (1 << 20) - 1, f);
	return data;
}

/* From examples/. */
static inline char *example(const char *name, size_t *ret_len)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", from_env("MPBPF_EXAMPLES", "examples"), name);
	return slurp(path, ret_len);
}

static inline void put_file(const char *name, const void *data, size_t len)
{
	_cleanup_fclose_ FILE *f = fopen(in_directory(name), "w");

	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	assert_int_equal(fchmod(fileno(f), 0600), 0);
}

static inline void put_text(const char *name, const char *text)
{
	put_file(name, text, strlen(text));
}

static inline int directory_make(void **state)
{
	(void)state;
	return mkdtemp(directory) ? 0 : -1;
}

static inline int directory_remove(void **state)
{
	static const char *const names[] = { "jwt.key", "jwt.pem", "jwks.json", "mpbpf.json", "fifo" };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(names); i++)
		unlink(in_directory(names[i]));
	return rmdir(directory);
}

/* From a block of exactly this size: reading beyond it is seen. */
static inline int parse_bytes(const char *text, size_t len, struct config **ret, struct config_error *err)
{
	_cleanup_free_ char *exact = malloc(len);

	assert_true(exact || !len);
	if (len)
		memcpy(exact, text, len);
	return config_parse(exact, len, "mpbpf.json", directory, ret, err);
}

static inline struct config *parse(const char *text)
{
	struct config_error err = {};
	struct config *config = NULL;

	if (parse_bytes(text, strlen(text), &config, &err) < 0)
		fail_msg("%s", err.text);
	return config;
}

#define KEY_48 "a-secret-of-48-bytes-for-the-unit-tests-of-mpbpf"
_Static_assert(sizeof(KEY_48) == 49, "as its name says");

/* Public keys for whoever wants to read some: on P-256, and the Ed25519 key of RFC 8037, appendix A. */
#define PUBLIC_PEM                                                           \
	"-----BEGIN PUBLIC KEY-----\n"                                       \
	"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEvq69jofDgH5Sfcoqx7PE79kB95Ad\n" \
	"GxA9Sd1qlhexPMKQJkkoQHYbi1LZ8l9zchnQug9Rj0tIEMo44phPNbD6zA==\n"     \
	"-----END PUBLIC KEY-----\n"
#define PUBLIC_JWKS \
	"{\"keys\": [{\"kty\": \"OKP\", \"crv\": \"Ed25519\", \"kid\": \"1\", \"x\": \"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}"

/* examples/NAME as a user would have it: in a directory, with the secret file beside it. */
static inline struct config *load_example(const char *name)
{
	struct config_error err = {};
	struct config *config = NULL;
	size_t len;
	_cleanup_free_ char *text = example(name, &len);

	put_file("mpbpf.json", text, len);
	put_text("jwt.key", KEY_48 "\n");
	put_text("jwt.pem", PUBLIC_PEM);
	put_text("jwks.json", PUBLIC_JWKS);
	if (config_load(in_directory("mpbpf.json"), &config, &err) < 0)
		fail_msg("%s", err.text);
	return config;
}

static inline struct addr addr6(const char *text)
{
	struct addr addr;

	assert_int_equal(inet_pton(AF_INET6, text, &addr), 1);
	return addr;
}

static inline void assert_addr(struct addr got, const char *text)
{
	struct addr want = addr6(text);

	assert_memory_equal(&got, &want, sizeof(want));
}

static inline void assert_cidr(const struct cidr *got, const char *text, unsigned int prefix)
{
	assert_addr(got->addr, text);
	assert_int_equal(got->prefix, prefix);
}

static inline void assert_default_auth(const struct auth_config *auth)
{
	assert_null(auth->secret);
	assert_int_equal(auth->secret_len, 0);
	assert_int_equal(auth->algorithms, JWT_BIT(JWT_HS256));
	assert_int_equal(auth->n_keys + auth->n_claims + auth->issuer.n_values + auth->audience.n_values, 0);
	assert_true(auth->require_auth);
	assert_int_equal(auth->n_tokens, 0);
	assert_int_equal(auth->n_exempt_paths, 0);
	assert_int_equal(auth->leeway_s, 60);
}

static inline void assert_defaults(const struct config *config)
{
	assert_true(config->rate_limit.enabled);
	assert_int_equal(config->rate_limit.window_ms, 1000);
	assert_int_equal(config->rate_limit.rate.packets, 10000);
	assert_int_equal(config->rate_limit.rate.bytes, 0);
	assert_int_equal(config->rate_limit.algorithm, RATE_ALGORITHM_WINDOW);
	assert_int_equal(config->rate_limit.n_overrides + config->rate_limit.n_classes, 0);
	assert_int_equal(config->rate_limit.max_quotas, MPBPF_QUOTAS_MAX);
	assert_int_equal(config->rate_limit.max_sources, MPBPF_SOURCES_MAX);
	assert_int_equal(config->rate_limit.rate.mode, RATE_ENFORCE);
	assert_false(config->rate_limit.connections.enabled);
	assert_true(config->rate_limit.connections.rate == 100);
	assert_int_equal(config->rate_limit.connections.burst, 200);
	assert_int_equal(config->rate_limit.connections.open, 0);
	assert_int_equal(config->rate_limit.connections.mode, RATE_ENFORCE);
	assert_true(config->ddos.drop_invalid);
	assert_int_equal(config->ddos.syn_cookies, SYN_AUTO);
	assert_int_equal(config->ddos.syn_rate, 10000);
	assert_int_equal(config->ddos.n_syn_ports, 0);
	assert_int_equal(config->ddos.n_deny + config->ddos.n_allow, 0);
	assert_int_equal(config->n_listeners, 0);
	assert_default_auth(&config->auth);
	assert_null(config->license.license_key);
	assert_false(config->license.is_enterprise);
	assert_int_equal(config->license.max_proxies, 3);
	assert_int_equal(config->license.current_proxies, 0);
	assert_int_equal(config->license.n_features + config->license.n_gates, 0);
	assert_int_equal(config->n_request_limits + config->metrics.n_prefixes + config->metrics.n_hosts, 0);
	assert_false(config->ddos.ban.enabled);
	assert_int_equal(config->ddos.ban.failures, 20);
	assert_int_equal(config->ddos.ban.window_s, 60);
	assert_int_equal(config->ddos.ban.ban_s, 600);
	assert_int_equal(config->clients.head_timeout_s, 10);
	assert_int_equal(config->clients.body_timeout_s, 60);
	assert_int_equal(config->clients.max_waiting, 4096);
	assert_int_equal(config->clients.max_held_bytes, 268435456);
	assert_true(config->clients.asks.enabled && config->clients.asks.rate == 5000);
	assert_int_equal(config->clients.asks.burst, 10000);
	assert_true(config->metrics.request && config->metrics.response && config->metrics.timing &&
		    config->metrics.size);
	assert_true(config->metrics.sample_rate == 1);
	assert_true(config->classify.enabled);
	assert_int_equal(config->classify.max_flows, MPBPF_FLOWS_MAX);
	assert_int_equal(config->classify.n_grpc_ports, 1);
	assert_int_equal(config->classify.grpc_ports[0], 50051);
	assert_int_equal(config->n_protocol_rules, 0);
	assert_int_equal(config->n_services + config->n_routes + config->n_source_routes, 0);
	assert_int_equal(config->max_verdicts, MPBPF_VERDICTS_MAX);
	assert_int_equal(config->events_per_second, 100);
}

static inline void assert_refused(const char *text, size_t len, int error, const char *expected)
{
	struct config *untouched = (struct config *)&untouched;
	struct config *config = untouched;
	struct config_error err = {};

	assert_int_equal(parse_bytes(text, len, &config, &err), error);
	assert_string_equal(err.text, expected);
	assert_ptr_equal(config, untouched);
}

#endif
