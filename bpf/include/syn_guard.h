/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Floor 1: the SYN guard. While it is active, a SYN for a socket that listens is answered here, by the cookie that the stack
 * would give, and of what comes for no connection only a handshake with a right cookie goes on to the stack.
 *
 * Connections, those that are ending too, are found by a look-up and left alone. So is whatever is not for this host: the
 * stack would forward it, and a bridge pass it on.
 */
#ifndef MPBPF_BPF_SYN_GUARD_H
#define MPBPF_BPF_SYN_GUARD_H

#include "policy.h"
#include "syn_answer.h"
#include "window.h"

#define SYN_AF_INET 2
#define SYN_AF_INET6 10

/* So long without half of syn_rate in any second, and the guard rests again. */
#define SYN_SECOND_NS 1000000000ULL
#define SYN_HOLD_NS (10 * SYN_SECOND_NS)
/* What stands before TCP is the stack's to judge first. */
#define SYN_NOT_OURS (1ULL << IP_PROTO_AH | 1ULL << IP_PROTO_ROUTING)
#define TCP_HEADER_LEAST 20
#define TCP_OPTIONS_MAX 40
#define SYN_NO_COOKIE (-2)  /* -ENOENT of bpf_tcp_gen_syncookie() */
#define SYNCOOKIES_ALWAYS 2 /* net.ipv4.tcp_syncookies */

enum syn_verdict { SYN_PASS, SYN_VALID, SYN_ANSWER, SYN_DROP };

static __always_inline struct syn_state *syn_state_get(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&syn_state, &zero);
}

static __always_inline bool syn_active(const struct policy *policy)
{
	const struct syn_state *state;
	__u64 until;

	if (policy->syn_mode == SYN_ALWAYS)
		return true;
	state = syn_state_get();
	until = state ? READ_ONCE(state->until) : 0;
	return until && bpf_ktime_get_ns() < until;
}

/*
 * Counts a SYN; is the guard active now? What comes above the count that matters is not counted, or in a flood all CPUs would
 * write to one line of memory: one of them, that which counts up to it, makes the guard active, or lets it stay so.
 */
static __always_inline bool syn_note(const struct policy *policy)
{
	struct syn_state *state = syn_state_get();
	__u64 seen, now = bpf_ktime_get_ns();
	__u32 enough, window = now / SYN_SECOND_NS;
	bool active;

	if (!state)
		return false;
	active = now < READ_ONCE(state->until);
	enough = active ? policy->syn_rate / 2 : policy->syn_rate;
	seen = READ_ONCE(state->syns.window_count);
	if ((__u32)(seen >> 32) == window && (__u32)seen > enough)
		return active;
	if (window_count(&state->syns, window) <= enough)
		return active;
	*(volatile __u64 *)&state->until = now + SYN_HOLD_NS;
	return true;
}

static __always_inline bool syn_port_guarded(const struct packet *pkt, const struct policy *policy)
{
	struct syn_port_key key = { .generation = policy->generation, .port = pkt->dest_port };

	return !policy->syn_named || bpf_map_lookup_elem(&syn_ports, &key);
}

static __always_inline bool syn_mac_is_ours(struct xdp_md *ctx, __u32 ifindex)
{
	struct syn_link *link = bpf_map_lookup_elem(&syn_links, &ifindex);
	__u8 mac[MAC_SIZE];

	return link && !bpf_xdp_load_bytes(ctx, 0, mac, sizeof(mac)) && !__builtin_memcmp(mac, link->mac, sizeof(mac));
}

/*
 * Is the frame, by its link address, for this host, and does the stack deliver the packet here? Global, as what follows, so
 * that each is verified once.
 */
