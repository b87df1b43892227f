// SPDX-License-Identifier: MIT
/* Floor 3: what is measured of requests and responses, and what is added to responses. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "core/config_internal.h"
#include "core/host.h"
#include "core/policy_headers.h"

static const struct rule metrics_prefix_rule = { .read = read_prefix, .expected = PREFIX_TEXT, .size = sizeof(char *) };

/* As routes spell it, but an IPv6 address as requests do: with its brackets. */
static int read_metrics_host(struct reader *r, const cJSON *item, const struct rule *rule, void *base)
{
	char **to = (char **)((char *)base + rule->offset), host[HOST_MAX], text[HOST_MAX + 2];
	int kind = cJSON_IsString(item) ? host_pattern(item->valuestring, host) : -EINVAL;

	if (kind != HOST_EXACT && kind != HOST_WILDCARD)
		return reader_refuse(r, item, rule);
	snprintf(text, sizeof(text), kind == HOST_WILDCARD ? "*%s" : strchr(host, ':') ? "[%s]" : "%s", host);
	if (strlen(text) >= MPBPF_HOST_KEY)
		return reader_refuse(r, item, rule);
	*to = strdup(text);
	return *to ? 0 : reader_nomem(r);
}

static const struct rule metrics_host_rule = { .read = read_metrics_host,
					       .expected = "a name, an address or *.NAME, of at most 111 bytes",
					       .size = sizeof(char *) };

const struct rule metrics_rules[] = {
	BOOL("enable_request_metrics", struct metrics_config, request),
	BOOL("enable_response_metrics", struct metrics_config, response),
	BOOL("enable_timing_metrics", struct metrics_config, timing),
	BOOL("enable_size_metrics", struct metrics_config, size),
	{ .key = "sample_rate",
	  .read = read_number,
	  .expected = "a number from 0 to 1",
	  FIELD(struct metrics_config, sample_rate),
	  .min = 0,
	  .max = 1 },
	ARRAY("prefixes", struct metrics_config, prefixes, n_prefixes, 0, METRICS_PREFIXES_MAX, &metrics_prefix_rule),
	ARRAY("hosts", struct metrics_config, hosts, n_hosts, 0, MPBPF_HOSTS_MAX, &metrics_host_rule),
	{},
};

/* ---- metrics: what only shows as a whole ---- */

/* Each would have the counters of the other. */
static int differ(struct reader *r, const char *key, const char *what, char **texts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < i; k++) {
			if (strcmp(texts[i], texts[k]))
				continue;
			path_key(r, key);
			path_index(r, i);
			return reader_fail(r, show_text(texts[i]).text, "a %s that %s[%zu] is not", what, key, k);
		}
	}
	return 0;
}

int metrics_finish(struct reader *r, void *object)
{
	const struct metrics_config *metrics = object;
	int err;

	err = differ(r, "prefixes", "prefix", metrics->prefixes, metrics->n_prefixes);
	return err < 0 ? err : differ(r, "hosts", "host", metrics->hosts, metrics->n_hosts);
}

/* ---- listeners: response_headers, license_headers ---- */

#define HEADER_TEXT \
	"a name of token characters (RFC 9110) that is not about framing, and a value of 1 to 256 visible ASCII characters or spaces"

/* RFC 9110, section 5.6.2. */
static bool is_token(const char *text)
{
	static const char others[] = "!#$%&'*+-.^_`|~0123456789";
	size_t i;

	for (i = 0; text[i]; i++)
		if (!((text[i] | 0x20) >= 'a' && (text[i] | 0x20) <= 'z') && !strchr(others, text[i]))
			return false;
	return i > 0;
}

/* What says where a message or a connection ends is the service's alone. */
static bool is_framing(const char *name)
{
	static const char *const names[] = { "Connection", "Content-Length",	"Keep-Alive", "TE",
					     "Trailer",	   "Transfer-Encoding", "Upgrade" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcasecmp(name, names[i]))
			return true;
	return false;
}

static bool is_value(const char *text)
{
	size_t len = strlen(text);

	for (size_t i = 0; i < len; i++)
		if (text[i] < ' ' || text[i] > '~')
			return false;
	return len && len <= 256 && text[0] != ' ' && text[len - 1] != ' ';
}

int read_response_headers(struct reader *r, const cJSON *item, const struct rule *rule, void *base)
{
	static const struct rule header_rule = { .expected = HEADER_TEXT };
	struct listener_config *listener = base;
	char text[MPBPF_HEADERS_SIZE + 1] = "";
	const cJSON *child;
	size_t len = 0;

	if (!cJSON_IsObject(item))
		return reader_refuse(r, item, rule);
	cJSON_ArrayForEach(child, item) {
		size_t before = path_key(r, child->string);

		if (!is_token(child->string) || is_framing(child->string))
			return reader_fail(r, show_text(child->string).text, HEADER_TEXT);
		if (!cJSON_IsString(child) || !is_value(child->valuestring))
			return reader_refuse(r, child, &header_rule);
		len += snprintf(text + len, sizeof(text) - len, "%s: %s\r\n", child->string, child->valuestring);
		if (len > MPBPF_HEADERS_SIZE)
			return reader_fail(r, show_item(child, &header_rule).text, "at most %d bytes of header lines",
					   MPBPF_HEADERS_SIZE);
		path_restore(r, before);
	}
	if (!len)
		return 0;
	listener->response_headers = strdup(text);
	return listener->response_headers ? 0 : reader_nomem(r);
}

/* The licence may stand behind the listeners in the file. */
int response_headers_finish(struct reader *r)
{
	const struct config *config = r->config;
	struct header_block block;
	size_t n = 0;
	int err;

	for (size_t i = 0; i < config->n_listeners; i++) {
		const struct listener_config *listener = &config->listeners[i];

		if (!listener->license_headers && !listener->response_headers)
			continue;
		path_key(r, "listeners");
		path_index(r, i);
		if (listener->license_headers && !config->license.given) {
			path_key(r, "license_headers");
			return reader_fail(r, "true", "a license");
		}
		path_key(r, "response_headers");
		err = header_block_of(config, i, 0, &block);
		if (err < 0)
			return reader_fail(r, "(too long)",
					   "at most %d bytes of header lines, those of the license included",
					   MPBPF_HEADERS_SIZE);
		if (headers_first(config, i) == i && ++n > MPBPF_HEADERS_MAX)
			return reader_fail(r, "(one more)", "at most %d different sets of headers", MPBPF_HEADERS_MAX);
		path_restore(r, 0);
	}
	return 0;
}
