#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The SYN guard: real connections are made through its cookies, also during a SYN flood, and the sysctl it needs comes and goes.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

syncookies() {
	in_server cat /proc/sys/net/ipv4/tcp_syncookies
}

# counted NAME: what a counter is now
counted() {
	mpbpf stats --json | jq ".xdp.$1"
}

# through HOST DESCRIPTION: a connection is made, and by a cookie
through() {
	local sent valid status
	sent=$(counted syn_guard.cookies_sent) valid=$(counted syn_guard.validated)
	status=$(curl -s -o "$work/body" -w '%{http_code}' --max-time $((5 * slow)) "http://$1:8080/healthz")
	is "$status $(cat "$work/body")" "200 healthy" "$2: a request"
	between $(($(counted syn_guard.cookies_sent) - sent)) 1 2 "$2: its SYN was answered by a cookie"
	between $(($(counted syn_guard.validated) - valid)) 1 9 "$2: which came back"
}

guard_is() {
	[ "$(mpbpf status --json | jq .syn_guard.active)" = "$1" ]
}

syncookies_are() {
	[ "$(syncookies)" = "$1" ]
}

agent_there() {
	agents_read
	[ "${#agents[@]}" -gt 0 ]
}

net_up
server_start
# Frames that carry their tag, not only a note of it, as a wire would.
vlans=yes
ip link add link eth0 name eth0.5 type vlan id 5 reorder_hdr off 2>/dev/null || vlans=
if [ -n "$vlans" ]; then
	ip -n server link add link eth0 name eth0.5 type vlan id 5
	ip -n server address add 10.77.5.1/24 dev eth0.5
	ip -n server link set eth0.5 up
	ip address add 10.77.5.2/24 dev eth0.5
	ip link set eth0.5 up
fi
before=$(syncookies)
"$tools/xdppass" eth0 || bail "no XDP program on the client's side"

# ---- always ----

for mode in native skb; do
	config_write ddos.syn_cookies='"always"'
	mpbpf_load --xdp-mode $mode
	is "$(syncookies)" 2 "$mode: tcp_syncookies is set"
	check "$mode: status says that the guard is active" guard_is true
	through $server_ip "$mode, IPv4"
	through "[$server_ip6]" "$mode, IPv6"
	if [ -n "$vlans" ]; then through 10.77.5.1 "$mode, VLAN"; else skip "$mode, VLAN" "this kernel has no VLANs"; fi
	sysctl -qw net.ipv4.tcp_timestamps=0
	through $server_ip "$mode, a client without timestamps"
	sysctl -qw net.ipv4.tcp_timestamps=1
	is "$(curl -s --max-time $((5 * slow)) -H "Authorization: Bearer $(token a)" "http://$server_ip:8080/300000" | cksum)" \
		"$(cksum <"$work/web/www/300000")" "$mode: a large response is whole"
	mpbpf unload >>"$log" 2>&1
	is "$(syncookies)" "$before" "$mode: unload puts tcp_syncookies back"
done

# ---- auto, in a flood ----

rate=100
config_write ddos.syn_rate=$rate
mpbpf_load
check "auto: status says that the guard rests" guard_is false
is "$(syncookies)" "$before" "auto: at rest tcp_syncookies is as it was"
sent=$(counted syn_guard.cookies_sent)
is "$(curl -s --max-time $((5 * slow)) "http://$server_ip:8080/healthz")" healthy "a request at rest"
is "$(counted syn_guard.cookies_sent)" "$sent" "takes no cookie"
# It ends when it is told to.
flood_size=$((rate * 60 * slow))
"$tools/synflood" $server_ip 8080 $flood_size $((rate * 6)) >"$work/flood" 2>&1 &
flood=$!
wait_for 5 guard_is true
check "a flood makes it active" guard_is true
wait_for 5 syncookies_are 2
is "$(syncookies)" 2 "and mpbpfd sets tcp_syncookies"
valid=$(counted syn_guard.validated)
for host in $server_ip "[$server_ip6]"; do
	is "$(curl -s --max-time $((5 * slow)) "http://$host:8080/healthz")" healthy "in the flood: a request to $host"
done
between $(($(counted syn_guard.validated) - valid)) 2 20 "whose cookies came back"
agent_kill
is "$(curl -s --max-time $((5 * slow)) "http://$server_ip:8080/healthz")" healthy "a request when mpbpfd is dead"
dropped=$(counted dropped.syn_guard)
"$tools/synflood" $server_ip 8080 1000 20000 ack >"$work/acks" 2>&1
between $(($(counted dropped.syn_guard) - dropped)) 1000 1010 "a flood of handshakes' ends is dropped"
agent_start
wait_for 5 agent_there
pause 500
is "$(syncookies)" 2 "another mpbpfd leaves tcp_syncookies as long as the guard is active"
answered() {
	[ "$(counted syn_guard.cookies_sent)" -ge "$1" ]
}
wait_for 10 answered $((rate * 4))
check "for which the flood has gone on until now" kill $flood
wait $flood
between "$(counted syn_guard.cookies_sent)" $((rate * 4)) $((flood_size + 10)) "the flood was answered by cookies"
# As if the ten seconds were over.
bpftool map update pinned "$pin_root/maps/syn_state" key 0 0 0 0 value 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0
wait_for 5 syncookies_are "$before"
is "$(syncookies)" "$before" "at rest it puts back what the first one found"
check "and status says so" guard_is false

# ---- cut short ----

config_write ddos.syn_cookies='"always"'
mpbpf reload --config "$config" >>"$log" 2>&1
wait_for 5 syncookies_are 2
is "$(syncookies)" 2 "a reload to always sets it"
agent_kill
mpbpf unload >>"$log" 2>&1
is "$(syncookies)" "$before" "unload without mpbpfd puts it back"
mpbpf_load --no-agent
is "$(syncookies)" 2 "load without mpbpfd sets it"
through $server_ip "without mpbpfd"
config_write ddos.syn_cookies='"off"'
mpbpf reload --config "$config" >>"$log" 2>&1
is "$(syncookies)" "$before" "a reload to off puts it back"
sent=$(counted syn_guard.cookies_sent)
is "$(curl -s --max-time $((5 * slow)) "http://$server_ip:8080/healthz")" healthy "off: a request"
is "$(counted syn_guard.cookies_sent)" "$sent" "off: takes no cookie"
mpbpf unload >>"$log" 2>&1
is "$(syncookies)$(pins)$(on_interfaces)$(on_cgroup)" "${before}00" "nothing is left"
tap_done
