#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Unload takes everything away: programs, maps, links, pins, agent; the service goes on by itself.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

# ids_read: what hangs on the pins, into `ids`, as prog:N and map:N: pinned, run by a pinned link, used by such a program
declare -A ids
ids_read() {
	local object id
	ids=()
	bpf_objects link -f
	for object in "${objects[@]}"; do
		[[ $object != *" pinned $pin_root/"* || ! $object =~ \ prog\ ([0-9]+) ]] || ids[prog:${BASH_REMATCH[1]}]=
	done
	bpf_objects map -f
	for object in "${objects[@]}"; do
		[[ $object != *" pinned $pin_root/"* ]] || ids[map:${object%%:*}]=
	done
	bpf_objects prog -f
	for object in "${objects[@]}"; do
		[[ -v "ids[prog:${object%%:*}]" || $object == *" pinned $pin_root/"* ]] || continue
		ids[prog:${object%%:*}]=
		[[ $object =~ \ map_ids\ ([0-9,]+) ]] || continue
		for id in ${BASH_REMATCH[1]//,/ }; do
			ids[map:$id]=
		done
	done
}

# alive_read: of `ids` those that still are, into `alive`
alive_read() {
	local kind object
	alive=()
	for kind in map prog; do
		bpf_objects "$kind"
		for object in "${objects[@]}"; do
			[[ ! -v "ids[$kind:${object%%:*}]" ]] || alive+=("$kind:${object%%:*}")
		done
	done
}

none_alive() {
	alive_read
	[ "${#alive[@]}" -eq 0 ]
}

net_up
server_start
static=$(bearer static-token-1)
for mode in native skb; do
	mpbpf_load --xdp-mode "$mode"
	is "$(http -H "$static" /echo)" 200 "$mode: it works"
	ids_read
	alive_read
	progs=0
	for object in "${alive[@]}"; do
		[[ $object != prog* ]] || progs=$((progs + 1))
	done
	between "$progs" 7 100 "$mode: programs are pinned"
	between $((${#alive[@]} - progs)) 15 100 "$mode: maps belong to them"
	is "${#alive[@]}" "${#ids[@]}" "$mode: all of them are there"
	agents_read
	agent=${agents[*]}

	# A connection that is guarded when the guard goes.
	session held "connect $server_ip 8080" "send GET /echo HTTP/1.1\r\nHost: server\r\n$static\r\n\r\n" read
	wait_for 3 test -s "$work/held"
	check "$mode: unload" mpbpf unload
	is "$(pins)" "" "$mode: bpffs is as it was"
	wait_for 10 none_alive
	is "${alive[*]}" "" "$mode: bpftool shows none of the programs and maps any more"
	is "$(on_cgroup)" 0 "$mode: nothing is attached to the cgroup"
	is "$(on_interfaces)" 0 "$mode: nothing is attached to the interface"
	wait_for 5 agent_gone
	is "${agents[*]}" "" "$mode: the agent (${agent:-none}) is gone"
	is "$(http /echo)" 200 "$mode: the service answers everybody"
	session held 'send GET /echo HTTP/1.1\r\nHost: server\r\n\r\n' read
	session_end held
	matches "$(joined <"$work/held")" '^200 11 (200 11|closed)$' "$mode: a connection from before does not hang"
done
mpbpf unload >"$work/out" 2>&1
is $? 1 "nothing to unload: exit status 1"
matches "$(cat "$work/out")" 'not loaded|nothing' "and a message that says so"
tap_done
