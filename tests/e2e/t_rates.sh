#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Rate limits at the interface: bytes, networks and classes with limits of their own, token buckets; each counted by its name.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

flood() {
	"$tools/flood" "$@" >/dev/null
}

reload() {
	config_write listeners= "${base[@]}" "${@:2}"
	check "reload: $1" mpbpf reload --config "$config"
}

# limit NAME: "DROPPED WOULD_DROP" since `before`
limit() {
	echo "${moved[xdp.limits.$1.dropped]-none} ${moved[xdp.limits.$1.would_drop]-none}"
}

net_up
base=(rate_limit.packets=1000 rate_limit.window_ms=3600000)
config_write listeners= "${base[@]}" 'rate_limit.classes=[{"name": "dns", "protocol": "udp", "port": 53, "packets": 100},
	{"name": "seen", "protocol": "udp", "packets": 300, "mode": "monitor"}]' \
	'rate_limit.overrides=[{"name": "other", "cidr": "'$other_ip'", "packets": 200}, {"cidr": "fd77::/64", "mode": "off"}]'
mpbpf_load --no-agent
before
flood "$client_ip" "$server_ip" 53 500
flood "$client_ip" "$server_ip" 9 500
flood "$other_ip" "$server_ip" 9 400
flood "$client_ip6" "$server_ip6" 9 1200
after
is "$(limit dns)" "400 0" "a class with a port: 100 of 500 pass"
is "$(limit seen)" "0 1300" "a monitored class: 600, 400 and 1,200 came to it, and passed"
is "$(limit other)" "200 0" "a network of its own: 200 of 400 pass"
is "$(limit fd77::/64)" "0 0" "a network without limit, by its name"
is "$(limit default)" "0 0" "the default is not reached"
is "${moved[xdp.dropped.rate_limit]}" 600 "the sum is that of the reason"
is "$(stats | jq '.xdp.limits.dns.dropped')" 400 "stats --json has them"

reload "bytes" rate_limit.packets=1000000 rate_limit.bytes=100000
before
# 42 bytes of headers: 100 frames of 1,000 bytes; ARP is not limited.
flood "$other_ip" "$server_ip" 9 300 958
after
is "$(limit default)" "200 0" "bytes: 100,000 of 300,000 pass"
is "$(limit dns)" "none none" "a limit that is gone is not shown"

reload "token bucket" 'rate_limit.algorithm="token_bucket"' rate_limit.burst=150 'rate_limit.overrides=[{"cidr": "10.0.0.0/8"}]'
before
flood "$other_ip" "$server_ip" 9 400
after
between "${moved[xdp.limits.10.0.0.0/8.dropped]}" 240 250 "a burst of 150 passes at once"
out=$(config_write listeners= rate_limit.max_quotas=2048 && mpbpf reload --config "$config" 2>&1)
matches "$out" 'rate_limit.max_quotas changed: that takes effect at the next load' "what a reload cannot change is told"
check "unload" mpbpf unload
tap_done
