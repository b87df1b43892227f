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
	struct pipe *pipe = pipes->n_open < PIPES_MAX ? calloc(1, sizeof(*pipe)) : NULL;
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

struct pipe *pipes_take(struct pipes *pipes)
{
	struct pipe *pipe = SLIST_FIRST(&pipes->idle);

	if (!pipe)
		return pipe_open(pipes);
	SLIST_REMOVE_HEAD(&pipes->idle, link);
	pipes->n_idle--;
	return pipe;
}

/* One that holds something is no good any more. */
void pipes_give(struct pipes *pipes, struct pipe *pipe)
{
	if (!pipe->held && pipes->n_idle < PIPES_IDLE_MAX)
		pipe_keep(pipes, pipe);
	else
		pipe_close(pipes, pipe);
}