__noinline int syn_is_ours(struct xdp_md *ctx, const struct packet *pkt)
{
	struct bpf_fib_lookup fib = { .l4_protocol = IP_PROTO_TCP };
	__u32 ifindex = ctx->ingress_ifindex;
	long r;

	/* Never NULL, but the verifier wants to see it. */
	if (!pkt || !syn_mac_is_ours(ctx, ifindex))
		return 0;
	fib.sport = pkt->source_port;
	fib.dport = pkt->dest_port;
	fib.ifindex = ifindex;
	if (pkt->l3_proto == L3_IPV4) {
		fib.family = SYN_AF_INET;
		fib.ipv4_src = pkt->source.w[3];
		fib.ipv4_dst = pkt->dest.w[3];
	} else {
		fib.family = SYN_AF_INET6;
		__builtin_memcpy(fib.ipv6_src, &pkt->source, sizeof(pkt->source));
		__builtin_memcpy(fib.ipv6_dst, &pkt->dest, sizeof(pkt->dest));
	}
	r = bpf_fib_lookup(ctx, &fib, sizeof(fib), 0);
	return r == BPF_FIB_LKUP_RET_NOT_FWDED || r == BPF_FIB_LKUP_RET_FWD_DISABLED;
}

static __always_inline struct bpf_sock *syn_lookup(struct xdp_md *ctx, const struct packet *pkt)
{
	struct bpf_sock_tuple tuple = {};
	__u32 size = sizeof(tuple.ipv4);

	if (pkt->l3_proto == L3_IPV4) {
		tuple.ipv4.saddr = pkt->source.w[3];
		tuple.ipv4.daddr = pkt->dest.w[3];
		tuple.ipv4.sport = pkt->source_port;
		tuple.ipv4.dport = pkt->dest_port;
	} else {
		size = sizeof(tuple.ipv6);
		__builtin_memcpy(tuple.ipv6.saddr, &pkt->source, sizeof(pkt->source));
		__builtin_memcpy(tuple.ipv6.daddr, &pkt->dest, sizeof(pkt->dest));
		tuple.ipv6.sport = pkt->source_port;
		tuple.ipv6.dport = pkt->dest_port;
	}
	return bpf_skc_lookup_tcp(ctx, &tuple, size, BPF_F_CURRENT_NETNS, 0);
}

/* The headers as the helpers for cookies want them: of IP the addresses, of TCP all. */
struct syn_headers {
	union {
		struct iphdr v4;
		struct ipv6hdr v6;
	} ip;
	__u32 ip_size;
	__u32 tcp_size;
	union {
		struct tcphdr header;
		__u64 w[8];
	} tcp;
};

/* Where it is asked for, for verifiers do not keep the bounds of what was stored: 20 to 60. */
#define syn_tcp_size(h)                                         \
	({                                                      \
		__u32 _more = (h)->tcp_size - TCP_HEADER_LEAST; \
		forget(_more);                                  \
		if (_more > TCP_OPTIONS_MAX)                    \
			_more = TCP_OPTIONS_MAX;                \
		_more + TCP_HEADER_LEAST;                       \
	})

static __always_inline int syn_headers_read(struct xdp_md *ctx, const struct packet *pkt, struct syn_headers *h)
{
	__u32 size = pkt->tcp_size;

	forget(size);
	if (size < TCP_HEADER_LEAST || size > TCP_HEADER_LEAST + TCP_OPTIONS_MAX)
		return -1;
	h->tcp_size = size;
	if (pkt->l3_proto == L3_IPV4) {
		h->ip_size = sizeof(h->ip.v4);
		h->ip.v4.version = 4;
		h->ip.v4.saddr = pkt->source.w[3];
		h->ip.v4.daddr = pkt->dest.w[3];
	} else {
		h->ip_size = sizeof(h->ip.v6);
		h->ip.v6.version = 6;
		__builtin_memcpy(&h->ip.v6.saddr, &pkt->source, sizeof(pkt->source));
		__builtin_memcpy(&h->ip.v6.daddr, &pkt->dest, sizeof(pkt->dest));
	}
	return bpf_xdp_load_bytes(ctx, pkt->l4_off, &h->tcp, size);
}

/* Does the stack send cookies to everybody? Then there was none because the service does not accept what waits for it. */
static __always_inline bool syn_stack_sends_cookies(struct bpf_sock *sk)
{
	struct tcp_sock *tp = bpf_skc_to_tcp_sock(sk);
	const struct net *net;

	if (!tp)
		return false;
	net = tp->inet_conn.icsk_inet.sk.__sk_common.skc_net.net;
	return net && net->ipv4.sysctl_tcp_syncookies == SYNCOOKIES_ALWAYS;
}

