/* SPDX-License-Identifier: MIT */
/* Floor 4: the bytes of a stream, for whoever judges them. Taking them in and freeing them is in stream.h. */
#ifndef MPBPF_AUTH_STREAM_BYTES_H
#define MPBPF_AUTH_STREAM_BYTES_H

#include "userspace-auth/stream.h"

/* The first n bytes are dealt with. */
void stream_take(struct stream_env *env, struct stream *stream, size_t n);
/* The first n bytes go to the service. Returns 0 or -errno; then some may be lost. */
int stream_hand(struct stream_env *env, struct stream *stream, size_t n);
/* All bytes go to the service, as what is no request, and behind them `len` more that were not taken in. Returns as stream_hand(). */
int stream_pass(struct stream_env *env, struct stream *stream, const void *data, size_t len);

#endif
