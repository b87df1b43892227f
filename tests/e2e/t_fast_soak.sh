#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Bytes and ends of any kind between a client and a service of this node, past TCP and through it, switched by slow readers and by
# every kind of message: none is lost, doubled or another's. FAST_SOAK_SECONDS (3) makes it longer; with FAST_SOAK_GB it
# lasts until so many GB were sent, in larger streams (`make soak`); FAST_SOAK_SEED repeats a run. FAST_SOAK_CONNECTIONS (24) at a time.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
seconds=${FAST_SOAK_SECONDS:-3}
gb=${FAST_SOAK_GB:-0}
connections=${FAST_SOAK_CONNECTIONS:-24}
time_limit=$((190 * slow + 2 * seconds + 300 * gb))
sandbox "$@"

net_up
in_cgroup "$cgroup" "$tools/relay" serve 90 >"$work/served" &
served=$!
wait_for 5 test -s "$work/served" || bail "relay does not start"
config_write 'listeners=[{"name": "bytes", "port": 90, "protocol": "tcp", "fast_path": "on"}]'
mpbpf_load
seed=${FAST_SOAK_SEED:-$RANDOM$RANDOM}
# amount THIRDS: both ends of a connection count what they get and send
amount() {
	if [ "$gb" -eq 0 ]; then echo "-t $seconds"; else echo "-x 8 -b $((gb * 1000000000 / 3 * $1))"; fi
}
# run WHAT ADDRESS CONNECTIONS AMOUNT
run() {
	# shellcheck disable=SC2086
	space=client in_cgroup "$cgroup" "$tools/relay" run -c "$3" $4 -s "$seed" "$2" 90 >"$work/run-$1" &
	runs[$1]=$!
}
declare -A runs=()
run IPv4 "$server_ip" "$(scaled "$connections" 6)" "$(amount 2)"
run IPv6 "$server_ip6" "$(scaled $(((connections + 1) / 2)) 3)" "$(amount 1)"
for family in IPv4 IPv6; do
	wait "${runs[$family]}"
	is $? 0 "$family: every connection got what it had to, seed $seed"
	diag "$(<"$work/run-$family")"
done
# What a reader leaves in the middle of a stream is bounded; then TCP carries on, and hands over again.
space=client in_cgroup "$cgroup" "$tools/relay" push "$server_ip" 90 60000000 $((700 * slow)) >"$work/push"
is $? 0 "a sender whose reader sleeps gets through all the same"
between "$(sed -n 's/^stalled=//p' "$work/push")" 100000 30000000 "it is stopped while the reader sleeps"
wait_for 100 figure_is connections.open -eq 0
figures_read figures
is "${figures[connections.open]} ${figures[connections.broken]} ${figures[connections.refused]}" "0 0 0" "none is left, none was cut off"
diag "fast: connections=${figures[fast_path.connections]} messages=${figures[fast_path.messages]} full=${figures[fast_path.full]}"
is "${figures[fast_path.connections]}" "${figures[connections.guarded]}" "all of them had a fast path"
between "${figures[fast_path.messages]}" 100 100000000000 "it was taken"
between "${figures[fast_path.full]}" 1 100000000000 "and left, when a reader was slow"
kill "$(sed -n s/pid=//p "$work/served")"
wait "$served"
matches "$(<"$work/served")" ' resets=[0-9]+ bytes=[1-9][0-9]+ faults=0$' "the service's ends too"
tap_done
