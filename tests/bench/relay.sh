#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The second part of `make bench-gateway`: whether a relay gains by staying in the kernel. The gateway's (splice(2), recv and send)
# against one whose bytes a sk_skb program redirects from socket to socket, and against none; on the same node, and behind a veth.
# Bulk, and messages of 100 bytes there and back; in turn, medians of ROUNDS (5) rounds. RELAY_MS (2000) a run, RELAY_MB (400).
# shellcheck source-path=SCRIPTDIR/../e2e source=../e2e/lib.sh
. "$(dirname "$0")/../e2e/lib.sh"
# shellcheck source-path=SCRIPTDIR/../e2e source=../e2e/gateway.sh
. "$(dirname "$0")/../e2e/gateway.sh"

rounds=${ROUNDS:-5}
ms=${RELAY_MS:-2000}
# What is redirected has no back-pressure: all of it may be in the kernel at a time.
mb=${RELAY_MB:-400}
connections=16
tool=$build/tests/bench/relay_bench
# A way a line: name, where it is reached.
ways=('direct-node 127.0.0.1 9000' 'gateway-node 127.0.0.1 8001' 'redirect-node 127.0.0.1 8011'
	"direct-veth $host1_ip 9000" 'gateway-veth 127.0.0.1 8002' 'redirect-veth 127.0.0.1 8012')
time_limit=$((rounds * ${#ways[@]} * (ms / 1000 + 15) + 120))
sandbox "$@"

services_start() {
	in_server "$tool" serve 9000 &
	in_host 1 "$tool" serve 9000 &
	in_server "$tool" redirect 8011 127.0.0.1 9000 &
	in_server "$tool" redirect 8012 "$host1_ip" 9000 &
	# By that policy nothing is steered.
	config_write rate_limit.enabled=false 'listeners=[
		{"name": "node", "port": 8001, "mode": "gateway", "protocol": "tcp", "cluster_name": "node"},
		{"name": "veth", "port": 8002, "mode": "gateway", "protocol": "tcp", "cluster_name": "veth"}]' \
		"services=[{\"name\": \"node\", \"hosts\": [\"127.0.0.1\"], \"port\": 9000, \"policy\": \"least_conn\"},
			{\"name\": \"veth\", \"hosts\": [\"$host1_ip\"], \"port\": 9000, \"policy\": \"least_conn\"}]"
	mpbpf_load
	for port in 9000 8011 8012; do
		wait_for 10 listening "$port" || bail "nobody listens at $port"
	done
}

# median WAY MEASURE
median() {
	awk -v way="$1" -v measure="$2" '$1 == way && $2 == measure { print $3 }' "$work/figures" | sort -n |
		awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

# table MEASURE UNIT
table() {
	local line name figure
	printf '%-16s %12s %12s   %s\n' "$1" "$2" 'x gateway' 'round by round'
	for line in "${ways[@]}"; do
		name=${line%% *}
		figure=$(median "$name" "$1")
		printf '%-16s %12.0f %12s   %s\n' "$name" "$figure" \
			"$(awk -v a="$figure" -v b="$(median "gateway-${name#*-}" "$1")" 'BEGIN { printf "%.2f", a / b }')" \
			"$(awk -v way="$name" -v m="$1" '$1 == way && $2 == m { printf "%s ", $3 }' "$work/figures")"
	done
	echo
}

net_up
hosts_up
services_start
order=("${ways[@]}")
for _ in $(seq "$rounds"); do
	for line in "${order[@]}"; do
		read -r name host port <<<"$line"
		echo "$name bulk $(in_server "$tool" bulk "$host" "$port" "$mb")" >>"$work/figures"
	done
	for line in "${order[@]}"; do
		read -r name host port <<<"$line"
		echo "$name messages $(in_server "$tool" messages "$host" "$port" "$ms" "$connections")" >>"$work/figures"
	done
	# Each way takes each place in turn: none is always the one after a warm cache.
	order=("${order[@]:1}" "${order[0]}")
done
is_missing=$(awk 'NF != 3' "$work/figures")
[ -z "$is_missing" ] || bail "no figure: $is_missing"
[ "$(gateway_figure '.gateway.node.path.relay')" -gt 0 ] && [ "$(gateway_figure '.gateway.node.path.steer')" = 0 ] ||
	bail "the gateway did not relay"
echo "relays: bulk of $mb MB on one connection; messages of 100 bytes there and back on $connections, $ms ms; $rounds rounds of each way," \
	"interleaved, medians"
echo
table bulk MB/s
table messages messages/s
