/* SPDX-License-Identifier: GPL-2.0 */
/* Test object: asks the helper about the packet, on a connection in a state that user space puts it into. */
#include "ask.h"
#include "ask_test.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ask_case);
} cases SEC(".maps");

static __always_inline enum ask_said said(int refusal)
{
	switch (refusal) {
	case 0: return SAID_ASKED;
	case ASK_IMPOSSIBLE: return SAID_NOBODY;
	case ASK_CLOSED: return SAID_CLOSED;
	case ASK_TUNNEL: return SAID_TUNNEL;
	default: return refusal > 0 ? SAID_LATER : SAID_OTHER;
	}
}

SEC("tc") int ask(struct __sk_buff *skb)
{
	struct asking what = { .len = skb->len };
	struct ask record = { .kind = ASK_BYTES };
	struct control *c = control_get();
	struct ask_case *test;
	struct conn *conn;
	__u32 zero = 0;
	__u64 cookie;

	test = bpf_map_lookup_elem(&cases, &zero);
	if (!test || !c)
		return 0;
	cookie = what.cookie = test->cookie;
	what.held = test->held;
	test->runs++;
	if (!test->late) {
		test->said = said(ask_bytes(skb, &what));
		return 0;
	}
	conn = bpf_map_lookup_elem(&conns, &cookie);
	if (!conn)
		return 0;
	record.cookie = cookie;
	record.helper_epoch = c->helper_epoch;
	test->said = said(ask_enter(conn, &record, &what));
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
