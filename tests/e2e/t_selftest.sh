#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What decides whether a kernel's sockmap is trusted: a self-test at the first load after a boot; its version only explains.
. "${0%/*}/lib.sh"
sandbox "$@"

net_up
config_write
mkdir -p /run/mpbpf
mount -t tmpfs tmpfs /run/mpbpf || bail "cannot mount a tmpfs"
proof=/run/mpbpf/proven
jq 'del(.listeners)' "$config" >"$work/l4.json"

# load CONFIG [PREFIX...]: its exit code; what it says is in $work/said
load() {
	in_cgroup "$cgroup" "${@:2}" "$build/mpbpf" load --pin-root "$pin_root" --cgroup "$cgroup" --iface eth0 \
		--config "$1" --no-agent >"$work/said" 2>&1 </dev/null
	echo $?
}

# No cgroup can be made below this one: the self-test cannot be run.
forbid() {
	echo 0 >"$cgroup/cgroup.max.descendants"
}

permit() {
	echo max >"$cgroup/cgroup.max.descendants"
}

is "$(load "$config")" 0 "the first load"
is "$(sed -n 3p "$proof")" "$(uname -r) $(uname -v)" "what was proven is kept, for this kernel"
is "$(sed -n 2p "$proof")" "$(cat /proc/sys/kernel/random/boot_id)" "and for this boot"
is "$(find "$cgroup" -mindepth 1 -type d)" "" "the self-test leaves no cgroup"
mpbpf unload
check "unload takes the proof away with the rest" test ! -e "$proof"

forbid
is "$(load "$config")" 0 "it cannot be tried, and nothing is known against the version: loaded"
matches "$(cat "$work/said")" "could not be tried \(cgroup2: .*; nothing is known against Linux" "and that is said"
check "nothing is kept as proven" test ! -e "$proof"
mpbpf unload

permit
load "$config" >/dev/null
mpbpf unload --iface eth0 >/dev/null
cp "$proof" "$work/proven"
mpbpf unload
mkdir -p /run/mpbpf
cp "$work/proven" "$proof"
forbid
is "$(load "$config")" 0 "what was proven since the boot is not tried again"
is "$(grep -c tried "$work/said")" 0 "nothing is said of it"
mpbpf unload
mkdir -p /run/mpbpf
sed '2s/^./x/' "$work/proven" >"$proof"
load "$config" >/dev/null
is "$(grep -c 'could not be tried' "$work/said")" 1 "a proof of another boot proves nothing"
mpbpf unload

old=(setarch --uname-2.6)
if "${old[@]}" uname -v | grep -q Debian; then
	skip "an old version, self-test passed: loaded" "Debian's kernel tells its upstream version beside the release"
	skip "an old version, nothing tried: listeners are refused" "as before"
	skip "an old version, nothing tried: L3/L4 protection loads" "as before"
else
	is "$(load "$config" "${old[@]}")" 1 "an old version, nothing tried: listeners are refused"
	matches "$(cat "$work/said")" 'cannot be guarded on this kernel: Linux 2\.6\.[0-9]+: .*could not be tried' "it says why"
	is "$(pins; on_interfaces; on_cgroup)" $'0\n0' "nothing is left of it"
	is "$(load "$work/l4.json" "${old[@]}")" 0 "an old version, nothing tried: L3/L4 protection loads"
	matches "$(cat "$work/said")" 'L3/L4 protection only, no listener can be added by reload: Linux 2\.6' "and says why only that"
	mpbpf unload
	permit
	is "$(load "$config" "${old[@]}")" 0 "an old version, self-test passed: loaded"
	mpbpf unload
fi
tap_done
