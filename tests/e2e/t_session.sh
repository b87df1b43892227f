#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Loading onto the interface that a machine is reached by, with every default, cuts nobody off: a long TCP connection goes on while
# neighbours expire, through load, reload and unload; so do broadcasts, neighbour discovery and MLD, and nothing is dropped.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

# alive WHAT: the connections of both families still carry requests, the neighbours having been forgotten on both sides
alive() {
	ip neigh flush dev eth0
	ip -n server neigh flush dev eth0
	is "$(session_read v4 "$request" status) $(session_read v6 "$request" status)" "200 200" "$1: the connections go on"
	echo >&"${ask[1]}"
	answer=
	read -r -t $((5 * slow)) answer <&"${ask[0]}"
	is "$answer" ok "$1: a broadcast is answered, an IPv6 group joined"
}

# dropped: the sum of what was dropped, for whatever reason
dropped() {
	local path sum=0
	figures_read figures
	for path in "${!figures[@]}"; do
		[[ $path != xdp.dropped.* ]] || sum=$((sum + figures[$path]))
	done
	echo "$sum"
}

request='send GET /healthz HTTP/1.1\r\nHost: server\r\n\r\n'
net_up
ip -n server route add default via "$client_ip" dev eth0
ip -n server -6 route add default via "$client_ip6" dev eth0
ip route add 255.255.255.255/32 dev eth0
ip -n server route add 255.255.255.255/32 dev eth0
server_start
echo '{"version": "1"}' >"$config"
exec {offers}< <(in_server node "$here/datagrams.mjs" serve 2>>"$log")
read -r -t $((20 * slow)) -u "$offers" _ || bail "nobody answers broadcasts: $(tail -n 5 "$log")"
coproc ask { in_client node "$here/datagrams.mjs" ask eth0 2>>"$log"; }
session v4 "connect $server_ip 8080"
session v6 "connect $server_ip6 8080"
alive "before"
for mode in native skb; do
	check "$mode: load with every default" mpbpf load --iface eth0 --xdp-mode "$mode" --config "$config"
	alive "$mode: loaded"
	check "$mode: reload" mpbpf reload
	alive "$mode: reloaded"
	between "$(figure xdp.packets)" 8 10000 "$mode: the packets were seen"
	is "$(dropped)" 0 "$mode: and none was dropped"
	agent_kill
	alive "$mode: without an agent"
	is "$(dropped)" 0 "$mode: none was dropped then"
	check "$mode: unload" mpbpf unload
	alive "$mode: unloaded"
done
session_end v4
session_end v6
tap_done
