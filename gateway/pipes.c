// SPDX-License-Identifier: MIT
/* Floor 4: the pool of pipes. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/util.h"
#include "gateway/pipes.h"

void pipes_init(struct pipes *pipes)
{
	*pipes = (struct pipes){};
	SLIST_INIT(&pipes->idle);
	TAILQ_INIT(&pipes->waiters);
}

static void pipe_close(struct pipes *pipes, struct pipe *pipe)
{
	close(pipe->in);
	close(pipe->out);
	free(pipe);
	pipes->n_open--;
}

void pipes_close(struct pipes *pipes)
{
	struct pipe *pipe;

	while ((pipe = SLIST_FIRST(&pipes->idle))) {
		SLIST_REMOVE_HEAD(&pipes->idle, link);
		pipe_close(pipes, pipe);
	}
	pipes->n_idle = 0;
}

static struct pipe *pipe_open(struct pipes *pipes)
{
	struct pipe *pipe = calloc(1, sizeof(*pipe));
	int fd[2];

	if (!pipe || pipe2(fd, O_NONBLOCK | O_CLOEXEC) < 0) {
		free(pipe);
		return NULL;
	}
	/* Refused where an administrator allows less: then it stays as it is. */
	if (pipes->n_open < PIPES_LARGE)
		fcntl(fd[0], F_SETPIPE_SZ, PIPE_BYTES_MAX);
	pipe->out = fd[0];
	pipe->in = fd[1];
	pipes->n_open++;
	return pipe;
}

static void pipe_keep(struct pipes *pipes, struct pipe *pipe)
{
	SLIST_INSERT_HEAD(&pipes->idle, pipe, link);
	pipes->n_idle++;
}

void pipes_reserve(struct pipes *pipes)
{
	struct pipe *pipe;

	for (int i = 0; i < PIPES_RESERVED; i++) {
		pipe = pipe_open(pipes);
		if (pipe)
			pipe_keep(pipes, pipe);
	}
}

struct pipe *pipes_take(struct pipes *pipes, struct pipe_waiter *waiter)
{
	struct pipe *pipe = SLIST_FIRST(&pipes->idle);

	if (pipe) {
		SLIST_REMOVE_HEAD(&pipes->idle, link);
		pipes->n_idle--;
		return pipe;
	}
	pipe = pipe_open(pipes);
	if (!pipe && !waiter->waiting) {
		waiter->waiting = true;
		TAILQ_INSERT_TAIL(&pipes->waiters, waiter, link);
	}
	return pipe;
}

void pipes_leave(struct pipes *pipes, struct pipe_waiter *waiter)
{
	if (!waiter->waiting)
		return;
	TAILQ_REMOVE(&pipes->waiters, waiter, link);
	waiter->waiting = false;
}

static void waiter_wake(struct pipes *pipes)
{
	struct pipe_waiter *waiter = TAILQ_FIRST(&pipes->waiters);

	if (!waiter)
		return;
	pipes_leave(pipes, waiter);
	waiter->wake(waiter);
}

void pipes_retry(struct pipes *pipes)
{
	while (!TAILQ_EMPTY(&pipes->waiters))
		waiter_wake(pipes);
}

/* One that holds something is replaced, at once, before its descriptors are others'. */
void pipes_give(struct pipes *pipes, struct pipe *pipe)
{
	if (pipe->held) {
		pipe_close(pipes, pipe);
		pipe = pipe_open(pipes);
	}
	if (pipe && pipes->n_idle < PIPES_IDLE_MAX)
		pipe_keep(pipes, pipe);
	else if (pipe)
		pipe_close(pipes, pipe);
	waiter_wake(pipes);
}
