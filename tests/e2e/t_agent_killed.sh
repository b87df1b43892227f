#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# SIGKILL to the agent under load: cached verdicts go on, all else is 503, and a new agent heals it.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
sandbox "$@"

net_up
server_start
mpbpf_load
known=$(token known)
bad=$(jwt '{"sub":"bad"}' another-secret)
is "$(http -H "$(bearer "$known")" /echo)" 200 "a token becomes known"
is "$(http -H "$(bearer "$bad")" /echo)" 403 "and a bad one too"

in_client "$tools/httpload" load "$server_ip" 8080 -c 4 -t 6 -H "$(bearer "$known")" "/20000=$work/web/www/20000" \
	>"$work/load" &
load=$!

# Connections that the helper holds bytes of when it dies.
half() {
	script <<-END
		timeout 15000
		connect $server_ip 8080
		send $1
		pause 2000
		send $2
		read
		$3
	END
}
filler=$(head -c 120 /dev/zero | tr '\0' x)
half 'GET /echo/half HTTP/1.1\r\nHost: ser' "ver\r\nX-Filler: $filler\r\n\r\n" close >"$work/long" &
long=$!
half "PUT /dav/half HTTP/1.1\r\nHost: server\r\nContent-Length: 100000\r\n$(bearer "$known")\r\n" '\r\n0123456789' eof \
	>"$work/short" &
short=$!
wait_for 2 eval '[ "$(figure connections.open)" -ge 6 ]'

agent_kill
before
for i in 1 2 3; do
	is "$(http -H "$(bearer "$known")" /echo)" 200 "no agent: a known token is served ($i)"
	is "$(http -H "$(bearer "$bad")" /echo)" 403 "no agent: a known bad token is 403 ($i)"
	is "$(http /echo)" 401 "no agent: no token is 401 ($i)"
	is "$(http /healthz)" 200 "no agent: an exempt path is served ($i)"
	is "$(http -H "$(bearer "$(token "unknown $i")")" /echo)" 503 "no agent: an unknown token is 503 ($i)"
done
# The two connections above may have come to theirs already.
between "$(moved requests.denied.helper_down)" 3 5 "the 503s are counted"
wait "$long"
matches "$(paste -sd ' ' "$work/long")" '^503 [0-9]+$' "no agent: a head that was half with the dead one is 503"

agent_start
wait_for 10 eval '[ "$(http -H "$(bearer "$(token "new")")" /echo)" = 200 ]'
is "$(http -H "$(bearer "$(token "after")")" /echo)" 200 "a new agent heals it without a reload"
is "$(http -H "$(bearer "$bad")" /echo)" 403 "bad tokens stay bad"
wait "$short"
matches "$(paste -sd ' ' "$work/short")" '^(503 [0-9]+|closed) (eof|reset)$' \
	"a connection that could not be answered in its length is closed by the new agent"
is "$(agent_pids | wc -l)" 1 "one agent runs"

wait "$load"
matches "$(cat "$work/load")" '^requests=[0-9]{4,} errors=0 mismatched=0 connections=4 200=[0-9]+$' \
	"the load with a known token never noticed"
is "$(accessed | grep -c half)" 0 "nothing of the half requests reached the service"
tap_done
