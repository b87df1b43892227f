/* SPDX-License-Identifier: GPL-2.0 */
/* Floor 2: the bytes that the service sends on a guarded connection. */
#include "response.h"

SEC("sk_msg") int sk_msg_response(struct sk_msg_md *msg)
{
	struct response_run run = { .msg = msg, .size = msg->size };
	struct bpf_sock *sk = msg->sk;
	__u32 slot = SCRATCHES;
	struct tcp_sock *tp;
	__u64 *cookie;

	cookie = sk ? bpf_sk_storage_get(&cookies, sk, 0, 0) : NULL;
	tp = sk ? bpf_skc_to_tcp_sock(sk) : NULL;
	if (!cookie || !tp)
		return SK_PASS;
	run.conn = bpf_map_lookup_elem(&conns, cookie);
	if (!run.conn)
		return SK_PASS;
	run.seq = tp->write_seq;
	if (headers_cut(run.conn, run.seq)) {
		STATS_INC(broken);
		ask_close(run.conn, *cookie);
		return SK_DROP;
	}
	if (run.conn->response.kind == BODY_UNTIL_CLOSE)
		return SK_PASS;
	run.cookie = *cookie;
	if (run.conn->listener.headers)
		run.room = headers_room(tp);
	run.body = run.conn->response;
	run.anchor = run.conn->response_seq;
	run.answered = run.conn->answered;
	response_resume(&run);
	run.s = scratch_claim(&slot);
	bpf_loop(RESPONSE_STEPS, response_step, &run, 0);
	if (run.s)
		scratch_release(slot);
	if (run.off < run.size)
		response_lost(&run); /* more pieces than one message should have */
	response_measure(&run);
	response_commit(&run, *cookie);
	return run.spoilt ? SK_DROP : SK_PASS;
}

char _license[] SEC("license") = "GPL";
