/* SPDX-License-Identifier: MIT */
/* Floor 4: the numbers of the PROXY protocol, for its reader and its writer. */
#ifndef MPBPF_GATEWAY_PROXY_INTERNAL_H
#define MPBPF_GATEWAY_PROXY_INTERNAL_H

#include "gateway/proxy_protocol.h"

#define PROXY_V1_START "PROXY "
#define PROXY_V2_SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define PROXY_V2_SIGNATURE_LEN 12
#define PROXY_V2_HEAD 16
#define PROXY_TLV_HEAD 3

enum proxy_command { PROXY_LOCAL, PROXY_PROXY };

#define PROXY_V2_VERSION 0x20
#define PROXY_FAMILY_UNIX 3
#define PROXY_TRANSPORT_DGRAM 2
#define PROXY_TCP4 0x11
#define PROXY_TCP6 0x21

#define PROXY_TLV_AUTHORITY 0x02
#define PROXY_TLV_UNIQUE_ID 0x05

#endif
