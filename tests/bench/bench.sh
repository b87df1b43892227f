#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# `make bench`: wrk against the same nginx eleven ways, interleaved, medians of ROUNDS rounds; then ns per packet of the XDP
# program. All on loopback inside a network namespace of its own. ROUNDS (5) and BENCH_SECONDS (4) a run.
# shellcheck source-path=SCRIPTDIR/../e2e source=../e2e/lib.sh
. "$(dirname "$0")/../e2e/lib.sh"

rounds=${ROUNDS:-5}
seconds=${BENCH_SECONDS:-4}
connections=32
time_limit=$((rounds * 11 * (seconds + 3) + 300))
sandbox "$@"

ways='direct guard guard-full guard-headers fast fast-full fast-headers gateway gateway-fast haproxy nginx'
nginx_port=8080 haproxy_port=8070 gateway_port=8060 proxy_port=8050

describe() {
	echo "machine: $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) processors, Linux $(uname -r)"
	echo "commit:  $(git -C "$top" describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)"
	echo "service: $(nginx -v 2>&1 | sed 's/.*: //'), 2 workers, a body of 100 bytes, keep-alive; load: wrk, 2 threads," \
		"$connections connections, $rounds rounds of $seconds s each way, interleaved"
	echo "haproxy: $(haproxy -v | head -n 1 | cut -d ' ' -f 3), 2 threads, http_auth_bearer,jwt_verify," \
		"connections to nginx reused"
	echo
}

nginx_bench_config() {
	mkdir -p "$work/nginx"
	chown www-data "$work/nginx"
	cat <<-END
		daemon off;
		user www-data;
		worker_processes 2;
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
				listen 127.0.0.1:$nginx_port reuseport;
				location / { return 200 "$(head -c 100 /dev/zero | tr '\0' x)"; }
			}
			upstream service { server 127.0.0.1:$nginx_port; keepalive 64; }
			server {
				listen 127.0.0.1:$proxy_port reuseport;
				location / { proxy_pass http://service; proxy_http_version 1.1; proxy_set_header Connection ""; }
			}
		}
	END
}

haproxy_config() {
	cat <<-END
		global
		    nbthread 2
		    maxconn 1000
		defaults
		    mode http
		    timeout connect 5s
		    timeout client 60s
		    timeout server 60s
		frontend guard
		    bind 127.0.0.1:$haproxy_port
		    http-request deny deny_status 401 unless { http_auth_bearer -m found }
		    http-request deny deny_status 403 unless { http_auth_bearer,jwt_verify("HS256","$secret") -m int 1 }
		    default_backend service
		backend service
		    http-reuse always
		    server nginx 127.0.0.1:$nginx_port
	END
}

services_start() {
	nginx_bench_config >"$work/nginx.conf"
	in_cgroup "$cgroup" nginx -c "$work/nginx.conf" -p "$work" >>"$work/nginx-error.log" 2>&1 </dev/null &
	haproxy_config >"$work/haproxy.cfg"
	in_cgroup "$cgroup" haproxy -db -f "$work/haproxy.cfg" >"$work/haproxy.log" 2>&1 </dev/null &
	wait_for 10 test -s "$work/nginx/pid" || bail "nginx does not start: $(cat "$work/nginx-error.log")"
	wait_for 10 in_server curl -s -o /dev/null "http://127.0.0.1:$haproxy_port/" ||
		bail "haproxy does not start: $(cat "$work/haproxy.log")"
}

# status PORT [CURL_ARGS]
status() {
	local port=$1
	shift
	in_server curl -s -o /dev/null -w '%{http_code}' "$@" "http://127.0.0.1:$port/"
}

# Each way must do its work before it is timed: the good token passes, no token does not. nginx as a proxy looks at none.
prove() {
	local good bare want=401
	good=$(status "$2" -H "$auth")
	bare=$(status "$2")
	[[ $1 != direct && $1 != nginx ]] || want=200
	[ "$good $bare" = "200 $want" ] || bail "$1 does not do its work: $good with a token, $bare without"
}

# What the guard does in each way: the cached verdict alone; licence, path rules, limits and all of the metrics beside it; and
# headers added to each response as well.
unmeasured='metrics.sample_rate=0'
licensed=('license.license_key="PENG-AAAA-BBBB-CCCC-DDDD-EEEE"' 'license.is_enterprise=true'
	'license.features={"multi_cloud": true}' 'license.max_proxies=10' 'license.current_proxies=1')
# The client is on the same node, and its bytes go past TCP.
fast='listeners=[{"name": "web", "port": 8080, "fast_path": "on"}]'
fast_headers='listeners=[{"name": "web", "port": 8080, "fast_path": "on", "license_headers": true, "response_headers": {"X-Node": "bench"}}]'
limited='request_limits=[{"name": "each", "per": "token", "rate": 1000000}, {"name": "all", "per": "listener", "rate": 1000000}]'
with_headers='listeners=[{"name": "web", "port": 8080, "license_headers": true, "response_headers": {"X-Node": "bench"}}]'
# Two routes, so that each request is matched.
gateway=("listeners=[{\"name\": \"gateway\", \"address\": \"127.0.0.1\", \"port\": $gateway_port, \"mode\": \"gateway\"}]"
	"services=[{\"name\": \"nginx\", \"hosts\": [\"127.0.0.1\"], \"port\": $nginx_port}]"
	'routes=[{"name": "other", "prefix": "/other", "cluster_name": "nginx", "hosts": ["127.0.0.1"]},
		{"name": "all", "prefix": "/", "cluster_name": "nginx", "hosts": ["127.0.0.1"]}]')

