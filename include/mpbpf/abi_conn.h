/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Floor 0: what is known of a guarded connection, and the headers that its responses get. Included by abi.h. */
#ifndef MPBPF_ABI_CONN_H
#define MPBPF_ABI_CONN_H

#include "mpbpf/abi_l7.h"

/*
 * headers[(generation & 1) * MPBPF_HEADERS_MAX + n]: lines, each with CR LF, that go behind the status line. As a push must
 * have a constant size, white space behind the last value fills them up to 128, 256 or 512 bytes.
 */
struct header_block {
	__u32 generation;
	__u32 len;
	char text[MPBPF_HEADERS_SIZE];
};

/* The head of a response, as far as the service has sent it. */
struct piece {
	__u32 seq;     /* TCP sequence number that it begins at */
	__u32 len;     /* bytes of it that came */
	__u32 pushed;  /* bytes that were added to it */
	__u32 unadded; /* 1: it goes without, and was counted so */
	__u8 b[MPBPF_PIECES_SIZE];
};

/* What sk_msg alone keeps of a connection. */
enum sending_flags {
	SENDING_PUSHED = 1 << 0, /* pushed_end is valid */
	SENDING_PIECE = 1 << 1,	 /* it has an entry in `pieces` */
	SENDING_FAST = 1 << 2,	 /* the last message went past TCP */
};

/* How one end of a connection sends past TCP: see fast.h. Its own socket's lock guards it. */
struct fast_way {
	__u32 open;   /* 1: the other end has all that was sent up to `seq` */
	__u32 seq;    /* TCP write_seq */
	__u32 queued; /* bytes that the other end may not have read, at most */
	__u32 small;  /* messages under FAST_SMALL since it had read all */
};

/* A connection as the client's SYN names it. */
struct fast_syn {
	struct addr client;
	struct addr server;
	__be16 client_port;
	__be16 server_port;
};

/* The same, and the first sequence numbers of both: no two connections of all network namespaces are the same in all of it. */
struct fast_pair {
	struct fast_syn syn;
	__u32 client_seq;
	__u32 server_seq;
};

/* A socket: its cookie, which is never used again, and where the kernel keeps it, which is. */
struct fast_end {
	__u64 cookie;
	__u64 sk; /* struct tcp_sock * */
};

/* The client's end of a guarded connection, on this node; keyed by its cookie. */
struct fast_client {
	struct fast_end service; /* cookie 0: not known yet, or it is not guarded */
	__u64 task;		 /* pid and tid that sent a request past TCP last */
	struct fast_way up;
	struct fast_way own; /* answers to denied requests, which go to the client itself */
	__u32 front;	     /* TCP sequence number up to which it can read what TCP brought */
	__u32 ended;	     /* 1: TCP is done with it, and a segment is about to be handed to it */
};

/* What is measured of a connection. Requests are counted when they pass; only one that passes alone is timed. */
struct exchange {
	__u64 begun;	/* CLOCK_BOOTTIME, ns: when request number `begun_of` passed; 0: it is not timed */
	__u64 out;	/* bytes of the response under way */
	__u32 begun_of; /* conn.allowed before it */
	__u32 counted;	/* responses counted, modulo 2^32: one that is sent again counts once */
	__u32 out_seq;	/* a chunked response: TCP sequence number up to which `out` counts */
	__u16 status;	/* of the response under way */
	__u8 method;	/* enum method; of the last allowed request */
	__u8 pad;
	__u8 prefix[MPBPF_PIPELINE_MAX]; /* of request n, at n modulo that */
	__u8 host[MPBPF_PIPELINE_MAX];	 /* the same */
};

/* How far a message body is read. `left` is the rest of the body, or of the present chunk. */
enum body_kind { BODY_NONE, BODY_LENGTH, BODY_CHUNKED, BODY_UNTIL_CLOSE, BODY_KIND_MAX };

struct http1_body {
	__u64 left;
	__u8 kind; /* enum body_kind */
	__u8 step; /* enum chunk_step, when chunked */
	__u8 line; /* bytes of the present framing line, when chunked */
	__u8 pad[5];
};

