/* SPDX-License-Identifier: GPL-2.0 */
/* Floor 2: the bytes that a client sends on a guarded connection. */
#include "cookie.h"
#include "ending.h"
#include "request_act.h"
#include "written.h"

SEC("sk_skb/stream_verdict") int sk_skb_request(struct __sk_buff *skb)
{
	struct request rq = { .len = skb->len };
	struct bpf_sock *sk = skb->sk;
	__u32 slot = SCRATCHES;
	struct tcp_sock *tp;
	struct conn *conn;
	struct scratch *s;
	int action;

	tp = sk ? bpf_skc_to_tcp_sock(sk) : NULL;
	rq.cookie = tp ? cookie_of(tp) : 0;
	conn = bpf_map_lookup_elem(&conns, &rq.cookie);
	/* The FIN comes without bytes and must reach the service's socket. */
	if (!rq.len) {
		if (conn && tp)
			conn_end_late(conn, rq.cookie, tp);
		return SK_PASS;
	}
	if (!conn || !tp)
		return bpf_sk_redirect_map(skb, &sink, 0, 0); /* as of an agent that tries the sink */
	rq.write_seq = conn_written(conn, tp);
	rq.seq = skb->cb[0]; /* TCP_SKB_CB(skb)->seq */
	rq.last = !tp->inet_conn.icsk_inet.sk.sk_receive_queue.qlen;
	rq.lags = !!tp->inet_conn.icsk_inet.sk.sk_lock.owned;
	rq.front = judging_begin(conn);
	s = scratch_claim(&slot);
	rq.outcome = request_decide(skb, &rq, conn, s);
	token_count(&rq);
	request_blur(&rq);
	rq.outcome = request_limit(&rq, conn, s, tp, rq.outcome);
	request_blur(&rq);
	action = request_act(skb, &rq, conn, s, rq.outcome);
	if (s)
		scratch_release(slot);
	judging_end(conn, rq.front, rq.len, rq.seq + rq.len);
	conn_end_late(conn, rq.cookie, tp);
	return action;
}

char _license[] SEC("license") = "GPL";
