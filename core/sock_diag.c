// SPDX-License-Identifier: MIT
/* Floor 3: one TCP connection, asked about or cut off through inet_diag. */
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>

#include "core/sock_diag.h"
#include "core/util.h"

/* More than the kernel puts into one datagram for a reader who has not asked for more before. */
#define REPLY_MAX 16384

struct request {
	struct nlmsghdr head;
	struct inet_diag_req_v2 body;
};

/* What came back for one request: the message about the socket looked for, if there was one. */
struct reply {
	bool found;
	struct inet_diag_msg msg;
	__u32 received; /* memory of its receive queues */
};

int sock_diag_open(int *ret_fd)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	_cleanup_close_ int fd = -1;

	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (fd < 0)
		return -errno;
	/* Connected to the kernel, it takes messages from nobody else. */
	if (connect(fd, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static bool is_mapped(const struct addr *a)
{
	static const __u8 prefix[12] = { [10] = 0xff, [11] = 0xff };

	return !memcmp(a->b, prefix, sizeof(prefix));
}

static void request_init(struct request *req, const struct addr *local, __be16 lport, const struct addr *remote,
			 __be16 rport, uint64_t cookie)
{
	struct inet_diag_sockid *id = &req->body.id;

	memset(req, 0, sizeof(*req));
	req->head.nlmsg_len = sizeof(*req);
	req->body.sdiag_protocol = IPPROTO_TCP;
	id->idiag_sport = lport;
	id->idiag_dport = rport;
	id->idiag_cookie[0] = (__u32)cookie;
	id->idiag_cookie[1] = (__u32)(cookie >> 32);
	/*
	 * The kernel's table of connections knows a mapped pair by its IPv4 addresses, whatever the family of the
	 * socket: an AF_INET look-up finds the AF_INET6 socket of a dual-stack listener as well.
	 */
	if (is_mapped(local) && is_mapped(remote)) {
		req->body.sdiag_family = AF_INET;
		id->idiag_src[0] = local->w[3];
		id->idiag_dst[0] = remote->w[3];
	} else {
		req->body.sdiag_family = AF_INET6;
		memcpy(id->idiag_src, local->w, sizeof(id->idiag_src));
		memcpy(id->idiag_dst, remote->w, sizeof(id->idiag_dst));
	}
}

static bool same_cookie(const struct inet_diag_sockid *a, const struct inet_diag_sockid *b)
{
	return a->idiag_cookie[0] == b->idiag_cookie[0] && a->idiag_cookie[1] == b->idiag_cookie[1];
}

/* All ones: any socket with these addresses. */
static bool any_cookie(const struct inet_diag_sockid *id)
{
	return id->idiag_cookie[0] == INET_DIAG_NOCOOKIE && id->idiag_cookie[1] == INET_DIAG_NOCOOKIE;
}

/* What the message says of the memory of received bytes, or 0. */
static __u32 received_read(const struct nlmsghdr *head)
{
	const struct inet_diag_msg *msg = NLMSG_DATA(head);
	const struct rtattr *attr = (const struct rtattr *)(msg + 1);
	int len = NLMSG_PAYLOAD(head, sizeof(*msg));
	__u32 received;

	for (; RTA_OK(attr, len); attr = RTA_NEXT(attr, len)) {
		if (attr->rta_type != INET_DIAG_SKMEMINFO || RTA_PAYLOAD(attr) < sizeof(received))
			continue;
		memcpy(&received, (const __u32 *)RTA_DATA(attr) + SK_MEMINFO_RMEM_ALLOC, sizeof(received));
		return received;
	}
	return 0;
}

/* One message of the answer. 1: more to come, 0: that was all, or -errno. */
static int message_read(const struct nlmsghdr *head, const struct request *req, struct reply *reply)
{
	const struct inet_diag_msg *msg = NLMSG_DATA(head);
	const int *error = NLMSG_DATA(head); /* an error, an acknowledgement and the end of a dump begin with one */

	switch (head->nlmsg_type) {
	case NLMSG_ERROR:
	case NLMSG_DONE:
		if (head->nlmsg_len < NLMSG_LENGTH(sizeof(*error)))
			return head->nlmsg_type == NLMSG_DONE ? 0 : -EIO;
		return *error;
	case SOCK_DIAG_BY_FAMILY:
		if (head->nlmsg_len < NLMSG_LENGTH(sizeof(*msg)))
			return -EIO;
		if (any_cookie(&req->body.id) || same_cookie(&msg->id, &req->body.id)) {
			reply->found = true;
			reply->msg = *msg;
			reply->received = received_read(head);
		}
		return (req->head.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
	default: return 1;
	}
}

/* One datagram; what remains of an earlier call's answer bears another number. Returns as message_read() does. */
static int datagram_read(int fd, const struct request *req, struct reply *reply)
{
	char buf[REPLY_MAX] __attribute__((aligned(NLMSG_ALIGNTO)));
	const struct nlmsghdr *head = (const struct nlmsghdr *)buf;
	unsigned int left;
	ssize_t n;
	int r;

	/* The kernel answers within send(): what is not there by now never comes. */
	n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT | MSG_TRUNC);
	if (n < 0)
		return errno == EAGAIN ? -EIO : -errno;
	if ((size_t)n > sizeof(buf))
		return -EIO;
	for (left = (unsigned int)n; NLMSG_OK(head, left); head = NLMSG_NEXT(head, left)) {
		if (head->nlmsg_seq != req->head.nlmsg_seq)
			continue;
		r = message_read(head, req, reply);
		if (r <= 0)
			return r;
	}
	return 1;
}

/* Sends the request and reads the answer to its end. 0, or the kernel's -errno. */
static int request_run(int fd, struct request *req, __u16 type, __u16 flags, struct reply *reply)
{
	static _Atomic __u32 seq;
	int r;

	reply->found = false;
	req->head.nlmsg_type = type;
	req->head.nlmsg_flags = NLM_F_REQUEST | flags;
	req->head.nlmsg_seq = ++seq;
	if (send(fd, req, sizeof(*req), 0) < 0)
		return -errno;
	do
		r = datagram_read(fd, req, reply);
	while (r > 0);
	return r;
}

/*
 * A look-up finds a connection that is tied to a device (SO_BINDTODEVICE, a VRF, link-local addresses) only by that
 * device's index, which a `struct conn` does not hold: a dump of the connections with these ports tells it. A dump,
 * unlike a look-up, goes by the socket's own family, and it walks the whole table, so it comes second.
 */
static int device_find(int fd, const struct request *req, __u32 *ret_index)
{
	struct request dump = *req;
	struct reply reply;
	int r;

	dump.body.idiag_states = ~(1U << TCP_LISTEN);
	for (;;) {
		r = request_run(fd, &dump, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &reply);
		if (r < 0)
			return r;
		if (reply.found)
			break;
		if (dump.body.sdiag_family == AF_INET6)
			return -ENOENT;
		dump.body.sdiag_family = AF_INET6;
	}
	*ret_index = reply.msg.id.idiag_if;
	return 0;
}

static int socket_run(int fd, struct request *req, __u16 type, __u16 flags, struct reply *reply)
{
	int r;

	if (any_cookie(&req->body.id))
		return -EINVAL;
	r = request_run(fd, req, type, flags, reply);
	if (r != -ENOENT)
		return r;
	r = device_find(fd, req, &req->body.id.idiag_if);
	return r < 0 ? r : request_run(fd, req, type, flags, reply);
}

int sock_diag_destroy(int fd, const struct addr *local, __be16 lport, const struct addr *remote, __be16 rport,
		      uint64_t cookie)
{
	struct request req;
	struct reply reply;

	request_init(&req, local, lport, remote, rport, cookie);
	return socket_run(fd, &req, SOCK_DESTROY, NLM_F_ACK, &reply);
}

/* What the kernel says of the connection. */
static int socket_find(int fd, const struct addr *local, __be16 lport, const struct addr *remote, __be16 rport,
		       uint64_t cookie, struct reply *ret)
{
	struct request req;
	int r;

	request_init(&req, local, lport, remote, rport, cookie);
	req.body.idiag_ext = 1 << (INET_DIAG_SKMEMINFO - 1);
	r = socket_run(fd, &req, SOCK_DIAG_BY_FAMILY, 0, ret);
	if (r < 0)
		return r;
	return ret->found ? 0 : -EIO;
}

int sock_diag_unacked(int fd, const struct addr *local, __be16 lport, const struct addr *remote, __be16 rport,
		      uint64_t cookie)
{
	struct reply reply;
	int r;

	r = socket_find(fd, local, lport, remote, rport, cookie, &reply);
	if (r < 0)
		return r;
	return reply.msg.idiag_wqueue > INT_MAX ? INT_MAX : (int)reply.msg.idiag_wqueue;
}

int sock_diag_unread(int fd, const struct addr *local, __be16 lport, const struct addr *remote, __be16 rport,
		     uint64_t cookie)
{
	struct reply reply;
	int r;

	r = socket_find(fd, local, lport, remote, rport, cookie, &reply);
	if (r < 0)
		return r;
	return reply.received > INT_MAX ? INT_MAX : (int)reply.received;
}

/*
 * A program of sk_lookup may have answered in the place of whoever listens there, and others for other clients. What it gave away
 * listens elsewhere.
 */
static bool listens_at(const struct inet_diag_msg *msg, const struct addr *local, __be16 lport)
{
	static const struct addr any;
	struct addr at = any;

	if (msg->id.idiag_sport != lport)
		return false;
	if (msg->idiag_family == AF_INET && !msg->id.idiag_src[0])
		return true;
	if (msg->idiag_family == AF_INET)
		at = (struct addr){ .w = { [2] = htonl(0xffff), [3] = msg->id.idiag_src[0] } };
	else
		memcpy(at.w, msg->id.idiag_src, sizeof(at.w));
	return !memcmp(&at, &any, sizeof(at)) || !memcmp(&at, local, sizeof(at));
}

int sock_diag_listener(int fd, const struct addr *local, __be16 lport, uint64_t *ret_cookie)
{
	static const struct addr nobody4 = { .b = { [10] = 0xff, [11] = 0xff } }, nobody6;
	const struct addr *remote = is_mapped(local) ? &nobody4 : &nobody6;
	struct request req;
	struct reply reply;
	int r;

	request_init(&req, local, lport, remote, 0, UINT64_MAX);
	r = request_run(fd, &req, SOCK_DIAG_BY_FAMILY, 0, &reply);
	if (r < 0)
		return r;
	if (!reply.found || reply.msg.idiag_state != TCP_LISTEN || !listens_at(&reply.msg, local, lport))
		return -ENOENT;
	*ret_cookie = reply.msg.id.idiag_cookie[0] | (uint64_t)reply.msg.id.idiag_cookie[1] << 32;
	return 0;
}
