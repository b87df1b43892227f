#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A connection that ends with a denial ends behind the responses before it, as long as the client goes on reading.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

net_up
nginx_start "$work/web" "$cgroup" '8080 sndbuf=400k'
mpbpf_load
static=$(bearer static-token-1)
http -H "$static" /echo >/dev/null
large="GET /300000 HTTP/1.1\\r\\nHost: server\\r\\n$static\\r\\n\\r\\n"
malformed="GET /echo HTTP/1.1\\r\\nHost : server\\r\\n\\r\\n"

# The response lies in the send buffer when the denial is given.
is "$(script <<-END | joined
	receive 4096
	connect $server_ip 8080
	send $large$malformed
	pause $((2500 / pace))
	read
	save $work/got
	read
END
)" "200 300000 400 0" "a response and a 400, read late"
check "the response is right" cmp "$work/got" "$work/web/www/300000"

# This one never reads: it is not waited for.
session dead "receive 32768" "connect $server_ip 8080" "send $large$malformed"
check "its connection is there" wait_for 5 figure_is connections.open -eq 1
check "and is closed in time" wait_for 15 figure_is connections.open -eq 0
session_end dead
tap_done
