# shellcheck shell=bash disable=SC2034,SC2120
# SPDX-License-Identifier: MIT
# What every end-to-end case stands on: a sandbox that leaves nothing behind, two joined network namespaces, nginx, tokens,
# and mpbpf under test. Source it, then call `sandbox "$@"` first.
#
# The sandbox is a mount and a PID namespace of its own: network namespaces are named in a private /run/netns, pins live
# in a private bpffs, and when the case ends, however it ends, the kernel kills what it started. Only a cgroup and a
# temporary directory lie outside; the outer process removes them.

# shellcheck source-path=SCRIPTDIR source=tap.sh
. "$(dirname "${BASH_SOURCE[0]}")/tap.sh"

set -u
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export LC_ALL=C

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${BUILD:-build}
[[ $build == /* ]] || build=$top/$build
tools=$build/tests/e2e
time_limit=90

server_ip=10.77.0.1 client_ip=10.77.0.2 other_ip=10.77.0.3
server_ip6=fd77::1 client_ip6=fd77::2 other_ip6=fd77::3
secret='end-to-end-secret-0123456789abcdef'

# ---- sandbox ----

cgroup2_root() {
	awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts
}

sandbox() {
	if [ -n "${MPBPF_SANDBOX:-}" ]; then
		sandbox_inside
		return
	fi
	if [ "$(id -u)" -ne 0 ] || [ -z "$(cgroup2_root)" ]; then
		echo "Bail out! ${0##*/} needs root and a cgroup2 mount"
		exit 1
	fi
	work=$(mktemp -d /tmp/mpbpf-XXXXXXXX)
	chmod 755 "$work"
	cgroup=$(cgroup2_root)/${work##*/}
	child=
	trap sandbox_leave EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	mkdir "$cgroup"
	MPBPF_SANDBOX=$work setpriv --pdeathsig KILL \
		unshare --mount --pid --fork --kill-child --mount-proc --propagation private "$0" "$@" &
	child=$!
	wait "$child"
	exit
}

sandbox_leave() {
	local rc=$? i
	trap '' INT TERM HUP
	if [ -n "$child" ]; then
		kill -KILL "$child" 2>/dev/null
		wait "$child" 2>/dev/null
	fi
	for i in $(seq 100); do
		find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null
		[ -d "$cgroup" ] || break
		sleep 0.05
	done
	if [ -n "${KEEP:-}" ]; then echo "# kept: $work"; else rm -rf -- "$work"; fi
	exit "$rc"
}

sandbox_inside() {
	work=$MPBPF_SANDBOX
	cgroup=$(cgroup2_root)/${work##*/}
	pin_root=$work/bpf/mpbpf
	config=$work/config.json
	log=$work/mpbpf.log
	mkdir -p /run/netns "$work/bpf"
	mount -t tmpfs tmpfs /run/netns || bail "cannot mount a tmpfs"
	mount -t bpf bpf "$work/bpf" || bail "cannot mount a bpffs"
	: >"$log"
	trap tap_timeout TERM
	(
		sleep "$time_limit"
		kill -TERM 1
		kill -KILL -1
	) >/dev/null 2>&1 </dev/null &
}

# wait_for SECONDS COMMAND...: until it succeeds
wait_for() {
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.02
	done
}

# ---- network ----

in_client() {
	nsenter --net=/run/netns/client -- "$@"
}

in_server() {
	nsenter --net=/run/netns/server -- "$@"
}

# in_cgroup DIR COMMAND...: in the server's namespace and in a cgroup, as a service of this node would be
in_cgroup() {
	# shellcheck disable=SC2016
	in_server sh -c 'echo 0 >"$0/cgroup.procs" && exec "$@"' "$@"
}

# link_up DEVICE NUMBER: a veth pair of that name in both namespaces, addresses in 10.77.NUMBER.0/24 and fd77:NUMBER::/64
link_up() {
	local net6=fd77:$2
	[ "$2" -ne 0 ] || net6=fd77
	ip -n client link add "$1" type veth peer name "$1" netns server || bail "cannot make a veth pair"
	ip -n server addr add "10.77.$2.1/24" dev "$1"
	ip -n server addr add "$net6::1/64" dev "$1" nodad
	ip -n client addr add "10.77.$2.2/24" dev "$1"
	ip -n client addr add "10.77.$2.3/24" dev "$1"
	ip -n client addr add "$net6::2/64" dev "$1" nodad
	ip -n client addr add "$net6::3/64" dev "$1" nodad
	ip -n server link set "$1" up
	ip -n client link set "$1" up
}

net_up() {
	local ns
	for ns in client server; do
		ip netns add "$ns" || bail "cannot make a network namespace"
		ip -n "$ns" link set lo up
	done
	link_up eth0 0
}

# ---- service ----

# A file of SIZE bytes that differ from one another.
pattern_file() {
	head -c "$2" < <(openssl enc -aes-128-ctr -K 00 -iv 00 -in /dev/zero 2>/dev/null) >"$1"
}

# nginx_config DIR LISTEN...: e.g. nginx_config $work/a '8080' '[::]:8080'
nginx_config() {
	local dir=$1 listen size
	shift
	mkdir -p "$dir/www" "$dir/dav" "$dir/tmp"
	chown www-data "$dir/dav" "$dir/tmp"
	for size in 0 1 100 1000 20000 300000; do
		pattern_file "$dir/www/$size" "$size"
	done
	: >"$dir/access.log"
	cat <<-END
		daemon off;
		user www-data;
		worker_processes ${nginx_workers:-2};
		pid $dir/nginx.pid;
		error_log $work/nginx-error.log;
		events { worker_connections 4096; }
		http {
			log_format line '\$request_method \$request_uri \$status \$request_length';
			access_log $dir/access.log line;
			client_body_temp_path $dir/tmp/body;
			proxy_temp_path $dir/tmp/proxy;
			fastcgi_temp_path $dir/tmp/fastcgi;
			uwsgi_temp_path $dir/tmp/uwsgi;
			scgi_temp_path $dir/tmp/scgi;
			keepalive_requests 100000000;
			keepalive_timeout 60s;
			client_max_body_size 64m;
			large_client_header_buffers 8 64k;
			server {
				$(for listen in "$@"; do echo "listen $listen;"; done)
				root $dir/www;
				location /echo { return 200 "\$request_method \$request_uri \$http_x_id\n"; }
				location /healthz { return 200 "healthy\n"; }
				location /metrics { return 200 "metrics\n"; }
				location /ready { return 200 "ready\n"; }
				location /dav/ { alias $dir/dav/; dav_methods PUT; }
				location / { try_files \$uri =404; }
			}
		}
	END
}

# nginx_start DIR CGROUP LISTEN...
nginx_start() {
	local dir=$1 in=$2
	shift 2
	mkdir -p "$dir"
	nginx_config "$dir" "$@" >"$dir/nginx.conf"
	in_cgroup "$in" nginx -c "$dir/nginx.conf" -p "$dir" >>"$work/nginx-error.log" 2>&1 </dev/null &
	wait_for 10 test -s "$dir/nginx.pid" || bail "nginx does not start: $(tail -n 5 "$work/nginx-error.log")"
}

# The service of most cases: port 8080, both families, no admixture.
server_start() {
	nginx_start "$work/web" "$cgroup" 8080 '[::]:8080'
	access_log=$work/web/access.log
}

# accessed: what the service saw since accessed_reset, one line a request: METHOD TARGET STATUS LENGTH
accessed() {
	tail -n +$(($(cat "$work/accessed" 2>/dev/null || echo 0) + 1)) "$access_log"
}

accessed_reset() {
	wc -l <"$access_log" >"$work/accessed"
}

# nginx writes its line after the response has gone: wait for the count, then make sure that no more come.
accessed_is() {
	wait_for 3 accessed_count_is "$1"
	sleep 0.05
	is "$(accessed | wc -l)" "$1" "$2"
}

accessed_count_is() {
	[ "$(accessed | wc -l)" -ge "$1" ]
}

# ---- tokens ----

base64url() {
	base64 -w0 | tr '+/' '-_' | tr -d '='
}

# jwt CLAIMS [SECRET [ALG]]: a signed token; HS256 unless ALG says HS384 or HS512
jwt() {
	local claims=$1 key=${2:-$secret} alg=${3:-HS256} signed
	signed=$(printf '{"alg":"%s","typ":"JWT"}' "$alg" | base64url).$(printf '%s' "$claims" | base64url)
	printf '%s.%s\n' "$signed" "$(printf '%s' "$signed" | openssl dgst "-sha${alg#HS}" -hmac "$key" -binary | base64url)"
}

# token NAME [SECONDS]: a good one that expires in SECONDS (600)
token() {
	jwt "{\"sub\":\"$1\",\"exp\":$(($(date +%s) + ${2:-600}))}"
}

# ---- mpbpf ----

# config_write [JQ_FILTER]: the configuration of most cases, changed by a jq filter
config_write() {
	jq --arg secret "$secret" ".auth.jwt_secret = \$secret | ${1:-.}" >"$config" <<-'END'
		{
			"version": "1",
			"rate_limit": {"enabled": true, "window_ms": 1000, "packets": 10000000, "mode": "enforce"},
			"listeners": [{"name": "web", "port": 8080, "mode": "guard", "protocol": "http"}],
			"auth": {"jwt_algorithm": "HS256", "require_auth": true,
				"base64_tokens": ["static-token-1"],
				"exempt_paths": ["/healthz", "/metrics", "/ready"], "leeway_s": 60}
		}
	END
}

# mpbpf COMMAND [ARGS]: the program under test, in the server's namespace, on this sandbox's pins and cgroup; inside that
# cgroup too, for the agent of a node is among the processes that it guards
mpbpf() {
	local command=$1
	shift
	in_cgroup "$cgroup" "$build/mpbpf" "$command" --pin-root "$pin_root" --cgroup "$cgroup" "$@"
}

# mpbpf_load [ARGS]: bails out when it fails, for then a case has nothing to look at
mpbpf_load() {
	[ -s "$config" ] || config_write
	mpbpf load --iface eth0 --config "$config" "$@" >>"$log" 2>&1 </dev/null ||
		bail "mpbpf load failed: $(tail -n 20 "$log")"
}

# Pids of the mpbpfd that serves a pin root. A PID namespace of our own: nobody else's can be among them.
agent_pids() {
	local root=${1:-$pin_root} dir
	for dir in /proc/[0-9]*; do
		[ "$(tr '\0' ' ' <"$dir/cmdline" 2>/dev/null | grep -c "mpbpfd .*--pin-root $root ")" -eq 0 ] || echo "${dir#/proc/}"
	done
}

agent_kill() {
	local pid
	for pid in $(agent_pids); do
		kill -KILL "$pid"
	done
	wait_for 5 agent_gone || bail "mpbpfd outlives SIGKILL"
}

agent_gone() {
	[ -z "$(agent_pids)" ]
}

agent_start() {
	in_cgroup "$cgroup" "$build/mpbpfd" --pin-root "$pin_root" --cgroup "$cgroup" --config "$config" \
		>>"$log" 2>&1 </dev/null &
}

# pins: what is in the bpffs beside the two files that the kernel puts into each
pins() {
	find "$work/bpf" -mindepth 1 ! -name maps.debug ! -name progs.debug
}

# on_cgroup: how many programs are attached to the sandbox's cgroup
on_cgroup() {
	bpftool -j cgroup show "$cgroup" | jq -s flatten | jq length
}

# on_interfaces: how many interfaces of the server carry an XDP program
on_interfaces() {
	ip -n server -d link show | grep -c 'prog/xdp'
}

stats() {
	mpbpf stats --json 2>>"$log"
}

# figure PATH: e.g. figure requests.allowed
figure() {
	stats | jq -r ".$1"
}

# Figures before and after: `before`, then `moved requests.asked`.
before() {
	stats_before=$(stats)
}

moved() {
	jq -n --argjson a "$stats_before" --argjson b "$(stats)" "(\$b.$1) - (\$a.$1)"
}

# ---- requests ----

# http [CURL_ARGS] URL_PATH: status, over IPv4 unless `host` says otherwise
http() {
	local path=${*: -1}
	in_client curl -s -o "$work/body" -D "$work/head" -w '%{http_code}' --path-as-is --max-time 10 "${@:1:$#-1}" \
		"http://${host:-$server_ip}:${port:-8080}$path"
}

bearer() {
	printf 'Authorization: Bearer %s' "$1"
}

# script: runs a script of tests/e2e/httpc.c from standard input in the client's namespace
script() {
	in_client "$tools/httpc"
}
