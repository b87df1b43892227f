#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The end of `make vmtest`: summary.sh VM RUN... prints what failed, each skip, a table of tests and kernels, a line of sums.
# Exit status 0 when everything that had to run ran and passed.
set -euo pipefail
export LC_ALL=C

here=$(cd "$(dirname "$0")" && pwd)
vm=$1
shift
runs=("$@")

# Those with no output of their own are missing in the table.
print_failed() {
	local run name state
	for run in "${runs[@]}"; do
		while IFS=$'\t' read -r name state _; do
			[ "$state" = 'not ok' ] || continue
			printf '\n%s: %s:\n' "$run" "$name"
			grep -v '^ok ' "$vm/results/$run/$name.tap" 2>&1 | tail -n 60 | sed 's/^/    /' || true
			# The runner's own word: a time limit, a plan that was not kept, a skip that is not allowed.
			grep -E "^not ok [0-9]+ selftests: mpbpf: $name( |\$)" "$vm/results/$run/log" | sed 's/^/    /' || true
		done <"$vm/results/$run/results"
	done
}

print_skips() {
	local run
	for run in "${runs[@]}"; do
		[ ! -s "$vm/results/$run/skips" ] || sed "s/^/skipped on $run: /" "$vm/results/$run/skips"
	done
}

judge() {
	local run
	for run in "${runs[@]}"; do
		"$here/judge.sh" "$vm" "$run"
	done
}

print_table() {
	local run heads=() files=()
	for run in "${runs[@]}"; do
		files+=("$vm/results/$run/results" "$vm/results/$run/machine")
		[ "$run" != host ] || run=host_$(sed -nE '1s/^([0-9]+\.[0-9]+).*/\1/p' "$vm/results/host/kernel")
		heads+=("$run")
	done
	printf '\n'
	awk -f "$here/table.awk" -v runs="${runs[*]}" -v heads="${heads[*]}" "$vm/wanted" "${files[@]}"
}

# A run that died early has left no list: each test is missing then.
for run in "${runs[@]}"; do
	touch "$vm/results/$run"/{results,skips,log,kernel}
done
print_failed
judge
printf '\n'
print_skips
print_table
