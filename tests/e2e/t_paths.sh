#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# No spelling of a path gets through by an exempt path's rule that does not stand for that path.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
sandbox "$@"

net_up
server_start
mpbpf_load
filler="X-Filler: 0123456789012345678901234567890123456789"

# ask TARGET FIELD: the status
ask() {
	script <<-END | head -n 1 | cut -d ' ' -f 1
		connect $server_ip 8080
		send GET $1 HTTP/1.1\r\nHost: server\r\n$2\r\n\r\n
		read
	END
}

accessed_reset
for target in /healthz/../echo /healthz/../../echo /healthz/./../echo /healthz/%2e%2e/echo /healthz/.%2e/echo \
	/healthz/%2E%2E/echo /healthz%2f..%2fecho /healthz/..%2fecho /healthz%2fx/../../echo //healthz/../echo \
	/healthz//../echo /healthz/.././echo '/healthz\\..\\echo' '/healthz/..;/echo' '/healthz;/../echo' \
	/healthz%00/../echo /healthz%5c../echo '/healthz%3b/../echo' /echo%2f..%2fhealthzX /healthz%252f..%252fX/../../echo \
	'/healthz/x/../../echo?/healthz' '/echo?/healthz' '/echo;/healthz' '/echo/healthz' /xhealthz /healthz%58 \
	http://healthz/echo http://server/echo 'http://server/healthz/../echo' 'http://server/echo?/healthz' \
	'http://healthz' '*' 'healthz' 'server:80' 'server/healthz' '/./echo' '/..'; do
	matches "$(ask "$target" "$filler")" '^(400|401)$' "no token, $target: refused"
done
accessed_is 0 "the service saw none of them"

# With a token the service may be asked, but only for what was judged: all that it sees is in canonical form.
auth=$(bearer "$(token paths)")
accessed_reset
served=0
for target in /echo/../echo /%65cho /echo//x /echo/./x '/echo;x' /echo%20x /echo%2fx '/echo?%2e%2e/x' '/echo?a=//b/../c'; do
	status=$(ask "$target" "$auth")
	matches "$status" '^(200|404|400)$' "good token, $target: judged"
	[ "$status" = 400 ] || served=$((served + 1))
done
accessed_is "$served" "the service saw those that were not 400"

# What is but another spelling of an exempt path may be exempt or not, never an error of ours.
for target in /%68ealthz /healthz/ /./healthz /x/../healthz //healthz http://server/healthz; do
	matches "$(ask "$target" "$filler")" '^(200|404|400|401)$' "no token, $target: judged"
done
is "$(ask /healthz "$filler")" 200 "the path itself is exempt still"
tap_done
