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

# A service may answer, and the client go on, before the helper has given the connection back.
tokens_read 200 upgrade
for ((i = 1; i <= $(scaled 200 20); i++)); do
	printf '%s\n' "connect $server_ip 8080" "send GET /ws HTTP/1.1\r\nHost: server\r\n$(bearer "${tokens[i]}")\r\nConnection: Upgrade\r\n" \
		'send Upgrade: websocket\r\n\r\n' 'read head' 'send \x81\x05HELLO again' eof close
done | script | tally >"$work/raced"
is "$(cat "$work/raced")" "$(scaled 200 20) 101 0 $(scaled 200 20) data" "WebSocket by way of the helper, again and again: a tunnel each time"

# What a client sends before the 101 is no frame: with it, the connection cannot become a tunnel.
: >"$work/seen"
mapfile -t answers < <(script <<-END
	connect $server_ip 8080
	timeout 3000
	send GET /ws HTTP/1.1\r\nHost: server\r\n$good\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nGET /smug
	read head
	pause 50
	send gled HTTP/1.1\r\nHost: server\r\n$good\r\n\r\n
	eof
END
)
is "${answers[0]%% *}" 101 "half a request pipelined behind: the 101 passes"
matches "${answers[1]-}" '^(eof|reset)$' "then the connection is closed"
is "$(grep -ac smug "$work/seen")" 0 "and what was sent ahead does not reach the service"

upgrade /refuse websocket "send GET /smuggled HTTP/1.1\\r\\nHost: server\\r\\n$filler\\r\\n\\r\\n" status
is "${answers[0]%% *} ${answers[1]-}" "200 401" "a refused upgrade stays HTTP, and is judged"
is "$(grep -ac smuggled "$work/seen")" 0 "and its next request is denied"

config_write 'listeners=[{"name": "web", "port": 8080, "enforce": false}]'
mpbpf reload --config "$config" >>"$log" 2>&1 </dev/null
upgrade /h2 h2c 'send PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' eof
is "${answers[0]%% *} ${answers[1]-}" "101 data" "on a dry run h2c is not closed"
tap_done
