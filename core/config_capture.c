// SPDX-License-Identifier: MIT
/* Floor 3: listeners that capture what processes of a cgroup connect to, or what comes to this host. */
#include <errno.h>
#include <string.h>

#include "core/config_internal.h"
#include "mpbpf/capture.h"

const char *const capture_directions[] = { "out", "in", NULL };

const struct rule capture_match_rules[] = {
	ARRAY("ports", struct capture_match, ports, n_ports, 1, MPBPF_CAPTURE_PORTS, &syn_port_rule),
	ARRAY("cidrs", struct capture_match, cidrs, n_cidrs, 1, MPBPF_CAPTURE_CIDRS, &network_rule),
	{},
};

bool is_cgroup_path(const char *text)
{
	return text[0] == '/' && strlen(text) < MPBPF_CAPTURE_PATH;
}

/* ---- which keys are for which mode ---- */

static const char *const keys_of_captures[] = { "direction", "cgroup", "match", NULL };
static const char *const keys_of_others[] = { "address",
					      "port",
					      "enforce",
					      "response_headers",
					      "license_headers",
					      "auth",
					      "accept_proxy_protocol",
					      "fast_path",
					      "fast_path_peers",
					      NULL };

static bool is_capture(const cJSON *item)
{
	const char *mode = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, "mode"));

	return mode && !strcmp(mode, "capture");
}

int capture_keys_judge(struct reader *r, const cJSON *item, bool *ret)
{
	bool capture = is_capture(item);

	for (const char *const *key = capture ? keys_of_others : keys_of_captures; *key; key++)
		if (cJSON_GetObjectItemCaseSensitive(item, *key))
			return listener_needs(r, *key, "(given)",
					      capture ? "a listener whose mode is not \"capture\""
						      : "a listener whose mode is \"capture\"");
	*ret = capture;
	return 0;
}

/* ---- what two captures may not share ---- */

static bool share_port(const struct capture_match *a, const struct capture_match *b)
{
	for (size_t i = 0; i < a->n_ports; i++)
		for (size_t k = 0; k < b->n_ports; k++)
			if (a->ports[i] == b->ports[k])
				return true;
	return !a->n_ports && !b->n_ports;
}

static bool share_network(const struct capture_match *a, const struct capture_match *b)
{
	for (size_t i = 0; i < a->n_cidrs; i++)
		for (size_t k = 0; k < b->n_cidrs; k++)
			if (!memcmp(&a->cidrs[i], &b->cidrs[k], sizeof(a->cidrs[i])))
				return true;
	return !a->n_cidrs && !b->n_cidrs;
}

/* What both match just as well, the second would never get. */
static int twin_judge(struct reader *r, const struct listener_config *new)
{
	const struct config *config = r->config;
	size_t n = 0;

	for (size_t i = 0; i + 1 < config->n_listeners; i++) {
		const struct listener_config *l = &config->listeners[i];

		if (l->mode != LISTENER_CAPTURE)
			continue;
		if (++n == MPBPF_CAPTURES_MAX)
			return listener_needs(r, "mode", "\"capture\"", "at most 64 listeners of that mode");
		if (l->direction != new->direction || (l->cgroup && strcmp(l->cgroup, new->cgroup)) ||
		    !share_port(&l->match, &new->match) || !share_network(&l->match, &new->match))
			continue;
		path_key(r, "match");
		return reader_fail(r, "(an object)", "no port and network that listeners[%zu] has%s", i,
				   l->cgroup ? " in the same cgroup" : "");
	}
	return 0;
}

int capture_finish(struct reader *r, const struct listener_config *l)
{
	if (l->protocol != LISTENER_TCP)
		return listener_needs(r, "protocol", "\"http\"", "\"tcp\", for a capture looks at no byte");
	if (!l->direction)
		return listener_needs(r, "direction", "(missing)", "\"out\" or \"in\"");
	if (l->direction == CAPTURE_IN && l->cgroup)
		return listener_needs(r, "cgroup", "(given)", "a listener whose direction is \"out\"");
	if (l->direction == CAPTURE_OUT && !l->cgroup)
		return listener_needs(r, "cgroup", "(missing)", "an absolute path of at most 255 bytes");
	if (!l->match.n_ports && !l->match.n_cidrs)
		return listener_needs(r, "match", "(nothing)", "ports, cidrs or both");
	return twin_judge(r, l);
}
