/* SPDX-License-Identifier: MIT */
/* Floor 3: ownership by cleanup attributes, after the manner of systemd and bpfilter. */
#ifndef MPBPF_CORE_UTIL_H
#define MPBPF_CORE_UTIL_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))
#define _cleanup_free_ _cleanup_(free_ptr)
#define _cleanup_close_ _cleanup_(close_fd)
#define _cleanup_fclose_ _cleanup_(fclose_ptr)

static inline void free_ptr(void *p)
{
	free(*(void **)p);
}

static inline void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static inline void fclose_ptr(FILE **f)
{
	if (*f)
		fclose(*f);
}

/* Hands ownership on: the variable is emptied, its cleanup does nothing. */
#define TAKE_PTR(p)                 \
	({                          \
		typeof(p) _p = (p); \
		(p) = NULL;         \
		_p;                 \
	})
#define TAKE_FD(fd)             \
	({                      \
		int _fd = (fd); \
		(fd) = -1;      \
		_fd;            \
	})

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif
