/* SPDX-License-Identifier: MIT */
/* Floor 5: who has the XDP hook of an interface already. */
#ifndef MPBPF_LOADER_XDP_OWNER_H
#define MPBPF_LOADER_XDP_OWNER_H

#include <linux/types.h>

/* The id of a program on the hook; 0: it is free. */
__u32 xdp_owner(unsigned int ifindex);
/* Says what is there, who holds it, and how to get it away. */
void xdp_owner_log(const char *ifname, __u32 id);

#endif
