#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Methods and versions that are out of the ordinary: OPTIONS, also of the server as a whole, CONNECT, HTTP/1.0 with and without keep-alive.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

net_up
server_start
mpbpf_load
static=$(bearer static-token-1)
tokens_read 9 method
http -H "$static" /echo >/dev/null
n=0

# talk WANT WHAT LINE...: a connection of its own, its answers in one line
talk() {
	is "$(printf '%s\n' "connect $server_ip 8080" "${@:3}" | script | joined)" "$1" "$2"
}

filler="X-Filler: $(printf 'y%.0s' {1..120})"
get="GET /echo HTTP/1.0\\r\\nHost: server"
before
accessed_reset
for kind in cached new; do
	n=$((n + 1))
	auth=$static
	[ $kind = cached ] || auth=$(bearer "${tokens[n]}")
	talk "405 200" "OPTIONS, $kind token: the service's answer, and the connection goes on" \
		"send OPTIONS /1000 HTTP/1.1\\r\\nHost: server\\r\\n$auth\\r\\n\\r\\n" status \
		"send GET /1000 HTTP/1.1\\r\\nHost: server\\r\\n$auth\\r\\n\\r\\n" status
done
is "$(accessed_with OPTIONS)" 2 "the service saw both"
talk "401 200" "OPTIONS without a token, and the connection goes on" \
	"send OPTIONS /1000 HTTP/1.1\\r\\nHost: server\\r\\n$filler\\r\\n\\r\\n" status \
	"send GET /1000 HTTP/1.1\\r\\nHost: server\\r\\n$static\\r\\n\\r\\n" status
accessed_reset
talk "401" "OPTIONS * without a token" "send OPTIONS * HTTP/1.1\\r\\nHost: server\\r\\n$filler\\r\\n\\r\\n" status
accessed_is 0 "the service saw nothing"
# This service knows no such target.
talk "400" "OPTIONS * with a token: the service's answer" \
	"send OPTIONS * HTTP/1.1\\r\\nHost: server\\r\\n$static\\r\\n\\r\\n" status "save $work/body"
matches "$(<"$work/body")" nginx "which is its own"
accessed_is 1 "and logged, when the connection is over"

accessed_reset
for target in server:443 /echo; do
	matches "$(printf '%s\n' "connect $server_ip 8080" \
		"send CONNECT $target HTTP/1.1\\r\\nHost: server\\r\\n$static\\r\\n\\r\\nGET /echo/behind HTTP/1.1\\r\\nHost: server\\r\\n$static\\r\\n\\r\\n" \
		status 'field Connection' eof | script | joined)" '^400 close (eof|reset)$' \
		"CONNECT $target is refused, whoever asks, and ends the connection"
done
accessed_is 0 "the service saw neither it nor what came behind it"

for kind in cached new; do
	n=$((n + 1))
	auth=$static
	[ $kind = cached ] || auth=$(bearer "${tokens[n]}")
	talk "200 close eof" "HTTP/1.0, $kind token: the service ends the connection" "send $get\\r\\n$auth\\r\\n\\r\\n" status \
		'field Connection' eof
	talk "200 keep-alive 200 close eof" "HTTP/1.0 with keep-alive, $kind token: it stays" \
		"send $get\\r\\nConnection: keep-alive\\r\\n$auth\\r\\n\\r\\n" status 'field Connection' \
		"send $get\\r\\n$auth\\r\\n\\r\\n" status 'field Connection' eof
done
talk "200 401 200" "and a denial between is in its place" \
	"send $get\\r\\nConnection: keep-alive\\r\\n$static\\r\\n\\r\\n" status \
	"send $get\\r\\nConnection: keep-alive\\r\\n$filler\\r\\n\\r\\n" status \
	"send $get\\r\\nConnection: keep-alive\\r\\n$static\\r\\n\\r\\n" status
talk "401" "HTTP/1.0 without Host and token" "send GET /echo HTTP/1.0\\r\\n$filler\\r\\n\\r\\n" status
talk "200" "HTTP/1.0 needs no Host" "send GET /echo HTTP/1.0\\r\\n$static\\r\\n\\r\\n" status
tap_done
