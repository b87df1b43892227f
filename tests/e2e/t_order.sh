#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A denial never cuts into a response that is still being written, nor overtakes one, wherever the segments fall.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

rounds=$(scaled 150 30)
net_up
server_start
mpbpf_load
good=$(bearer static-token-1)
http -H "$good" /echo >/dev/null

# answers DENIED_FIELDS: to two large responses, a denial and a small response, each request in a write of its own
answers() {
	local i large="send GET /300000 HTTP/1.1\r\nHost: server\r\n$good\r\n\r\n"
	for ((i = 0; i < rounds; i++)); do
		printf '%s\n' "connect $server_ip 8080" "$large" "$large" \
			"send GET /echo HTTP/1.1\r\nHost: server\r\n$1\r\n" \
			"send GET /echo HTTP/1.1\r\nHost: server\r\n$good\r\n\r\n" \
			read "save $work/first" read "save $work/second" status read
	done | script | paste -d ' ' - - - - | tally
}

for fields in "" "X-Filler: 0123456789012345678901234567890123456789\\r\\n"; do
	accessed_reset
	is "$(answers "$fields")" "$rounds 200 300000 200 300000 401 200 11" \
		"$rounds times: two whole responses, the denial, a response (${#fields} bytes of fields)"
	accessed_is $((3 * rounds)) "the service saw the allowed requests only"
	check "the last bodies are right" cmp "$work/first" "$work/web/www/300000"
	check "both" cmp "$work/second" "$work/web/www/300000"
done
tap_done
