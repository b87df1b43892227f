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

# may_start I: whether there is room for it beside those that run
may_start() {
	local path
	[ "$1" -lt "${#tests[@]}" ] && [ "${#worker[@]}" -lt "$jobs" ] || return
	[ "${#worker[@]}" -gt 0 ] || return 0
	path_of "${tests[$1]}"
	[ -z "$alone" ] && ! must_be_alone
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
	local next=0 printed=0 pid path alone='' worker=() ended=()
	while [ "$printed" -lt "${#tests[@]}" ]; do
		while may_start "$next"; do
			path_of "${tests[next]}"
			if must_be_alone; then alone=1; else alone=; fi
			start_worker "$next"
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
