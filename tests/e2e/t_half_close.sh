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
tap_done
