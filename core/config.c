/* SPDX-License-Identifier: MIT */
/* Floor 3: the configuration as a whole: its defaults, its reading from file or memory, its end. */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "core/config_internal.h"

static struct config *config_new(void)
{
	struct config *config = malloc(sizeof(*config));

	if (!config)
		return NULL;
	*config = (struct config){
		.rate_limit = { .enabled = true,
				.window_ms = 1000,
				.rate = { .packets = 10000, .mode = RATE_ENFORCE },
				.max_sources = MPBPF_SOURCES_MAX,
				.max_quotas = MPBPF_QUOTAS_MAX,
				.connections = { .rate = 100, .burst = 200, .mode = RATE_ENFORCE } },
		.ddos = { .drop_invalid = true,
			  .syn_cookies = SYN_AUTO,
			  .syn_rate = 10000,
			  .ban = { .failures = 20, .window_s = 60, .ban_s = 600 } },
		.license = { .max_proxies = 3 },
		.clients = { .head_timeout_s = 10,
			     .body_timeout_s = 60,
			     .max_waiting = 4096,
			     .max_held_bytes = 256 << 20,
			     .asks = { .enabled = true, .rate = 5000, .burst = 10000 } },
		.metrics = { .request = true, .response = true, .timing = true, .size = true, .sample_rate = 1 },
		.events_per_second = 100,
		.classify = { .enabled = true,
			      .max_flows = MPBPF_FLOWS_MAX,
			      .grpc_ports = { 50051 },
			      .n_grpc_ports = 1 },
		.max_verdicts = MPBPF_VERDICTS_MAX,
	};
	auth_init(&config->auth);
	return config;
}

void strings_free(char **strings, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		free(strings[i]);
	free(strings);
}

static void listeners_free(struct config *config)
{
	size_t i;

	for (i = 0; i < config->n_listeners; i++) {
		struct listener_config *listener = &config->listeners[i];

		free(listener->name);
		free(listener->response_headers);
		free(listener->cluster_name);
		free(listener->accept_proxy.trusted);
		free(listener->fast_peers);
		free(listener->cgroup);
		free(listener->match.ports);
		free(listener->match.cidrs);
		if (listener->auth)
			auth_free(listener->auth);
		free(listener->auth);
	}
	free(config->listeners);
}

void config_free(struct config *config)
{
	if (!config)
		return;
	rate_limit_free(&config->rate_limit);
	free(config->ddos.syn_ports);
	free(config->ddos.deny);
	free(config->ddos.allow);
	listeners_free(config);
	auth_free(&config->auth);
	license_free(&config->license);
	request_limits_free(config);
	protocol_rules_free(config);
	strings_free(config->metrics.prefixes, config->metrics.n_prefixes);
	strings_free(config->metrics.hosts, config->metrics.n_hosts);
	gateway_free(config);
	strings_free(config->warnings, config->n_warnings);
	strings_free(config->key_files, config->n_key_files);
	free(config);
}

void config_free_ptr(struct config **config)
{
	config_free(*config);
	*config = NULL;
}

static int parse_document(struct reader *r, const struct blob *text, cJSON **ret)
{
	size_t at, line, column;
	int err;

	err = json_read(text->data, text->len, ret, &at);
	if (err == -ENOMEM)
		return reader_nomem(r);
	if (err == 0)
		return 0;
	json_place(text->data, at, &line, &column);
	return reader_error(r, -EINVAL, "line %zu, column %zu: expected valid JSON", line, column);
}

/* What says where requests go, and no word about whether they may. */
static bool is_routing(const cJSON *member)
{
	return !strcmp(member->string, "services") || !strcmp(member->string, "routes") ||
	       !strcmp(member->string, "source_routes");
}

static int policy_digest(const cJSON *document, uint8_t ret[static SHA256_SIZE])
{
	_cleanup_(digest_free) EVP_MD_CTX *digest = NULL;
	const cJSON *member;
	int err = digest_begin(&digest);

	if (err < 0)
		return err;
	cJSON_ArrayForEach(member, document)
		if (!is_routing(member) && digest_add_tree(digest, member) < 0)
			return -ENOMEM;
	return EVP_DigestFinal_ex(digest, ret, NULL) ? 0 : -ENOMEM;
}

