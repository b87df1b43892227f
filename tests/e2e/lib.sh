# shellcheck shell=bash disable=SC2034,SC2120
# SPDX-License-Identifier: MIT
# What every end-to-end case stands on: a sandbox that leaves nothing behind, two joined network namespaces, nginx, tokens,
# and mpbpf under test. Source it, then call `sandbox "$@"` first.
#
# The sandbox is a mount and a PID namespace of its own: network namespaces are named in a private /run/netns, pins live
# in a private bpffs, and when the case ends, however it ends, the kernel kills what it started. Only a cgroup, a temporary
# directory and what mpbpf keeps under /run lie outside; the outer process removes them.

set -u
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export LC_ALL=C

here=${BASH_SOURCE[0]%/*}
top=$(cd "$here/../.." && pwd)
build=${BUILD:-build}
[[ $build == /* ]] || build=$top/$build
tools=$build/tests/e2e

# How many times slower than a real machine this one is, e.g. an emulated one. It multiplies the waits and time
# limits, and `scaled` divides by it where the number of repetitions is not the point.
slow=${MPBPF_SLOW:-1}
# What pauses are multiplied by: in them others go on, and what they then do is far shorter on a real machine.
pace=$(((slow + 2) / 3))
time_limit=$((90 * slow))

server_ip=10.77.0.1 client_ip=10.77.0.2 other_ip=10.77.0.3
server_ip6=fd77::1 client_ip6=fd77::2 other_ip6=fd77::3
secret='end-to-end-secret-0123456789abcdef'

# shellcheck source-path=SCRIPTDIR source=tap.sh
. "$here/tap.sh"
# shellcheck source-path=SCRIPTDIR source=mpbpf.sh
. "$here/mpbpf.sh"
# shellcheck source-path=SCRIPTDIR source=requests.sh
. "$here/requests.sh"

# ---- sandbox ----

# cgroup2_root: sets `cgroup_root`, empty where there is none
cgroup2_root() {
	local mount type
	while read -r _ mount type _; do
		[ "$type" != cgroup2 ] || break
	done </proc/mounts
	cgroup_root=$mount
}

sandbox() {
	cgroup2_root
	if [ -n "${MPBPF_SANDBOX:-}" ]; then
		sandbox_inside
		return
	fi
	if [ "$EUID" -ne 0 ] || [ -z "$cgroup_root" ]; then
		echo "Bail out! ${0##*/} needs root and a cgroup2 mount"
		exit 1
	fi
	work=$(mktemp -d /tmp/mpbpf-XXXXXXXX)
	chmod 755 "$work"
	cgroup=$cgroup_root/${work##*/}
	child=
	trap sandbox_leave EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	mkdir "$cgroup"
	# While a data path has a directory here, what the first load of a boot proved about the kernel is kept beside it: with
	# one that stays during a case, and the proof after it, the many loads do not prove it again.
	(umask 077 && mkdir -p "/run/mpbpf/${work##*/}")
	MPBPF_SANDBOX=$work setpriv --pdeathsig KILL \
		unshare --mount --pid --net --fork --kill-child --mount-proc --propagation private "$0" "$@" &
	child=$!
	wait "$child"
	exit
}

sandbox_leave() {
	local rc=$?
	trap '' INT TERM HUP
	if [ -n "$child" ]; then
		kill -KILL "$child" 2>/dev/null
		wait "$child" 2>/dev/null
	fi
	for _ in {1..100}; do
		find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null
		[ -d "$cgroup" ] || break
		sleep 0.05
	done
	rm -rf -- /run/mpbpf/*"${work##*/mpbpf-}"*
	if [ -n "${KEEP:-}" ]; then echo "# kept: $work"; else rm -rf -- "$work"; fi
	exit "$rc"
}

