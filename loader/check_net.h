/* SPDX-License-Identifier: MIT */
/* Floor 5: the little of rtnetlink that `mpbpf check` needs in the network namespace of its own. */
#ifndef MPBPF_LOADER_CHECK_NET_H
#define MPBPF_LOADER_CHECK_NET_H

/* All return 0 (or what is said) or -errno. */

int net_up(const char *ifname);
/* A pair of interfaces, one queue each so that frames keep their order; both are left down. */
int net_veth(const char *ifname, const char *peer);
/* A socket that sends and receives whole frames on one interface. */
int net_packet_socket(const char *ifname, int *ret_fd);

#endif
