// SPDX-License-Identifier: MIT
/* Floor 5: interfaces on which XDP works, but would see more elsewhere: told by the name of their driver. */
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>

#include "core/util.h"
#include "loader/log.h"
#include "loader/placement.h"

static const struct {
	const char *driver, *note;
} notes[] = {
	{ "bridge",
	  "a bridge: XDP sees only what it hands to this machine there, in skb mode; on its ports it sees everything, "
	  "before the bridge does" },
	{ "802.1Q VLAN Support",
	  "a VLAN: XDP sees this one alone there, in skb mode; on the interface below it sees all VLANs" },
	{ "macvlan", "a macvlan: XDP sees its packets alone there, in skb mode; on the interface below it sees all" },
};

void placement_note(const char *ifname)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	struct ifreq request = { .ifr_data = (void *)&info };

	strncpy(request.ifr_name, ifname, sizeof(request.ifr_name) - 1);
	if (fd < 0 || ioctl(fd, SIOCETHTOOL, &request) < 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(notes); i++)
		if (!strncmp(info.driver, notes[i].driver, sizeof(info.driver)))
			log_line("%s is %s", ifname, notes[i].note);
}
