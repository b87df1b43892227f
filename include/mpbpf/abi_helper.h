/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/* Floor 0: the channel between kernel and helper: what is asked, and what is done about it. Included by abi.h. */
#ifndef MPBPF_ABI_HELPER_H
#define MPBPF_ABI_HELPER_H

#include "mpbpf/abi_conn.h"

enum ask_kind {
	ASK_BYTES, /* `len` bytes of a connection in CONN_HELPER, in stream order */
	ASK_CLOSE, /* the kernel answered with `Connection: close`, or gave the connection up: close it */
	ASK_KIND_MAX
};

struct ask {
	__u64 cookie;
	__u32 kind;	    /* enum ask_kind */
	__u32 len;	    /* bytes that follow this header */
	__u32 helper_epoch; /* of the agent that was alive when the kernel asked; another agent drops the record */
	__u32 first;	    /* 1: the connection entered CONN_HELPER with these bytes; request and discard count */
	__u32 discard;	    /* 1: the body that is left belongs to a denied request */
	__u16 end;	    /* 1: the client sends nothing behind these */
	__u16 lags;	    /* 1: taken within a call of the service, perhaps recv(), which may count them as unread */
	__u64 offset;	    /* of these bytes in all that was asked of this connection */
	struct http1_body request; /* what is left of the body under way */
};

/* Records come in three sizes, for a reservation's size must be a constant. */
#define ASK_SMALL 1024
#define ASK_MEDIUM 8192
#define ASK_LARGE 65536

/* target[0]: where sk_msg_handback sends what the helper's socket sends next. */
struct target {
	__u64 cookie;
	__u32 egress; /* 0: into the service's socket; 1: to the client */
	__u32 pad;
};

enum conn_op_kind {
	CONN_OP_ALLOW, /* a request goes to the service: allowed++, before its bytes are sent */
	CONN_OP_DENY,  /* count the reason, if the answer may be sent now: then it is under way; else -EAGAIN */
	CONN_OP_TAKEN, /* returned = taken, after bytes were handed back or dropped; count `would` */
	CONN_OP_RETURN, /* if asked == taken: state = `state`, request = `request`; else -EAGAIN, perhaps with `out_switched` */
	CONN_OP_CLOSE,	/* state = CONN_CLOSED */
	CONN_OP_ASK,	/* count one more request against what the source may ask; over that: -EDQUOT */
	CONN_OP_EXPIRE, /* if the body under way has not moved since `moved_at`: state = CONN_CLOSED; else -ESTALE */
	CONN_OP_SPARE,	/* the same, but it has its time anew from now on */
	CONN_OP_FORGET, /* if it is CONN_ENDED and its socket is gone, so is the record */
	CONN_OP_MAX
};

/*
 * What conn_update is run with, as its packet. result: 0, -ENOENT no such connection, -ESTALE not this agent's, -EAGAIN,
 * -EDQUOT.
 */
struct conn_op {
	__u64 cookie;
	__u32 op;		   /* enum conn_op_kind */
	__u32 helper_epoch;	   /* the caller's */
	__u64 taken;		   /* CONN_OP_TAKEN, CONN_OP_RETURN: bytes dealt with, all told */
	struct http1_body request; /* CONN_OP_RETURN */
	__u32 state;		   /* CONN_OP_RETURN: CONN_HEAD, CONN_BODY, CONN_DISCARD or CONN_TUNNEL */
	__u32 reason;		   /* CONN_OP_ALLOW, CONN_OP_DENY: enum request_reason */
	__u8 no_body;		   /* CONN_OP_ALLOW: HEAD */
	__u8 upgrade;		   /* CONN_OP_ALLOW: asks for `Upgrade: websocket` */
	__u8 would;		   /* CONN_OP_ALLOW, CONN_OP_TAKEN: the denial that a dry run lets pass; 0: none */
	__u8 dry;	  /* CONN_OP_ALLOW: over a limit it passes too; CONN_OP_EXPIRE: it stays open, untimed */
	__u8 method;	  /* CONN_OP_ALLOW, CONN_OP_DENY: enum method */
	__u8 prefix;	  /* the same: path_rule.prefix */
	__u8 answering;	  /* CONN_OP_TAKEN, CONN_OP_RETURN: 0: no answer is under way, or no more */
	__u8 host;	  /* CONN_OP_ALLOW, CONN_OP_DENY: metric_key.host */
	__u64 limits;	  /* CONN_OP_ALLOW: bits of the limits that the request counts against, or 0 */
	__u32 listener;	  /* CONN_OP_ALLOW, with limits: its index, */
	__u32 generation; /* and the generation that all this is of */
	__u64 token[2];	  /* CONN_OP_ALLOW: hash of the token; 0: none */
	__u64 subject;	  /* CONN_OP_ALLOW */
	__u64 moved_at;	  /* CONN_OP_RETURN: as conn.moved_at is to be; CONN_OP_EXPIRE, CONN_OP_SPARE: as it was seen */
	/* outputs */
	__s32 result;
	__u32 out_state;
	__u32 out_lost; /* responses are BODY_UNTIL_CLOSE */
	__u32 pending;	/* allowed requests whose response is not known to be complete */
	__u32 retry_s;	/* result -EDQUOT: over a limit, for so long */
	__u32 passed;	/* in: bytes of the request under way that went to the service since the last operation */
	__u64 out_asked;
	__u32 out_acked;   /* position (conn_written()) up to which the client has, or will read, what was sent to it */
	__u8 out_switched; /* what is still to come is no HTTP any more: the service has said so (101) */
	__u8 pad[3];
};

MPBPF_ASSERT_SIZE(struct ask, 56);
MPBPF_ASSERT_SIZE(struct target, 16);
MPBPF_ASSERT_SIZE(struct conn_op, 144);

#endif
