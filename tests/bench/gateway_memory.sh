#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# `make bench-gateway-memory`: CONNECTIONS (10000) at once through a gateway, idle and then busy: what one takes of mpbpfd and of
# the kernel, beside what a connection takes that goes to the service itself.
# shellcheck source-path=SCRIPTDIR/../e2e source=../e2e/lib.sh
. "$(dirname "$0")/../e2e/lib.sh"

connections=${CONNECTIONS:-10000}
# A connection takes two descriptors of mpbpfd. Where nobody may have more of them than this, that is what there can be.
ulimit -n 1048576 2>/dev/null || ulimit -n "$(ulimit -Hn)"
files=$(ulimit -n)
[ $((2 * connections + 200)) -le "$files" ] || connections=$(((files - 200) / 2))
time_limit=600
sandbox "$@"

nginx_memory_config() {
	mkdir -p "$work/nginx"
	cat <<-END
		daemon off;
		user www-data;
		worker_processes 2;
		pid $work/nginx/pid;
		error_log $work/nginx-error.log;
		events { worker_connections $((connections + 1000)); }
		http {
			access_log off;
			client_body_temp_path $work/nginx/body;
			proxy_temp_path $work/nginx/proxy;
			fastcgi_temp_path $work/nginx/fastcgi;
			uwsgi_temp_path $work/nginx/uwsgi;
			scgi_temp_path $work/nginx/scgi;
			keepalive_timeout 600s;
			keepalive_requests 1000000000;
			server {
				listen 80 reuseport backlog=4096;
				location / { return 200 "$(head -c 100 /dev/zero | tr '\0' x)"; }
			}
		}
	END
}

# The kernel's memory in kB: slabs that cannot be given back, per-CPU memory, and pages of sockets.
kernel_kb() {
	sync
	echo 2 >/proc/sys/vm/drop_caches
	sleep 1
	awk '/^(SUnreclaim|Percpu):/ { n += $2 } /^TCP:/ { n += $NF * 4 } END { print n }' /proc/meminfo /proc/net/sockstat
}

agent_kb() {
	agents_read
	sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/${agents[0]}/status"
}

held() {
	[ "$(cat "$work/held")" = "held=$connections 200=$connections" ]
}

no_connections() {
	[ -z "$(in_server ss -Htn state established '( sport = :80 or sport = :8001 )' | head -n 1)" ]
}

# measure WAY PORT: appends "WAY KERNEL_BYTES AGENT_BYTES" for each connection; mpbpfd keeps what it once had, so it is held against
# what it had before the first
measure() {
	local kernel keep open
	rm -f "$work/held"
	kernel=$(kernel_kb)
	exec {keep}> >(in_client "$tools/hold" "$server_ip" "$2" "$connections" "$work/request" >"$work/held" 2>&1)
	wait_for 120 held || bail "the connections cannot be opened: $(cat "$work/held"); $(stats | jq -c .gateway.edge); $(tail -n 2 "$work/nginx-error.log")"
	open=$(stats | jq .gateway.edge.open)
	[ "$1" != gateway ] || [ "$open" = "$connections" ] || bail "the gateway has $open of $connections connections; $(stats | jq -c .gateway.edge)"
	awk -v way="$1" -v n="$connections" -v k="$(($(kernel_kb) - kernel))" -v a="$(($(agent_kb) - rss_before))" \
		'BEGIN { printf "%s %.0f %.0f\n", way, k * 1024 / n, a * 1024 / n }' >>"$work/figures"
	exec {keep}>&-
	wait_for 60 no_connections || bail "the connections do not end"
}

figure_of() {
	awk -v way="$1" -v column="$2" '$1 == way { last = $column } END { print last }' "$work/figures"
}

net_up
# What has ended must take no memory, or the next one would seem to take less.
for enter in in_client in_server; do
	"$enter" sysctl -qw net.ipv4.ip_local_port_range='2000 65000' net.ipv4.tcp_max_tw_buckets=0 net.core.somaxconn=4096 >/dev/null
done
nginx_memory_config >"$work/nginx.conf"
in_server nginx -c "$work/nginx.conf" -p "$work" >>"$work/nginx-error.log" 2>&1 </dev/null &
wait_for 10 test -s "$work/nginx/pid" || bail "nginx does not start: $(cat "$work/nginx-error.log")"
config_write 'listeners=[{"name": "edge", "port": 8001, "mode": "gateway", "protocol": "tcp", "cluster_name": "web"}]' \
	'services=[{"name": "web", "hosts": ["127.0.0.1"], "port": 80}]'
mpbpf_load
printf 'GET / HTTP/1.1\r\nHost: server\r\n\r\n' >"$work/request"
# The first run of each way makes what is kept for later.
rss_before=$(agent_kb)
for _ in 1 2; do
	measure direct 80
	measure gateway 8001
done
in_client wrk -t 2 -c "$connections" -d 10 --timeout 10 -s "$top/tests/bench/report.lua" "http://$server_ip:8001/" >"$work/wrk" ||
	bail "wrk failed: $(cat "$work/wrk")"
read -r _ requests _ _ _ errors < <(grep '^report' "$work/wrk")

echo "machine: $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) processors, Linux $(uname -r)"
echo "commit:  $(git -C "$top" describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)"
echo "limit:   $files descriptors a process"
echo "$connections idle keep-alive connections, one request answered on each; client, gateway and service are on this machine; bytes for each"
echo
printf '%-34s %8s %8s\n' '' kernel mpbpfd
printf '%-34s %8s %8s\n' 'direct: two sockets' "$(figure_of direct 2)" 0
printf '%-34s %8s %8s\n' 'gateway: four sockets' "$(figure_of gateway 2)" "$(figure_of gateway 3)"
echo
echo "busy: $requests requests in 10 s on all $connections at once, $errors failed; mpbpfd from $rss_before to $(agent_kb) kB"
[ "$errors" = 0 ] || bail "$errors requests failed"
