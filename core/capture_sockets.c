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

/* ---- what is ours ---- */

int capture_own(const struct maps *maps, const struct addr *addr, __be16 port, bool is)
{
	const struct own_place place = { .addr = *addr, .port = port };
	__u64 nobody = 0; /* no socket, by whose end it would go */

	return is ? bpf_map_update_elem(maps->fd[MAP_OWN_PLACES], &place, &nobody, BPF_ANY)
		  : bpf_map_delete_elem(maps->fd[MAP_OWN_PLACES], &place);
}

/* The next key is asked for before this one goes. */
void capture_own_clear(const struct maps *maps)
{
	int fd = maps->fd[MAP_OWN_PLACES], r;
	struct own_place place, next;

	for (r = bpf_map_get_next_key(fd, NULL, &place); r == 0; place = next) {
		r = bpf_map_get_next_key(fd, &place, &next);
		bpf_map_delete_elem(fd, &place);
	}
}

/* ---- the relay ---- */

/* Where it listens, by family. */
static const struct addr loopback[2] = { { .b = { [10] = 0xff, 0xff, 127, 0, 0, 1 } }, { .b[15] = 1 } };

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

/* Sockets leave their map by themselves when they are closed, their places do not. */
static void relay_disown(const struct maps *maps, uint64_t id)
{
	struct capture_relay relay;

	if (bpf_map_lookup_elem(maps->fd[MAP_RELAYS], &id, &relay) < 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(relay.ports); i++)
		if (relay.cookies[i])
			capture_own(maps, &loopback[i], relay.ports[i], false);
}

static int relay_own(const struct maps *maps, uint64_t id, size_t i, int fd, __be16 port)
{
	const struct relay_socket_key key = { .id = id, .family = i ? 6 : 4 };
	__u64 value = fd;
	int r = capture_own(maps, &loopback[i], port, true);

	return r < 0 ? r : bpf_map_update_elem(maps->fd[MAP_RELAY_SOCKETS], &key, &value, BPF_ANY);
}

uint64_t capture_id(const char *name, bool in)
{
	return name_hash(name) ^ (in ? 1ULL << 63 : 0);
}

int capture_relay_write(const struct maps *maps, const char *name, bool in, const int fds[2])
{
	struct capture_relay relay = {};
	uint64_t id = capture_id(name, in);
	int r = 0;

	relay_disown(maps, id);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(relay.ports); i++) {
		if (fds[i] < 0)
			continue;
		r = relay_place(fds[i], &relay.ports[i], &relay.cookies[i]);
		if (r == 0)
			r = relay_own(maps, id, i, fds[i], relay.ports[i]);
	}
	if (r == 0)
		r = bpf_map_update_elem(maps->fd[MAP_RELAYS], &id, &relay, BPF_ANY);
	for (size_t i = 0; r < 0 && i < ARRAY_SIZE(relay.ports); i++)
		if (relay.cookies[i])
			capture_own(maps, &loopback[i], relay.ports[i], false);
	return r;
}

static bool is_capture(const struct config *config, uint64_t id)
{
	for (size_t i = 0; i < config->n_listeners; i++)
		if (config->listeners[i].mode == LISTENER_CAPTURE &&
		    capture_id(config->listeners[i].name, config->listeners[i].direction == CAPTURE_IN) == id)
			return true;
	return false;
}

/* Deletes the keys whose first word is no capture's. The next key is asked for before this one goes. */
static void purge(const struct maps *maps, int fd, size_t key_size, const struct config *config)
{
	char key[sizeof(struct capture_stats_key)], next[sizeof(key)];
	uint64_t id;
	int r;

	for (r = bpf_map_get_next_key(fd, NULL, key); r == 0; memcpy(key, next, key_size)) {
		r = bpf_map_get_next_key(fd, key, next);
		memcpy(&id, key, sizeof(id));
		if (is_capture(config, id))
			continue;
		if (fd == maps->fd[MAP_RELAYS])
			relay_disown(maps, id);
		bpf_map_delete_elem(fd, key);
	}
}

void capture_purge(const struct maps *maps, const struct config *config)
{
	purge(maps, maps->fd[MAP_RELAYS], sizeof(uint64_t), config);
	purge(maps, maps->fd[MAP_CAPTURE_STATS], sizeof(struct capture_stats_key), config);
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

void capture_stats_read(const struct maps *maps, const char *listener, bool in, const char *service,
			struct capture_stats *ret)
{
	const struct capture_stats_key key = { .capture = capture_id(listener, in),
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
