// SPDX-License-Identifier: MIT
/*
 * Test tool: a client of the same machine that sends a file's own pages, and changes them before the service reads.
 *
 *   rewrite HOST PORT BEFORE AFTER PID
 *     stops process PID, sends what is in the file BEFORE by sendfile(), waits until TCP has taken it, writes the file AFTER, which
 *     is as long, over it, and lets PID go on. A request with an answer comes first. Prints the status of each response to what
 *     was sent.
 */
#include <fcntl.h>
#include <linux/sockios.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>

#include "http_client.h"

#define FIRST "GET /healthz HTTP/1.1\r\nHost: server\r\n\r\n"
#define FILE_MAX 65536
#define SETTLE_US 20000 /* for what runs behind the acknowledgement */

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static size_t read_file(const char *path, char *to)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, to, FILE_MAX);

	if (n <= 0)
		fail(path);
	close(fd);
	return n;
}

static void wait_taken(int fd)
{
	int unacknowledged;

	do {
		usleep(SETTLE_US);
		if (ioctl(fd, SIOCOUTQ, &unacknowledged) < 0)
			fail("SIOCOUTQ");
	} while (unacknowledged);
}

static void send_and_change(struct client *c, const char *before, const char *after, size_t len)
{
	int pages = memfd_create("request", MFD_CLOEXEC);
	off_t from = 0;

	if (pages < 0 || pwrite(pages, before, len, 0) != (ssize_t)len)
		fail("memfd");
	if (sendfile(c->fd, pages, &from, len) != (ssize_t)len)
		fail("sendfile");
	wait_taken(c->fd);
	if (pwrite(pages, after, len, 0) != (ssize_t)len)
		fail("pwrite");
	close(pages);
}

int main(int argc, char **argv)
{
	static struct client client = { .fd = -1 };
	static char before[FILE_MAX], after[FILE_MAX];
	size_t len;
	pid_t pid;

	if (argc != 6) {
		fputs("usage: rewrite HOST PORT BEFORE AFTER PID\n", stderr);
		return 2;
	}
	len = read_file(argv[3], before);
	pid = atoi(argv[5]);
	client.timeout_ms = 5000 * client_slow();
	if (read_file(argv[4], after) != len || pid <= 1) {
		fputs("rewrite: the files must be of one length, and PID a process\n", stderr);
		return 2;
	}
	if (client_connect(&client, argv[1], atoi(argv[2]), NULL) < 0 ||
	    client_send(&client, FIRST, sizeof(FIRST) - 1) < 0 || client_read(&client, false) < 0)
		fail("connect");
	if (kill(pid, SIGSTOP) < 0)
		fail("SIGSTOP");
	send_and_change(&client, before, after, len);
	if (kill(pid, SIGCONT) < 0)
		fail("SIGCONT");
	while (client_read(&client, false) >= 0) {
		printf("%d\n", client.status);
		client.timeout_ms = 500 * client_slow(); /* for one too many */
	}
	return 0;
}
