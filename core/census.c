// SPDX-License-Identifier: MIT
/* Floor 3: asks inet_diag for established connections and compares them with listeners and guarded connections. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <bpf/bpf.h>

#include "core/census.h"
#include "core/sock_diag.h"
#include "core/util.h"

#define REPLY_MAX 32768
/* The type of a kernfs file handle (linux/exportfs.h, which user space does not get). */
#define FILEID_KERNFS 0xfe

bool listener_covers(const struct listener_config *l, const struct addr *local, uint16_t port)
{
	static const struct addr any_ipv4 = { .b = { [10] = 0xff, [11] = 0xff } };

	if (l->port != port)
		return false;
	if (l->any || !memcmp(&l->address, local, sizeof(*local)))
		return true;
	return !memcmp(&l->address, &any_ipv4, sizeof(any_ipv4)) && !memcmp(local, &any_ipv4, 12);
}

struct census {
	const struct maps *maps;
	const struct config *config;
	const char *cgroup;
	int cgroup_fd;
	uint64_t count;
};

static bool is_guarded(const struct maps *maps, const struct inet_diag_msg *msg)
{
	__u64 cookie = (__u64)msg->id.idiag_cookie[1] << 32 | msg->id.idiag_cookie[0];
	struct conn conn;

	return bpf_map_lookup_elem(maps->fd[MAP_CONNS], &cookie, &conn) == 0;
}

/* Opens a cgroup by its id, which is its file handle, and compares paths. A cgroup that is gone is nobody's. */
static bool is_below(const struct census *census, __u64 id)
{
	char buffer[sizeof(struct file_handle) + sizeof(id)] __attribute__((aligned(8))) = {};
	struct file_handle *handle = (struct file_handle *)buffer;
	char link[64], path[PATH_MAX];
	_cleanup_close_ int fd = -1;
	size_t len = strlen(census->cgroup);
	ssize_t n;

	handle->handle_bytes = sizeof(id);
	handle->handle_type = FILEID_KERNFS;
	memcpy(handle->f_handle, &id, sizeof(id));
	fd = open_by_handle_at(census->cgroup_fd, handle, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return false;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return false;
	path[n] = '\0';
	return !strncmp(path, census->cgroup, len) && (path[len] == '\0' || path[len] == '/');
}

/* What the kernel adds behind the message: among it the id of the socket's cgroup. */
static bool is_in_cgroup(const struct census *census, const struct nlmsghdr *header)
{
	const struct inet_diag_msg *msg = NLMSG_DATA(header);
	const struct rtattr *attr = (const struct rtattr *)(msg + 1);
	int left = NLMSG_PAYLOAD(header, sizeof(*msg));
	__u64 id;

	for (; RTA_OK(attr, left); attr = RTA_NEXT(attr, left)) {
		if (attr->rta_type != INET_DIAG_CGROUP_ID || RTA_PAYLOAD(attr) != sizeof(id))
			continue;
		memcpy(&id, RTA_DATA(attr), sizeof(id));
		return is_below(census, id);
	}
	return true;
}

static bool is_unguarded(const struct census *census, const struct nlmsghdr *header)
{
	const struct inet_diag_msg *msg = NLMSG_DATA(header);
	const struct config *config = census->config;
	struct addr local = {};

	if (msg->idiag_family == AF_INET) {
		local.w[2] = htonl(0xffff);
		local.w[3] = msg->id.idiag_src[0];
	} else {
		memcpy(&local, msg->id.idiag_src, sizeof(local));
	}
	for (size_t i = 0; i < config->n_listeners; i++)
		if (listener_is_guarded(&config->listeners[i]) &&
		    listener_covers(&config->listeners[i], &local, ntohs(msg->id.idiag_sport)))
			return is_in_cgroup(census, header) && !is_guarded(census->maps, msg);
	return false;
}

static int request_established(int fd, uint8_t family)
{
	struct {
		struct nlmsghdr header;
		struct inet_diag_req_v2 body;
	} request = {
		.header = {
			.nlmsg_len = sizeof(request),
			.nlmsg_type = SOCK_DIAG_BY_FAMILY,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
		},
		.body = {
			.sdiag_family = family,
			.sdiag_protocol = IPPROTO_TCP,
			.idiag_states = 1 << TCP_ESTABLISHED,
		},
	};

	return send(fd, &request, sizeof(request), 0) < 0 ? -errno : 0;
}

/* Reads one datagram of the dump: 1 when more follow, 0 after the last. */
static int read_established(int fd, char *buffer, struct census *census)
{
	struct nlmsghdr *h = (struct nlmsghdr *)buffer;
	ssize_t got = recv(fd, buffer, REPLY_MAX, 0);
	unsigned int left;

	if (got < 0)
		return errno == EINTR ? 1 : -errno;
	for (left = got; NLMSG_OK(h, left); h = NLMSG_NEXT(h, left)) {
		if (h->nlmsg_type == NLMSG_DONE)
			return 0;
		if (h->nlmsg_type == NLMSG_ERROR)
			return ((struct nlmsgerr *)NLMSG_DATA(h))->error ?: -EIO;
		if (h->nlmsg_type == SOCK_DIAG_BY_FAMILY && NLMSG_PAYLOAD(h, 0) >= sizeof(struct inet_diag_msg))
			census->count += is_unguarded(census, h);
	}
	return 1;
}

static int count_family(int fd, char *buffer, uint8_t family, struct census *census)
{
	int r;

	r = request_established(fd, family);
	if (r < 0)
		return r;
	do
		r = read_established(fd, buffer, census);
	while (r > 0);
	return r;
}

int census_unguarded(const struct maps *maps, const struct config *config, const char *cgroup, uint64_t *ret)
{
	_cleanup_close_ int fd = -1, cgroup_fd = -1;
	_cleanup_free_ char *buffer = malloc(REPLY_MAX);
	struct census census = { .maps = maps, .config = config, .cgroup = cgroup };
	int r;

	if (!buffer)
		return -ENOMEM;
	census.cgroup_fd = cgroup_fd = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (cgroup_fd < 0)
		return -errno;
	r = sock_diag_open(&fd);
	if (r == 0)
		r = count_family(fd, buffer, AF_INET, &census);
	if (r == 0)
		r = count_family(fd, buffer, AF_INET6, &census);
	if (r == 0)
		*ret = census.count;
	return r;
}
