// SPDX-License-Identifier: MIT
/* Floor 5: enters interfaces into `syn_links`. */
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <bpf/bpf.h>

#include "core/runtime.h"
#include "core/util.h"
#include "loader/syn_links.h"
#include "mpbpf/abi.h"

_Static_assert(MPBPF_LINKS_MAX == RUNTIME_IFACES_MAX, "room for every interface");

int syn_link_add(int map_fd, const char *ifname)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	__u32 ifindex = if_nametoindex(ifname);
	struct syn_link link = {};
	struct ifreq request = {};

	if (fd < 0 || !ifindex)
		return -errno;
	strncpy(request.ifr_name, ifname, sizeof(request.ifr_name) - 1);
	if (ioctl(fd, SIOCGIFHWADDR, &request) < 0)
		return -errno;
	memcpy(link.mac, request.ifr_hwaddr.sa_data, sizeof(link.mac));
	return bpf_map_update_elem(map_fd, &ifindex, &link, BPF_ANY);
}
