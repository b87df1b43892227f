#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# At the interface: a flood is cut off at the limit and harms no other source; lists, neighbours and modes.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

flood() {
	in_client "$tools/flood" "$@" >/dev/null
}

# reload WHAT MEMBER=JSON...
reload() {
	config_write "${@:2}"
	check "reload: $1" mpbpf reload --config "$config"
}

# reached SOURCE [HOST]: the status that a request from that address gets
reached() {
	from=$1 host=${2:-$server_ip} http /echo
}

# unreached SOURCE [HOST]: "yes" when it is not even connected
unreached() {
	local said
	said=$(patience=200 reached "$@")
	[[ $said == 'failed: connect'*'timed out' ]] && said=yes
	echo "$said"
}

# lost: how many frames the client's interface has dropped, for the other end of a veth pair takes 256 ahead of its program
lost() {
	local name counts
	while read -r name counts; do
		read -ra counts <<<"$counts"
		[ "$name" != eth0: ] || echo "${counts[11]}"
	done </proc/net/dev
}

# Each packet of so small a limit is looked up. A window that does not end while the case runs, but once in a while: then it lets the limit through twice.
limit=(rate_limit.packets=300 rate_limit.window_ms=3600000)
far6=fd77:5::2
far='["'$other_ip'/32", "fd77:5::/64"]'
net_up
ip addr add "$far6/64" dev eth0 nodad
ip -n server route add fd77:5::/64 dev eth0
server_start
config_write "${limit[@]}"

for mode in native skb; do
	mpbpf_load --xdp-mode "$mode"
	case $mode in
	native) want='xdp ' ;;
	skb) want='xdpgeneric ' ;;
	esac
	matches "$(ip -n server link show eth0)" "$want" "$mode: attached in that mode"
	before
	lost=$(lost)
	flood "$other_ip" "$server_ip" 9 5000
	after
	lost=$(($(lost) - lost))
	between "${moved[xdp.dropped.rate_limit]}" 4400 4700 "$mode: 5,000 packets over a limit of 300 are cut off"
	between $((moved[xdp.packets] + lost)) 5000 5100 "$mode: all that came were counted"
	is "$(unreached "$other_ip")" yes "$mode: that source is not served"
	is "$(reached "$client_ip")" 401 "$mode: another source is"
	before
	flood "$far6" "$server_ip6" 9 5000
	between "$(moved xdp.dropped.rate_limit)" 4400 4700 "$mode: so it is with IPv6"
	is "$(unreached "$far6" "$server_ip6")" yes "$mode: that source is not served"
	is "$(reached "$client_ip6" "$server_ip6")" 401 "$mode: another network is"
	ip neigh flush dev eth0
	ip -n server neigh flush dev eth0
	is "$(reached "$client_ip") $(reached "$client_ip6" "$server_ip6")" "401 401" "$mode: ARP and ND find the neighbours again"
	figures_read figures
	sum=${figures[xdp.passed]}
	for path in "${!figures[@]}"; do
		[[ $path != xdp.dropped.* ]] || sum=$((sum + figures[$path]))
	done
	is "$sum" "${figures[xdp.packets]}" "$mode: every packet passed or was dropped for a reason"
	between "${figures[xdp.protocols.http1]}" 3 1000 "$mode: requests were seen as HTTP/1"
	between "${figures[xdp.sources]}" 3 1000 "$mode: the sources are remembered"
	check "$mode: unload" mpbpf unload
done

mpbpf_load
reload "monitor only" "${limit[@]}" 'rate_limit.mode="monitor"'
before
flood "$other_ip" "$server_ip" 9 5000
after
is "${moved[xdp.dropped.rate_limit]}" 0 "monitor: nothing is dropped"
between "${moved[xdp.would_drop]}" 4400 4800 "monitor: what would be is counted"
is "$(reached "$other_ip")" 401 "monitor: the source is served"

reload "allow list" "${limit[@]}" "ddos.allow=$far"
before
flood "$other_ip" "$server_ip" 9 5000
flood "$far6" "$server_ip6" 9 5000
is "$(moved xdp.dropped.rate_limit)" 0 "allow list: no limit for those on it"
is "$(reached "$other_ip") $(reached "$far6" "$server_ip6")" "401 401" "allow list: they are served"

reload "deny list" "ddos.deny=$far"
before
is "$(unreached "$other_ip") $(unreached "$far6" "$server_ip6")" "yes yes" "deny list: those on it are not served"
between "$(moved xdp.dropped.denied)" 2 100 "deny list: and counted"
is "$(reached "$client_ip") $(reached "$client_ip6" "$server_ip6")" "401 401" "deny list: others are served"
reload "deny a network, allow one of it" 'ddos.deny=["10.77.0.0/24"]' "ddos.allow=[\"$client_ip/32\"]"
is "$(unreached "$client_ip")" yes "the deny list comes first"
reload "no list" 'ddos.deny=[]'
is "$(reached "$client_ip") $(reached "$other_ip") $(reached "$far6" "$server_ip6")" "401 401 401" "all are served again"
check "unload" mpbpf unload

check "auto on a device without native XDP" mpbpf load --iface lo --config "$config"
matches "$(ip -n server link show lo)" 'xdpgeneric ' "falls back to skb mode"
matches "$(mpbpf status)" 'skb' "and status says so"
check "unload" mpbpf unload
out=$(mpbpf load --iface eth0 2>&1)
is $? 0 "a load without a configuration"
matches "$out" 'listener|L7' "says that no request is judged"
is "$(reached "$client_ip")" 200 "and judges none"
between "$(figure xdp.packets)" 1 1000 "but counts packets"
check "unload" mpbpf unload
tap_done
