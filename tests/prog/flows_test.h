/* SPDX-License-Identifier: MIT */
/* What the tests of flows share: segments that continue each other, and the flows that the program knows of them. */
#ifndef MPBPF_TESTS_FLOWS_TEST_H
#define MPBPF_TESTS_FLOWS_TEST_H

#include <string.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "packets.h"
#include "tap.h"
#include "xdp_run.h"

#define PAYLOAD(s) .payload = (s), .payload_len = sizeof(s) - 1

static struct xdp_run run;
static int flows_fd;
static uint32_t seq;

static const struct policy on = { .drop_invalid = 1, .flows = 1, GRPC_DEFAULT };

static inline int map_of(const char *name)
{
	int fd = bpf_object__find_map_fd_by_name(run.object, name);

	if (fd < 0)
		tap_bail("the object has no map %s", name);
	return fd;
}

/* How many flows there are; *ret is the one of that frame, if it is known. */
static inline int flows_look(const struct frame *frame, struct flow *ret, bool *ret_known)
{
	bool v4 = frame->bytes[frame->l3] >> 4 == 4;
	const uint8_t *addresses = frame->bytes + frame->l3 + (v4 ? 12 : 8);
	struct flow_key key;
	struct flow flow;
	int n = 0;

	*ret_known = false;
	for (int r = bpf_map_get_next_key(flows_fd, NULL, &key); !r; r = bpf_map_get_next_key(flows_fd, &key, &key)) {
		n++;
		if (bpf_map_lookup_elem(flows_fd, &key, &flow) ||
		    memcmp(&flow.tuple.source_port, frame->bytes + frame->l4, 4) ||
		    memcmp(flow.tuple.source.b + (v4 ? 12 : 0), addresses, v4 ? 4 : 16) ||
		    memcmp(flow.tuple.dest.b + (v4 ? 12 : 0), addresses + (v4 ? 4 : 16), v4 ? 4 : 16) ||
		    flow.tuple.l3_proto != (v4 ? L3_IPV4 : L3_IPV6))
			continue;
		*ret = flow;
		*ret_known = true;
	}
	return n;
}

static inline void flows_forget(void)
{
	struct flow_key key;

	while (!bpf_map_get_next_key(flows_fd, NULL, &key))
		bpf_map_delete_elem(flows_fd, &key);
}

static inline void build(const struct packet_spec *spec, struct frame *frame)
{
	size_t i;

	packet_build(spec, frame);
	for (i = 0; spec->proto == PROTO_TCP && i < 4; i++)
		frame->bytes[frame->l4 + 4 + i] = seq >> (24 - 8 * i);
}

/* The packet of a segment; the next one continues it. */
static inline int send_segment(const struct packet_spec *spec, struct frame *frame)
{
	int action;

	build(spec, frame);
	action = xdp_run_frame(&run, frame->bytes, frame->len, ALL_LINEAR, 1);
	seq += spec->payload_len + spec->zeros;
	return action;
}

static inline void flows_open(void)
{
	xdp_run_open(&run, 0);
	flows_fd = map_of("flows");
	xdp_set_policy(&run, on);
}

#endif
