#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A connection becomes a tunnel only for a WebSocket and only by the service's own 101; another protocol ends it unjudged.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

net_up
in_cgroup "$cgroup" node "$top/tests/e2e/upgrade_server.mjs" >>"$work/seen" 2>"$work/node-error.log" </dev/null &
wait_for 20 listening 8080
mpbpf_load
good=$(bearer static-token-1)
filler="X-Filler: 0123456789012345678901234567890123456789"

# upgrade TARGET PROTOCOL NEXT...: the request, then NEXT on the same connection; what came is in `answers`
upgrade() {
	local target=$1 protocol=$2
	shift 2
	: >"$work/seen"
	mapfile -t answers < <(printf '%s\n' "connect $server_ip 8080" 'timeout 3000' \
		"send GET $target HTTP/1.1\r\nHost: server\r\n$good\r\nConnection: Upgrade\r\nUpgrade: $protocol\r\n\r\n" \
		"read head" "$@" | script)
}

for round in "unknown token" "cached token"; do
	# The service sends back what it gets.
	upgrade /ws websocket 'send \x81\x05HELLO unjudged bytes' eof
	is "${answers[0]%% *}" 101 "$round: WebSocket: 101"
	is "${answers[1]-}" data "$round: the tunnel answers"
	check "$round: the service gets the tunnel's bytes" grep -aq 'HELLO unjudged bytes' "$work/seen"
done

upgrade /h2 h2c 'send GET /smuggled HTTP/1.1\r\nHost: server\r\n\r\n' eof
is "${answers[0]%% *}" 101 "h2c: the service's 101 passes"
matches "${answers[1]-}" '^(eof|reset)$' "h2c: the connection is closed"
is "$(grep -ac smuggled "$work/seen")" 0 "h2c: nothing behind it reaches the service"

upgrade /h2 'websocket, h2c' 'send GET /smuggled HTTP/1.1\r\nHost: server\r\n\r\n' eof
is "$(grep -ac smuggled "$work/seen")" 0 "a list of protocols is not a WebSocket"

upgrade /refuse websocket "send GET /smuggled HTTP/1.1\\r\\nHost: server\\r\\n$filler\\r\\n\\r\\n" status
is "${answers[0]%% *} ${answers[1]-}" "200 401" "a refused upgrade stays HTTP, and is judged"
is "$(grep -ac smuggled "$work/seen")" 0 "and its next request is denied"
tap_done