bool config_judges_alike(const struct config *a, const struct config *b)
{
	return !memcmp(a->policy_digest, b->policy_digest, sizeof(a->policy_digest)) &&
	       !memcmp(a->keys_digest, b->keys_digest, sizeof(a->keys_digest));
}

static int read_document(struct reader *r, const struct blob *text)
{
	static const struct rule document = { .read = read_object, .expected = "an object", .of = config_rules };
	_cleanup_(json_wipe) cJSON *json = NULL;
	int err;

	if (digest_add(r->digest, text->data, text->len) < 0)
		return reader_nomem(r);
	err = parse_document(r, text, &json);
	if (err < 0)
		return err;
	err = document.read(r, json, &document, r->config);
	if (err < 0)
		return err;
	if (policy_digest(json, r->config->policy_digest) < 0)
		return reader_nomem(r);
	return config_finish(r);
}

/* `text` NULL: nothing to read, the defaults hold. */
static int config_read(struct reader *r, const struct blob *text, struct config **ret)
{
	_cleanup_(config_free_ptr) struct config *config = config_new();
	_cleanup_(digest_free) EVP_MD_CTX *digest = NULL, *keys_digest = NULL;
	int err;

	if (!config || digest_begin(&digest) < 0 || digest_begin(&keys_digest) < 0)
		return reader_nomem(r);
	r->config = config;
	r->digest = digest;
	r->keys_digest = keys_digest;
	err = text ? read_document(r, text) : 0;
	if (err < 0)
		return err;
	if (!EVP_DigestFinal_ex(digest, config->digest, NULL) ||
	    !EVP_DigestFinal_ex(keys_digest, config->keys_digest, NULL))
		return reader_nomem(r);
	*ret = TAKE_PTR(config);
	return 0;
}

static int too_large(struct reader *r)
{
	return reader_error(r, -EFBIG, "expected at most %d bytes", CONFIG_FILE_MAX);
}

int config_parse(const char *text, size_t len, const char *name, const char *dir, struct config **ret,
		 struct config_error *err)
{
	struct reader r = { .name = text_tail(name, 160), .dir = dir, .err = err };
	_cleanup_blob_ struct blob copy = {};

	if (len > CONFIG_FILE_MAX)
		return too_large(&r);
	copy.data = calloc(1, len + 1); /* cJSON wants a NUL behind it */
	if (!copy.data)
		return reader_nomem(&r);
	memcpy(copy.data, text, len);
	copy.len = len;
	return config_read(&r, &copy, ret);
}

int config_load(const char *path, struct config **ret, struct config_error *err)
{
	struct reader r = { .name = path ? text_tail(path, 160) : "(defaults)", .err = err };
	_cleanup_blob_ struct blob text = {};
	_cleanup_free_ char *dir = NULL;
	const char *slash;
	int error;

	if (!path)
		return config_read(&r, NULL, ret);
	error = file_read(path, CONFIG_FILE_MAX, &text, NULL);
	if (error == -EFBIG)
		return too_large(&r);
	if (error < 0)
		return reader_error(&r, error, "expected a readable regular file: %s", strerror(-error));
	slash = strrchr(path, '/');
	if (slash) {
		dir = strndup(path, slash - path); /* of "/mpbpf.json": empty, which is right before "/NAME" */
		if (!dir)
			return reader_nomem(&r);
	}
	r.dir = dir;
	return config_read(&r, &text, ret);
}

int config_keys_current(const struct config *config)
{
	_cleanup_(digest_free) EVP_MD_CTX *digest = NULL;
	uint8_t now[sizeof(config->keys_digest)];
	size_t i;
	int err;

	if (digest_begin(&digest) < 0)
		return -ENOMEM;
	for (i = 0; i < config->n_key_files; i++) {
		_cleanup_blob_ struct blob file = {};

		err = file_read(config->key_files[i], CONFIG_KEYS_MAX, &file, NULL);
		if (err < 0)
			return err == -ENOMEM ? err : 0;
		if (digest_add(digest, file.data, file.len) < 0)
			return -ENOMEM;
	}
	if (!EVP_DigestFinal_ex(digest, now, NULL))
		return -ENOMEM;
	return !memcmp(now, config->keys_digest, sizeof(now));
}

const struct auth_config *config_auth(const struct config *config, size_t i, uint16_t *ret_number)
{
	const struct auth_config *own = config->listeners[i].auth;

	*ret_number = own ? 1 + i : 0;
	return own ? own : &config->auth;
}
