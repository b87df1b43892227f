/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Floor 1: finding the two ends of a connection when both are on this node.
 *
 * A SYN for a listener whose fast path this client may take is noted before it is answered (fast_syns). A client whose handshake ends
 * and whose SYN was noted is on this node, or has the address of one that is: it is put into a map, and noted with the
 * sequence numbers of both sides (fast_pairs). The service's end is established after that, and finds it there. Sequence numbers
 * are kept from everybody but the two, so a match is the same connection, in whatever network namespaces its ends are. What a
 * translation of addresses stands between matches nothing, and goes by TCP.
 */
#ifndef MPBPF_BPF_PAIRING_H
#define MPBPF_BPF_PAIRING_H

#include "ending.h"
#include "fast_allowed.h"

#define AF_INET 2
#define AF_INET6 10

/* The addresses of a socket, or of one that is asked for: with IPv4, at a socket for IPv6, the latter has no others. */
static __always_inline void ops_addrs(struct bpf_sock_ops *ops, struct addr *local, struct addr *remote)
{
	__u32 family = ops->family, l4 = ops->local_ip4, r4 = ops->remote_ip4;

	remote->w[0] = ops->remote_ip6[0];
	remote->w[1] = ops->remote_ip6[1];
	remote->w[2] = ops->remote_ip6[2];
	remote->w[3] = ops->remote_ip6[3];
	if (family == AF_INET || !(remote->w[0] | remote->w[1] | remote->w[2] | remote->w[3])) {
		addr_set4(local, l4);
		addr_set4(remote, r4);
		return;
	}
	local->w[0] = ops->local_ip6[0];
	local->w[1] = ops->local_ip6[1];
	local->w[2] = ops->local_ip6[2];
	local->w[3] = ops->local_ip6[3];
}

static __always_inline __be16 ops_local_port(struct bpf_sock_ops *ops)
{
	__u32 port = ops->local_port;

	return bpf_htons(port);
}

static __always_inline __be16 ops_remote_port(struct bpf_sock_ops *ops)
{
	__u32 port = ops->remote_port;

	return bpf_htons(bpf_ntohl(port));
}

/*
 * Past TCP there is no urgent byte. A socket whose owner wants it where it stands in the stream (SO_OOBINLINE) stays with TCP; so do
 * those that mpbpfd relays with splice(2), which sees nothing of what went past TCP.
 */
static __always_inline bool fast_is_urgent(const struct tcp_sock *tp)
{
	return tp->inet_conn.icsk_inet.sk.__sk_common.skc_flags >>
		       bpf_core_enum_value(enum sock_flags, SOCK_URGINLINE) &
	       1;
}

/* BPF_SOCK_OPS_TIMEOUT_INIT: a SYN is about to be answered, or one of this node's own to be sent. */
static __always_inline void fast_expect(struct bpf_sock_ops *ops)
{
	struct control *c = control_get();
	struct fast_syn syn = {};
	struct listener *l;
	__u32 one = 1, generation;

	if (ops->is_fullsock || !fast_in_use(c))
		return;
	ops_addrs(ops, &syn.server, &syn.client);
	syn.server_port = ops_local_port(ops);
	syn.client_port = ops_remote_port(ops);
	generation = READ_ONCE(c->generation);
	l = listener_find(generation, &syn.server, syn.server_port);
	if (!l || (l->flags & LISTENER_GONE) || !fast_allowed(generation, l, &syn.client))
		return;
	bpf_map_update_elem(&fast_syns, &syn, &one, BPF_ANY);
}

/* BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB: nothing has come yet, nor has anything been sent. */
static __always_inline void fast_client_open(struct bpf_sock_ops *ops)
{
	struct control *c = control_get();
	struct fast_client client = {};
	struct fast_pair pair = {};
	struct fast_end end = {};
	struct bpf_sock *sk;
	struct tcp_sock *tp;

	if (!fast_in_use(c))
		return;
	ops_addrs(ops, &pair.syn.client, &pair.syn.server);
	pair.syn.client_port = ops_local_port(ops);
	pair.syn.server_port = ops_remote_port(ops);
	if (!bpf_map_lookup_elem(&fast_syns, &pair.syn))
		return;
	bpf_map_delete_elem(&fast_syns, &pair.syn);
	sk = ops->sk;
	tp = sk ? bpf_skc_to_tcp_sock(sk) : NULL;
	end.cookie = bpf_get_socket_cookie(ops);
	end.sk = (__u64)tp;
	client.front = ops->rcv_nxt;
	if (!tp || fast_is_urgent(tp) || bpf_map_update_elem(&fast_clients, &end.cookie, &client, BPF_ANY))
		return;
	pair.client_seq = ops->snd_nxt;
	pair.server_seq = ops->rcv_nxt;
	if (bpf_sock_ops_cb_flags_set(ops, ops->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_STATE_CB_FLAG) ||
	    bpf_sock_hash_update(ops, &client_sockets, &end.cookie, BPF_NOEXIST) ||
	    bpf_map_update_elem(&fast_pairs, &pair, &end, BPF_NOEXIST))
		bpf_map_delete_elem(&fast_clients, &end.cookie);
}

/* BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB: the client's end, or cookie 0. */
static __always_inline struct fast_end fast_client_of(struct bpf_sock_ops *ops, const struct conn *conn)
{
	struct fast_end end = {}, *found;
	struct fast_pair pair = {};
	struct bpf_sock *sk;
	struct tcp_sock *tp;

	pair.syn.client = conn->remote;
	pair.syn.server = conn->local;
	pair.syn.client_port = conn->remote_port;
	pair.syn.server_port = conn->local_port;
	pair.client_seq = ops->rcv_nxt;
	pair.server_seq = ops->snd_nxt;
	found = bpf_map_lookup_elem(&fast_pairs, &pair);
	sk = found ? ops->sk : NULL;
	tp = sk ? bpf_skc_to_tcp_sock(sk) : NULL;
	if (!found || !tp || fast_is_urgent(tp))
		return end;
	end = *found;
	bpf_map_delete_elem(&fast_pairs, &pair);
	return end;
}

/* The service's end is under guard: from here on the client's knows where it is. */
static __always_inline void fast_service_open(struct bpf_sock_ops *ops, const struct conn *conn, __u64 cookie)
{
	__u64 client_cookie = conn->client.cookie;
	struct fast_client *client;
	struct bpf_sock *sk;
	struct tcp_sock *tp;

	client = bpf_map_lookup_elem(&fast_clients, &client_cookie);
	sk = ops->sk;
	tp = client && sk ? bpf_skc_to_tcp_sock(sk) : NULL;
	if (!tp)
		return;
	client->service.sk = (__u64)tp;
	/* Behind the address: who sees it looks there. */
	__sync_lock_test_and_set(&client->service.cookie, cookie);
}

/* TCP_CLOSE, of any socket. A segment that came with the FIN may be about to be handed to the client: see ending.h. */
static __always_inline void fast_client_close(struct bpf_sock_ops *ops)
{
	__u64 cookie = bpf_get_socket_cookie(ops);
	struct fast_client *client = bpf_map_lookup_elem(&fast_clients, &cookie);
	struct bpf_sock *sk = ops->sk;
	struct tcp_sock *tp = client && sk ? bpf_skc_to_tcp_sock(sk) : NULL;
	struct conn *conn;
	__u64 service;

	if (!client)
		return;
	/* The socket may connect anew, and is the same by its cookie. */
	service = client->service.cookie;
	conn = bpf_map_lookup_elem(&conns, &service);
	if (conn && conn->client.cookie == cookie)
		conn->client.cookie = 0;
	if (tp && ending_waits(tp))
		client->ended = 1;
	else
		bpf_map_delete_elem(&fast_clients, &cookie);
}

#endif
