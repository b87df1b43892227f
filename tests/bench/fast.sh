#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# `make bench-fast`: a client and a service of one node. The same nginx directly, and past TCP with all of the policy on (JWT verdict,
# licence, limits, metrics of responses): requests of 32 connections and of 2, a large file, messages of 100 bytes. Then a client
# that is captured, directly, and taken to HAProxy (mode tcp, splicing) by a REDIRECT of nftables. In turn, medians of ROUNDS (5)
# rounds. BENCH_SECONDS (3) a run, BULK_MB (1000).
# shellcheck source-path=SCRIPTDIR/../e2e source=../e2e/lib.sh
. "$(dirname "$0")/../e2e/lib.sh"

rounds=${ROUNDS:-5}
seconds=${BENCH_SECONDS:-3}
bulk_mb=${BULK_MB:-1000}
elsewhere=192.0.2.1 # TEST-NET-1 (RFC 5737): where a captured client wants to go
# A way a line: name, where the client connects.
ways=('direct 127.0.0.1:8080' 'guarded 127.0.0.1:8080' 'fast 127.0.0.1:8080' "captured $elsewhere:80" "redirected $elsewhere:80")
measures='requests few connections bulk'
time_limit=$((rounds * ${#ways[@]} * (3 * seconds + 25) + 300))
sandbox "$@"
clients=$cgroup/clients

nginx_bench() {
	mkdir -p "$work/nginx"
	chown www-data "$work/nginx"
	truncate -s "${bulk_mb}M" "$work/bulk"
	cat <<-END
		daemon off;
		user www-data;
		worker_processes 2;
		pid $work/nginx/pid;
		error_log $work/nginx-error.log;
		events { worker_connections 4096; }
		http {
			access_log off;
			client_body_temp_path $work/nginx/body;
			proxy_temp_path $work/nginx/proxy;
			fastcgi_temp_path $work/nginx/fastcgi;
			uwsgi_temp_path $work/nginx/uwsgi;
			scgi_temp_path $work/nginx/scgi;
			keepalive_requests 1000000000;
			sendfile on;
			server {
				listen 127.0.0.1:8080 reuseport backlog=4096;
				location = /bulk { alias $work/bulk; }
				location / { return 200 "$(head -c 100 /dev/zero | tr '\0' x)"; }
			}
		}
	END
}

services_start() {
	nginx_bench >"$work/nginx.conf"
	in_cgroup "$cgroup" nginx -c "$work/nginx.conf" -p "$work/nginx" >>"$work/nginx-error.log" 2>&1 </dev/null &
	wait_for 10 test -s "$work/nginx/pid" || bail "nginx does not start: $(tail -n 5 "$work/nginx-error.log")"
	cat >"$work/haproxy.cfg" <<-END
		global
		    nbthread 2
		    maxconn 2000
		defaults
		    mode tcp
		    option splice-auto
		    timeout connect 5s
		    timeout client 60s
		    timeout server 60s
		listen redirected
		    bind 127.0.0.1:8071
		    server nginx 127.0.0.1:8080
	END
	in_cgroup "$cgroup" haproxy -db -f "$work/haproxy.cfg" >"$work/haproxy.log" 2>&1 </dev/null &
	in_server ip route add "$elsewhere/32" via 10.77.0.2 || bail "no route to $elsewhere"
}

licensed=('license.license_key="PENG-AAAA-BBBB-CCCC-DDDD-EEEE"' 'license.is_enterprise=true'
	'license.features={"multi_cloud": true}' 'license.max_proxies=10' 'license.current_proxies=1')
limited='request_limits=[{"name": "each", "per": "token", "rate": 1000000}, {"name": "all", "per": "listener", "rate": 1000000}]'

policy() {
	local sizes=(rate_limit.max_sources= cache.max_verdicts=)
	case $1 in
	guarded) config_write "${sizes[@]}" "${licensed[@]}" "$limited" ;;
	fast)
		config_write "${sizes[@]}" "${licensed[@]}" "$limited" 'listeners=[{"name": "web", "port": 8080, "fast_path": "on"}]'
		;;
	captured)
		config_write "${sizes[@]}" "listeners=[{\"name\": \"out\", \"mode\": \"capture\", \"direction\": \"out\", \"cgroup\": \"$clients\",
			\"match\": {\"cidrs\": [\"$elsewhere/32\"]}, \"cluster_name\": \"nginx\"}]" \
			'services=[{"name": "nginx", "hosts": ["127.0.0.1"], "port": 8080}]'
		;;
	esac
}

