#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A short, repeatable libFuzzer run over PROXY protocol headers, starting from the tracked corpus.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=${BUILD:-build}
work=$(mktemp -d /tmp/mpbpf-fuzz-XXXXXXXX)
trap 'rm -rf -- "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

echo 1..2
mkdir "$work/corpus"
if "$build/tests/fuzz/fuzz_proxy" -seed=1 -max_total_time="${FUZZ_SECONDS:-4}" -max_len=700 -timeout=5 -print_final_stats=1 \
	-artifact_prefix="$work/" "$work/corpus" tests/fuzz/corpus-proxy >"$work/log" 2>&1; then
	echo "ok 1 - no input breaks a promise about PROXY headers"
else
	grep -v '^#[0-9]' "$work/log" | tail -n 40 | sed 's/^/# /'
	for file in "$work"/crash-* "$work"/leak-* "$work"/timeout-* "$work"/oom-*; do
		[ ! -e "$file" ] || echo "# input, base64: $(base64 -w0 "$file")"
	done
	echo "not ok 1 - no input breaks a promise about PROXY headers"
fi
runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/log")
if [ "${runs:-0}" -ge 1000 ]; then
	echo "ok 2 - $runs inputs were run"
else
	echo "not ok 2 - only ${runs:-0} inputs were run"
fi
