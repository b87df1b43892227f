#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Each line of the verdict table by a real client, over IPv4 and IPv6, and who decided it as the counters tell.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

# judged FAMILY WHAT STATUS FIGURE=DELTA... -- CURL_ARGS: one request, its status and what it moved
judged() {
	local what="$1: $2" status=$3 expected=()
	shift 3
	while [ "$1" != -- ]; do
		expected+=("$1")
		shift
	done
	shift
	before
	is "$(curled "$@")" "$status" "$what: $status"
	after
	for pair in "${expected[@]}"; do
		is "${moved[${pair%=*}]-none}" "${pair#*=}" "$what: ${pair%=*} moves by ${pair#*=}"
	done
}

family() {
	local good wrong expired
	good=$(bearer "$(token "$1")")
	wrong=$(bearer "$(jwt "{\"sub\":\"$1\",\"exp\":99999999999}" another-secret)")
	expired=$(bearer "$(token "$1" -600)")
	judged "$1" "no token" 401 requests.denied.no_token=1 requests.asked=0 requests.allowed=0 -- /echo
	matches "$(<"$work/head")" '^WWW-Authenticate: Bearer' "$1: a 401 says what it wants"
	judged "$1" "good token, first" 200 requests.asked=1 requests.allowed=1 verdicts.entries=1 -- -H "$good" /echo
	is "$(<"$work/body")" "GET /echo " "$1: the service's own answer comes through"
	judged "$1" "good token, again" 200 requests.asked=0 requests.allowed=1 verdicts.hits=1 -- -H "$good" /echo
	judged "$1" "bad token, first" 403 requests.asked=1 requests.denied.bad_token=1 -- -H "$wrong" /echo
	matches "$(<"$work/head")" '^WWW-Authenticate: Bearer error="invalid_token"' "$1: a 403 says that the token is invalid"
	judged "$1" "bad token, again" 403 requests.asked=0 requests.denied.bad_token=1 verdicts.hits=1 -- -H "$wrong" /echo
	judged "$1" "expired token, first" 403 requests.asked=1 requests.denied.expired=1 -- -H "$expired" /echo
	judged "$1" "expired token, again" 403 requests.asked=0 requests.denied.expired=1 verdicts.hits=1 -- \
		-H "$expired" /echo
	for path in /healthz /metrics /ready /healthz/live '/healthz?x=/y'; do
		judged "$1" "exempt $path" 200 requests.allowed=1 requests.asked=0 -- "$path"
	done
	for path in /healthzX /healthz.html /read /Healthz; do
		judged "$1" "not exempt $path" 401 requests.denied.no_token=1 requests.allowed=0 -- "$path"
	done
	judged "$1" "basic credentials" 401 requests.denied.no_token=1 -- -u user:password /echo
}

net_up
server_start
mpbpf_load
accessed_reset
host=$server_ip family IPv4
host=$server_ip6 family IPv6
accessed_is 14 "the service saw the allowed requests and no other"
as_sent=0
for request in "${accesses[@]}"; do
	[[ ! $request =~ ^'GET /'(echo|healthz(/live|\?x=/y)?|metrics|ready)' 200 ' ]] || as_sent=$((as_sent + 1))
done
is "$as_sent" 14 "and each of them as it was sent"
tap_done
