/* SPDX-License-Identifier: GPL-2.0 */
/* Test object: reads a frame both ways and says whether they agree. See packet_quick_test.h. */
#include "packet_quick.h"
#include "packet_quick_test.h"

SEC("xdp.frags") int packet_both_ways(struct xdp_md *ctx)
{
	struct packet quick = {}, slow = {};
	__u64 *a = (__u64 *)&quick, *b = (__u64 *)&slow;
	int i;

	_Static_assert(sizeof(quick) % sizeof(*a) == 0, "compared by the word");
	if (!packet_quick(ctx, &quick))
		return WAYS_NOT_QUICK;
	if (packet_parse(ctx, &slow))
		return WAYS_DIFFER;
#pragma unroll
	for (i = 0; i < (int)(sizeof(quick) / sizeof(*a)); i++)
		if (a[i] != b[i])
			return WAYS_DIFFER;
	return WAYS_AGREE;
}

char _license[] SEC("license") = "GPL";
