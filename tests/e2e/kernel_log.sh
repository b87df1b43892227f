# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# What the kernel logged since a mark. Source it.

# Faults of the kernel, whoever causes them; what a slow or emulated machine says of its clocks is none.
kernel_faults='WARNING: |BUG: |BUG at|Oops|general protection|Call Trace|rcu.*(stall|detected)|suspicious RCU|INFO: task|lockup'
kernel_faults+='|circular locking|recursive locking|inconsistent lock|bad unlock|held lock|KASAN|UBSAN|KCSAN|KFENCE'
kernel_faults+='|refcount_t|list_(add|del) corruption|Bad (page|rss)|page allocation failure|Out of memory|unregister_netdevice'

# All records that the kernel still has: "level,number,time,flags;text"; each read gives one.
kernel_records() {
	dd if=/dev/kmsg iflag=nonblock bs=16384 2>/dev/null | grep -a '^[0-9]*,[0-9]*,'
}

# kernel_log_mark: the number of the last record; fails where the log may not be read or holds nothing
kernel_log_mark() {
	kernel_records | tail -n 1 | cut -d , -f 2 | grep -a .
}

# kernel_log_since MARK: the texts of later records; fails if records are lost
kernel_log_since() {
	kernel_records | awk -F '[,;]' -v mark="$1" '
		!any++ && $2 > mark + 1 { lost = 1 }
		$2 > mark { sub(/^[^;]*;/, ""); print }
		END { exit lost || !any }'
}

# kernel_faults_since MARK: those that tell of a fault of the kernel
kernel_faults_since() {
	local text
	text=$(kernel_log_since "$1") || {
		echo "records of the kernel's log are lost"
		return
	}
	grep -aE -A 15 -- "$kernel_faults" <<<"$text" || true
}
