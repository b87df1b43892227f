# shellcheck shell=bash disable=SC2034,SC2154
# SPDX-License-Identifier: MIT
# The runner: several tests at a time. What they say is kept until it is their turn.

# A worker runs one test in a process group of its own, and ends it when it is told to.
start_worker() {
	set -m
	(
		jobs=1 live=()
		catch_signals
		run_test "$1"
	) >"$work/$1.out" 2>&1 &
	set +m
	worker[$!]=$1
	live=("${!worker[@]}")
}

# in_order: their numbers into `order`. Those that must be alone come first, so that others need not run out before each.
in_order() {
	local i path others=()
	for i in "${!tests[@]}"; do
		path_of "${tests[i]}"
		if must_be_alone; then order+=("$i"); else others+=("$i"); fi
	done
	alone=${#order[@]}
	order+=("${others[@]}")
}

# may_start N: whether there is room for the test at place N in `order` beside those that run
may_start() {
	[ "$1" -lt "${#order[@]}" ] && [ "${#worker[@]}" -lt "$jobs" ] || return
	[ "${#worker[@]}" -eq 0 ] || [ "$1" -gt "$alone" ]
}

# ended_worker PID: one that did not come to its end has no verdict either
ended_worker() {
	local i=${worker[$1]}
	unset "worker[$1]"
	live=("${!worker[@]}")
	wait "$1"
	ended[i]=1
	[ ! -e "$work/$i.done" ] || return 0
	echo "not ok $((i + 1)) selftests: mpbpf: ${tests[i]} # ERROR its runner was killed" >>"$work/$i.out"
	printf 'not ok\t0\t0\t0\t0\t0\t0\t1\n' >"$work/$i.done"
}

run_side_by_side() {
	local next=0 printed=0 alone pid order=() worker=() ended=()
	in_order
	while [ "$printed" -lt "${#tests[@]}" ]; do
		while may_start "$next"; do
			start_worker "${order[next]}"
			next=$((next + 1))
		done
		for pid in "${!worker[@]}"; do
			running "$pid" || ended_worker "$pid"
		done 2>/dev/null
		while [ -n "${ended[printed]:-}" ]; do
			cat "$work/$printed.out"
			account "$printed"
			printed=$((printed + 1))
		done
		[ "${#worker[@]}" -eq 0 ] || pause 0.1
	done
}
