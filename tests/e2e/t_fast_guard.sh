#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Other tests once more, with their clients on the node and a fast path for every listener: policy is the same, byte by byte, and so is
# what real servers make of requests that are meant to be understood in two ways. `make check-fast` runs all of them.
here=${0%/*}
tests='verdicts pipeline order responses response_headers request_limits bodies split_head smuggling soak'
# An emulated machine has other things to do as well.
if [ "${MPBPF_SLOW:-1}" -gt 1 ]; then
	tests='verdicts smuggling'
	export SMUGGLE_STREAMS=${SMUGGLE_STREAMS:-60}
fi
n=0
said=$(mktemp)
trap 'rm -f "$said"' EXIT
# point STATUS NAME
point() {
	local not=
	[ "$1" -eq 0 ] || not='not '
	echo "${not}ok $((n += 1)) - $2"
}
for test in $tests; do
	MPBPF_FAST=1 "$here/t_$test.sh" >"$said" 2>&1
	rc=$?
	[ "$rc" -eq 0 ] || sed 's/^/# /' "$said"
	point "$rc" "$test: $(grep -c '^ok' "$said") points"
	messages=$(sed -n 's/^# past TCP: //p' "$said")
	[ "${messages:-0}" -gt 10 ]
	point $? "$test: ${messages:-no} messages went past TCP"
done
echo "1..$n"
