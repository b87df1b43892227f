/* SPDX-License-Identifier: MIT */
/* Test tool: the commands of httpc that send: bytes, whole or in pieces, and files. */
#ifndef MPBPF_TESTS_HTTPC_SEND_H
#define MPBPF_TESTS_HTTPC_SEND_H

#include <fcntl.h>

#include "http_client.h"

#define PIECE_GAP_US 1000

static struct client *client; /* the one that is used */
static char *joined;
static size_t joined_len;
static bool joining;

static size_t unescape(char *s)
{
	char *out = s, *in = s;
	unsigned int byte;

	while (*in) {
		if (*in != '\\') {
			*out++ = *in++;
			continue;
		}
		in++;
		if (*in == 'x' && sscanf(in + 1, "%2x", &byte) == 1) {
			*out++ = byte;
			in += 3;
			continue;
		}
		*out++ = *in == 'r' ? '\r' : *in == 'n' ? '\n' : *in == 't' ? '\t' : *in == '0' ? 0 : *in;
		in += !!*in;
	}
	return out - s;
}

/* A peer may answer and close before it has read all: what it answered is still to be read. */
static int put(const void *data, size_t len)
{
	int r;

	if (joining) {
		joined = realloc(joined, joined_len + len + 1);
		memcpy(joined + joined_len, data, len);
		joined_len += len;
		return 0;
	}
	r = client_send(client, data, len);
	return r == -EPIPE || r == -ECONNRESET ? 0 : r;
}

static int do_send(char *args)
{
	return put(args, unescape(args));
}

static int do_last(char *args)
{
	int on = 1;

	if (setsockopt(client->fd, IPPROTO_TCP, TCP_CORK, &on, sizeof(on)))
		return -errno;
	return do_send(args) < 0 || shutdown(client->fd, SHUT_WR) ? -errno : 0;
}

static int do_pieces(char *args)
{
	char *text;
	size_t size = strtoul(args, &text, 10), len, n;
	int r = 0;

	if (!size || *text++ != ' ')
		return -EINVAL;
	len = unescape(text);
	for (; !r && len; text += n, len -= n) {
		n = len < size ? len : size;
		r = put(text, n);
		usleep(PIECE_GAP_US);
	}
	return r;
}

static int do_drip(char *args)
{
	struct pollfd p = { .fd = client->fd, .events = POLLIN };
	char *text;
	int ms = strtoul(args, &text, 10) * client_pace(), r = 0;
	size_t i, len;

	if (*text++ != ' ')
		return -EINVAL;
	len = unescape(text);
	for (i = 0; !r && i < len; i++) {
		r = put(text + i, 1);
		if (!r && poll(&p, 1, ms) > 0)
			break;
	}
	return r;
}

static int do_repeat(char *args)
{
	char *text, *all;
	size_t len, i, n = strtoul(args, &text, 10);
	int r;

	if (*text++ != ' ')
		return -EINVAL;
	len = unescape(text);
	all = malloc(n * len + 1);
	for (i = 0; i < n; i++)
		memcpy(all + i * len, text, len);
	r = put(all, n * len);
	free(all);
	return r;
}

static int do_join(char *args)
{
	(void)args;
	joining = true;
	return 0;
}

static int do_flush(char *args)
{
	size_t len = joined_len;

	(void)args;
	joining = false;
	joined_len = 0;
	return put(joined, len);
}

static int send_file(const char *path, size_t chunk)
{
	size_t cap = chunk ? chunk : 65536;
	char *buffer = malloc(cap), line[32];
	int fd = open(path, O_RDONLY | O_CLOEXEC), r = 0;
	ssize_t n = 0;

	if (fd < 0)
		r = -errno;
	while (!r && (n = read(fd, buffer, cap)) > 0) {
		if (chunk)
			r = put(line, sprintf(line, "%zx\r\n", (size_t)n));
		if (!r)
			r = put(buffer, n);
		if (!r && chunk)
			r = put("\r\n", 2);
	}
	if (!r && chunk)
		r = put("0\r\n\r\n", 5);
	free(buffer);
	if (fd >= 0)
		close(fd);
	return n < 0 ? -EIO : r;
}

static int do_file(char *args)
{
	return send_file(args, 0);
}

static int do_chunked(char *args)
{
	char *space = strrchr(args, ' ');

	if (!space)
		return -EINVAL;
	*space = 0;
	return send_file(args, strtoul(space + 1, NULL, 10));
}
#endif
