/* SPDX-License-Identifier: GPL-2.0 */
/* Floor 1: the connections that each source has open, counted at the sockets; see openers.h. */
#ifndef MPBPF_BPF_OPENINGS_H
#define MPBPF_BPF_OPENINGS_H

#include "policy.h"
#include "window.h"

static __always_inline struct opener *opener_get(const struct source_key *key)
{
	struct opener *opener = bpf_map_lookup_elem(&openers, key), fresh = {};

	if (opener)
		return opener;
	fresh.born = bpf_ktime_get_ns();
	bpf_map_update_elem(&openers, key, &fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(&openers, key);
}

/* Of a connection of `remote`, whose handshake is over. Without room for a note at the socket it is not counted. */
static __always_inline void opening_count(struct bpf_sock_ops *ops, const struct addr *remote)
{
	const struct policy *policy = policy_get();
	struct opening opening = {};
	struct opener *opener;
	struct bpf_sock *sk;
	__u32 flags;

	if (!policy || policy->conn_mode == RATE_OFF)
		return;
	opening.source = source_key_of(remote);
	opener = opener_get(&opening.source);
	sk = ops->sk;
	if (!opener || !sk)
		return;
	opening.born = opener->born;
	if (!bpf_sk_storage_get(&openings, sk, &opening, BPF_SK_STORAGE_GET_F_CREATE))
		return;
	flags = ops->bpf_sock_ops_cb_flags;
	if (bpf_sock_ops_cb_flags_set(ops, flags | BPF_SOCK_OPS_STATE_CB_FLAG)) {
		bpf_sk_storage_delete(&openings, sk);
		return;
	}
	__sync_fetch_and_add(&opener->open, 1);
}

static __always_inline void opening_uncount(struct bpf_sock_ops *ops)
{
	struct bpf_sock *sk = ops->sk;
	struct opening *opening;
	struct opener *opener;
	struct source_key key;

	if (!sk)
		return;
	opening = bpf_sk_storage_get(&openings, sk, NULL, 0);
	if (!opening)
		return;
	key = opening->source;
	opener = bpf_map_lookup_elem(&openers, &key);
	if (opener && opener->born == opening->born)
		__sync_fetch_and_add(&opener->open, -1);
	bpf_sk_storage_delete(&openings, sk);
}

#endif
