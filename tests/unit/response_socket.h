/* SPDX-License-Identifier: MIT */
/*
 * Test helper: a socket, and the kernel's way to run an sk_msg program on what is sent through it. bpf/include/response.h is
 * compiled natively over it.
 */
#ifndef MPBPF_TESTS_RESPONSE_SOCKET_H
#define MPBPF_TESTS_RESPONSE_SOCKET_H

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* What the programs take from vmlinux.h and libbpf when they are compiled for BPF. */
#define SEC(name)
#define __uint(name, val) int(*name)[val]
#define __type(name, val) typeof(val) *name
#define __array(name, ...) typeof(__VA_ARGS__) *name[1]
#define bpf_htonl(x) htonl(x)

struct net {
	struct {
		unsigned int sysctl_tcp_notsent_lowat;
	} ipv4;
};

struct sock {
	struct {
		struct {
			struct net *net;
		} skc_net;
	} __sk_common;
	int sk_sndbuf, sk_wmem_queued;
};

struct tcp_sock {
	struct {
		struct {
			struct sock sk;
		} icsk_inet;
	} inet_conn;
	unsigned int snd_nxt, mss_cache, write_seq, notsent_lowat;
};

struct sk_msg_md;
static void *bpf_map_lookup_elem(void *map, const void *key);
static int bpf_map_update_elem(void *map, const void *key, const void *value, uint64_t flags);
static int pull(struct sk_msg_md *msg, uint32_t from, uint32_t to);
static int push(struct sk_msg_md *msg, uint32_t at, uint32_t size);
static uint32_t applied; /* by bpf_msg_apply_bytes */

#define bpf_spin_lock(lock) ((void)(lock))
#define bpf_spin_unlock(lock) ((void)(lock))
#define bpf_ringbuf_reserve(map, size, flags) ((void)(map), (struct ask *)NULL)
#define bpf_ringbuf_submit(record, flags) ((void)(record))
#define bpf_msg_pull_data(msg, from, to, flags) pull(msg, from, to)
#define bpf_msg_push_data(msg, at, size, flags) push(msg, at, size)
#define bpf_msg_apply_bytes(msg, n) ((void)(msg), applied = (n))
#define bpf_probe_read_kernel(to, n, from) (memcpy(to, from, n), 0)
#define bpf_map_delete_elem(map, key) ((void)(map), (void)(key), has_kept_piece = false)
#define bpf_ktime_get_boot_ns() 0
static bool has_kept_piece;

#include "response.h"

static struct scratches buffers;
static struct request_stats counters;
static struct control state_of_control;
static struct piece kept_piece;
static struct header_block header_block = { .len = 128 };

/* Not inline: the compiler would see a value of another map in the place of a piece. */
static __noinline int bpf_map_update_elem(void *map, const void *key, const void *value, uint64_t flags)
{
	(void)key;
	(void)flags;
	if (map != (void *)&pieces)
		return -1;
	kept_piece = *(const struct piece *)value;
	has_kept_piece = true;
	return 0;
}

static void *bpf_map_lookup_elem(void *map, const void *key)
{
	(void)key;
	if (map == (void *)&pieces && has_kept_piece)
		return &kept_piece;
	if (map == (void *)&headers)
		return &header_block;
	return map == (void *)&control	       ? (void *)&state_of_control
	       : map == (void *)&request_stats ? (void *)&counters
	       : map == (void *)&scratches     ? (void *)&buffers
					       : NULL;
}

static struct net net;
static struct tcp_sock tp;
static struct conn conn;
#define MESSAGE_MAX (1 << 20)
#define PUSHED_MAX 512
static uint8_t message[MESSAGE_MAX]; /* what is left of the one under way begins at `view` and has `view_len` bytes */
static uint8_t *view;
static uint32_t view_len, message_len;
static uint64_t pushed_text[PUSHED_MAX / 8]; /* what was pushed last, `pushed_len` bytes at `pushed_at` */
static uint32_t pushed_at, pushed_len;
static bool kept;      /* the verdict, from an earlier message */
static uint32_t keeps; /* for so many bytes; 0: for the message */
static uint32_t tail;  /* how much the last segment in the send buffer can take still */
static bool hostile;
static uint64_t random_state;

