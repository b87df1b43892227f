#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Loaded without an agent: what needs none is decided, what needs one is 503; status and stats say how it stands.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

net_up
server_start
mpbpf_load --no-agent
is "$(agent_pids)" "" "no agent runs"
is "$(http /echo)" 401 "no token: 401"
is "$(http /healthz)" 200 "exempt path: 200"
is "$(http -H "$(bearer static-token-1)" /echo)" 503 "a token: 503"
is "$(script <<-END
	connect $server_ip 8080
	send GET /echo HTTP/1.1\r\nHost: server\r\nX-Filler: 012345678901234567890123456789
	pause 50
	send 0123456789\r\n\r\n
	status
END
)" 503 "a cut head: 503"
is "$(figure requests.denied.helper_down)" 2 "both are counted"
accessed_is 1 "the service saw the exempt one"
check "status works" mpbpf status
matches "$(mpbpf status)" 'eth0' "status names the interface"
check "status --json is JSON" jq -e 'type == "object"' <(mpbpf status --json)

# The other cases read the counters off the lines of `mpbpf stats`; here those lines are held against the JSON.
# A packet may come between two readings: those count between which none did.
for _ in {1..20}; do
	stats >"$work/stats.json"
	figures_read figures
	stats >"$work/again.json"
	! cmp -s "$work/stats.json" "$work/again.json" || break
done
is "$(jq -c '[
	[keys[] | select(IN("xdp", "requests", "verdicts", "connections"))] == ["connections", "requests", "verdicts", "xdp"],
	([.xdp.dropped | has("rate_limit", "denied", "malformed", "syn_guard")] | all),
	([.requests.denied | has("bad_request", "no_token", "bad_token", "expired", "feature", "proxy_count", "rate",
		"helper_down")] | all)]' "$work/stats.json")" '[true,true,true]' \
	"stats --json has the promised parts, with the drop reasons and the denials"
is "$(for path in "${!figures[@]}"; do echo "$path ${figures[$path]}"; done | sort)" \
	"$(jq -r 'paths(type == "number") as $p | "\($p | join(".")) \(getpath($p))"' "$work/stats.json" | sort)" \
	"stats without --json says the same, figure by figure"
is "${figures[requests.denied.no_token]} ${figures[requests.allowed]} ${figures[connections.guarded]}" "1 1 4" \
	"and what it says is so"
agent_start
wait_for 10 http_is 200 -H "$(bearer static-token-1)" /echo
is "$(http -H "$(bearer static-token-1)" /echo)" 200 "an agent that comes later serves"

# An agent that starts while a reload is under way: it has to serve what that puts in force. The reload has read its file, and
# waits for another publisher.
agent_kill
publishers_wait() {
	grep -q -- '-> FLOCK' /proc/locks
}
flock -o "$pin_root/maps" sleep 1000 &
publisher=$!
config_write 'auth.base64_tokens=["later"]'
mv "$config" "$work/later.json"
mpbpf reload --config "$work/later.json" >"$work/out" 2>&1 &
reload=$!
check "a reload without an agent is under way" wait_for 10 publishers_wait
in_cgroup "$cgroup" "$build/mpbpfd" --pin-root "$pin_root" --cgroup "$cgroup" >>"$log" 2>&1 </dev/null &
pause 500
kill "$publisher"
wait "$reload"
is $? 0 "it ends well"
wait_for 10 http_is 200 -H "$(bearer later)" /echo
is "$(http -H "$(bearer later)" /echo) $(http -H "$(bearer static-token-1)" /echo)" "200 403" "the agent that was starting serves what it put in force"
check "unload" mpbpf unload
tap_done
