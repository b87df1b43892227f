# shellcheck shell=bash disable=SC2034,SC2154
# SPDX-License-Identifier: MIT
# What the cases of gateways share: two hosts behind the server's, and what they run. Source it behind lib.sh.

host1_ip=10.78.1.2 host1_ip6=fd78:1::2
host2_ip=10.78.2.2 host2_ip6=fd78:2::2

# hosts_up: host1 and host2, each on a link of its own to the server's, which is no router: only mpbpfd goes both ways
hosts_up() {
	local i
	for i in 1 2; do
		ip netns add "host$i" || bail "cannot make a network namespace"
		ip -n server link add "host$i" type veth peer name eth0 netns "host$i" || bail "cannot make a veth pair"
		ip -n server -batch - <<-END || bail "cannot configure host$i"
			address add 10.78.$i.1/24 dev host$i
			address add fd78:$i::1/64 dev host$i nodad
			link set host$i up
		END
		ip -n "host$i" -batch - <<-END || bail "cannot configure host$i"
			link set lo up
			address add 10.78.$i.2/24 dev eth0
			address add fd78:$i::2/64 dev eth0 nodad
			link set eth0 up
		END
	done
}

in_host() {
	nsenter --net="/run/netns/host$1" -- "${@:2}"
}

# echo_start I [PORT]: an nginx on host I that tells who it is and whom it takes for its client. Port 80 and PORT: plain, 81:
# PROXY headers are expected. `nginx_locations` are more of port 80.
echo_start() {
	local dir=$work/host$1
	mkdir -p "$dir/tmp"
	cat >"$dir/nginx.conf" <<-END
		daemon off;
		user www-data;
		worker_processes 1;
		pid $dir/nginx.pid;
		error_log $work/nginx-error.log;
		events { worker_connections 1024; }
		http {
			access_log off;
			client_header_timeout $((60 * slow))s;
			client_body_temp_path $dir/tmp/body;
			proxy_temp_path $dir/tmp/proxy;
			fastcgi_temp_path $dir/tmp/fastcgi;
			uwsgi_temp_path $dir/tmp/uwsgi;
			scgi_temp_path $dir/tmp/scgi;
			server {
				listen 80; listen [::]:80; ${2:+listen $2;}
				${nginx_locations:-}
				location = /health { return ${health:-204}; }
				location / { return 200 "host$1 \$remote_addr\n"; }
			}
			server {
				listen 81 proxy_protocol; listen [::]:81 proxy_protocol;
				access_log $dir/access;
				location / { return 200 "host$1 \$proxy_protocol_addr \$proxy_protocol_server_addr:\$proxy_protocol_server_port\n"; }
			}
		}
	END
	in_host "$1" nginx -c "$dir/nginx.conf" -p "$dir" >>"$work/nginx-error.log" 2>&1 </dev/null &
	wait_for 10 test -s "$dir/nginx.pid" || bail "nginx does not start: $(tail -n 5 "$work/nginx-error.log")"
}

echo_stop() {
	kill "$(<"$work/host$1/nginx.pid")"
	wait_for 5 test ! -s "$work/host$1/nginx.pid"
}

# asked PORT [FROM]: what answers there, through the gateway
asked() {
	from=${2:-} port=$1 http / >"$work/status"
	[ "$(<"$work/status")" = 200 ] && cat "$work/body" || cat "$work/status"
}

# gateway_figure PATH: a number of `mpbpf stats --json` by a jq path
gateway_figure() {
	stats | jq "$1"
}

gateway_figure_is() {
	[ "$(gateway_figure "$1")" = "$2" ]
}

# event_of NAME PORT: of the latest event of that way or reason, of a connection to that port, "SOURCE DEST:PORT ENDPOINT:PORT"
event_of() {
	mpbpf events --json --reason "$1" 2>>"$log" |
		jq -r "select(.kind == \"connection\" and .dest_port == $2) | \"\\(.source) \\(.dest):\\(.dest_port) \\(.endpoint):\\(.endpoint_port)\"" |
		tail -n 1
}
