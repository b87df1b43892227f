/* SPDX-License-Identifier: GPL-2.0 */
/* Floor 1: how far a service has come with what it sends. */
#ifndef MPBPF_BPF_WRITTEN_H
#define MPBPF_BPF_WRITTEN_H

#include "conn.h"

/*
 * How much it has written, of which a part went past TCP: a position, compared as sequence numbers are. What is called `write_seq`
 * where connections' records are concerned is such a one; TCP's own tells what is in flight.
 */
static __always_inline __u32 conn_written(const struct conn *conn, const struct tcp_sock *tp)
{
	return tp->write_seq + READ_ONCE(conn->fast_out);
}

#endif
