# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: MIT
# What the short, repeatable libFuzzer runs share. A test sources it as its first act: it stands at the top of the tree then, has
# an empty folder $work that goes with it, and $work/corpus in it.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=${BUILD:-build}
work=$(mktemp -d /tmp/mpbpf-fuzz-XXXXXXXX)
trap 'rm -rf -- "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
mkdir "$work/corpus"

# fuzz TARGET SECONDS PROMISE RUNS ARGUMENT...: two points, no input breaks the PROMISE, and at least RUNS inputs were run.
# ARGUMENT: options of the target, and folders of inputs to start from.
fuzz() {
	local target=$1 seconds=${FUZZ_SECONDS:-$2} promise=$3 least=$4 file runs
	shift 4

	echo 1..2
	if "$build/tests/fuzz/$target" -seed=1 -max_total_time="$seconds" -timeout=5 -print_final_stats=1 \
		-artifact_prefix="$work/" "$work/corpus" "$@" >"$work/log" 2>&1; then
		echo "ok 1 - no input breaks $promise"
	else
		grep -v '^#[0-9]' "$work/log" | tail -n 40 | sed 's/^/# /'
		for file in "$work"/crash-* "$work"/leak-* "$work"/timeout-* "$work"/oom-*; do
			[ ! -e "$file" ] || echo "# input, base64: $(base64 -w0 "$file")"
		done
		echo "not ok 1 - no input breaks $promise"
	fi
	runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/log")
	if [ "${runs:-0}" -ge "$least" ]; then
		echo "ok 2 - $runs inputs were run"
	else
		echo "not ok 2 - only ${runs:-0} inputs were run"
	fi
}
