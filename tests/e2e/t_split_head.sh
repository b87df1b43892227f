#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A head that comes in two segments, cut anywhere, is judged as if it came in one.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

# split WHAT STATUS SERVED REQUEST: cut at every byte, first on new connections, then on one that is kept where possible
split() {
	local n
	printf '%b' "$4" >"$work/request"
	n=$(($(stat -c %s "$work/request") - 1))
	accessed_reset
	is "$(in_client "$tools/httpload" split "$server_ip" 8080 "$work/request")" \
		"closed=0 timeout=0 garbled=0 $2=$n" "$1: $2 wherever it is cut"
	accessed_is $((n * $3)) "$1: the service saw $((n * $3)) requests"
	accessed_reset
	is "$(in_client "$tools/httpload" split "$server_ip" 8080 "$work/request" keep)" \
		"closed=0 timeout=0 garbled=0 $2=$n" "$1: and so on a kept connection"
	accessed_is $((n * $3)) "$1: the service saw $((n * $3)) requests again"
}

net_up
server_start
mpbpf_load
auth=$(bearer "$(token split)")
bad=$(bearer "$(jwt '{"sub":"split"}' another-secret)")
split "good token" 200 1 "GET /echo HTTP/1.1\r\nHost: server\r\n$auth\r\nX-Id: 1\r\n\r\n"
split "POST with a body" 200 1 \
	"POST /echo HTTP/1.1\r\n$auth\r\nHost: server\r\nContent-Length: 26\r\n\r\nabcdefghijklmnopqrstuvwxyz"
split "no token" 401 0 \
	"GET /echo HTTP/1.1\r\nHost: server\r\nX-Filler: 0123456789012345678901234567890123456789\r\n\r\n"
split "bad token" 403 0 "GET /echo HTTP/1.1\r\nHost: server\r\n$bad\r\n\r\n"
split "exempt path" 200 1 "GET /healthz HTTP/1.1\r\nHost: server\r\n\r\n"

accessed_reset
is "$(script <<-END
	connect $server_ip 8080
	pieces 1 GET /echo HTTP/1.1\r\nHost: server\r\n$auth\r\n\r\n
	read
END
)" "200 11" "one byte a segment: 200"
accessed_is 1 "the service saw that one request"
tap_done
