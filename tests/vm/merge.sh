#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# One kernel's results out of those of its guests: merge.sh WANTED RESULTS LANE...
#
# Each LANE is a folder in RESULTS that guest.sh and suite.sh have written; WANTED has the tests in their order.
set -euo pipefail
shopt -s nullglob
export LC_ALL=C

wanted=$1 results=$2
shift 2
cd "$results"

# The worst of them: a guest that died, or whose time was over; tests that failed; that all were skipped in each.
status() {
	local lane status worst=4 rank best=-1
	for lane in "$@"; do
		status=$(cat "$lane/status" 2>/dev/null || echo missing)
		case $status in
		4) rank=0 ;;
		0) rank=1 ;;
		1) rank=2 ;;
		*) rank=3 ;;
		esac
		[ "$rank" -le "$best" ] || { best=$rank worst=$status; }
	done
	echo "$worst"
}

# all_of FILE LANE...: one behind the other; nothing when one of them lacks it
all_of() {
	local file=$1 lane
	shift
	for lane in "$@"; do
		[ -s "$lane/$file" ] || return 0
	done
	cat "${@/%//$file}" >"$file"
}

status "$@" >status
for file in dmesg booted taint; do
	all_of "$file" "$@"
done
for file in skips log console emulator stuck; do
	found=()
	for lane in "$@"; do
		[ ! -e "$lane/$file" ] || found+=("$lane/$file")
	done
	[ "${#found[@]}" -eq 0 ] || cat "${found[@]}" >"$file"
done
for file in kernel check.json check.log; do
	[ ! -e "$1/$file" ] || cp "$1/$file" .
done
for lane in "$@"; do
	taps=("$lane"/*.tap)
	[ "${#taps[@]}" -eq 0 ] || cp "${taps[@]}" .
	[ ! -e "$lane/results" ] || cat "$lane/results"
done | awk -F '\t' 'FNR == NR { place[$1] = NR; next } { print place[$1] "\t" $0 }' "$wanted" - | sort -n | cut -f 2- >results
