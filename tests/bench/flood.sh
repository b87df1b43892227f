#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# `make bench`: what 100 keep-alive clients get of nginx while a flood comes in by the same interface: without protection, with
# mpbpf (XDP, and the guard on the service), with XDP alone, and with an nftables rule set that limits each source at the device's
# ingress hook, and does no more than XDP alone.
# Floods: SYNs of one source, UDP of one source, SYNs of 131,072 made-up sources. Namespaces of its own, bounded in rate and time:
# FLOOD_ROUNDS (3), FLOOD_SECONDS (3) a run, FLOOD_LEAVES (5).
#
# The flood reaches the server as frames do from the driver of a network card, on all processors at once (floodgen.c). Each has the
# rate that leaves the clients FLOOD_LEAVES percent of their requests with nftables: that is found first. What the server takes too
# long to fetch finds its queue full and is lost, which costs nothing; so figures compare where the column `sent/s`, what really
# came, is the same. SYNs are tried at other rates too: in parts of that one.
# shellcheck source-path=SCRIPTDIR/../e2e source=../e2e/lib.sh
. "$(dirname "$0")/../e2e/lib.sh"

rounds=${FLOOD_ROUNDS:-3}
seconds=${FLOOD_SECONDS:-3}
leaves=${FLOOD_LEAVES:-5}
least_rate=100000 most_rate=8000000 # packets a second, between which it is looked for
declare -A rates
limit=10000 # packets a second of a source, in both
port=8080
floodgen=$build/tests/bench/floodgen
time_limit=$((rounds * 24 * (seconds + 6) + 400))
sandbox "$@"

ways='off mpbpf xdp nftables'
floods='syn udp spoofed'
curve='50 75 125 150' # percent

describe() {
	echo "machine: $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) processors, Linux $(uname -r)"
	echo "flood:   by one veth pair, for $seconds s, packets a second: syn ${rates[syn]}, udp ${rates[udp]}, spoofed ${rates[spoofed]}"
	echo "clients: wrk, 1 thread, 100 keep-alive connections from one address, which both rule sets allow; nginx: 1 worker"
	echo "rates:   what leaves the clients about $leaves % with nftables"
	echo "limits:  $limit packets a second of a source; mpbpf: SYN guard auto at its default rate; $(nft --version)"
	echo
}

nginx_flood_config() {
	mkdir -p "$work/nginx"
	chown www-data "$work/nginx"
	cat <<-END
		daemon off;
		user www-data;
		worker_processes 1;
		pid $work/nginx/pid;
		error_log $work/nginx-error.log;
		events { worker_connections 1024; }
		http {
			access_log off;
			client_body_temp_path $work/nginx/body;
			proxy_temp_path $work/nginx/proxy;
			fastcgi_temp_path $work/nginx/fastcgi;
			uwsgi_temp_path $work/nginx/uwsgi;
			scgi_temp_path $work/nginx/scgi;
			keepalive_requests 1000000000;
			server {
				listen $server_ip:$port;
				location / { return 200 "$(head -c 100 /dev/zero | tr '\0' x)"; }
			}
		}
	END
}

nginx_up() {
	nginx_flood_config >"$work/nginx.conf"
	in_cgroup "$cgroup" nginx -c "$work/nginx.conf" -p "$work" >>"$work/nginx-error.log" 2>&1 </dev/null &
	wait_for 10 test -s "$work/nginx/pid" || bail "nginx does not start: $(cat "$work/nginx-error.log")"
	# Answers to made-up sources go where the flood came from.
	ip -n server route add 198.18.0.0/15 via "$client_ip"
	in_server "$floodgen" prepare eth0 || bail "the server's interface cannot be prepared"
	"$floodgen" sink eth0 "$other_ip" || bail "no XDP program on the client's side"
}

nft_rules() {
	cat <<-END
		table netdev flood {
			set sources {
				type ipv4_addr
				size 1048576
				flags dynamic, timeout
				timeout 60s
			}
			chain ingress {
				type filter hook ingress device "eth0" priority -500; policy accept;
				ip saddr $client_ip accept
				add @sources { ip saddr limit rate over $limit/second burst $limit packets } counter drop
			}
		}
	END
}

way_up() {
	case $1 in
	mpbpf | xdp)
		local members=(rate_limit.packets="$limit" rate_limit.max_sources= cache.max_verdicts=
			"ddos.allow=[\"$client_ip/32\"]" 'ddos.syn_cookies="auto"')
		[ "$1" = mpbpf ] || members+=('listeners=[]')
		config_write "${members[@]}"
		mpbpf_load
		;;
	nftables) nft_rules | in_server nft -f - || bail "nftables does not take the rules" ;;
	esac
}

way_down() {
	case $1 in
	mpbpf | xdp) mpbpf unload >>"$log" 2>&1 || bail "unload failed: $(tail "$log")" ;;
	nftables) in_server nft delete table netdev flood ;;
	esac
}

# flood_send FLOOD RATE SECONDS: prints what floodgen does
flood_send() {
	"$floodgen" send eth0 "$mac" "$other_ip" "$server_ip" "$port" "$@" 2>>"$log"
}

