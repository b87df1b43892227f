// SPDX-License-Identifier: MIT
/*
 * Test tool: sends frames as they are, each line of standard input one: COUNT and the frame in hex, blanks anywhere.
 *
 *   frames INTERFACE
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <net/if.h>
#include <arpa/inet.h>
#include <sys/socket.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>

#define FRAME_MAX 1514

/* How many bytes the line has; -1: it is no hex. */
static int frame_read(const char *text, unsigned char frame[FRAME_MAX])
{
	int n = 0, value;

	for (;;) {
		while (isspace((unsigned char)*text))
			text++;
		if (!*text)
			return n;
		if (n == FRAME_MAX || sscanf(text, "%2x", (unsigned int *)&value) != 1 ||
		    !isxdigit((unsigned char)text[1]))
			return -1;
		frame[n++] = value;
		text += 2;
	}
}

int main(int argc, char **argv)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET };
	unsigned char frame[FRAME_MAX];
	static char line[4 * FRAME_MAX];
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), len;
	char *end;

	to.sll_ifindex = argc == 2 ? if_nametoindex(argv[1]) : 0;
	if (fd < 0 || !to.sll_ifindex) {
		fputs("usage: frames INTERFACE\n", stderr);
		return 2;
	}
	while (fgets(line, sizeof(line), stdin)) {
		long count = strtol(line, &end, 10);

		len = frame_read(end, frame);
		for (; len >= ETH_HLEN && count > 0; count--)
			if (sendto(fd, frame, len, 0, (void *)&to, sizeof(to)) != len) {
				perror("frames");
				return 1;
			}
		if (len < ETH_HLEN) {
			fprintf(stderr, "frames: no frame: %s", line);
			return 2;
		}
	}
	return 0;
}
