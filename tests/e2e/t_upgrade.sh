#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A connection becomes a tunnel only for a WebSocket and only by the service's own 101; another protocol ends it unjudged.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
sandbox "$@"

net_up
in_cgroup "$cgroup" node "$top/tests/e2e/upgrade_server.mjs" >>"$work/seen" 2>"$work/node-error.log" </dev/null &
wait_for 20 in_server bash -c "ss -Hltn \"sport = :8080\" | grep -q ."
mpbpf_load
good=$(bearer static-token-1)
filler="X-Filler: 0123456789012345678901234567890123456789"

# upgrade TARGET PROTOCOL NEXT...: the request, then NEXT on the same connection
upgrade() {
	local target=$1 protocol=$2
	shift 2
	: >"$work/seen"
	{
		printf 'connect %s 8080\n' "$server_ip"
		printf 'send GET %s HTTP/1.1\\r\\nHost: server\\r\\n%s\\r\\nConnection: Upgrade\\r\\nUpgrade: %s\\r\\n\\r\\n\n' \
			"$target" "$good" "$protocol"
		printf '%s\n' "read head" "$@"
	} | script
}

for round in "unknown token" "cached token"; do
	is "$(upgrade /ws websocket 'send \x81\x05HELLO unjudged bytes' 'pause 200' close | head -n 1 | cut -d ' ' -f 1)" 101 \
		"$round: WebSocket: 101"
	wait_for 3 grep -aq 'HELLO unjudged bytes' "$work/seen"
	check "$round: the service gets the tunnel's bytes" grep -aq 'HELLO unjudged bytes' "$work/seen"
done

out=$(upgrade /h2 h2c 'send GET /smuggled HTTP/1.1\r\nHost: server\r\n\r\n' 'timeout 3000' eof)
is "$(head -n 1 <<<"$out" | cut -d ' ' -f 1)" 101 "h2c: the service's 101 passes"
matches "$(tail -n 1 <<<"$out")" '^(eof|reset)$' "h2c: the connection is closed"
is "$(grep -ac smuggled "$work/seen")" 0 "h2c: nothing behind it reaches the service"

out=$(upgrade /h2 'websocket, h2c' 'send GET /smuggled HTTP/1.1\r\nHost: server\r\n\r\n' 'timeout 3000' eof)
is "$(grep -ac smuggled "$work/seen")" 0 "a list of protocols is not a WebSocket"

out=$(upgrade /refuse websocket "send GET /smuggled HTTP/1.1\\r\\nHost: server\\r\\n$filler\\r\\n\\r\\n" read)
is "$(cut -d ' ' -f 1 <<<"$out" | paste -sd ' ')" "200 401" "a refused upgrade stays HTTP, and is judged"
is "$(grep -ac smuggled "$work/seen")" 0 "and its next request is denied"
tap_done