enum conn_state {
	CONN_HEAD,    /* a request head comes next */
	CONN_BODY,    /* the body of an allowed request: conn.request says how far */
	CONN_DISCARD, /* the body of a denied request */
	CONN_TUNNEL,  /* no HTTP any more: upgraded, or no listener of the configuration in force */
	CONN_HELPER,  /* every byte goes to the helper */
	CONN_CLOSED,  /* nothing passes; the agent closes it */
	CONN_STATE_MAX
};

enum conn_flags {
	CONN_UPGRADE = 1 << 0,	 /* the last allowed request asked for `Upgrade: websocket` */
	CONN_REPLIED = 1 << 1,	 /* reply_end is valid: the kernel answered on this connection */
	CONN_MEASURED = 1 << 2,	 /* sampled: `exchange` is kept */
	CONN_ANSWERING = 1 << 3, /* the helper's answer may be out in part: no other may follow it */
	CONN_SWITCHED = 1 << 4,	 /* the service has ended HTTP (101), rightly, while the helper had the connection */
	CONN_ENDED = 1 << 5,	 /* TCP is done with it, and a segment waits for its verdict */
	CONN_RESET = 1 << 6,	 /* the client's reset was kept from TCP (gate.h): the agent ends the connection */
};

/* Requests from number `from` on, as conn.allowed counts, were allowed under that generation: the last one that any was. */
union conn_judged {
	struct {
		__u32 generation;
		__u32 from;
	};
	__u64 word; /* written as a whole: who reads it has no lock */
};

/*
 * One guarded connection, keyed by socket cookie. The socket lock orders sk_skb, sk_msg and sockops of one socket; the
 * spin lock guards what conn_update (user space) reads and writes, which acts in CONN_HELPER and on a body that stands still, and
 * what the gate does, which acts only while sk_skb does not (`front`).
 */
struct conn {
	struct bpf_spin_lock lock;
	__u8 state;   /* enum conn_state */
	__u8 flags;   /* enum conn_flags */
	__u8 sending; /* enum sending_flags */
	__u8 pad;
	struct http1_body request;
	struct http1_body response; /* BODY_UNTIL_CLOSE: nobody knows where it ends, denials close the connection */
	__u64 asked;		    /* bytes given to the helper, all told */
	__u64 returned;		    /* of those, bytes that the helper has dealt with */
	__u32 allowed;		    /* requests that went to the service, modulo 2^32 */
	__u32 answered;		    /* final responses that the service completed, but for the one under way */
	__u64 no_body;		    /* bit (n & 63): the response to request n has no body (HEAD) */
	__u32 response_seq; /* position (conn_written()) that response.left counts from, or up to which it was read */
	__u32 reply_end;    /* position behind the kernel's last own answer */
	__u32 generation;   /* that `listener` was read under */
	__u32 helper_epoch; /* agent that was asked; meaningful in CONN_HELPER */
	struct listener listener;
	struct addr local;
	struct addr remote;
	__be16 local_port;
	__be16 remote_port;
	__u32 pushed_end; /* TCP sequence number behind the headers that were added last */
	__u64 front;	  /* how far the client's bytes are judged, see conn.h */
	__u64 netns;	  /* cookie of the network namespace */
	__u64 opened_at;  /* CLOCK_BOOTTIME, ns */
	__u64 moved_at; /* CLOCK_MONOTONIC_COARSE, ns: when a piece of the request body came last; 0: it is not timed */
	__u32 lag;	/* what SO_RCVLOWAT was raised by: see lag.h */
	__u32 fast_out; /* bytes of responses that went past TCP, modulo 2^32: see conn_written() */
	union conn_judged judged;
	struct exchange exchange;
	struct fast_end client; /* on this node; cookie 0: there is none, or it may not go past TCP */
	struct fast_way down;
	__u64 cookie; /* whose record it is: one that was freed may be another's while it is still looked at */
};

MPBPF_ASSERT_SIZE(struct header_block, 8 + MPBPF_HEADERS_SIZE);
MPBPF_ASSERT_SIZE(struct piece, 16 + MPBPF_PIECES_SIZE);
MPBPF_ASSERT_SIZE(struct exchange, 64);
MPBPF_ASSERT_SIZE(struct http1_body, 16);
MPBPF_ASSERT_SIZE(struct fast_syn, 36);
MPBPF_ASSERT_SIZE(struct fast_pair, 44);
MPBPF_ASSERT_SIZE(struct fast_client, 64);
MPBPF_ASSERT_SIZE(struct conn, 312);

#endif
