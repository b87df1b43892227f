/* SPDX-License-Identifier: MIT */
/* Floor 4: names for connections that no other connection has, for PROXY headers. */
#ifndef MPBPF_GATEWAY_UNIQUE_ID_H
#define MPBPF_GATEWAY_UNIQUE_ID_H

#define UNIQUE_ID_LEN 32

/* 128 random bits as lower-case hexadecimal digits, which is what a trace id is (W3C Trace Context); no NUL. 0 or -errno. */
int unique_id_make(char ret[UNIQUE_ID_LEN]);

#endif
