#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# `make bench-memory`: what an open, guarded, idle keep-alive connection takes, in the kernel and in mpbpfd, beyond what the same
# connection takes without a guard. CONNECTIONS (20000) at once, ROUNDS (3) of each, in turn; medians.
# shellcheck source-path=SCRIPTDIR/../e2e source=../e2e/lib.sh
. "$(dirname "$0")/../e2e/lib.sh"

rounds=${ROUNDS:-3}
connections=${CONNECTIONS:-20000}
# Many files are not everybody's to open: so many processes at each end.
files=$(ulimit -Hn)
holders=$(((connections + 9999) / 10000))
time_limit=$((rounds * 120 + 120))
sandbox "$@"

nginx_memory_config() {
	mkdir -p "$work/nginx"
	cat <<-END
		daemon off;
		user www-data;
		worker_processes $holders;
		pid $work/nginx/pid;
		error_log $work/nginx-error.log;
		events { worker_connections $((connections + 1000 > files ? files : connections + 1000)); }
		http {
			access_log off;
			client_body_temp_path $work/nginx/body;
			proxy_temp_path $work/nginx/proxy;
			fastcgi_temp_path $work/nginx/fastcgi;
			uwsgi_temp_path $work/nginx/uwsgi;
			scgi_temp_path $work/nginx/scgi;
			keepalive_timeout 600s;
			server {
				listen 8080 reuseport backlog=4096;
				location / { return 200 "$(head -c 100 /dev/zero | tr '\0' x)"; }
			}
		}
	END
}

nginx_start() {
	nginx_memory_config >"$work/nginx.conf"
	in_cgroup "$cgroup" nginx -c "$work/nginx.conf" -p "$work" >>"$work/nginx-error.log" 2>&1 </dev/null &
	wait_for 10 test -s "$work/nginx/pid" || bail "nginx does not start: $(cat "$work/nginx-error.log")"
}

# The kernel's memory in kB: slabs that cannot be given back, and per-CPU memory. Maps of a fixed size are there before.
kernel_kb() {
	sync
	echo 2 >/proc/sys/vm/drop_caches
	sleep 1
	awk '/^(SUnreclaim|Percpu):/ { n += $2 } END { print n }' /proc/meminfo
}

agent_kb() {
	agents_read
	[ "${#agents[@]}" -gt 0 ] || { echo 0; return; }
	sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/${agents[0]}/status"
}

# measure WAY: appends "WAY KERNEL_BYTES AGENT_BYTES" for each connection
measure() {
	local kernel agent held keep i
	rm -f "$work"/held.*
	kernel=$(kernel_kb) agent=$(agent_kb)
	held=()
	for ((i = 0; i < holders; i++)); do
		exec {keep}> >(in_client "$tools/hold" "$server_ip" 8080 "$((connections / holders))" "$work/request" \
			>"$work/held.$i" 2>&1)
		held+=("$keep")
	done
	wait_for 90 all_held || bail "the connections cannot be opened: $(cat "$work"/held.*)"
	[ "$1" = direct ] || figure_is connections.open -eq $((connections / holders * holders)) || bail "$(figure connections.open) are guarded"
	awk -v way="$1" -v n="$connections" -v k="$(($(kernel_kb) - kernel))" -v a="$(($(agent_kb) - agent))" \
		'BEGIN { printf "%s %.0f %.0f\n", way, k * 1024 / n, a * 1024 / n }' >>"$work/figures"
	for keep in "${held[@]}"; do
		exec {keep}>&-
	done
	wait_for 30 no_connections || bail "the connections do not end"
}

# Each says how many it holds, and that each was answered.
all_held() {
	local each=$((connections / holders))
	[ "$(cat "$work"/held.* 2>/dev/null | grep -cx "held=$each 200=$each")" = "$holders" ]
}

no_connections() {
	[ -z "$(in_server ss -Htn state established 'sport = :8080' | head -n 1)" ]
}

median() {
	awk -v way="$1" -v column="$2" '$1 == way { print $column }' "$work/figures" | sort -n |
		awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

net_up
in_client sysctl -qw net.ipv4.ip_local_port_range='2000 65000' >/dev/null
nginx_start
printf 'GET / HTTP/1.1\r\nHost: server\r\n%s\r\n\r\n' "$(bearer "$(token memory 86400)")" >"$work/request"
# The first run of each way makes what is kept for later: slabs, arenas, the table of sockets.
for _ in $(seq $((rounds + 1))); do
	measure direct
	mpbpf_load
	measure guard
	mpbpf unload >>"$log" 2>&1 || [ -z "$(pins)" ] || bail "unload failed: $(tail "$log")"
done
for name in direct guard; do
	sed -i "0,/^$name /{/^$name /d}" "$work/figures"
done

echo "machine: $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) processors, Linux $(uname -r)"
echo "commit:  $(git -C "$top" describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)"
echo "$((connections / holders * holders)) idle keep-alive connections, one request with a token answered on each; both ends are on this machine;"
echo "medians of $rounds rounds, bytes for each connection"
echo
printf '%-34s %8s %8s\n' '' kernel mpbpfd
printf '%-34s %8s %8s\n' 'direct' "$(median direct 2)" "$(median direct 3)"
printf '%-34s %8s %8s\n' 'guarded' "$(median guard 2)" "$(median guard 3)"
printf '%-34s %8s %8s\n' 'the guard takes' "$(($(median guard 2) - $(median direct 2)))" "$(($(median guard 3) - $(median direct 3)))"
