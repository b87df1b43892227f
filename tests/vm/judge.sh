#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What is to be thought of one kernel's run beside its tests: judge.sh VM host|KERNEL
#
# Writes VM/results/KERNEL/machine, lines as those of `results` (name, state, points passed, failed, skipped, seconds), and
# says on standard output what is wrong.
set -euo pipefail
export LC_ALL=C

here=$(cd "$(dirname "$0")" && pwd)
vm=$1 kernel=$2
dir=$vm/results/$kernel
trouble='WARNING:|BUG:|BUG |[Oo]ops|Call Trace|[Gg]eneral protection|segfault at|[Pp]anic|detected stall|self-detected'
trouble+='|soft lockup|hard LOCKUP|blocked for more than|refcount_t|possible .* deadlock|suspicious RCU|INFO: lockdep'
trouble+='|UBSAN|KASAN|KFENCE|page allocation failure|[Oo]ut of memory|waiting for .* to become free|list_(add|del) corruption'

# row NAME WHAT_IS_WRONG
row() {
	if [ -z "$2" ]; then
		printf '%s\tok\t1\t0\t0\t0\n' "$1" >>"$dir/machine"
	else
		printf '%s\tnot ok\t0\t1\t0\t0\n' "$1" >>"$dir/machine"
		printf '%s: %s:\n' "$kernel" "$1"
		sed 's/^/    /' <<<"$2"
	fi
}

# The runner's exit status says no more than the tests do; that there is none, or another, does.
run() {
	local status
	status=$(cat "$dir/status")
	case $status in
	0 | 1 | 4) ;;
	124) printf 'its time was over\n'; cat "$dir/stuck" 2>/dev/null || tail -n 40 "$dir/console" "$dir/log" ;;
	125) printf 'the guest died\n'; tail -n 60 "$dir/console" "$dir/emulator"; tail -n 20 "$dir/log" ;;
	*) printf 'status %s\n' "$status"; tail -n 20 "$dir/log" ;;
	esac 2>&1
}

kernel_log() {
	[ -s "$dir/dmesg" ] || echo "there is none"
	grep -v 'ommand line: ' "$dir/dmesg" | grep -E -A 25 "$trouble" | head -n 100 || true
}

taint() {
	local before after
	before=$(cat "$dir/booted" 2>/dev/null) after=$(cat "$dir/taint" 2>/dev/null) || true
	[ -n "$after" ] && [ "$before" = "$after" ] ||
		echo "/proc/sys/kernel/tainted was ${before:-unknown} after booting, ${after:-unknown} in the end"
}

# The runner holds skips against this list, where there is one, and says what it allows in vain.
skip_list() {
	[ -e "$vm/suite/tests/skips/$kernel" ] || echo "tests/skips/$kernel is missing: it says what may be skipped"
	sed -n 's/^# \(tests\/skips\/.* allows what was not skipped\)/\1/p' "$dir/log"
}

: >"$dir/machine"
row "(run)" "$(run)"
if [ "$kernel" != host ]; then
	row "(kernel log)" "$(kernel_log)"
	row "(taint)" "$(taint)"
	row "(skip list)" "$(skip_list)"
fi
row "(docs/kernels.md)" "$("$here/kernels_doc.sh" compare "$dir" 2>&1 || true)"
