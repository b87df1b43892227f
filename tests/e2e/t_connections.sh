#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A source may make so many connections in a second and have so many open; what closes makes room, and no count is left behind.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

# served FROM [TO]: whether a connection of that address is made and served
served() {
	[ "$(curl -s --interface "$1" --max-time "${seconds:-$((5 * slow))}" "http://${2:-$server_ip}:8080/healthz")" = healthy ]
}

dropped() {
	mpbpf stats --json | jq .xdp.dropped.connections
}

# refused FROM: whether it is not, for its SYN is dropped
refused() {
	local before
	before=$(dropped)
	! seconds=1 served "$1" && [ "$(dropped)" -gt "$before" ]
}

# counts: the open connections of all sources but 127.0.0.1, which mpbpfd has two from
counts() {
	bpftool -j map dump pinned "$pin_root/maps/openers" |
		jq '[.[].formatted | select(.key.w[1] != 16777343) | .value.open] | add // 0'
}

counts_are() {
	[ "$(counts)" = "$1" ]
}

connections() {
	echo "rate_limit.connections={\"enabled\": true, $1}"
}

net_up
server_start
nginx_start "$work/plain" "$cgroup" 8090
printf 'GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n' >"$work/request"

# ---- open at a time ----

config_write "$(connections '"per_second": 1000000, "burst": 1000000, "open": 5')"
mpbpf_load
exec {hold}> >("$tools/hold" $server_ip 8080 5 "$work/request" >"$work/held")
wait_for 5 counts_are 5
is "$(counts)" 5 "five connections are counted"
check "their source gets no sixth" refused $client_ip
check "another source gets one" served $other_ip
check "IPv6 is another source" served $client_ip6 "[$server_ip6]"
exec {hold}>&-
wait_for 5 counts_are 0
is "$(counts)" 0 "closed, they count no more"
n=$(scaled 60 10)
for ((i = 0; i < n; i++)); do
	served $client_ip || break
done
is "$i" "$n" "one after the other any number is served"
wait_for 5 counts_are 0
is "$(counts)" 0 "and none is left in the count"

# ---- churn while the count is taken away and comes back ----

exec {hold}> >("$tools/hold" $server_ip 8090 3 "$work/request" >"$work/held")
wait_for 5 counts_are 3
is "$(counts)" 3 "a port that is not guarded counts as well"
bpftool -j map dump pinned "$pin_root/maps/openers" | jq -r '.[].key | join(" ")' | while read -r key; do
	# shellcheck disable=SC2086
	bpftool map delete pinned "$pin_root/maps/openers" key $key
done
exec {more}> >("$tools/hold" $server_ip 8090 2 "$work/request" >"$work/held" {hold}>&-)
wait_for 5 counts_are 2
is "$(counts)" 2 "after the map forgot them, new ones are counted"
exec {hold}>&-
pause 200
is "$(counts)" 2 "and those it forgot are not counted down in their place"
exec {more}>&-
wait_for 5 counts_are 0
is "$(counts)" 0 "until they close"
mpbpf unload >>"$log" 2>&1
exec {hold}> >("$tools/hold" $server_ip 8090 3 "$work/request" >"$work/held")
pause 100
mpbpf_load
exec {hold}>&-
pause 200
is "$(counts)" 0 "what was open before the load is not counted, also when it closes"

# ---- in a second ----

config_write "$(connections '"per_second": 0.001, "burst": 4')"
mpbpf reload --config "$config" >>"$log" 2>&1
for ((i = 0; i < 4; i++)); do
	served $client_ip || break
done
is "$i" 4 "a burst is served"
check "one more is not" refused $client_ip
check "but to another source" served $other_ip
config_write "$(connections '"per_second": 0.001, "burst": 4')" "ddos.allow=[\"$client_ip\"]"
mpbpf reload --config "$config" >>"$log" 2>&1
check "and to the same when it is allowed" served $client_ip
config_write "$(connections '"per_second": 0.001, "burst": 4, "mode": "monitor"')"
mpbpf reload --config "$config" >>"$log" 2>&1
check "monitor: it is served" served $client_ip
between "$(mpbpf stats --json | jq .xdp.would_drop_connections)" 1 3 "and counted as would-be"
config_write
mpbpf reload --config "$config" >>"$log" 2>&1
check "off: it is served" served $client_ip
mpbpf unload >>"$log" 2>&1
is "$(pins)$(on_interfaces)$(on_cgroup)" 00 "nothing is left"
tap_done