/* xorshift64* (Vigna 2016). */
static uint32_t below(uint32_t n)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (random_state * 0x2545f4914f6cdd1dULL >> 32) % n;
}

static int pull(struct sk_msg_md *msg, uint32_t from, uint32_t to)
{
	if (from >= view_len)
		return -1;
	if (pushed_len && from == pushed_at && to - from == pushed_len) {
		msg->data = pushed_text;
		msg->data_end = (void *)pushed_text + pushed_len;
		return 0;
	}
	msg->data = (void *)(view + from);
	msg->data_end = (void *)(view + view_len);
	return 0;
}

static int push(struct sk_msg_md *msg, uint32_t at, uint32_t size)
{
	if (at >= view_len || message_len + size > MESSAGE_MAX)
		return -1;
	memmove(view + at + size, view + at, view_len - at);
	memset(view + at, '+', size);
	pushed_at = at;
	pushed_len = size;
	view_len += size;
	message_len += size;
	msg->size += size;
	return 0;
}

static void message_begin(const uint8_t *data, uint32_t len)
{
	memcpy(message, data, len);
	view = message;
	view_len = message_len = len;
}

/* The program is asked about all that is left of the message. */
static void judge(void)
{
	struct sk_msg_md msg = { .size = view_len };

	pushed_len = 0;
	applied = 0;
	assert_int_equal(response_follow(&msg, &conn, 1, &tp, false), SK_PASS);
	keeps = applied;
}

/* Content that would pass for the end of a response and for a whole one. */
static const char fake[] = "\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/* n of at most `max` bytes, or somewhat more, so that such a thing comes next. */
static uint32_t cut(const uint8_t *data, uint32_t n, uint32_t max)
{
	uint32_t at;

	for (at = n; at < max && at - n < sizeof(fake); at++)
		if (!memcmp(data + at, fake, 7) || !memcmp(data + at, fake + 7, 4))
			return at;
	return n;
}

/* sk_stream_memory_free() */
static bool memory_free(void)
{
	return tp.inet_conn.icsk_inet.sk.sk_wmem_queued < tp.inet_conn.icsk_inet.sk.sk_sndbuf &&
	       tp.write_seq - tp.snd_nxt < net.ipv4.sysctl_tcp_notsent_lowat;
}

/* How many of n bytes the socket takes now. */
static uint32_t taken(const uint8_t *data, uint32_t n)
{
	struct sock *sk = &tp.inet_conn.icsk_inet.sk;
	uint32_t done = 0, m;

	if (hostile)
		return below(3) ? n : cut(data, below(n + 1), n);
	while (done < n && (tail || memory_free())) {
		if (!tail) {
			tail = tp.mss_cache * (1 + below(4));
			sk->sk_wmem_queued += 1280;
		}
		m = tail < n - done ? tail : n - done;
		tail -= m;
		done += m;
		sk->sk_wmem_queued += m;
		tp.write_seq += m;
	}
	tp.write_seq -= done;
	return done;
}

/* The peer acknowledges some of what was sent. */
static void drain(void)
{
	struct sock *sk = &tp.inet_conn.icsk_inet.sk;

	if (below(2))
		tail = 0;
	sk->sk_wmem_queued =
		below(2) ? below(sk->sk_wmem_queued + 1) : sk->sk_wmem_queued - below(1 + sk->sk_wmem_queued / 20);
	tp.snd_nxt = tp.write_seq - below(1 + sk->sk_wmem_queued);
}

/* tcp_bpf_sendmsg() with MSG_DONTWAIT. Returns how many bytes were taken: what was pushed comes off, wherever it stands. */
static uint32_t transmit(const uint8_t *data, uint32_t len)
{
	uint32_t n, m;

	message_begin(data, len);
	while (view_len && (view != message || hostile || memory_free())) {
		if (!kept)
			judge();
		kept = true;
		n = keeps && keeps < view_len ? keeps : view_len;
		m = taken(view, n);
		tp.write_seq += m;
		view += m;
		view_len -= m;
		if (m < n)
			break;
		keeps -= keeps < n ? keeps : n;
		kept = keeps;
	}
	return len - view_len;
}

#endif
