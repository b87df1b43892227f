/* SPDX-License-Identifier: GPL-2.0 */
/* Floor 2: handshakes of guarded ports, on both sides where both are here, and the end of guarded connections. */
#include "track.h"

SEC("sockops") int sockops_track(struct bpf_sock_ops *ops)
{
	__u32 op = ops->op, state = ops->args[1];

	if (op == BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB)
		track_open(ops);
	else if (op == BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB)
		fast_client_open(ops);
	else if (op == BPF_SOCK_OPS_TIMEOUT_INIT)
		fast_expect(ops);
	else if (op == BPF_SOCK_OPS_STATE_CB && state == BPF_TCP_CLOSE)
		track_end(ops);
	else if (op == BPF_SOCK_OPS_HDR_OPT_LEN_CB)
		lag_settle(ops);
	return 1;
}

char _license[] SEC("license") = "GPL";
