#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# `mpbpf events`: packets that were dropped lately, as text and as JSON, by reason, and as they come; without an agent.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

events() {
	mpbpf events "$@" 2>>"$log"
}

net_up
config_write listeners= 'ddos.deny=["'$other_ip'", "fd77::3"]' events.per_second=20 'rate_limit.window_ms=3600000' \
	'rate_limit.classes=[{"name": "small", "protocol": "udp", "port": 7, "packets": 2}]'
# Else a source that is denied is also denied what finds the neighbour.
mac=$(ip -n server -o link show eth0)
mac=${mac#*link/ether }
ip neigh replace "$server_ip6" lladdr "${mac%% *}" dev eth0 || bail "cannot add a neighbour"
mpbpf_load --no-agent
is "$(events)" "" "nothing was dropped yet"
"$tools/flood" "$other_ip" "$server_ip" 9 1 60 >/dev/null
"$tools/flood" "$other_ip6" "$server_ip6" 9 1 >/dev/null
"$tools/flood" "$client_ip" "$server_ip" 7 3 >/dev/null
echo "1 02 00 00 00 00 09 02 00 00 00 00 08 0800 6500 0028" | "$tools/frames" eth0
events >"$work/text"
matches "$(<"$work/text")" "^20[0-9-]*T[0-9:.]*Z dropped denied $other_ip:[0-9]* > $server_ip:9 udp, interface [0-9]*, 102 bytes" \
	"a line says when, why, from where to where, and what"
matches "$(<"$work/text")" "denied \[$other_ip6\]:[0-9]* > \[$server_ip6\]:9 udp" "IPv6 too"
matches "$(<"$work/text")" "rate_limit \(small\) $client_ip:[0-9]* > $server_ip:7 udp" "a limit by its name"
matches "$(<"$work/text")" "malformed \(truncated\) interface" "a packet without addresses"
is "$(wc -l <"$work/text")" 4 "no other line"
is "$(events --json | jq -r '[.kind, .reason, .detail, .rule, .dest_port, .dropped] | map(tostring) | join(" ")')" \
	"packet denied null null 9 true
packet denied null null 9 true
packet rate_limit null small 7 true
packet malformed truncated null null true" "--json: one object a line; reading takes nothing away"
is "$(events --json --reason malformed | jq -r .detail) $(events --json --reason truncated | jq -r .reason)" \
	"truncated malformed" "--reason: a reason, or a kind of malformed packets"
mpbpf events --reason nonsense >"$work/out" 2>&1
is $? 2 "an unknown reason is wrong usage"

events --json --follow --reason denied >"$work/followed" &
wait_for 5 grep -q denied "$work/followed"
lines() { [ "$(grep -c '"packet"' "$work/followed")" -ge "$1" ]; }
"$tools/flood" "$other_ip" "$server_ip" 9 500 >/dev/null
wait_for 5 lines 10
wait_for 5 grep -q suppressed "$work/followed"
between "$(grep -c '"packet"' "$work/followed")" 10 60 "--follow: they come as they are, bounded by events.per_second"
is "$(jq -s 'map(select(.kind == "suppressed").count) | add' "$work/followed")" "$(figure events.suppressed)" \
	"the others are counted and told"
check "unload" mpbpf unload
check "which ends --follow" wait_for 10 eval '! kill -0 $!'
tap_done
