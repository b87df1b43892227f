#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Where XDP sits: on the port of a bridge, below a VLAN, on jumbo frames, and what a load says where it would sit badly.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

net_up
server_start
config_write 'listeners=[]'

# ---- jumbo frames ----

ip link set eth0 mtu 9000
ip -n server link set eth0 mtu 9000
check "load on an interface with an MTU of 9000" mpbpf load --iface eth0 --xdp-mode native --config "$config"
before
is "$(in_client curl -s -o /dev/null -w '%{http_code}' -T "$work/web/www/300000" "http://$server_ip:8080/dav/large")" 201 \
	"a large file goes in"
check "whole" cmp "$work/web/www/300000" "$work/web/dav/large"
after
between "$((moved[xdp.bytes] / moved[xdp.packets]))" 2000 9014 "in packets of more than 1,500 bytes"
is "${moved[xdp.dropped.malformed]}" 0 "nothing is malformed for its length"
check "unload" mpbpf unload

# ---- the port of a bridge ----

ip -n server -batch - <<-END || bail "cannot make a bridge"
	link add br0 type bridge forward_delay 0
	address flush dev eth0
	link set eth0 master br0
	link set br0 up
	address add $server_ip/24 dev br0
END
config_write 'listeners=[]' "ddos.deny=[\"$other_ip/32\"]"
check "load on the port of a bridge" mpbpf load --iface eth0 --config "$config"
is "$(http /healthz)" 200 "what is for the bridge arrives"
matches "$(patience=200 from=$other_ip http /healthz)" '^failed: connect .*timed out' "what is denied does not"
between "$(figure xdp.dropped.denied)" 1 100 "and is dropped at the port"
check "unload" mpbpf unload
out=$(mpbpf load --iface br0 --config "$config" 2>&1)
is $? 0 "load on the bridge itself"
matches "$out" 'br0 is a bridge: .*its ports' "says where it would see more"
check "unload" mpbpf unload

# ---- a VLAN ----

vlan() {
	ip link add link eth0 name eth0.5 type vlan id 5 2>>"$log" || return
	ip -n server link add link eth0 name eth0.5 type vlan id 5 || return
	ip address add 10.77.5.2/24 dev eth0.5
	ip link set eth0.5 up
	ip -n server link set eth0 nomaster
	ip -n server address add 10.77.5.1/24 dev eth0.5
	ip -n server link set eth0.5 up
}

if vlan; then
	config_write 'listeners=[]' 'ddos.deny=["10.77.5.0/24"]'
	is "$(host=10.77.5.1 http /healthz)" 200 "a VLAN is there"
	check "load below it" mpbpf load --iface eth0 --config "$config"
	matches "$(host=10.77.5.1 patience=200 http /healthz)" 'timed out' "what comes by the VLAN is judged"
	check "unload" mpbpf unload
	out=$(mpbpf load --iface eth0.5 --config "$config" 2>&1)
	matches "$out" 'eth0\.5 is a VLAN: .*below' "a load on the VLAN says where it would see more"
	check "unload" mpbpf unload
else
	skip "what comes by a VLAN is judged below it" "this kernel has no VLANs"
fi

# ---- a bond ----

bond() {
	ip -n server link add bond0 type bond mode active-backup miimon 100 2>>"$log" || return
	ip -n server -batch - <<-END
		link delete br0
		link set eth0 nomaster
		link set eth0 down
		link set eth0 master bond0
		link set bond0 up
		address add $server_ip/24 dev bond0
	END
}

if bond; then
	config_write 'listeners=[]' "ddos.deny=[\"$other_ip/32\"]"
	check "a bond is there" wait_for 5 http_is 200 /healthz
	for interface in eth0 bond0; do
		check "load on $interface, of a bond" mpbpf load --iface "$interface" --config "$config"
		is "$(http /healthz)" 200 "what is for it arrives"
		matches "$(patience=200 from=$other_ip http /healthz)" '^failed: connect .*timed out' "what is denied does not"
		check "unload" mpbpf unload
	done
else
	skip "what comes by a bond is judged on it and on its port" "this kernel has no bonds"
fi
tap_done
