/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Floor 1: what is counted of requests and responses on a connection that is sampled.
 *
 * One map of counters, keyed by listener and path prefix, or by host, and by what is counted: only what occurs takes room. Requests
 * count when they pass, with their bytes; responses when they are complete, and once, however often the service has to send their
 * end again.
 */
#ifndef MPBPF_BPF_METRICS_H
#define MPBPF_BPF_METRICS_H

#include "conn.h"
#include "histogram.h"

/* Adds to one counter on this CPU. Atomic: a program may interrupt another. */
__weak __noinline int metric_add(const struct metric_key *key, __u64 count, __u64 sum)
{
	struct metric zero = {}, *metric;
	struct metric_key at;

	if (!key)
		return -1;
	at = *key;
	metric = bpf_map_lookup_elem(&metrics, &at);
	if (!metric) {
		bpf_map_update_elem(&metrics, &at, &zero, BPF_NOEXIST);
		metric = bpf_map_lookup_elem(&metrics, &at);
	}
	if (!metric) {
		STATS_INC(unmeasured);
		return -1;
	}
	__sync_fetch_and_add(&metric->count, count);
	__sync_fetch_and_add(&metric->sum, sum);
	return 0;
}

/* Under listener and prefix, and under the host by itself: counters for all three together would be too many. */
static __always_inline int metric_add_each(struct metric_key *key, __u64 count, __u64 sum)
{
	struct metric_key of_host = { .kind = key->kind };

	if (key->host) {
		of_host.at = key->at;
		of_host.host = key->host;
		key->host = 0;
		metric_add(&of_host, count, sum);
	}
	return metric_add(key, count, sum);
}

/* What is to be measured of the connection now: enum metrics_flags. */
static __always_inline __u32 metrics_of(const struct conn *conn)
{
	return conn->flags & CONN_MEASURED ? conn->listener.metrics : 0;
}

/* Whether times are measured. */
static __always_inline bool metrics_timed(const struct conn *conn)
{
	return metrics_of(conn) & METRICS_TIMING;
}

/* What request number `of` and its response are counted under. */
static __always_inline void metrics_under(const struct conn *conn, __u32 of, struct metric_key *key)
{
	const struct exchange *x = &conn->exchange;

	key->listener = conn->listener.name;
	key->prefix = x->prefix[of & (MPBPF_PIPELINE_MAX - 1)];
	key->host = x->host[of & (MPBPF_PIPELINE_MAX - 1)];
}

/* Before conn_allow(): the request that is about to pass; now: 0 when times are not measured; alone: no response is due. */
static __always_inline void metrics_begin(struct conn *conn, __u64 now, bool alone, __u8 method, __u8 prefix, __u8 host)
{
	struct exchange *x = &conn->exchange;

	if (!(conn->flags & CONN_MEASURED))
		return;
	x->method = method;
	x->prefix[conn->allowed & (MPBPF_PIPELINE_MAX - 1)] = prefix;
	x->host[conn->allowed & (MPBPF_PIPELINE_MAX - 1)] = host;
	if (alone) {
		x->begun = now;
		x->begun_of = conn->allowed;
	}
}

/* A request, or a response, as far as `flags` say that it is counted. Global, as its branches would multiply those around it. */
__weak __noinline int metric_count(const struct metric_key *key, __u32 flags, __u64 count, __u64 bytes)
{
	struct metric_key at;

	if (!key)
		return -1;
	at = *key;
	if (!(flags & (at.kind == METRIC_REQUEST ? METRICS_REQUEST : METRICS_RESPONSE))) {
		count = 0;
		at.at = 0;
	}
	if (!(flags & METRICS_SIZE))
		bytes = 0;
	return count || bytes ? metric_add_each(&at, count, bytes) : 0;
}

/* A request passed (count 1), or more bytes of it; it is the last that was allowed. */
static __always_inline void metrics_request(const struct conn *conn, __u64 count, __u64 bytes)
{
	struct metric_key key = { .kind = METRIC_REQUEST };
	__u32 flags = metrics_of(conn);

	if (!flags)
		return;
	metrics_under(conn, conn->allowed - 1, &key);
	key.at = conn->exchange.method;
	metric_count(&key, flags, count, bytes);
}

/* A request that the kernel or the helper answered; bytes of request and answer, where they are known. */
static __always_inline void metrics_denied(const struct conn *conn, __u8 method, __u8 prefix, __u8 host, __u16 status,
					   __u64 in, __u64 out)
{
	struct metric_key key = { .listener = conn->listener.name, .prefix = prefix, .host = host };
	__u32 flags = metrics_of(conn);

	if (!flags)
		return;
	key.kind = METRIC_REQUEST;
	key.at = method;
	metric_count(&key, flags, 1, in);
	key.kind = METRIC_RESPONSE;
	key.at = status;
	metric_count(&key, flags, 1, out);
}

/* Adds a time to its bucket; key->at is set here. Global: verified once. */
__weak __noinline int metric_time(const struct metric_key *key, __u64 ns)
{
	struct metric_key at;

	if (!key)
		return -1;
	at = *key;
	at.at = histogram_index(ns);
	return metric_add_each(&at, 1, ns);
}

/* The time from when request number `of` passed, if it was timed. now: read here when it is 0, and then kept. */
static __always_inline void metrics_time(const struct conn *conn, __u32 of, __u8 kind, __u64 *now)
{
	const struct exchange *x = &conn->exchange;
	struct metric_key key = { .kind = kind };

	if (!x->begun || x->begun_of != of || !metrics_timed(conn))
		return;
	if (!*now)
		*now = bpf_ktime_get_boot_ns();
	metrics_under(conn, of, &key);
	metric_time(&key, *now - x->begun);
}

/* The head of the final response to request number `of` was read; it and what is known to follow have `bytes`. */
static __always_inline void metrics_head(struct conn *conn, __u32 of, __u16 status, __u64 bytes, __u32 seq, __u64 *now)
{
	struct exchange *x = &conn->exchange;

	if (!metrics_of(conn))
		return;
	x->status = status;
	x->out = bytes;
	x->out_seq = seq;
	metrics_time(conn, of, METRIC_FIRST, now);
}

/* Responses up to number `of` are complete, or as far as they can be followed. */
static __always_inline void metrics_response(struct conn *conn, __u32 of, __u64 *now)
{
	struct metric_key key = { .kind = METRIC_RESPONSE };
	struct exchange *x = &conn->exchange;
	__u32 flags = metrics_of(conn);

	if (!flags || (__s32)(of - x->counted) < 0)
		return;
	x->counted = of + 1;
	metrics_under(conn, of, &key);
	key.at = x->status;
	metric_count(&key, flags, 1, x->out);
	metrics_time(conn, of, METRIC_LAST, now);
}

/* A chunked response was read up to `seq`. */
static __always_inline void metrics_chunks(struct conn *conn, __u32 seq)
{
	struct exchange *x = &conn->exchange;

	if (!(conn->flags & CONN_MEASURED))
		return;
	x->out += seq - x->out_seq;
	x->out_seq = seq;
}

#endif
