#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# "enforce": false: everything is decided and counted, and nothing is denied, malformed requests included.
. "$(dirname "$0")/lib.sh"
sandbox "$@"

net_up
server_start
config_write '.listeners[0].enforce = false | .license = {"current_proxies": 0} |
	.request_limits = [{"name": "one", "per": "token", "rate": 0.01, "burst": 1, "prefix": "/echo/limited"}]'
mpbpf_load
good=$(token good)

before
accessed_reset
is "$(http /echo)" 200 "no token"
is "$(http -H "$(bearer wrong)" /echo)" 200 "a bad token, from the helper"
is "$(http -H "$(bearer wrong)" /echo)" 200 "a bad token, from the cache"
is "$(http -H "$(bearer "$(token old -1000)")" /echo)" 200 "an expired one"
is "$(http -H "$(bearer "$good")" /api/v1/tracing)" 404 "a path that is not licensed"
is "$(http -H "$(bearer "$good")" /echo/limited)" 200 "within a limit"
is "$(http -H "$(bearer "$good")" /echo/limited)" 200 "over it"
is "$(http -H "$(bearer "$good")" /echo)" 200 "a good one"
is "$(http /healthz)" 200 "an exempt path"
is "$(http --data-binary abc -X PUT /dav/x)" 201 "a body without a token"
is "$(moved requests.would_be_denied.no_token)" 2 "counted: no token"
is "$(moved requests.would_be_denied.bad_token)" 2 "counted: bad token"
is "$(moved requests.would_be_denied.expired)" 1 "counted: expired"
is "$(moved requests.would_be_denied.feature)" 1 "counted: feature"
is "$(moved requests.would_be_denied.rate)" 1 "counted: rate"
is "$(moved requests.allowed)" 10 "all are among the allowed"
is "$(stats | jq '[.requests.denied[]] | add')" 0 "nothing was denied"
accessed_is 10 "the service saw all"

# The service itself answers what is malformed: 400, and its own page.
is "$(http -H "$(bearer "$good")" -H 'Transfer-Encoding : chunked' /echo)" 400 "a malformed request"
matches "$(cat "$work/body")" nginx "is the service's to refuse"
is "$(moved requests.would_be_denied.bad_request)" 1 "counted: bad request"

agent_kill
is "$(http -H "$(bearer "$(token unknown)")" /echo)" 200 "without an agent an unknown token passes"
is "$(moved requests.would_be_denied.helper_down)" 1 "counted: no helper"

config_write '.'
agent_start
wait_for 10 eval '[ "$(http /echo)" = 401 ]'
is "$(http /echo)" 401 "enforced by the next configuration"
tap_done
