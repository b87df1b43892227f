/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Floor 2: fexit of tcp_ioctl, where a kernel forgets what an sk_msg program redirected into a socket: adds that to what
 * FIONREAD tells the owner of a guarded connection. Kernels with tcp_bpf_ioctl count it and do without.
 */
#include "maps.h"

#define SIOCINQ 0x541B	       /* asm-generic/ioctls.h: FIONREAD */
#define SK_USER_DATA_FLAGS 7UL /* net/sock.h: the low bits of sk_user_data are not part of the pointer */
#define MESSAGES_MAX 4096

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

/* Unlocked, as FIONREAD is a snapshot: a list that changes under it ends the walk or is read in part. */
static __u32 redirected(struct sock *sk)
{
	struct sk_psock *psock = (void *)((unsigned long)sk->sk_user_data & ~SK_USER_DATA_FLAGS);
	struct walk w = { .sk = sk };

	if (!psock)
		return 0;
	w.end = (void *)psock + bpf_core_field_offset(struct sk_psock, ingress_msg);
	w.at = BPF_CORE_READ(psock, ingress_msg.next);
	bpf_loop(MESSAGES_MAX, add_message, &w, 0);
	return w.bytes;
}

/* The arguments of tcp_ioctl() before Linux 6.5, and what it returned. */
struct tcp_ioctl_args {
	struct sock *sk;
	__u64 cmd;
	__u64 arg; /* int __user * */
	__u64 ret;
};

SEC("?fexit/tcp_ioctl") int fexit_tcp_ioctl(struct tcp_ioctl_args *args)
{
	struct sock *sk = args->sk;
	void *user = (void *)args->arg;
	__u32 more;
	int told;

	if ((int)args->ret || (int)args->cmd != SIOCINQ || !bpf_sk_storage_get(&cookies, sk, NULL, 0))
		return 0;
	more = redirected(sk);
	if (!more || bpf_probe_read_user(&told, sizeof(told), user))
		return 0;
	told += more;
	bpf_probe_write_user(user, &told, sizeof(told));
	return 0;
}

char _license[] SEC("license") = "GPL";
