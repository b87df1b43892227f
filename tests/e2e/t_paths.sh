#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# No spelling of a path gets through by an exempt path's rule that does not stand for that path.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

net_up
server_start
mpbpf_load
filler="X-Filler: 0123456789012345678901234567890123456789"

# ask FIELD TARGET...: the status of each, into `statuses`
ask() {
	local field=$1 target
	shift
	mapfile -t statuses < <(
		for target in "$@"; do
			printf '%s\n' "connect $server_ip 8080" "send GET $target HTTP/1.1\r\nHost: server\r\n$field\r\n\r\n" status
		done | script
	)
}

# judged WHAT REGEX TARGET...: `statuses` by their targets
judged() {
	local what=$1 regex=$2 i=0 target
	shift 2
	for target in "$@"; do
		matches "${statuses[i]-none}" "$regex" "${what/PATH/$target}"
		i=$((i + 1))
	done
}

others=(/healthz/../echo /healthz/../../echo /healthz/./../echo /healthz/%2e%2e/echo /healthz/.%2e/echo
	/healthz/%2E%2E/echo /healthz%2f..%2fecho /healthz/..%2fecho /healthz%2fx/../../echo //healthz/../echo
	/healthz//../echo /healthz/.././echo '/healthz\\..\\echo' '/healthz/..;/echo' '/healthz;/../echo'
	/healthz%00/../echo /healthz%5c../echo '/healthz%3b/../echo' /echo%2f..%2fhealthzX /healthz%252f..%252fX/../../echo
	'/healthz/x/../../echo?/healthz' '/echo?/healthz' '/echo;/healthz' '/echo/healthz' /xhealthz /healthz%58
	http://healthz/echo http://server/echo 'http://server/healthz/../echo' 'http://server/echo?/healthz'
	'http://healthz' '*' 'healthz' 'server:80' 'server/healthz' '/./echo' '/..')
accessed_reset
ask "$filler" "${others[@]}"
judged "no token, PATH: refused" '^(400|401)$' "${others[@]}"
accessed_is 0 "the service saw none of them"

# With a token the service may be asked, but only for what was judged: all that it sees is in canonical form.
forms=(/echo/../echo /%65cho /echo//x /echo/./x '/echo;x' /echo%20x /echo%2fx '/echo?%2e%2e/x' '/echo?a=//b/../c')
accessed_reset
ask "$(bearer "$(token paths)")" "${forms[@]}"
judged "good token, PATH: judged" '^(200|404|400)$' "${forms[@]}"
served=0
for status in "${statuses[@]}"; do
	[ "$status" = 400 ] || served=$((served + 1))
done
accessed_is "$served" "the service saw those that were not 400"

# What is but another spelling of an exempt path may be exempt or not, never an error of ours.
spellings=(/%68ealthz /healthz/ /./healthz /x/../healthz //healthz http://server/healthz)
ask "$filler" "${spellings[@]}" /healthz
judged "no token, PATH: judged" '^(200|404|400|401)$' "${spellings[@]}"
is "${statuses[-1]}" 200 "the path itself is exempt still"
tap_done
