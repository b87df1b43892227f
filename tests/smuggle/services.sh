# shellcheck shell=bash disable=SC2154
# SPDX-License-Identifier: MIT
# Four services that read HTTP in different ways and log what they saw: nginx, Apache at its most lenient, and node's strict and
# lenient parser. Sourced behind tests/e2e/lib.sh; ports 8080 to 8083 are theirs, 9080 to 9083 the same ones unguarded, 7080 to 7083
# those of gateways to the latter.

smuggle_dir=$top/tests/smuggle
smuggle=$build/tests/smuggle/smuggle

# The fields of a line, in the order that oracle.c knows.
nginx_fields='$remote_port\t$request_method\t$request_uri\t$http_x_id\t$http_authorization\t$status\t$request_body\t$uri\t-'
apache_fields='%{remote}p\t%m\t%r\t%{X-Id}i\t%{Authorization}i\t%>s\t%{body}n\t%U\t-'

smuggle_nginx_config() {
	cat <<-END
		daemon off;
		user www-data;
		worker_processes 2;
		pid $work/s/nginx.pid;
		error_log $work/nginx-error.log crit;
		events { worker_connections 8192; }
		http {
			log_format seen '$nginx_fields';
			access_log $work/s/nginx.log seen;
			client_body_temp_path $work/s/tmp/body;
			proxy_temp_path $work/s/tmp/proxy;
			fastcgi_temp_path $work/s/tmp/fastcgi;
			uwsgi_temp_path $work/s/tmp/uwsgi;
			scgi_temp_path $work/s/tmp/scgi;
			keepalive_requests 100000000;
			client_max_body_size 64m;
			client_body_buffer_size 64k;
			client_body_in_single_buffer on;
			large_client_header_buffers 8 64k;
			ignore_invalid_headers off;
			underscores_in_headers on;
			upstream echo { server unix:$work/s/echo.sock; keepalive 64; }
			server {
				listen 8080 backlog=4096;
				listen 9080 backlog=4096;
				location / { return 200 "\$http_x_id"; }
				location /b/ {
					proxy_pass http://echo;
					proxy_http_version 1.1;
					proxy_set_header Connection "";
				}
			}
			server {
				listen unix:$work/s/echo.sock;
				access_log off;
				location / { return 200 "\$http_x_id"; }
			}
		}
	END
}

# With all threads busy Apache ends connections that it had kept: enough for all that are open at a time.
smuggle_apache_config() {
	local modules=/usr/lib/apache2/modules threads=$((slow > 1 ? 32 : 128))
	cat <<-END
		ServerName server
		ServerRoot $work/s
		DefaultRuntimeDir $work/s
		PidFile $work/s/apache.pid
		ErrorLog $work/s/apache-error.log
		Listen 8083
		Listen 9083
		ListenBacklog 4096
		User www-data
		Group www-data
		LoadModule mpm_event_module $modules/mod_mpm_event.so
		LoadModule authz_core_module $modules/mod_authz_core.so
		LoadModule lua_module $modules/mod_lua.so
		LoadModule http2_module $modules/mod_http2.so
		ThreadLimit $threads
		ServerLimit 4
		StartServers 4
		ThreadsPerChild $threads
		MaxRequestWorkers $((4 * threads))
		MaxSpareThreads $((4 * threads))
		MaxConnectionsPerChild 0
		AsyncRequestWorkerFactor 8
		Protocols h2c http/1.1
		HttpProtocolOptions Unsafe LenientMethods Allow0.9
		AllowEncodedSlashes NoDecode
		TraceEnable extended
		KeepAlive On
		KeepAliveTimeout 75
		MaxKeepAliveRequests 0
		LimitRequestLine 65536
		LimitRequestFieldSize 65536
		LogFormat "$apache_fields" seen
		CustomLog $work/s/apache.log seen
		LuaScope thread
		LuaMapHandler "^/" $work/s/apache.lua handle
		LuaInputFilter body $work/s/apache.lua body
		SetInputFilter body
	END
}

smuggle_listening() {
	local port
	for port in 8080 8081 8082 8083 9080 9081 9082 9083; do
		[ -n "$(in_server ss -Hltn "sport = :$port")" ] || return 1
	done
}

services_start() {
	local n=0 mode
	mkdir -p "$work/s/tmp"
	chown www-data "$work/s" "$work/s/tmp"
	cp "$smuggle_dir/apache.lua" "$work/s"
	touch "$work/s/"{nginx,apache,strict,lenient}.log
	smuggle_nginx_config >"$work/s/nginx.conf"
	smuggle_apache_config >"$work/s/apache.conf"
	in_server sysctl -qw net.core.somaxconn=8192 net.ipv4.tcp_max_syn_backlog=8192
	in_client sysctl -qw net.ipv4.ip_local_port_range='1024 65535' net.ipv4.tcp_tw_reuse=1
	in_cgroup "$cgroup" nginx -c "$work/s/nginx.conf" -p "$work/s" >>"$work/nginx-error.log" 2>&1 </dev/null &
	in_cgroup "$cgroup" apache2 -f "$work/s/apache.conf" -DFOREGROUND >>"$log" 2>&1 </dev/null &
	for mode in strict lenient; do
		n=$((n + 1))
		in_cgroup "$cgroup" node "$smuggle_dir/service.mjs" "808$n,908$n" "$mode" "$work/s/$mode.log" >>"$log" 2>&1 </dev/null &
	done
	wait_for 20 smuggle_listening || bail "the services do not start"
}

# The configuration: the four are guarded, at 8080 to 8083.
smuggle_config() {
	local port listeners=
	for port in 8080 8081 8082 8083; do
		listeners+="${listeners:+, }{\"name\": \"s$port\", \"port\": $port, \"mode\": \"guard\", \"protocol\": \"http\"}"
	done
	# All of it comes from one source, and faster than one may ask by default; on a slow machine a head takes long.
	config_write "listeners=[$listeners]" 'clients.asks={"enabled": false}' clients.head_timeout_s=$((10 * slow))
}

# The same of gateways: each service is the one endpoint of one.
smuggle_gateway_config() {
	local i listeners= services=
	for i in 0 1 2 3; do
		listeners+="${listeners:+, }{\"name\": \"g$i\", \"port\": 708$i, \"mode\": \"gateway\", \"cluster_name\": \"s$i\"}"
		services+="${services:+, }{\"name\": \"s$i\", \"hosts\": [\"127.0.0.1\"], \"port\": 908$i}"
	done
	config_write "listeners=[$listeners]" "services=[$services]" 'clients.asks={"enabled": false}' clients.head_timeout_s=$((10 * slow))
}

# smuggle_run FIRST_PORT [ARGS]
smuggle_run() {
	local port=$1
	shift
	in_client "$smuggle" "$@" "$server_ip" "nginx:$port:$work/s/nginx.log:b" "node strict:$((port + 1)):$work/s/strict.log" \
		"node lenient:$((port + 2)):$work/s/lenient.log" "Apache:$((port + 3)):$work/s/apache.log"
}
