// SPDX-License-Identifier: MIT
/* Floor 3: asks the routes (rtnetlink(7)), for addresses alone do not tell: networks may be local, and bind(2) may be told to
 * take any address. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include "core/cidr.h"
#include "core/local_addr.h"
#include "core/util.h"

struct request {
	struct nlmsghdr head;
	struct rtmsg body;
	struct rtattr attribute;
	__u8 destination[16];
};

int local_addr_open(int *ret_fd)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	_cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0 || connect(fd, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static void request_of(const struct addr *addr, __u32 seq, struct request *ret)
{
	bool v4 = cidr_is_v4(addr);
	size_t len = v4 ? 4 : 16;

	*ret = (struct request){
		.head = { .nlmsg_len = offsetof(struct request, destination) + len,
			  .nlmsg_type = RTM_GETROUTE,
			  .nlmsg_flags = NLM_F_REQUEST,
			  .nlmsg_seq = seq },
		.body = { .rtm_family = v4 ? AF_INET : AF_INET6, .rtm_dst_len = len * 8 },
		.attribute = { .rta_len = RTA_LENGTH(len), .rta_type = RTA_DST },
	};
	memcpy(ret->destination, addr->b + 16 - len, len);
}

int local_addr_is(int fd, const struct addr *addr)
{
	char buf[4096] __attribute__((aligned(NLMSG_ALIGNTO)));
	const struct nlmsghdr *head = (const struct nlmsghdr *)buf;
	static _Atomic __u32 seq;
	struct request request;
	ssize_t n;

	request_of(addr, ++seq, &request);
	if (send(fd, &request, request.head.nlmsg_len, 0) < 0)
		return -errno;
	do {
		/* The kernel answers within send(). */
		n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (n < 0)
			return -errno;
	} while (!NLMSG_OK(head, (size_t)n) || head->nlmsg_seq != request.head.nlmsg_seq);
	/* No route is no error of ours. */
	if (head->nlmsg_type != RTM_NEWROUTE)
		return 0;
	return ((const struct rtmsg *)NLMSG_DATA(head))->rtm_type == RTN_LOCAL;
}
