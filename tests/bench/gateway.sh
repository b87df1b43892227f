#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# `make bench-gateway`: the same nginx reached directly, through a gateway, and through HAProxy (mode tcp, splicing) and nginx (stream)
# in its place; on the same node, and behind a veth. Requests on kept connections, a connection for each request, and bulk; in
# turn, medians of ROUNDS (5) rounds. BENCH_SECONDS (4) a run, BULK_MB (1000).
# shellcheck source-path=SCRIPTDIR/../e2e source=../e2e/lib.sh
. "$(dirname "$0")/../e2e/lib.sh"
# shellcheck source-path=SCRIPTDIR/../e2e source=../e2e/gateway.sh
. "$(dirname "$0")/../e2e/gateway.sh"

rounds=${ROUNDS:-5}
seconds=${BENCH_SECONDS:-4}
bulk_mb=${BULK_MB:-1000}
connections=32
sandbox_seconds() { echo $((rounds * ${#ways[@]} * (2 * seconds + 15) + 300)); }

# A way a line: name, where it is reached, the place of the service. What is to be compared with these is one more line here, and
# its listener or service below. The first way of a place is what its others are held against, haproxy-PLACE the other measure.
ways=(
	'direct-node 127.0.0.1:8080 node'
	'gateway-node 127.0.0.1:8001 node'
	'haproxy-node 127.0.0.1:8071 node'
	'nginx-node 127.0.0.1:8081 node'
	"direct-veth $host1_ip:80 veth"
	'gateway-veth 127.0.0.1:8002 veth'
	'haproxy-veth 127.0.0.1:8072 veth'
	'nginx-veth 127.0.0.1:8082 veth'
)
measures='requests connections bulk'
time_limit=$(sandbox_seconds)
sandbox "$@"

# nginx_bench DIR LISTEN [STREAM]: an nginx that serves a body of 100 bytes and a large file, or relays
nginx_bench() {
	local dir=$work/$1 http
	mkdir -p "$dir/tmp"
	chown www-data "$dir" "$dir/tmp"
	http="http {
		access_log off;
		client_body_temp_path $dir/tmp/body;
		proxy_temp_path $dir/tmp/proxy;
		fastcgi_temp_path $dir/tmp/fastcgi;
		uwsgi_temp_path $dir/tmp/uwsgi;
		scgi_temp_path $dir/tmp/scgi;
		keepalive_requests 1000000000;
		sendfile on;
		server {
			listen $2 reuseport backlog=4096;
			location = /bulk { alias $work/bulk; }
			location / { return 200 \"$(head -c 100 /dev/zero | tr '\0' x)\"; }
		}
	}"
	cat >"$dir/nginx.conf" <<-END
		${3:+load_module /usr/lib/nginx/modules/ngx_stream_module.so;}
		daemon off;
		user www-data;
		worker_processes 2;
		pid $dir/pid;
		error_log $work/nginx-error.log;
		events { worker_connections 4096; }
		${3:-$http}
	END
}

haproxy_bench() {
	cat <<-END
		global
		    nbthread 2
		    maxconn 2000
		defaults
		    mode tcp
		    option splice-auto
		    timeout connect 5s
		    timeout client 60s
		    timeout server 60s
		listen node
		    bind 127.0.0.1:8071
		    server nginx 127.0.0.1:8080
		listen veth
		    bind 127.0.0.1:8072
		    server nginx $host1_ip:80
	END
}

# started DIR COMMAND...: an nginx
started() {
	"${@:2}" nginx -c "$work/$1/nginx.conf" -p "$work/$1" >>"$work/nginx-error.log" 2>&1 </dev/null &
	wait_for 10 test -s "$work/$1/pid" || bail "nginx ($1) does not start: $(tail -n 5 "$work/nginx-error.log")"
}

in_host_cgroup() (
	echo 0 >"$cgroup/cgroup.procs" || exit
	exec nsenter --net=/run/netns/host1 -- "$@"
)

services_start() {
	truncate -s "${bulk_mb}M" "$work/bulk"
	nginx_bench node 127.0.0.1:8080
	nginx_bench veth 80
	nginx_bench stream '' "stream {
		server { listen 127.0.0.1:8081 reuseport backlog=4096; proxy_pass 127.0.0.1:8080; }
		server { listen 127.0.0.1:8082 reuseport backlog=4096; proxy_pass $host1_ip:80; }
	}"
	started node in_cgroup "$cgroup"
	started veth in_host_cgroup
	started stream in_cgroup "$cgroup"
	haproxy_bench >"$work/haproxy.cfg"
	in_cgroup "$cgroup" haproxy -db -f "$work/haproxy.cfg" >"$work/haproxy.log" 2>&1 </dev/null &
	config_write rate_limit.enabled=false 'listeners=[
		{"name": "node", "address": "127.0.0.1", "port": 8001, "mode": "gateway", "protocol": "tcp", "cluster_name": "node"},
		{"name": "veth", "address": "127.0.0.1", "port": 8002, "mode": "gateway", "protocol": "tcp", "cluster_name": "veth"}]' \
		"services=[{\"name\": \"node\", \"hosts\": [\"127.0.0.1\"], \"port\": 8080},
			{\"name\": \"veth\", \"hosts\": [\"$host1_ip\"], \"port\": 80}]"
	mpbpf_load
}

cpu_used() {
	sed -n 's/^usage_usec //p' "$cgroup/cpu.stat"
}

# wrk_run WHERE [HEADER]: prints requests a second, and how many failed
wrk_run() {
	in_server wrk -t 2 -c "$connections" -d "$seconds" ${2:+-H "$2"} -s "$top/tests/bench/report.lua" "http://$1/" >"$work/wrk" ||
		bail "wrk failed: $(cat "$work/wrk")"
	awk '/^report / { printf "%.0f %d %d\n", $2 / ($3 / 1e6), $2, $6 }' "$work/wrk"
}

# measure WAY WHERE MEASURE: appends "WAY MEASURE FIGURE CPU", CPU in microseconds for each request or MB
measure() {
	local cpu figure count errors=0
	cpu=$(cpu_used)
	case $3 in
	requests) read -r figure count errors < <(wrk_run "$2") ;;
	connections) read -r figure count errors < <(wrk_run "$2" 'Connection: close') ;;
	bulk)
		figure=$(in_server curl -sS -o /dev/null -w '%{size_download} %{speed_download}' "http://$2/bulk")
		[ "${figure% *}" = $((bulk_mb << 20)) ] || bail "$1: ${figure% *} bytes of $((bulk_mb << 20))"
		figure=$((${figure#* } / 1000000)) count=$bulk_mb
		;;
	esac
	[ "${errors:-1}" = 0 ] || failures+=" $1/$3:$errors"
	awk -v way="$1" -v measure="$3" -v figure="$figure" -v cpu="$(($(cpu_used) - cpu))" -v count="$count" \
		'BEGIN { printf "%s %s %s %.2f\n", way, measure, figure, cpu / count }' >>"$work/figures"
}

# median WAY MEASURE COLUMN
median() {
	awk -v way="$1" -v measure="$2" -v column="$3" '$1 == way && $2 == measure { print $column }' "$work/figures" | sort -n |
		awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

ratio() {
	awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'
}

# table MEASURE UNIT CPU_UNIT
table() {
	local line name place first='' seen='' figure
	printf '%-16s %12s %10s %10s %14s   %s\n' "$1" "$2" 'x direct' 'x haproxy' "$3" 'round by round'
	for line in "${ways[@]}"; do
		read -r name _ place <<<"$line"
		[ "$place" = "$seen" ] || first=$name seen=$place
		figure=$(median "$name" "$1" 3)
		printf '%-16s %12.0f %10s %10s %14.2f   %s\n' "$name" "$figure" "$(ratio "$figure" "$(median "$first" "$1" 3)")" \
			"$(ratio "$figure" "$(median "haproxy-$place" "$1" 3)")" "$(median "$name" "$1" 4)" \
			"$(awk -v way="$name" -v m="$1" '$1 == way && $2 == m { printf "%s ", $3 }' "$work/figures")"
	done
	echo
}

net_up
hosts_up
# Connections that ended keep their ports for a minute: more ports, and they may be used again.
in_server sysctl -qw net.ipv4.ip_local_port_range='10000 65000' net.ipv4.tcp_tw_reuse=1 >/dev/null
services_start
failures=
for line in "${ways[@]}"; do
	read -r name where _ <<<"$line"
	wait_for 10 in_server curl -fsS -o /dev/null "http://$where/" || bail "$name does not do its work"
done
order=("${ways[@]}")
for _ in $(seq "$rounds"); do
	for one in $measures; do
		for line in "${order[@]}"; do
			read -r name where _ <<<"$line"
			measure "$name" "$where" "$one"
		done
	done
	# Each way takes each place in turn: none is always the one after a warm cache.
	order=("${order[@]:1}" "${order[0]}")
done

echo "machine: $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) processors, Linux $(uname -r)"
echo "commit:  $(git -C "$top" describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)"
echo "service: $(nginx -v 2>&1 | sed 's/.*: //'), 2 workers; load: wrk, 2 threads, $connections connections, $seconds s; curl, $bulk_mb MiB;" \
	"$rounds rounds of each way, interleaved, medians"
echo "haproxy: $(haproxy -v | head -n 1 | cut -d ' ' -f 3), 2 threads, mode tcp, splice-auto; nginx: stream, 2 workers; mpbpfd: a worker a processor"
echo
table requests requests/s 'cpu us/req'
table connections requests/s 'cpu us/req'
table bulk MB/s 'cpu us/MB'
echo "cpu: user and system time of service and proxies (cpu.stat of their cgroup), without the client and kernel threads"
[ -z "$failures" ] || bail "requests failed:$failures"
