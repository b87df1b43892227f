#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# One kernel's part of `make vmtest`, on the host and in each guest: suite.sh SUITE RESULTS [ARGUMENT OF THE RUNNER]...
#
# SUITE is an installed test folder. RESULTS gets check.json (of the first guest, LANE 0, alone), kernel (two lines: release and
# version) and what run_kselftest.sh -o writes; its exit status is that of the runner. An emulated machine that does not get its
# processor can come too late: what failed there is run once more. RESULTS/again names it and RESULTS/first has what failed.
suite=$1 results=$2
shift 2
again_max=5 # tests; more than that did not fail by chance

# A shell's background processes ignore SIGINT, and those of nohup SIGHUP; tests send both.
runner() {
	env --default-signal "$suite/run_kselftest.sh" -o "$@"
}

failed() {
	awk -F '\t' '$2 == "not ok" { print $1 }' "$1/results"
}

# run_again TEST...: their second results take the place of the first, which go to RESULTS/first
run_again() {
	local test named=() rc
	mkdir -p "$results/first"
	for test in "$@"; do
		named+=(-t "$test")
		mv "$results/$test.tap" "$results/first/"
	done
	printf '%s\n' "$@" >"$results/again"
	runner "$results/second" "${named[@]}"
	rc=$?
	mv "$results/second"/*.tap "$results/"
	for test in "$@"; do
		sed -i "/^$test: /d" "$results/skips"
	done
	cat "$results/second/skips" >>"$results/skips"
	awk -F '\t' 'FNR == NR { second[$1] = $0; next } { print ($1 in second) ? second[$1] : $0 }' \
		"$results/second/results" "$results/results" >"$results/results.new"
	mv "$results/results.new" "$results/results"
	return "$rc"
}

uname -rv | sed 's/ /\n/' >"$results/kernel"
# Its exit status is not looked at: what it says is held against docs/kernels.md, and tests/e2e/t_check.sh is among the tests.
[ "${LANE:-0}" -gt 0 ] || "$suite/build/mpbpf" check --json >"$results/check.json" 2>"$results/check.log"
runner "$results" "$@"
rc=$?
mapfile -t again < <(failed "$results")
if [ "$rc" -eq 1 ] && [ "${MPBPF_SLOW:-1}" -gt 1 ] && [ "${#again[@]}" -le "$again_max" ]; then
	run_again "${again[@]}"
	rc=$?
fi
exit "$rc"
