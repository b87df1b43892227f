#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# SIGKILL to the agent under load: cached verdicts go on, all else is 503, and a new agent heals it.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

net_up
server_start
mpbpf_load
known=$(bearer "$(token known)")
bad=$(bearer "$(jwt '{"sub":"bad"}' another-secret)")
tokens_read 5 unknown
is "$(http -H "$known" /echo)" 200 "a token becomes known"
is "$(http -H "$bad" /echo)" 403 "and a bad one too"
load_start load "$server_ip" 8080 -c 4 -p 10 -H "$known" "/20000=$work/web/www/20000"

# Connections that the helper holds bytes of when it dies.
before
session long "connect $server_ip 8080" 'send GET /echo/half HTTP/1.1\r\nHost: ser'
session short "connect $server_ip 8080" \
	"send PUT /dav/half HTTP/1.1\r\nHost: server\r\nContent-Length: 100000\r\n$known\r\n"
check "the helper is given the halves of two heads" wait_for 2 moved_is requests.asked -eq 2

agent_kill
before
for i in 1 2 3; do
	is "$(http -H "$known" /echo)" 200 "no agent: a known token is served ($i)"
	is "$(http -H "$bad" /echo)" 403 "no agent: a known bad token is 403 ($i)"
	is "$(http /echo)" 401 "no agent: no token is 401 ($i)"
	is "$(http /healthz)" 200 "no agent: an exempt path is served ($i)"
	is "$(http -H "$(bearer "${tokens[i]}")" /echo)" 503 "no agent: an unknown token is 503 ($i)"
done
is "$(moved requests.denied.helper_down)" 3 "the 503s are counted"
filler=$(printf 'x%.0s' {1..120})
session long "send ver\r\nX-Filler: $filler\r\n\r\n" read
session_end long
matches "$(cat "$work/long")" '^503 [0-9]+$' "no agent: a head that was half with the dead one is 503"
session short 'send \r\n0123456789' 'timeout 15000' read eof

agent_start
wait_for 10 http_is 200 -H "$(bearer "${tokens[4]}")" /echo
is "$(http -H "$(bearer "${tokens[5]}")" /echo)" 200 "a new agent heals it without a reload"
is "$(http -H "$bad" /echo)" 403 "bad tokens stay bad"
session_end short
matches "$(joined <"$work/short")" '^(503 [0-9]+|closed) (eof|reset)$' \
	"a connection that could not be answered in its length is closed by the new agent"
agents_read
is "${#agents[@]}" 1 "one agent runs"

load_end load
matches "$(cat "$work/load")" '^requests=[0-9]{2,} errors=0 mismatched=0 connections=4 200=[0-9]+$' \
	"the load with a known token never noticed"
is "$(accessed_with half)" 0 "nothing of the half requests reached the service"
tap_done
