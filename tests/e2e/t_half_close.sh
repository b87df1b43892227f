#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A client that closes its side right behind its request still gets the answer.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

net_up
server_start
mpbpf_load
filler="X-Filler: 0123456789012345678901234567890123456789"
static=$(bearer static-token-1)
tokens_read 3 unknown

cut="GET /echo HTTP/1.1\\r\\nHost: server\\r\\n"
# This one is waited for, 10 s long, beside all the others.
session late "connect $server_ip 8080" "send $cut"

# last WHAT WANT TARGET FIELD
last() {
	local i
	for i in 1 2 3; do
		is "$(script <<-END
			connect $server_ip 8080
			send GET $3 HTTP/1.1\r\nHost: server\r\n$4\r\n\r\n
			shutdown
			read
			eof
		END
		)" "$2"$'\neof' "$1 ($i)"
	done
}

last "no token" "401 0" /echo "$filler"
last "exempt path" "200 8" /healthz "$filler"
http -H "$static" /echo >/dev/null
last "cached token" "200 11" /echo "$static"
for i in 1 2 3; do
	is "$(script <<-END
		connect $server_ip 8080
		send GET /echo HTTP/1.1\r\nHost: server\r\n$(bearer "${tokens[i]}")\r\n\r\n
		shutdown
		read
	END
	)" "200 11" "unknown token ($i)"
	is "$(script <<-END
		connect $server_ip 8080
		send GET /echo HTTP/1.1\r\nHost: server\r\n
		send $static\r\n\r\n
		shutdown
		read
	END
	)" "200 11" "cut head ($i)"
done

# What nothing comes to complete is not waited for; but the responses before it are.
large="GET /300000 HTTP/1.1\\r\\nHost: server\\r\\n$static\\r\\n\\r\\n"

# half DESCRIPTION WANT LINE...: a client that reads late
half() {
	local what=$1 want=$2
	shift 2
	is "$(printf '%s\n' 'receive 4096' 'timeout 5000' "connect $server_ip 8080" "$@" "pause $((1500 / pace))" read read | script | joined)" \
		"$want" "$what"
}

half "half a head, then the end" "408 0 closed" "send $cut" shutdown
half "half a head and the end" "408 0 closed" "last $cut"
half "half a head behind a request whose response is long, then the end" "200 300000 408 0" "send $large$cut" shutdown
half "half a head and the end behind such a request" "200 300000 408 0" "last $large$cut"
half "half a head in a segment of its own with the end" "200 300000 408 0" "send $large" "last $cut"
session late "timeout 15000" read
session_end late
is "$(<"$work/late")" "408 0" "half a head that is not ended in time"
tap_done
