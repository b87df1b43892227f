/* SPDX-License-Identifier: GPL-2.0 */
/* Bench object: what comes on a socket goes out on its peer, by a redirect. See relay_bench.c. */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, __u64);
} carried SEC(".maps");

/* Cookie of a socket: that of its peer. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, __u64);
} peers SEC(".maps");

SEC("sk_skb/stream_verdict") int sk_skb_carry(struct __sk_buff *skb)
{
	__u64 cookie = bpf_get_socket_cookie(skb), peer, *found;

	found = skb->len ? bpf_map_lookup_elem(&peers, &cookie) : NULL;
	if (!found)
		return SK_PASS;
	peer = *found;
	return bpf_sk_redirect_hash(skb, &carried, &peer, 0);
}

char _license[] SEC("license") = "GPL";
