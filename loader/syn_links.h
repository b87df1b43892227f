/* SPDX-License-Identifier: MIT */
/* Floor 5: what the SYN guard knows of an interface. */
#ifndef MPBPF_LOADER_SYN_LINKS_H
#define MPBPF_LOADER_SYN_LINKS_H

/* map_fd: of `syn_links`. Enters the interface with its link address, by which frames for this host are told from others. 0 or -errno. */
int syn_link_add(int map_fd, const char *ifname);

#endif
