#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Unload takes everything away: programs, maps, links, pins, agent; the service goes on by itself.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
sandbox "$@"

# ids: "prog N" and "map N" of all that hangs on the pins
ids() {
	local pin kind object
	pins | while read -r pin; do
		for kind in prog map link; do
			object=$(bpftool -j "$kind" show pinned "$pin" 2>/dev/null) || continue
			jq -r --arg kind "$kind" 'if $kind == "link" then "prog \(.prog_id)" else "\($kind) \(.id)" end' <<<"$object"
		done
	done >"$work/pinned"
	{
		cat "$work/pinned"
		sed -n 's/^prog //p' "$work/pinned" | while read -r pin; do
			bpftool -j prog show id "$pin" | jq -r '.map_ids // [] | .[] | "map \(.)"'
		done
	} | sort -u
}

# alive: how many of the ids in a file still are
alive() {
	local kind id n=0
	while read -r kind id; do
		! bpftool "$kind" show id "$id" >/dev/null 2>&1 || n=$((n + 1))
	done <"$1"
	echo "$n"
}

net_up
server_start
for mode in native skb; do
	mpbpf_load --xdp-mode "$mode"
	is "$(http -H "$(bearer static-token-1)" /echo)" 200 "$mode: it works"
	ids >"$work/ids"
	between "$(grep -c prog "$work/ids")" 7 100 "$mode: programs are pinned"
	between "$(grep -c map "$work/ids")" 15 100 "$mode: maps belong to them"
	is "$(alive "$work/ids")" "$(wc -l <"$work/ids")" "$mode: all of them are there"
	agent=$(agent_pids)

	# A connection that is guarded when the guard goes.
	script >"$work/held" <<-END &
		connect $server_ip 8080
		send GET /echo HTTP/1.1\r\nHost: server\r\n$(bearer static-token-1)\r\n\r\n
		read
		pause 1500
		send GET /echo HTTP/1.1\r\nHost: server\r\n\r\n
		read
	END
	held=$!
	wait_for 3 test -s "$work/held"
	check "$mode: unload" mpbpf unload
	is "$(pins)" "" "$mode: bpffs is as it was"
	wait_for 10 eval '[ "$(alive "$work/ids")" = 0 ]'
	is "$(alive "$work/ids")" 0 "$mode: bpftool shows none of the programs and maps any more"
	is "$(on_cgroup)" 0 "$mode: nothing is attached to the cgroup"
	is "$(on_interfaces)" 0 "$mode: nothing is attached to the interface"
	wait_for 5 agent_gone
	is "$(agent_pids)" "" "$mode: the agent (${agent:-none}) is gone"
	is "$(http /echo)" 200 "$mode: the service answers everybody"
	wait "$held"
	matches "$(paste -sd ' ' "$work/held")" '^200 11 (200 11|closed)$' "$mode: a connection from before does not hang"
done
mpbpf unload >"$work/out" 2>&1
is $? 1 "nothing to unload: exit status 1"
matches "$(cat "$work/out")" 'not loaded|nothing' "and a message that says so"
tap_done
