#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# An interface that goes away and comes back under the same name is protected again, said so, and not when it was given back; one
# whose hook another program has is refused with that program's name.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

# attached NAME: true, false, or nothing where it is not loaded
attached() {
	mpbpf status --json | jq ".interfaces[] | select(.name == \"$1\") | .attached"
}

attached_is() {
	[ "$(attached "$1")" = "$2" ]
}

# logged TEXT: for wait_for
logged() {
	local text
	text=$(<"$agent_log")
	[[ $text == *"$1"* ]]
}

served() {
	[ "$(mpbpf status --json | jq .agent.running)" = true ]
}

net_up
link_up eth1 1
config_write 'listeners=[]'
mpbpf_load --iface eth1
agent_log=$(echo /run/mpbpf/*"${work##*/mpbpf-}"*-mpbpf/agent.log)
[ -e "$agent_log" ] || agent_log=$(find /run/mpbpf -path "*${work##*-}*" -name agent.log)
is "$(attached eth0) $(attached eth1) $(on_interfaces)" "true true 2" "two interfaces are protected"

ip -n server link del eth1
check "one goes away" wait_for 5 attached_is eth1 false
check "which the agent logs" wait_for 5 logged 'eth1: it is gone'
matches "$(mpbpf status)" 'eth1: native, gone' "and status says"
link_up eth1 1
check "it comes back and is protected again" wait_for 5 attached_is eth1 true
check "which the agent logs" wait_for 5 logged 'eth1: it is back, and protected again in native mode'
is "$(on_interfaces)" 2 "both carry the program"
before
in_client "$tools/flood" 10.77.1.2 10.77.1.1 9 100 >/dev/null
between "$(moved xdp.packets)" 100 1000 "its packets are counted"

ip -n server link del eth1
check "it goes again" wait_for 5 attached_is eth1 false
ip link add other0 type veth peer name other1 netns server
ip -n server link set other1 name eth1
check "another takes the name later, and is protected" wait_for 5 attached_is eth1 true

ip -n server link del eth1
check "it goes while there is no agent" wait_for 5 attached_is eth1 false
agent_kill
link_up eth1 1
is "$(attached eth1)" false "it is back and nobody sees it"
agent_start
check "until an agent starts" wait_for 5 attached_is eth1 true
check "an agent serves" wait_for 5 served

check "an interface is given back" mpbpf unload --iface eth1
is "$(attached eth1) $(on_interfaces)" " 1" "it is not loaded any more"
ip -n server link del eth1
link_up eth1 1
ip -n server link set eth0 down
ip -n server link set eth0 up
pause 200
is "$(attached eth1) $(on_interfaces)" " 1" "and does not become so by coming back"
check "unload" mpbpf unload

# ---- the hook is another's ----

in_server bpftool prog load "$build/tests/prog/xdp_dispatcher.bpf.o" "$work/bpf/theirs" type xdp &&
	in_server bpftool net attach xdp pinned "$work/bpf/theirs" dev eth1
out=$(mpbpf load --iface eth0 --iface eth1 --config "$config" 2>&1)
is $? 1 "an interface that libxdp has cannot be had"
matches "$out" 'eth1 already runs XDP program [0-9]+ \(xdp_dispatcher, .*libxdp.*xdp-loader unload eth1' "the message names it and the way out"
is "$(pins | grep -vx "$work/bpf/theirs")" "" "and nothing is loaded"
tap_done
