/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Floor 2: kprobes on tcp_ioctl, where a kernel forgets what an sk_msg program redirected into a socket: add that to what
 * FIONREAD tells the owner of a guarded connection. Kernels with tcp_bpf_ioctl count it and do without.
 *
 * A program at fexit would be one instead of two, but the end of a trampoline waits for every task that exits, and a container
 * that ends with the last of its links would wait for itself, and all trampolines of the node with it (Linux before 6.2).
 */
#include "maps.h"
#include <bpf/bpf_tracing.h>

#define SIOCINQ 0x541B	       /* asm-generic/ioctls.h: FIONREAD */
#define SK_USER_DATA_PSOCK 4UL /* net/sock.h: sk_user_data is a struct sk_psock */
#define SK_USER_DATA_FLAGS 7UL /* the bits of it that are not part of the pointer */
#define MESSAGES_MAX 4096

/* The ids of sk_skb_request and sk_skb_client as they were loaded with this: sockets with others are not ours. */
__u32 tcp_ioctl_verdict, tcp_ioctl_client;

struct ioctl_call {
	struct sock *sk;
	unsigned long user; /* int __user *: where the answer goes */
};

/* Calls under way, by thread. Those that never return here make place for others. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u64);
	__type(value, struct ioctl_call);
} ioctl_calls SEC(".maps");

struct walk {
	struct sock *sk;
	struct list_head *end;
	struct list_head *at;
	__u32 bytes;
};

/* Bytes that came from the socket itself are between copied_seq and rcv_nxt: tcp_inq() has counted them. */
static long add_message(__u32 i __attribute__((unused)), struct walk *w)
{
	struct sk_msg *msg = (void *)w->at - bpf_core_field_offset(struct sk_msg, list);

	if (!w->at || w->at == w->end)
		return 1;
	if (BPF_CORE_READ(msg, sk) != w->sk)
		w->bytes += BPF_CORE_READ(msg, sg.size);
	w->at = BPF_CORE_READ(msg, list.next);
	return 0;
}

static __always_inline struct sk_psock *psock_of(struct sock *sk)
{
	unsigned long data = (unsigned long)BPF_CORE_READ(sk, sk_user_data);

	return data & SK_USER_DATA_PSOCK ? (void *)(data & ~SK_USER_DATA_FLAGS) : NULL;
}

/* Unlocked, as FIONREAD is a snapshot: a list that changes under it ends the walk or is read in part. */
static __always_inline __u32 redirected(struct sock *sk)
{
	struct sk_psock *psock = psock_of(sk);
	struct walk w = { .sk = sk };

	if (!psock)
		return 0;
	w.end = (void *)psock + bpf_core_field_offset(struct sk_psock, ingress_msg);
	w.at = BPF_CORE_READ(psock, ingress_msg.next);
	bpf_loop(MESSAGES_MAX, add_message, &w, 0);
	return w.bytes;
}

SEC("?kprobe/tcp_ioctl") int kprobe_tcp_ioctl(struct pt_regs *regs)
{
	struct ioctl_call call = { .sk = (void *)PT_REGS_PARM1(regs), .user = PT_REGS_PARM3(regs) };
	__u64 thread = bpf_get_current_pid_tgid();
	struct sk_psock *psock;
	__u32 verdict;

	if ((int)PT_REGS_PARM2(regs) != SIOCINQ)
		return 0;
	psock = psock_of(call.sk);
	if (!psock)
		return 0;
	verdict = BPF_CORE_READ(psock, progs.skb_verdict, aux, id);
	if (verdict == tcp_ioctl_verdict || verdict == tcp_ioctl_client)
		bpf_map_update_elem(&ioctl_calls, &thread, &call, BPF_ANY);
	return 0;
}

SEC("?kretprobe/tcp_ioctl") int kretprobe_tcp_ioctl(struct pt_regs *regs)
{
	__u64 thread = bpf_get_current_pid_tgid();
	struct ioctl_call *found = bpf_map_lookup_elem(&ioctl_calls, &thread);
	struct ioctl_call call;
	__u32 more;
	int told;

	if (!found)
		return 0;
	call = *found;
	bpf_map_delete_elem(&ioctl_calls, &thread);
	if ((int)PT_REGS_RC(regs))
		return 0;
	more = redirected(call.sk);
	if (!more || bpf_probe_read_user(&told, sizeof(told), (void *)call.user))
		return 0;
	told += more;
	bpf_probe_write_user((void *)call.user, &told, sizeof(told));
	return 0;
}

char _license[] SEC("license") = "GPL";