/* What this interface can receive; and never more than the client itself can, for so much the cookie says. */
static __always_inline __u16 syn_mss(struct xdp_md *ctx, const struct packet *pkt, __u32 mss)
{
	__u32 mtu = 0, headers = sizeof(struct tcphdr) + sizeof(struct iphdr);

	if (pkt->l3_proto == L3_IPV6)
		headers = sizeof(struct tcphdr) + sizeof(struct ipv6hdr);
	bpf_check_mtu(ctx, 0, &mtu, 0, 0);
	if (mtu >= headers + SYN_MSS_LEAST && mss > mtu - headers)
		mss = mtu - headers;
	return mss;
}

/* A SYN for a socket that listens. */
static __always_inline enum syn_verdict syn_judge_syn(struct xdp_md *ctx, const struct packet *pkt, struct bpf_sock *sk,
						      struct syn_headers *h, struct syn_reply *reply)
{
	__s64 cookie;

	if (!syn_is_ours(ctx, pkt))
		return SYN_PASS;
	cookie = bpf_tcp_gen_syncookie(sk, &h->ip, h->ip_size, &h->tcp.header, syn_tcp_size(h));
	if (cookie < 0)
		return cookie == SYN_NO_COOKIE && syn_stack_sends_cookies(sk) ? SYN_DROP : SYN_PASS;
	reply->cookie = cookie;
	reply->mss = syn_mss(ctx, pkt, (__u64)cookie >> 32);
	reply->seq = h->tcp.header.seq;
	return SYN_ANSWER;
}

/* Anything else for such a socket: the stack has a use for a handshake's last segment, and for nothing more. */
static __always_inline enum syn_verdict syn_judge_other(struct xdp_md *ctx, const struct packet *pkt,
							struct bpf_sock *sk, struct syn_headers *h)
{
	if (!bpf_tcp_check_syncookie(sk, &h->ip, h->ip_size, &h->tcp.header, syn_tcp_size(h)))
		return SYN_VALID;
	return syn_is_ours(ctx, pkt) ? SYN_DROP : SYN_PASS;
}

/* enum syn_verdict; SYN_ANSWER: the frame has become the answer. Global: verified once. */
__noinline int syn_judge(struct xdp_md *ctx, struct packet *pkt)
{
	struct syn_headers headers = {};
	enum syn_verdict verdict = SYN_PASS;
	struct syn_reply reply = {};
	struct bpf_sock *sk;

	if (!pkt || syn_headers_read(ctx, pkt, &headers))
		return SYN_PASS;
	sk = syn_lookup(ctx, pkt);
	if (!sk)
		return SYN_PASS;
	if (sk->state == BPF_TCP_LISTEN)
		verdict = packet_is_syn(pkt) ? syn_judge_syn(ctx, pkt, sk, &headers, &reply)
					     : syn_judge_other(ctx, pkt, sk, &headers);
	bpf_sk_release(sk);
	if (verdict == SYN_ANSWER && syn_answer(ctx, pkt, &reply))
		return SYN_DROP;
	return verdict;
}

/* A TCP packet that nothing else is against. */
static __always_inline enum xdp_reason syn_guard(struct xdp_md *ctx, struct packet *pkt, const struct policy *policy,
						 struct xdp_stats *stats)
{
	bool syn = packet_is_syn(pkt);
	int verdict;

	if (policy->syn_mode == SYN_OFF || pkt->more_fragments || pkt->extensions & SYN_NOT_OURS)
		return XDP_REASON_PASS;
	if (!syn && !syn_active(policy))
		return XDP_REASON_PASS;
	if (!syn_port_guarded(pkt, policy))
		return XDP_REASON_PASS;
	if (syn && policy->syn_mode != SYN_ALWAYS && !syn_note(policy))
		return XDP_REASON_PASS;
	verdict = syn_judge(ctx, pkt);
	if (verdict == SYN_VALID)
		stats->syn_validated++;
	if (verdict == SYN_ANSWER)
		return XDP_REASON_SYN_COOKIE;
	return verdict == SYN_DROP ? XDP_REASON_SYN_GUARD : XDP_REASON_PASS;
}

#endif
