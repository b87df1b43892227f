#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Loaded without an agent: what needs none is decided, what needs one is 503; status and stats say how it stands.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
sandbox "$@"

net_up
server_start
mpbpf_load --no-agent
is "$(agent_pids)" "" "no agent runs"
is "$(http /echo)" 401 "no token: 401"
is "$(http /healthz)" 200 "exempt path: 200"
is "$(http -H "$(bearer static-token-1)" /echo)" 503 "a token: 503"
is "$(script <<-END | cut -d ' ' -f 1
	connect $server_ip 8080
	send GET /echo HTTP/1.1\r\nHost: server\r\nX-Filler: 012345678901234567890123456789
	pause 50
	send 0123456789\r\n\r\n
	read
END
)" 503 "a cut head: 503"
is "$(figure requests.denied.helper_down)" 2 "both are counted"
accessed_is 1 "the service saw the exempt one"
check "status works" mpbpf status
matches "$(mpbpf status)" 'eth0' "status names the interface"
check "status --json is JSON" jq -e 'type == "object"' <(mpbpf status --json)
keys='["connections","requests","verdicts","xdp"]'
is "$(stats | jq -c '[keys[] | select(IN("xdp", "requests", "verdicts", "connections"))]')" "$keys" \
	"stats --json has the promised parts"
is "$(stats | jq -c '[.xdp.dropped | has("rate_limit", "denied", "malformed", "syn_guard")] | all')" true \
	"with the drop reasons"
is "$(stats | jq -c '[.requests.denied | has("bad_request", "no_token", "bad_token", "expired", "feature",
	"proxy_count", "rate", "helper_down")] | all')" true "and the denials"
agent_start
wait_for 10 eval '[ "$(http -H "$(bearer static-token-1)" /echo)" = 200 ]'
is "$(http -H "$(bearer static-token-1)" /echo)" 200 "an agent that comes later serves"
check "unload" mpbpf unload
tap_done
