#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Several interfaces of one instance: each is protected, and each can be let go by itself.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

net_up
link_up eth1 1
server_start
config_write
check "load on two interfaces" mpbpf load --iface eth0 --iface eth1 --config "$config"
is "$(on_interfaces)" 2 "both carry the program"
for host in 10.77.0.1 10.77.1.1; do
	before
	is "$(http /echo)" 401 "$host: guarded"
	between "$(moved xdp.packets)" 3 100 "$host: its packets are counted"
done
status=$(mpbpf status)
matches "$status" eth0 "status names the first"
matches "$status" eth1 "status names the second"
check "unload of one" mpbpf unload --iface eth1
is "$(on_interfaces)" 1 "it carries the program no more"
host=10.77.1.1
before
is "$(http /echo)" 401 "its connections are guarded still: a listener is a matter of the socket"
after
is "${moved[xdp.protocols.http1]}" 0 "its requests are not counted"
# What IPv6 says by itself on the other meanwhile is less than a connection.
between "${moved[xdp.packets]}" 0 2 "nor its packets"
host=10.77.0.1
is "$(http /echo)" 401 "the other goes on"
mpbpf unload --iface eth7 >"$work/out" 2>&1
is $? 1 "unload of an interface that is not loaded: exit status 1"
matches "$(cat "$work/out")" eth7 "which the message names"
ip -n server link del eth1
check "unload of all, though one interface is gone" mpbpf unload
is "$(pins)$(on_interfaces)$(on_cgroup)" 00 "nothing is left"
tap_done
