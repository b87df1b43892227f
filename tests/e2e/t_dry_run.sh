#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# "enforce": false: everything is decided and counted, and nothing is denied, malformed requests included.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

net_up
server_start
config_write 'listeners=[{"name": "web", "port": 8080, "enforce": false}]' 'license.current_proxies=0' \
	'request_limits=[{"name": "one", "per": "token", "rate": 0.001, "burst": 1, "prefix": "/echo/limited"}]'
mpbpf_load
good=$(bearer "$(token good)")
wrong=$(bearer wrong)

before
accessed_reset
is "$(http /echo)" 200 "no token"
is "$(http -H "$wrong" /echo)" 200 "a bad token, from the helper"
is "$(http -H "$wrong" /echo)" 200 "a bad token, from the cache"
is "$(http -H "$(bearer "$(token old -1000)")" /echo)" 200 "an expired one"
is "$(http -H "$good" /api/v1/tracing)" 404 "a path that is not licensed"
is "$(http -H "$good" /echo/limited)" 200 "within a limit"
is "$(http -H "$good" /echo/limited)" 200 "over it"
is "$(http -H "$good" /echo)" 200 "a good one"
is "$(http /healthz)" 200 "an exempt path"
is "$(curled --data-binary abc -X PUT /dav/x)" 201 "a body without a token"
after
for pair in no_token=2 bad_token=2 expired=1 feature=1 rate=1; do
	is "${moved[requests.would_be_denied.${pair%=*}]-none}" "${pair#*=}" "counted: $pair"
done
is "${moved[requests.allowed]}" 10 "all are among the allowed"
denied=0
for path in "${!moved[@]}"; do
	[[ $path != requests.denied.* ]] || denied=$((denied + moved[$path]))
done
is "$denied" 0 "nothing was denied"
accessed_is 10 "the service saw all"

# The service itself answers what is malformed: 400, and its own page.
is "$(http -H "$good" -H 'Transfer-Encoding : chunked' /echo)" 400 "a malformed request"
matches "$(<"$work/body")" nginx "is the service's to refuse"
is "$(moved requests.would_be_denied.bad_request)" 1 "counted: bad request"
is "$(script <<-END
	connect $server_ip 8080
	last GET /echo HTTP/1.1\r\nHost: server\r\n
	read
END
)" closed "so is half a head with the end of the connection"
is "$(moved requests.would_be_denied.timeout)" 1 "counted: timeout"


# The helper finds this one, whose head comes in two.
before
is "$(script <<-END
	connect $server_ip 8080
	send PUT /dav/x HTTP/1.1\r\nHo
	pause 50
	send st: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n
	status
	save $work/body
END
)" 400 "a chunk without a size"
matches "$(<"$work/body")" nginx "is the service's to refuse as well"
is "$(moved requests.would_be_denied.bad_request)" 1 "counted: bad request"

agent_kill
is "$(http -H "$(bearer "$(token unknown)")" /echo)" 200 "without an agent an unknown token passes"
is "$(moved requests.would_be_denied.helper_down)" 1 "counted: no helper"

config_write
agent_start
check "enforced by the next configuration" wait_for 10 http_is 401 /echo
tap_done
