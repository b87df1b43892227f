// SPDX-License-Identifier: MIT
/*
 * Test tool: many connections at once that stay open.
 *
 *   hold HOST PORT CONNECTIONS REQUEST_FILE
 *     opens them one after the other, sends the request on each and reads its answer; prints "held=N 200=N", keeps them all
 *     until its standard input ends, and closes them.
 */
#include <fcntl.h>
#include <sys/resource.h>

#include "http_client.h"

#define SPARE_FILES 64
#define REQUEST_MAX 65536

static int open_one(struct client *c, char **argv, const char *request, size_t len, long *ok)
{
	int fd;

	if (client_connect(c, argv[1], atoi(argv[2]), NULL) < 0 || client_send(c, request, len) < 0 ||
	    client_read(c, false) < 0) {
		perror("hold");
		exit(1);
	}
	*ok += c->status == 200;
	/* The next one gets a socket of its own. */
	fd = c->fd;
	c->fd = -1;
	return fd;
}

static int files_allow(rlim_t n)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return -1;
	if (files.rlim_cur >= n)
		return 0;
	files.rlim_cur = n;
	if (files.rlim_max < n)
		files.rlim_max = n;
	return setrlimit(RLIMIT_NOFILE, &files);
}

int main(int argc, char **argv)
{
	static struct client client = { .fd = -1 };
	long wanted = argc == 5 ? atol(argv[3]) : 0, ok = 0;
	char request[REQUEST_MAX];
	ssize_t len;
	int fd;

	if (wanted <= 0) {
		fprintf(stderr, "usage: hold HOST PORT CONNECTIONS REQUEST_FILE\n");
		return 2;
	}
	if (files_allow(wanted + SPARE_FILES) < 0) {
		perror("RLIMIT_NOFILE");
		return 2;
	}
	fd = open(argv[4], O_RDONLY | O_CLOEXEC);
	len = fd < 0 ? -1 : read(fd, request, sizeof(request));
	if (len <= 0) {
		perror(argv[4]);
		return 2;
	}
	client.timeout_ms = 10000 * client_slow();
	for (long i = 0; i < wanted; i++)
		open_one(&client, argv, request, len, &ok);
	printf("held=%ld 200=%ld\n", wanted, ok);
	fflush(stdout);
	while (read(STDIN_FILENO, request, sizeof(request)) > 0)
		;
	return 0;
}
