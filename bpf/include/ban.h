/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Floor 1: sources that were denied too often: the L7 programs count and ban, XDP drops, until the ban has run out.
 *
 * Off unless configured, for behind one address there may be many clients.
 */
#ifndef MPBPF_BPF_BAN_H
#define MPBPF_BPF_BAN_H

#include "policy.h"
#include "window.h"

/* A ban that has run out is left to be forgotten, or renewed. */
static __always_inline bool source_banned(struct source_key key)
{
	struct ban *ban = bpf_map_lookup_elem(&bans, &key);

	return ban && bpf_ktime_get_boot_ns() < READ_ONCE(ban->until);
}

/* A request of this source has been denied for `reason`. */
static __always_inline void ban_note(const struct addr *addr, __u32 reason)
{
	const struct policy *policy = policy_get();
	struct source_key key = source_key_of(addr);
	struct source *source, first = {};
	struct ban ban;
	__u32 window;

	if (!policy || !policy->ban_failures || !policy->ban_window_ns)
		return;
	if (reason != REQUEST_NO_TOKEN && reason != REQUEST_BAD_TOKEN && reason != REQUEST_EXPIRED)
		return;
	window = bpf_ktime_get_boot_ns() / policy->ban_window_ns;
	source = bpf_map_lookup_elem(&offenders, &key);
	if (!source) {
		first.window_count = (__u64)window << 32;
		bpf_map_update_elem(&offenders, &key, &first, BPF_NOEXIST);
		source = bpf_map_lookup_elem(&offenders, &key);
	}
	if (!source || window_count(source, window) < policy->ban_failures)
		return;
	ban.until = bpf_ktime_get_boot_ns() + policy->ban_ns;
	bpf_map_update_elem(&bans, &key, &ban, BPF_ANY);
}

#endif
