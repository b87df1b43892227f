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
	pthread_mutex_init(&pipes->lock, NULL);
	SLIST_INIT(&pipes->idle);
}

static void pipe_close(struct pipe *pipe)
{
	close(pipe->in);
	close(pipe->out);
	free(pipe);
}

void pipes_close(struct pipes *pipes)
{
	struct pipe *pipe;

	while ((pipe = SLIST_FIRST(&pipes->idle))) {
		SLIST_REMOVE_HEAD(&pipes->idle, link);
		pipe_close(pipe);
		pipes->n_open--;
	}
	pipes->n_idle = 0;
	pthread_mutex_destroy(&pipes->lock);
}

static struct pipe *pipe_open(bool large)
{
	struct pipe *pipe = calloc(1, sizeof(*pipe));
	int fd[2];

	if (!pipe || pipe2(fd, O_NONBLOCK | O_CLOEXEC) < 0) {
		free(pipe);
		return NULL;
	}
	/* Refused where an administrator allows less: then it stays as it is. */
	if (large)
		fcntl(fd[0], F_SETPIPE_SZ, PIPE_BYTES_MAX);
	pipe->out = fd[0];
	pipe->in = fd[1];
	return pipe;
}

static void pipe_gone(struct pipes *pipes)
{
	pthread_mutex_lock(&pipes->lock);
	pipes->n_open--;
	pthread_mutex_unlock(&pipes->lock);
}

/* An idle one; or NULL, and whether one more may be opened, which counts from here on. */
static struct pipe *pipe_idle(struct pipes *pipes, bool *ret_open, bool *ret_large)
{
	struct pipe *pipe;

	pthread_mutex_lock(&pipes->lock);
	pipe = SLIST_FIRST(&pipes->idle);
	*ret_open = !pipe && pipes->n_open < PIPES_MAX;
	*ret_large = pipes->n_open < PIPES_LARGE;
	if (pipe) {
		SLIST_REMOVE_HEAD(&pipes->idle, link);
		pipes->n_idle--;
	}
	pipes->n_open += *ret_open;
	pthread_mutex_unlock(&pipes->lock);
	return pipe;
}

struct pipe *pipes_take(struct pipes *pipes)
{
	bool open, large;
	struct pipe *pipe = pipe_idle(pipes, &open, &large);

	if (!open)
		return pipe;
	pipe = pipe_open(large);
	if (!pipe)
		pipe_gone(pipes);
	return pipe;
}

static bool pipe_keep(struct pipes *pipes, struct pipe *pipe)
{
	bool keeps;

	pthread_mutex_lock(&pipes->lock);
	keeps = pipes->n_idle < PIPES_IDLE_MAX;
	if (keeps) {
		SLIST_INSERT_HEAD(&pipes->idle, pipe, link);
		pipes->n_idle++;
	}
	pthread_mutex_unlock(&pipes->lock);
	return keeps;
}

/* One that holds something is no good any more. */
void pipes_give(struct pipes *pipes, struct pipe *pipe)
{
	if (!pipe->held && pipe_keep(pipes, pipe))
		return;
	pipe_close(pipe);
	pipe_gone(pipes);
}
