#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# mpbpf block and allow: networks listed at run time are dropped, or not limited, until their end; through reloads and without an
# agent; from a file all or none.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

# reached SOURCE [HOST]: the status that a request from that address gets, or "no" when it is not even connected
reached() {
	local said
	said=$(patience=120 from=$1 host=${2:-$server_ip} http /healthz)
	# Connected, and the service was late: no answer to the question.
	[ "$said" != timeout ] || said=$(from=$1 host=${2:-$server_ip} http /healthz)
	[[ $said != 'failed: connect'*'timed out' ]] || said=no
	echo "$said"
}

both() {
	echo "$(reached "$other_ip") $(reached "$other_ip6" "$server_ip6")"
}

# said COMMAND...: its exit status and what it says
said() {
	local out
	out=$(mpbpf "$@" 2>&1)
	echo "$? $out"
}

# networks LIST [FILTER]: what stands on it
networks() {
	mpbpf "$1" list --json | jq -r "[.networks[]${2:-.network}] | join(\" \")"
}

blocked_are() {
	[ "$(networks block)" = "$1" ]
}

listed_is() {
	[ "$(bpftool -j map dump pinned "$pin_root/maps/$1" | jq length)" -eq "$2" ]
}

served() {
	[ "$(mpbpf status --json | jq .agent.running)" = true ]
}

net_up
server_start
config_write
mpbpf_load
is "$(networks block)$(networks allow)" "" "nothing is listed at first"
is "$(both)" "200 200" "and everybody is served"

# ---- one at a time ----

before
is "$(said block add "$other_ip" --reason 'port scan')" "0 " "an address is blocked"
check "and a network" mpbpf block add "$other_ip6/128" --for 10m
is "$(both)" "no no" "neither is served"
is "$(reached "$client_ip") $(reached "$client_ip6" "$server_ip6")" "200 200" "others are"
between "$(moved xdp.dropped.denied)" 2 100 "what is dropped is counted as denied"
is "$(networks block)" "$other_ip/32 $other_ip6/128" "list: both"
is "$(networks block '| .reason // "none"')" "port scan none" "list: why"
is "$(networks block '| if .until then .until - .at | round else "for good" end')" "for good 600" "list: until when"
matches "$(mpbpf block list)" "^$other_ip/32 +since 20[^,]*Z, for good: port scan" "list as text"
matches "$(mpbpf block list)" "$other_ip6/128 +since 20[^,]*Z, until 20[0-9TZ:-]+\$" "and with an end"
check "a reload" mpbpf reload --config "$config"
agent_kill
agent_start
check "a new agent serves" wait_for 5 served
is "$(both)" "no no" "they stay through a reload and a new agent"
check "a network is taken off" mpbpf block del "$other_ip6"
is "$(both)" "no 200" "and served again"
matches "$(said block del "$other_ip6")" "^1 .*$other_ip6: not on the list" "what is not there cannot be"
matches "$(said block add 10.77.0.3/24)" '^2 .*perhaps 10.77.0.0/24' "host bits are an error"
matches "$(said block add 10.77.0.3 --for 10)" '^2 .*--for 10' "so is a time without a unit"
matches "$(said block add 10.77.0.3 --reason $'a\nb')" '^2 .*printable' "and a reason of two lines"
matches "$(said block add)" '^2 .*name a network' "and nothing to add"
matches "$(said block add 10.77.0.3 10.77.0.4)" '^2 .*unexpected argument' "and two networks"

# ---- ends ----

check "the whole network is blocked for a moment" mpbpf block add 10.77.0.0/24 --for "$((2 * pace))s"
check "one address of it for longer" mpbpf block add "$client_ip" --for 1h
check "another no more" mpbpf block del "$other_ip"
is "$(reached "$client_ip") $(reached "$other_ip")" "no no" "the network is not served"
check "it expires" wait_for 5 blocked_are "$client_ip/32"
is "$(reached "$client_ip") $(reached "$other_ip")" "no 200" "after it only that address is not"
wait_for 10 listed_is blocked4 1
check "the agent has deleted it" listed_is blocked4 1
check "a narrow block that expires" mpbpf block add "$client_ip" --for "${pace}s"
check "and a wide one that does not" mpbpf block add 10.0.0.0/8
check "the narrow one expires" wait_for 5 blocked_are 10.0.0.0/8
is "$(reached "$client_ip")" no "the wide one goes on"

# ---- files ----

printf '%s\n' '# feed' '' "$other_ip6 # bot" "192.0.2.0/24" >"$work/file"
check "a file is the whole list now" mpbpf block replace --file "$work/file" --reason feed
is "$(networks block)" "192.0.2.0/24 $other_ip6/128" "list: that and nothing else"
is "$(both) $(reached "$client_ip")" "200 no 200" "so it is"
printf '%s\n' "$client_ip" "$other_ip/24" >"$work/wrong"
matches "$(said block add --file "$work/wrong")" "^2 .*--file $work/wrong: line 2: .*perhaps 10.77.0.0/24" "an error names its line"
matches "$(said block replace --file "$work/wrong")" '^2 .*line 2' "so it does with replace"
is "$(networks block) $(reached "$client_ip")" "192.0.2.0/24 $other_ip6/128 200" "and nothing has changed"
matches "$(said block add --file "$work/none")" "^2 .*No such file" "a file that is not there"
is "$(said block add --file - --for 1h <<<"$other_ip")" "0 " "standard input is added"
is "$(both)" "no no" "to what was there"
is "$(said block del --file "$work/file")" "0 2 of 2 networks were listed" "a file is taken off"
is "$(both)" "no 200" "and nothing else"
n=$(scaled 20000)
for ((i = 0; i < n; i++)); do echo "100.$((64 + i / 65536)).$((i / 256 % 256)).$((i % 256))"; done >"$work/many"
check "thousands are added" mpbpf block add --file "$work/many"
is "$(mpbpf block list | wc -l)" $((n + 1)) "list: all of them"
check "an empty file" mpbpf block replace --file /dev/null
is "$(both) $(networks block)" "200 200 " "blocks nobody"

# ---- allow ----

config_write rate_limit.packets=20 rate_limit.window_ms=3600000
check "a tight limit" mpbpf reload --config "$config"
check "one source is not limited" mpbpf allow add "$other_ip" --reason monitoring
for source in "$client_ip" "$other_ip"; do
	in_client "$tools/flood" "$source" "$server_ip" 9 100 >/dev/null
done
is "$(reached "$client_ip") $(reached "$other_ip")" "no 200" "another is"
is "$(networks allow '| .network + .reason') $(networks block)" "$other_ip/32monitoring " "the lists are two"
check "blocked as well" mpbpf block add 10.77.0.0/24
is "$(reached "$other_ip")" no "blocked comes before allowed"
check "unload" mpbpf unload
is "$(pins)" "" "nothing is left"
matches "$(said block list)" '^1 .*nothing is loaded' "there are no lists without a data path"
tap_done
