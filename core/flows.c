// SPDX-License-Identifier: MIT
/* Floor 3: reads flows, and keeps the largest: a heap with the smallest of them on top. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/flows.h"
#include "core/map_walk.h"
#include "core/util.h"

static const char *const names[PROTOCOL_MAX] = {
	[PROTOCOL_OTHER] = "other", [PROTOCOL_HTTP1] = "http1", [PROTOCOL_TLS] = "tls",
	[PROTOCOL_HTTP2] = "http2", [PROTOCOL_GRPC] = "grpc",	[PROTOCOL_WEBSOCKET] = "websocket",
	[PROTOCOL_SSH] = "ssh",	    [PROTOCOL_REDIS] = "redis", [PROTOCOL_POSTGRESQL] = "postgresql",
	[PROTOCOL_MQTT] = "mqtt",   [PROTOCOL_DNS] = "dns",	[PROTOCOL_QUIC] = "quic",
};

static const char *const versions[TLS_VERSION_MAX] = {
	[TLS_1_0] = "1.0",
	[TLS_1_1] = "1.1",
	[TLS_1_2] = "1.2",
	[TLS_1_3] = "1.3",
};

const char *protocol_name(unsigned int protocol)
{
	return protocol < PROTOCOL_MAX ? names[protocol] : names[PROTOCOL_OTHER];
}

const char *tls_version_name(unsigned int version)
{
	return version < TLS_VERSION_MAX ? versions[version] : NULL;
}

const char *flow_name_text(const struct flow *flow, char ret[FLOW_NAME_TEXT])
{
	size_t len = flow->tries ? 0 : flow->name_len < MPBPF_FLOW_NAME ? flow->name_len : MPBPF_FLOW_NAME;
	size_t at = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = flow->name[i];

		if (c > ' ' && c < 0x7f && c != '\\')
			ret[at++] = c;
		else
			at += snprintf(ret + at, FLOW_NAME_TEXT - at, "\\x%02x", c);
	}
	ret[at] = '\0';
	return ret;
}

int flows_new(size_t most, struct flows *ret)
{
	struct flow *list = calloc(most, sizeof(*list));

	if (!list)
		return -ENOMEM;
	*ret = (struct flows){ .list = list, .most = most };
	return 0;
}

void flows_free(struct flows *flows)
{
	free(flows->list);
	*flows = (struct flows){};
}

/* Of two flows the one that goes first: fewer bytes, then seen longer ago. */
static bool is_smaller(const struct flow *a, const struct flow *b)
{
	return a->bytes != b->bytes ? a->bytes < b->bytes : a->last < b->last;
}

static void swap(struct flow *a, struct flow *b)
{
	struct flow t = *a;

	*a = *b;
	*b = t;
}

static void sift_up(struct flow *list, size_t i)
{
	for (; i && is_smaller(&list[i], &list[(i - 1) / 2]); i = (i - 1) / 2)
		swap(&list[i], &list[(i - 1) / 2]);
}

static void sift_down(struct flow *list, size_t n)
{
	size_t i = 0, child;

	while ((child = 2 * i + 1) < n) {
		if (child + 1 < n && is_smaller(&list[child + 1], &list[child]))
			child++;
		if (!is_smaller(&list[child], &list[i]))
			return;
		swap(&list[child], &list[i]);
		i = child;
	}
}

void flows_offer(struct flows *flows, const struct flow *flow)
{
	flows->seen++;
	if (flows->n < flows->most) {
		flows->list[flows->n] = *flow;
		sift_up(flows->list, flows->n++);
	} else if (is_smaller(&flows->list[0], flow)) {
		flows->list[0] = *flow;
		sift_down(flows->list, flows->n);
	}
}

static int compare(const void *a, const void *b)
{
	return is_smaller(a, b) - is_smaller(b, a);
}

void flows_sort(struct flows *flows)
{
	qsort(flows->list, flows->n, sizeof(*flows->list), compare);
}

static int offer(const void *key, const void *value, void *data)
{
	(void)key;
	flows_offer(data, value);
	return 0;
}

int flows_read(const struct maps *maps, size_t most, struct flows *ret)
{
	_cleanup_(flows_free) struct flows flows = {};
	int r;

	r = flows_new(most, &flows);
	if (r == 0)
		r = map_walk(maps->fd[MAP_FLOWS], sizeof(struct flow_key), sizeof(struct flow), offer, &flows);
	if (r < 0)
		return r;
	flows_sort(&flows);
	*ret = flows;
	flows = (struct flows){};
	return 0;
}
