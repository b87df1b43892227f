#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Which sockets are guarded: before and after the load, many workers, several listeners, one address only.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

net_up
config_write 'listeners=[
	{"name": "web", "port": 8080},
	{"name": "own", "port": 8081, "auth": {"base64_tokens": ["own-token"], "exempt_paths": ["/echo/free"]}},
	{"name": "open", "port": 8082, "auth": {"require_auth": false}},
	{"name": "one", "address": "10.77.0.1", "port": 8083},
	{"name": "one6", "address": "fd77::1", "port": 8083}]'
server_start
request='send GET /echo HTTP/1.1\r\nHost: server\r\n\r\n'
session held "connect $server_ip 8080" "$request" read
wait_for 3 test -s "$work/held"
mpbpf_load
is "$(http /echo)" 401 "a service that was listening before the load is guarded"
is "$(figure connections.unguarded_at_load)" 1 "the connection that was open before is counted"

nginx_workers=4 nginx_start "$work/more" "$cgroup" '8081 reuseport' '[::]:8081 reuseport' 8082 8083 '[::]:8083' \
	8084
port=8081
is "$(for _ in {1..24}; do
	printf '%s\n' "connect $server_ip 8081" 'send GET /echo HTTP/1.1\r\nHost: server\r\nX-Filler: 0123456789\r\n\r\n' status
done | script | tally)" "24 401" "SO_REUSEPORT workers: every one is guarded"
host=$server_ip6
is "$(http /echo)" 401 "over IPv6 too"
host=$server_ip
is "$(http -H "$(bearer own-token)" /echo)" 200 "a listener's own token is good there"
is "$(http /echo/free)" 200 "its own exempt path too"
is "$(http /healthz)" 401 "the global exempt paths are not exempt there"
port=8080
is "$(http -H "$(bearer own-token)" /echo)" 403 "its token is not good elsewhere"
is "$(http -H "$(bearer static-token-1)" /echo)" 200 "the global token is good for the others"
port=8081
is "$(http -H "$(bearer static-token-1)" /echo)" 403 "and not there, though it is cached"
port=8082
is "$(http /echo)" 200 "a listener that requires no token asks for none"
port=8083
is "$(http /echo)" 401 "a listener with an IPv4 address guards it"
host=$server_ip6
is "$(http /echo)" 401 "a listener with an IPv6 address guards it"
loopback() {
	in_server "$tools/httpc" <<-END
		connect 127.0.0.1 $1
		$request
		status
	END
}
is "$(loopback 8083)" 200 "and no other address"
is "$(loopback 8080)" 401 "a listener without an address guards loopback too"
host=$server_ip port=8084
is "$(http /echo)" 200 "a port that no listener names is left alone"

session held "$request" read
session_end held
is "$(joined <"$work/held")" "200 11 200 11" "the connection from before the load was left alone"
tap_done
