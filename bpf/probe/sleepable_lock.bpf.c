/* SPDX-License-Identifier: GPL-2.0 */
/* Floor 2: never run; whether it loads tells `mpbpf check` if a program that sleeps may hold a bpf_spin_lock. */
#include "maps.h"

SEC("?syscall") int sleepable_lock(void *ctx __attribute__((unused)))
{
	__u64 cookie = 0;
	struct conn *conn = bpf_map_lookup_elem(&conns, &cookie);

	if (!conn)
		return 0;
	bpf_spin_lock(&conn->lock);
	conn->state = CONN_CLOSED;
	bpf_spin_unlock(&conn->lock);
	return 0;
}

char _license[] SEC("license") = "GPL";
