// SPDX-License-Identifier: MIT
/* Floor 5: `mpbpf check`, much data from one end of a connection to the other, past a slow reader. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "core/util.h"
#include "loader/check_flow.h"
#include "loader/check_io.h"

#define STANDSTILL_MS 100
#define FLOW_MS 5000

/* Sends what can be sent now. */
static int flow_send(struct check *c, struct check_flow *f, int fd)
{
	ssize_t n;

	while (f->sent < f->len) {
		size_t want = f->len - f->sent < f->write_max ? f->len - f->sent : f->write_max;

		n = send(fd, f->data + f->sent, want, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN) {
			f->stops++;
			break;
		}
		if (n < 0)
			return check_fail(c, "sending, after %zu bytes: %s", f->sent, strerror(errno));
		f->sent += n;
	}
	if (f->sent - f->received > f->under_way_most)
		f->under_way_most = f->sent - f->received;
	return 0;
}

static int flow_receive(struct check *c, struct check_flow *f, int fd)
{
	_cleanup_free_ char *buf = malloc(f->read_max);
	ssize_t n;

	if (!buf)
		return check_fail(c, "out of memory");
	n = recv(fd, buf, f->read_max, MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n <= 0)
		return check_fail(c, "the connection ended after %zu of %zu bytes%s%s", f->received, f->len,
				  n ? ": " : "", n ? strerror(errno) : "");
	if ((size_t)n > f->len - f->received)
		return check_fail(c, "more bytes came than were sent: some were doubled");
	if (memcmp(buf, f->data + f->received, n))
		return check_fail(c, "the content is damaged near byte %zu of %zu", f->received, f->len);
	f->received += n;
	return 0;
}

int flow_fill(struct check *c, struct check_flow *f, int fd)
{
	int r;

	do {
		r = flow_send(c, f, fd);
	} while (r == 0 && f->sent < f->len && io_wait(fd, POLLOUT, STANDSTILL_MS));
	return r;
}

int flow_run(struct check *c, struct check_flow *f, int from, int to)
{
	int64_t end = io_now_ms() + FLOW_MS;
	int r = 0;

	while (r == 0 && f->received < f->len) {
		if (io_now_ms() >= end)
			return check_fail(c, "came to a standstill: %zu bytes sent, %zu received of %zu", f->sent,
					  f->received, f->len);
		r = flow_send(c, f, from);
		usleep(f->pause_us);
		io_wait(to, POLLIN, 10);
		if (r == 0)
			r = flow_receive(c, f, to);
	}
	return r < 0 ? r : io_expect_silence(c, to, "behind the last byte");
}

char *flow_message(const char *head, size_t body, size_t *ret_len)
{
	size_t n = strlen(head);
	char *message = malloc(n + body);

	if (!message)
		return NULL;
	memcpy(message, head, n);
	io_pattern(message + n, body);
	*ret_len = n + body;
	return message;
}