# The same, client and gateway past TCP, and gateway and service.
gateway_fast=("listeners=[{\"name\": \"gateway\", \"address\": \"127.0.0.1\", \"port\": $gateway_port, \"mode\": \"gateway\", \"fast_path\": \"on\"},
	{\"name\": \"service\", \"port\": $nginx_port, \"protocol\": \"tcp\", \"fast_path\": \"on\"}]" "${gateway[@]:1}")

policy() {
	local sizes=(rate_limit.max_sources= cache.max_verdicts=)
	case $1 in
	guard) config_write "${sizes[@]}" "$unmeasured" ;;
	guard-full) config_write "${sizes[@]}" "${licensed[@]}" "$limited" ;;
	guard-headers) config_write "${sizes[@]}" "${licensed[@]}" "$limited" "$with_headers" ;;
	fast) config_write "${sizes[@]}" "$unmeasured" "$fast" ;;
	fast-full) config_write "${sizes[@]}" "${licensed[@]}" "$limited" "$fast" ;;
	fast-headers) config_write "${sizes[@]}" "${licensed[@]}" "$limited" "$fast_headers" ;;
	gateway) config_write "${sizes[@]}" "$unmeasured" "${gateway[@]}" ;;
	gateway-fast) config_write "${sizes[@]}" "$unmeasured" "${gateway_fast[@]}" ;;
	esac
}

# The guard is away while the others are timed, so that they pay nothing for it.
prepare() {
	case $1 in
	direct | haproxy | nginx) [ -z "$(pins)" ] || mpbpf unload >>"$log" 2>&1 || bail "unload failed: $(tail "$log")" ;;
	guard* | fast* | gateway*)
		policy "$1"
		if [ -z "$(pins)" ]; then
			# Onto an interface that carries none of this traffic: the XDP program is timed by itself.
			mpbpf_load
		else
			mpbpf reload --config "$config" >>"$log" 2>&1 || bail "reload failed: $(tail "$log")"
		fi
		;;
	esac
}

# wrk has a cgroup below that of the data path, which has its connections too.
clients=$cgroup/clients

# Of all but wrk.
cpu_used() {
	cat "$cgroup/cpu.stat" "$clients/cpu.stat" | awk '$1 == "usage_usec" { us = us ? us - $2 : $2 } END { printf "%d", us }'
}

# measure WAY PORT: appends "WAY REQUESTS_PER_SECOND P50_US P99_US CPU_US_PER_REQUEST ERRORS"
measure() {
	local cpu
	prepare "$1"
	prove "$1" "$2"
	cpu=$(cpu_used)
	in_cgroup "$clients" wrk -t 2 -c "$connections" -d "$seconds" -H "$auth" -s "$top/tests/bench/report.lua" "http://127.0.0.1:$2/" \
		>"$work/wrk" || bail "wrk failed: $(cat "$work/wrk")"
	awk -v way="$1" -v cpu="$(($(cpu_used) - cpu))" '/^report / {
		printf "%s %.0f %.0f %.0f %.2f %d\n", way, $2 / ($3 / 1e6), $4, $5, cpu / $2, $6 }' "$work/wrk" >>"$work/figures"
}

# median WAY COLUMN
median() {
	awk -v way="$1" -v column="$2" '$1 == way { print $column }' "$work/figures" | sort -n |
		awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

ratio() {
	awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'
}

# way NAME: its line of the table
way() {
	local rps
	rps=$(median "$1" 2)
	printf '%-36s %10.0f %9s %9s %8.0f %8.0f %12.2f %7d\n' "$2" "$rps" "$(ratio "$rps" "$(median direct 2)")" \
		"$(ratio "$rps" "$(median haproxy 2)")" "$(median "$1" 3)" "$(median "$1" 4)" "$(median "$1" 5)" "$(median "$1" 6)"
}

net_up
mkdir "$clients"
services_start
auth=$(bearer "$(token bench 86400)")
describe
read -ra order <<<"$ways"
for _ in $(seq "$rounds"); do
	for name in "${order[@]}"; do
		port=$nginx_port
		[ "$name" != haproxy ] || port=$haproxy_port
		[[ $name != gateway* ]] || port=$gateway_port
		[ "$name" != nginx ] || port=$proxy_port
		measure "$name" "$port"
	done
	# Each way takes each place in turn: none is always the one after a warm cache.
	order=("${order[@]:1}" "${order[0]}")
done

printf '%-36s %10s %9s %9s %8s %8s %12s %7s\n' \
	medians requests/s 'x direct' 'x haproxy' 'p50 us' 'p99 us' 'cpu us/req' errors
way direct 'direct'
way guard 'guard, cached verdict'
way guard-full 'guard, licence, limits, metrics'
way guard-headers 'the same, headers added'
way fast 'fast path, cached verdict'
way fast-full 'fast path, licence, limits, metrics'
way fast-headers 'the same, headers added'
way gateway 'gateway, routed by host and path'
way gateway-fast 'the same, fast path on both sides'
way haproxy 'haproxy, jwt_verify'
way nginx 'nginx, proxy_pass, no token checked'
echo "cpu: user and system time of nginx, haproxy and mpbpfd (cpu.stat of their cgroup), without wrk and kernel threads"
echo
echo 'requests/s, round by round:'
for name in $ways; do
	printf '  %-12s %s\n' "$name" "$(awk -v way="$name" '$1 == way { printf "%s ", $2 }' "$work/figures")"
done
errors=$(awk '{ n += $6 } END { print n }' "$work/figures")
[ "$errors" = 0 ] || bail "$errors requests failed"
mpbpf unload >>"$log" 2>&1 || [ -z "$(pins)" ] || bail "unload failed: $(tail "$log")"
echo
cd "$top" || exit
"$build/tests/bench/xdp_bench" "${XDP_ROUNDS:-3}" && "$build/tests/bench/lists_bench"
