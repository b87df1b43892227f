// SPDX-License-Identifier: MIT
/* Floor 5: interfaces by rtnetlink (rtnetlink(7)) and ioctl, frames by packet(7). */
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "core/util.h"
#include "loader/check_net.h"

struct request {
	struct nlmsghdr header;
	char data[512];
};

int net_up(const char *ifname)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = {};

	if (fd < 0)
		return -errno;
	strncpy(ifr.ifr_name, ifname, sizeof(ifr.ifr_name) - 1);
	if (ioctl(fd, SIOCGIFFLAGS, &ifr) < 0)
		return -errno;
	ifr.ifr_flags |= IFF_UP;
	return ioctl(fd, SIOCSIFFLAGS, &ifr) < 0 ? -errno : 0;
}

/* Room for `len` bytes at the end of the message, zeroed. The few messages here all fit. */
static void *append(struct request *request, size_t len)
{
	char *end = (char *)request + NLMSG_ALIGN(request->header.nlmsg_len);

	request->header.nlmsg_len = NLMSG_ALIGN(request->header.nlmsg_len) + len;
	return end;
}

static struct rtattr *attribute(struct request *request, int type, const void *value, size_t len)
{
	struct rtattr *rta = append(request, RTA_LENGTH(len));

	rta->rta_type = type;
	rta->rta_len = RTA_LENGTH(len);
	if (len)
		memcpy(RTA_DATA(rta), value, len);
	return rta;
}

/* Everything appended since belongs to `rta`. */
static void nest_end(const struct request *request, struct rtattr *rta)
{
	rta->rta_len = (const char *)request + request->header.nlmsg_len - (char *)rta;
}

static void link_attributes(struct request *request, const char *ifname)
{
	const uint32_t queues = 1;

	attribute(request, IFLA_IFNAME, ifname, strlen(ifname) + 1);
	attribute(request, IFLA_NUM_TX_QUEUES, &queues, sizeof(queues));
	attribute(request, IFLA_NUM_RX_QUEUES, &queues, sizeof(queues));
}

/* Sends the request and waits for the acknowledgement; rtnetlink gives it before sendmsg() returns. */
static int talk(const struct request *request)
{
	_cleanup_close_ int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	union {
		struct nlmsghdr header;
		char data[1024];
	} answer;
	const struct nlmsgerr *err = NLMSG_DATA(&answer.header);
	ssize_t n;

	if (fd < 0 || send(fd, request, request->header.nlmsg_len, 0) < 0)
		return -errno;
	n = recv(fd, &answer, sizeof(answer), MSG_DONTWAIT);
	if (n < 0)
		return -errno;
	if ((size_t)n < NLMSG_LENGTH(sizeof(*err)) || answer.header.nlmsg_type != NLMSG_ERROR)
		return -EBADMSG;
	return err->error;
}

int net_veth(const char *ifname, const char *peer)
{
	struct request request = { .header = { .nlmsg_len = NLMSG_HDRLEN,
					       .nlmsg_type = RTM_NEWLINK,
					       .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL } };
	struct rtattr *info, *data, *other;

	append(&request, sizeof(struct ifinfomsg));
	link_attributes(&request, ifname);
	info = attribute(&request, IFLA_LINKINFO, NULL, 0);
	attribute(&request, IFLA_INFO_KIND, "veth", strlen("veth"));
	data = attribute(&request, IFLA_INFO_DATA, NULL, 0);
	other = attribute(&request, VETH_INFO_PEER, NULL, 0);
	append(&request, sizeof(struct ifinfomsg));
	link_attributes(&request, peer);
	nest_end(&request, other);
	nest_end(&request, data);
	nest_end(&request, info);
	return talk(&request);
}

int net_packet_socket(const char *ifname, int *ret_fd)
{
	struct sockaddr_ll addr = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	_cleanup_close_ int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	addr.sll_ifindex = if_nametoindex(ifname);
	if (!addr.sll_ifindex || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}
