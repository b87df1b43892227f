// SPDX-License-Identifier: MIT
/* Floor 3: sockets that captures have to know, what they tell of others, and what they counted. */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "core/capture.h"
#include "core/policy_keys.h"
#include "core/util.h"

int capture_exempt(const struct maps *maps, int fd)
{
	const struct captured exempt = { .flags = CAPTURED_EXEMPT };

	return bpf_map_update_elem(maps->fd[MAP_CAPTURED], &fd, &exempt, BPF_ANY);
}

/* ---- the relay ---- */

static int relay_place(int fd, __be16 *ret_port, __u64 *ret_cookie)
{
	struct sockaddr_in6 at; /* the port of an IPv4 address has the same place */
	socklen_t len = sizeof(at), cookie_len = sizeof(*ret_cookie);

	if (getsockname(fd, (struct sockaddr *)&at, &len) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_COOKIE, ret_cookie, &cookie_len) < 0)
		return -errno;
	*ret_port = at.sin6_port;
	return 0;
}

int capture_relay_write(const struct maps *maps, const char *name, const int fds[2])
{
	struct capture_relay relay = {};
	uint64_t id = name_hash(name);
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(relay.ports); i++)
		if (fds[i] >= 0)
			r = relay_place(fds[i], &relay.ports[i], &relay.cookies[i]);
	return r < 0 ? r : bpf_map_update_elem(maps->fd[MAP_RELAYS], &id, &relay, BPF_ANY);
}

static bool is_capture(const struct config *config, uint64_t id)
{
	for (size_t i = 0; i < config->n_listeners; i++)
		if (config->listeners[i].mode == LISTENER_CAPTURE && name_hash(config->listeners[i].name) == id)
			return true;
	return false;
}

/* Deletes the keys whose first word is no capture's. The next key is asked for before this one goes. */
static void purge(int fd, size_t key_size, const struct config *config)
{
	char key[sizeof(struct capture_stats_key)], next[sizeof(key)];
	uint64_t id;
	int r;

	for (r = bpf_map_get_next_key(fd, NULL, key); r == 0; memcpy(key, next, key_size)) {
		r = bpf_map_get_next_key(fd, key, next);
		memcpy(&id, key, sizeof(id));
		if (!is_capture(config, id))
			bpf_map_delete_elem(fd, key);
	}
}

void capture_purge(const struct maps *maps, const struct config *config)
{
	purge(maps->fd[MAP_RELAYS], sizeof(uint64_t), config);
	purge(maps->fd[MAP_CAPTURE_STATS], sizeof(struct capture_stats_key), config);
}

uint64_t capture_netns(void)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	uint64_t cookie;
	socklen_t len = sizeof(cookie);

	return fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len) == 0 ? cookie : 0;
}

bool capture_original(const struct maps *maps, const struct addr *from, __be16 from_port, __be16 relay,
		      struct relayed *ret)
{
	const struct relayed_key key = { .addr = *from, .port = from_port, .relay = relay };

	if (bpf_map_lookup_elem(maps->fd[MAP_RELAYED], &key, ret) < 0)
		return false;
	bpf_map_delete_elem(maps->fd[MAP_RELAYED], &key);
	return true;
}

/* ---- counters ---- */

void capture_stats_read(const struct maps *maps, const char *listener, const char *service, struct capture_stats *ret)
{
	const struct capture_stats_key key = { .capture = name_hash(listener),
					       .cluster = service ? name_hash(service) : 0 };
	int n = libbpf_num_possible_cpus();
	_cleanup_free_ struct capture_stats *each = n > 0 ? calloc(n, sizeof(*each)) : NULL;

	*ret = (struct capture_stats){};
	if (!each || bpf_map_lookup_elem(maps->fd[MAP_CAPTURE_STATS], &key, each) < 0)
		return;
	for (int i = 0; i < n; i++) {
		ret->direct += each[i].direct;
		ret->relayed += each[i].relayed;
		ret->no_route += each[i].no_route;
		ret->no_endpoint += each[i].no_endpoint;
		ret->no_relay += each[i].no_relay;
	}
}