# The data path is away while others are timed, so that they pay nothing for it; and so is the translation.
prepare() {
	in_server nft delete table ip bench 2>/dev/null
	[ -z "$(pins)" ] || mpbpf unload >>"$log" 2>&1 || bail "unload failed: $(tail "$log")"
	case $1 in
	guarded | fast | captured)
		policy "$1"
		mpbpf_load
		;;
	redirected)
		in_server nft -f - <<-END || bail "nftables takes no REDIRECT here"
			table ip bench {
				chain output {
					type nat hook output priority -100;
					ip daddr $elsewhere tcp dport 80 redirect to :8071
				}
			}
		END
		;;
	esac
	wait_for 10 in_cgroup "$clients" curl -sf -H "$auth" -o /dev/null "http://$2/" || bail "$1 does not answer"
}

# wrk_run WHERE CONNECTIONS [HEADER]: prints requests a second, and how many failed
wrk_run() {
	in_cgroup "$clients" wrk -t $(($2 > 2 ? 2 : 1)) -c "$2" -d "$seconds" -H "$auth" ${3:+-H "$3"} -s "$top/tests/bench/report.lua" \
		"http://$1/" >"$work/wrk" || bail "wrk failed: $(cat "$work/wrk")"
	awk '/^report / { printf "%.0f %d\n", $2 / ($3 / 1e6), $6 }' "$work/wrk"
}

# measure WAY WHERE MEASURE: appends "WAY MEASURE FIGURE ERRORS"
measure() {
	local figure errors=0
	case $3 in
	requests) read -r figure errors < <(wrk_run "$2" 32) ;;
	few) read -r figure errors < <(wrk_run "$2" 2) ;;
	connections) read -r figure errors < <(wrk_run "$2" 32 'Connection: close') ;;
	bulk)
		figure=$(in_cgroup "$clients" curl -sS -H "$auth" -o /dev/null -w '%{size_download} %{speed_download}' "http://$2/bulk")
		[ "${figure% *}" = $((bulk_mb << 20)) ] || bail "$1: ${figure% *} bytes of $((bulk_mb << 20))"
		figure=$((${figure#* } / 1000000))
		;;
	esac
	echo "$1 $3 $figure $errors" >>"$work/figures"
}

# median WAY MEASURE
median() {
	awk -v way="$1" -v measure="$2" '$1 == way && $2 == measure { print $3 }' "$work/figures" | sort -n |
		awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

# table MEASURE WHAT
table() {
	local line name figure
	printf '%-44s %12s %9s %13s   %s\n' "$2" "$1" 'x direct' 'x redirected' 'round by round'
	for line in "${ways[@]}"; do
		name=${line%% *}
		figure=$(median "$name" "$1")
		printf '%-44s %12.0f %9s %13s   %s\n' "$name" "$figure" \
			"$(awk -v a="$figure" -v b="$(median direct "$1")" 'BEGIN { printf "%.2f", a / b }')" \
			"$(awk -v a="$figure" -v b="$(median redirected "$1")" 'BEGIN { printf "%.2f", a / b }')" \
			"$(awk -v way="$name" -v m="$1" '$1 == way && $2 == m { printf "%s ", $3 }' "$work/figures")"
	done
	echo
}

net_up
mkdir "$clients"
services_start
auth=$(bearer "$(token bench 86400)")
echo "machine: $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) processors, Linux $(uname -r)"
echo "commit:  $(git -C "$top" describe --always --dirty --abbrev=12 2>/dev/null || echo unknown)"
echo "service: $(nginx -v 2>&1 | sed 's/.*: //'), 2 workers; $(haproxy -v | head -n 1 | cut -d ' ' -f 1-3), 2 threads, splice-auto; $rounds rounds of" \
	"$seconds s each way, interleaved"
echo
order=("${ways[@]}")
for _ in $(seq "$rounds"); do
	for line in "${order[@]}"; do
		read -r name where <<<"$line"
		prepare "$name" "$where"
		for measure in $measures; do
			measure "$name" "$where" "$measure"
		done
	done
	# Each way takes each place in turn: none is always the one after a warm cache.
	order=("${order[@]:1}" "${order[0]}")
done
table requests 'requests/s, 32 connections'
table few 'requests/s, 2 connections'
table connections 'requests/s, a connection for each'
table bulk "MB/s, $bulk_mb MB by sendfile()"
errors=$(awk '{ n += $4 } END { print n }' "$work/figures")
[ "$errors" = 0 ] || bail "$errors requests failed"
[ -z "$(pins)" ] || mpbpf unload >>"$log" 2>&1 || bail "unload failed: $(tail "$log")"