sandbox_inside() {
	work=$MPBPF_SANDBOX
	cgroup=$cgroup_root/${work##*/}
	pin_root=$work/bpf/mpbpf
	config=$work/config.json
	log=$work/mpbpf.log
	mkdir -p /run/netns "$work/bpf"
	mount -t tmpfs tmpfs /run/netns || bail "cannot mount a tmpfs"
	mount -t bpf bpf "$work/bpf" || bail "cannot mount a bpffs"
	: >"$log"
	# All clients are of this node, as far as the data path can tell, and every listener has a fast path (config_write()).
	[ -z "${MPBPF_FAST:-}" ] || echo 0 >"$cgroup/cgroup.procs"
	# A pipe that nothing comes out of: to wait for it needs no process.
	exec {never}<> <(:)
	trap tap_timeout TERM
	(
		sleep "$time_limit"
		kill -TERM 1
		kill -KILL -1
	) >/dev/null 2>&1 </dev/null &
}

# wait_for SECONDS COMMAND...: until it succeeds
wait_for() {
	local end=$((SECONDS + $1 * slow + 1)) between # the second that it is may be over
	shift
	printf -v between '0.%03d' $((slow < 10 ? 20 * slow : 200)) # what is called costs more than to wait, on a slow machine most of all
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || return 1
		read -rt "$between" <&"$never"
	done
	return 0
}

# pause MS
pause() {
	local ms=$(($1 * pace)) seconds
	printf -v seconds '%d.%03d' $((ms / 1000)) $((ms % 1000))
	read -rt "$seconds" <&"$never"
	return 0
}

# jq: gojq speaks its language, but for the order of members, and starts in a twentieth of the time. Emulated machines have
# none to spare.
jq() {
	gojq "$@"
}

# scaled COUNT [LEAST]: so many repetitions, fewer on a slow machine
scaled() {
	local n=$(($1 / slow)) least=${2:-1}
	echo $((n < least ? least : n))
}

# ---- network ----

# The sandbox's own namespace is the client's.
in_client() {
	"$@"
}

in_server() {
	nsenter --net=/run/netns/server -- "$@"
}

# in_cgroup DIR COMMAND...: in a cgroup, as a service of this node would be, and in the namespace $space, the server's where
# it is not set
in_cgroup() (
	echo 0 >"$1/cgroup.procs" || exit
	shift
	exec nsenter --net="/run/netns/${space:-server}" -- "$@"
)

# link_up DEVICE NUMBER: a veth pair of that name in both namespaces, addresses in 10.77.NUMBER.0/24 and fd77:NUMBER::/64
#
# Their indices differ. Where a device has its peer's, the kernel takes it for none that stands on another one, and the carrier that it
# gets is told only a second after the last one of the machine was (linkwatch_urgent_event()): until then no multicast comes in.
link_up() {
	local net6=fd77:$2
	[ "$2" -ne 0 ] || net6=fd77
	ip link add "$1" index $((100 + $2)) type veth peer name "$1" netns server || bail "cannot make a veth pair"
	ip -n server -batch - <<-END || bail "cannot configure $1"
		address add 10.77.$2.1/24 dev $1
		address add $net6::1/64 dev $1 nodad
		link set $1 up
	END
	ip -batch - <<-END || bail "cannot configure $1"
		address add 10.77.$2.2/24 dev $1
		address add 10.77.$2.3/24 dev $1
		address add $net6::2/64 dev $1 nodad
		address add $net6::3/64 dev $1 nodad
		link set $1 up
	END
}

net_up() {
	ip netns add server || bail "cannot make a network namespace"
	: >/run/netns/client
	mount --bind /proc/self/ns/net /run/netns/client || bail "cannot name a network namespace"
	ip link set lo up
	ip -n server link set lo up
	link_up eth0 0
}

# ---- service ----

# pattern_files FILE=SIZE...: files of bytes that differ from those around them
pattern_files() {
	"$tools/pattern" "$@"
}

# nginx_config DIR LISTEN...: e.g. nginx_config $work/a '8080' '[::]:8080'
nginx_config() {
	local dir=$1 listens
	shift
	printf -v listens 'listen %s; ' "$@"
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
			keepalive_timeout $((60 * slow))s;
			client_max_body_size 64m;
			large_client_header_buffers 8 64k;
			server {
				$listens
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
	mkdir "$dir" "$dir/www"
	install -d -o www-data "$dir/dav" "$dir/tmp"
	pattern_files "$dir/www/"{0=0,1=1,100=100,1000=1000,20000=20000,300000=300000}
	: >"$dir/access.log"
	nginx_config "$dir" "$@" >"$dir/nginx.conf"
	in_cgroup "$in" nginx -c "$dir/nginx.conf" -p "$dir" >>"$work/nginx-error.log" 2>&1 </dev/null &
	wait_for 10 test -s "$dir/nginx.pid" || bail "nginx does not start: $(tail -n 5 "$work/nginx-error.log")"
}

# The service of most cases: port 8080, both families, no admixture.
server_start() {
	nginx_start "$work/web" "$cgroup" 8080 '[::]:8080'
	access_log=$work/web/access.log
}

# accessed: reads what the service saw since accessed_reset into `accesses`, one line each: METHOD TARGET STATUS LENGTH
accessed() {
	mapfile -t -s "${accessed_before:-0}" accesses <"$access_log"
}

# nginx_sleeps: no worker has anything to do, nor to log
nginx_sleeps() {
	local file process
	for file in /proc/[0-9]*/stat; do
		{ read -r process <"$file"; } 2>/dev/null || continue
		[[ $process != *'(nginx) '[RD]* ]] || return 1
	done
}

# What was answered before may not be in the log yet.
accessed_reset() {
	pause 50
	wait_for 5 nginx_sleeps
	mapfile -t accesses <"$access_log"
	accessed_before=${#accesses[@]}
}

# nginx writes its line after the response has gone: wait for the count, then make sure that no more come.
accessed_is() {
	local surplus
	wait_for 3 accessed_count_is "$1"
	pause 50
	accessed
	surplus=("${accesses[@]:$1}")
	is "${#accesses[@]}${surplus[*]:+, with ${surplus[*]}}" "$1" "$2"
}

accessed_count_is() {
	accessed
	[ "${#accesses[@]}" -ge "$1" ]
}

# accessed_with TEXT: how many of them contain it
accessed_with() {
	local line n=0
	accessed
	for line in "${accesses[@]}"; do
		[[ $line != *"$1"* ]] || n=$((n + 1))
	done
	echo "$n"
}

# listening PORT: whether somebody does, for wait_for
listening() {
	[ -n "$(in_server ss -Hltn "sport = :$1")" ]
}

# ---- tokens ----

# jwt CLAIMS [SECRET [ALG]]: a signed token; HS256 unless ALG says HS384, HS512 or none
jwt() {
	"$tools/jwt" <<<"${3:-HS256} ${2:-$secret} $1"
}

# token NAME [SECONDS]: a good one that expires in SECONDS (600)
token() {
	jwt "{\"sub\":\"$1\",\"exp\":$((EPOCHSECONDS + ${2:-600 * slow}))}"
}

# tokens_read COUNT NAME: good ones for NAME 1, NAME 2 …, into `tokens` from index 1 on, all in one go
tokens_read() {
	local i
	mapfile -t -O 1 tokens < <(
		for ((i = 1; i <= $1; i++)); do
			echo "HS256 $secret {\"sub\":\"$2 $i\",\"exp\":$((EPOCHSECONDS + 600 * slow))}"
		done | "$tools/jwt"
	)
}
