/* SPDX-License-Identifier: MIT */
/* Streams on their way: many connections in one epoll loop, each sends its pieces and reads until its end. */
#include "smuggle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

struct options options = { .concurrency = 96, .quiet_ms = 80, .limit_ms = 20000, .slow = 1 };

static int epoll = -1;
static struct job **active;
static int n_active;

int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static void die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(2);
}

static void job_start(struct job *job)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(options.service[job->service].port) };
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = job };
	socklen_t len = sizeof(to);
	int one = 1;

	inet_pton(AF_INET, options.server, &to.sin_addr);
	job->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (job->fd < 0)
		die("socket");
	setsockopt(job->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(job->fd, (struct sockaddr *)&to, sizeof(to)) && errno != EINPROGRESS)
		die("connect");
	if (!getsockname(job->fd, (struct sockaddr *)&to, &len))
		job->port = ntohs(to.sin_port);
	job->began = job->last_event = now_ms();
	job->deadline = job->began + (int64_t)options.limit_ms * options.slow;
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, job->fd, &event))
		die("epoll_ctl");
	active[n_active++] = job;
	tally.connections++;
}

/* A stream that was given up is reset: nothing of it shall linger. */
static void job_end(struct job *job, bool reset)
{
	struct linger linger = { .l_onoff = 1 };

	if (reset)
		setsockopt(job->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	close(job->fd);
	job->fd = -1;
	job->done = true;
}

static void job_send(struct job *job, int64_t now)
{
	const struct stream *s = job->stream;
	const struct cut *cut;
	ssize_t n;

	while (job->connected && job->cut < s->n_cuts && now >= job->next_send) {
		cut = &s->cut[job->cut];
		n = send(job->fd, s->bytes.b + job->sent, cut->at - job->sent, MSG_NOSIGNAL);
		if (n < 0) {
			if (errno != EAGAIN)
				job->cut = s->n_cuts; /* the other side has ended: read what it said */
			return;
		}
		job->sent += n;
		job->last_event = now;
		if (job->sent < cut->at)
			continue;
		job->cut++;
		if (cut->pause_ms)
			job->next_send = now + cut->pause_ms;
	}
	if (job->connected && job->cut == s->n_cuts && s->kind != STREAM_VALID && job->waits_for_end &&
	    job->next_send >= 0) {
		shutdown(job->fd, SHUT_WR);
		job->next_send = -1;
	}
}

static void first_status(struct job *job)
{
	if (!job->first_status && job->rx.len >= 12 && !memcmp(job->rx.b, "HTTP/1.", 7))
		job->first_status = atoi(job->rx.b + 9);
}

/* Returns true when the connection has ended. */
static bool job_read(struct job *job, int64_t now)
{
	char buf[16384];
	ssize_t n;

	for (;;) {
		n = recv(job->fd, buf, sizeof(buf), 0);
		if (n < 0 && errno == EAGAIN)
			return false;
		if (n <= 0)
			return true;
		job->last_event = now;
		if (job->stream->kind == STREAM_VALID || job->rx.len < 64)
			text_add(&job->rx, buf, n);
	}
}

/* A valid stream is over when all is answered, and when its last request said so, the connection closed. */
static void valid_event(struct job *job, bool ended)
{
	const struct stream *s = job->stream;

	if (!response_read(job, ended))
		job_end(job, true);
	else if (ended || (job->answered == s->n_wants && !s->closes && job->cut == s->n_cuts))
		job_end(job, false);
}

static void job_event(struct job *job, uint32_t events, int64_t now)
{
	bool ended;

	if (events & EPOLLOUT)
		job->connected = true;
	job_send(job, now);
	ended = (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) && job_read(job, now);
	job->ended |= ended;
	if (job->stream->kind == STREAM_VALID) {
		valid_event(job, ended);
		return;
	}
	first_status(job);
	if (ended)
		job_end(job, job->cut < job->stream->n_cuts);
}

/* How long a stream that may say nothing more is kept; longer when it has not said anything. */
static int64_t patience(const struct job *job)
{
	return (int64_t)options.quiet_ms * options.slow * (job->first_status ? 1 : 12);
}

static void job_time(struct job *job, int64_t now)
{
	if (job->cut < job->stream->n_cuts && job->connected && now >= job->next_send)
		job_send(job, now);
	if (job->stream->kind == STREAM_VALID)
		valid_event(job, false); /* all may be answered before the last byte has gone */
	if (job->done)
		return;
	if (now >= job->deadline) {
		if (job->stream->kind == STREAM_VALID)
			job->fault = "no answer, and no end, within the limit";
		else if (job->waits_for_end)
			job->fault = "no end within the limit";
		job_end(job, true);
		return;
	}
	if (!job->waits_for_end && job->cut == job->stream->n_cuts && now - job->last_event > patience(job))
		job_end(job, true);
}

void client_run(struct job *jobs, size_t n)
{
	struct epoll_event events[256];
	int64_t now, swept = 0;
	size_t next = 0;
	int i, count;

	if (epoll < 0) {
		epoll = epoll_create1(EPOLL_CLOEXEC);
		active = calloc(options.concurrency, sizeof(*active));
		if (epoll < 0 || !active)
			die("epoll");
	}
	while (next < n || n_active) {
		while (next < n && n_active < options.concurrency)
			job_start(&jobs[next++]);
		count = epoll_wait(epoll, events, 256, 1);
		now = now_ms();
		for (i = 0; i < count; i++)
			if (!((struct job *)events[i].data.ptr)->done)
				job_event(events[i].data.ptr, events[i].events, now);
		if (now == swept && count)
			continue;
		swept = now;
		for (i = 0; i < n_active; i++) {
			if (!active[i]->done)
				job_time(active[i], now);
			if (active[i]->done)
				active[i--] = active[--n_active];
		}
	}
}