# stopped WAY: packets that it has dropped or answered
stopped() {
	case $1 in
	off) echo 0 ;;
	nftables) in_server nft list chain netdev flood ingress | sed -n 's/.*counter packets \([0-9]*\).*/\1/p' ;;
	*) mpbpf stats --json | jq '.xdp | .dropped.rate_limit + .dropped.syn_guard + .syn_guard.cookies_sent' ;;
	esac
}

# measure WAY FLOOD[@PERCENT]: prints "WAY FLOOD REQUESTS_PER_SECOND P50_US P99_US ERRORS SENT_PER_SECOND NS_A_FRAME STOPPED_PER_SECOND"
measure() {
	local flood= sent='0 0' before
	before=$(stopped "$1")
	: >"$work/sent"
	if [ "$2" != none ]; then
		flood_send "${2%@*}" "${rates[$2]}" $((seconds + 2)) >"$work/sent" &
		flood=$!
		pause 500
	fi
	timeout $((seconds + 10)) wrk -t 1 -c 100 -d "$seconds" --timeout 5s -H "$auth" -s "$top/tests/bench/report.lua" \
		"http://$server_ip:$port/" >"$work/wrk" 2>&1
	[ -z "$flood" ] || wait "$flood" || bail "the flood failed: $(tail -n 3 "$log")"
	[ -z "$flood" ] || sent=$(cat "$work/sent")
	before=$((($(stopped "$1") - before) / (seconds + 2)))
	awk -v way="$1" -v flood="$2" -v sent="$sent" -v stopped="$before" '/^report / {
		printf "%s %s %.0f %.0f %.0f %d %s %d\n", way, flood, $2 / ($3 / 1e6), $4, $5, $6, sent, stopped; done = 1 }
		END { if (!done) printf "%s %s 0 0 0 100 %s %d\n", way, flood, sent, stopped }' "$work/wrk"
}

# served FLOOD: into `rps` the requests a second, with nftables
served() {
	measure nftables "$1" >"$work/served"
	read -r _ _ rps _ <"$work/served"
}

# Into `rates`, by halving on a scale of logarithms: what leaves the clients `leaves` percent, and so little more that it is no matter.
rates_find() {
	local flood low high goal rps percent
	way_up nftables
	served none
	goal=$((rps * leaves / 100))
	for flood in $floods; do
		low=$least_rate high=$most_rate
		while [ $((high * 100)) -gt $((low * 110)) ]; do
			rates[$flood]=$(awk -v low="$low" -v high="$high" 'BEGIN { printf "%.0f", sqrt(low * high) }')
			served "$flood"
			if [ "$rps" -gt "$goal" ]; then low=${rates[$flood]}; else high=${rates[$flood]}; fi
		done
		[ "$high" -lt "$most_rate" ] || bail "no flood of $flood that can be made leaves the clients so little"
		rates[$flood]=$high
	done
	for percent in $curve; do
		rates[syn@$percent]=$((rates[syn] * percent / 100))
	done
	way_down nftables
}

# floods_of WAY: which it is measured in
floods_of() {
	local percent
	echo none
	printf '%s\n' $floods
	[[ $1 == mpbpf || $1 == nftables ]] || return 0
	for percent in $curve; do
		echo "syn@$percent"
	done
}

# median WAY FLOOD COLUMN
median() {
	awk -v way="$1" -v flood="$2" -v column="$3" '$1 == way && $2 == flood { print $column }' "$work/figures" | sort -n |
		awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

net_up
nginx_up
auth=$(bearer "$(token bench 86400)")
mac=$(ip -n server -json link show eth0 | jq -r '.[0].address')
rates_find
describe
for _ in $(seq "$rounds"); do
	for way in $ways; do
		way_up "$way"
		# The helper has seen the token, and the guard keeps the verdict.
		[ "$(curl -s -o /dev/null -w '%{http_code}' -H "$auth" "http://$server_ip:$port/")" = 200 ] ||
			bail "$way: no answer before the flood"
		for flood in $(floods_of "$way"); do
			measure "$way" "$flood" >>"$work/figures"
		done
		way_down "$way"
	done
done

printf '%-10s %-10s %12s %10s %10s %8s %10s %9s %10s %12s\n' \
	medians flood requests/s 'p50 us' 'p99 us' errors 'sent/s' 'ns/frame' 'stopped/s' 'x nftables'
for flood in none $floods; do
	for way in $ways; do
		rps=$(median "$way" "$flood" 3)
		columns=()
		for column in 4 5 6 7 8 9; do
			columns+=("$(median "$way" "$flood" "$column")")
		done
		printf '%-10s %-10s %12.0f %10.0f %10.0f %8.0f %10.0f %9.0f %10.0f %12s\n' "$way" "$flood" "$rps" "${columns[@]}" \
			"$(awk -v a="$rps" -v b="$(median nftables "$flood" 3)" 'BEGIN { if (b) printf "%.2f", a / b; else print "-" }')"
	done
done

printf '\n%-12s %12s %12s %12s\n' 'SYNs/s' mpbpf nftables 'x nftables'
for flood in syn@50 syn@75 syn syn@125 syn@150; do
	awk -v rate="${rates[$flood]}" -v a="$(median mpbpf "$flood" 3)" -v b="$(median nftables "$flood" 3)" \
		'BEGIN { printf "%-12d %12d %12d %12s\n", rate, a, b, b ? sprintf("%.2f", a / b) : "-" }'
done
