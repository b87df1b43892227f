#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Denials wait for their turn in a send buffer that is full because the client does not read: none is lost, cut or doubled,
# and half an answer is followed by its other half or by the end.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

count=$(scaled 400 200)
net_up
nginx_start "$work/web" "$cgroup" '8080 sndbuf=4096'
access_log=$work/web/access.log
mpbpf_load
static=$(bearer static-token-1)
tokens_read 1 user
# Too short for an answer of the kernel's own: the helper gives it.
request="GET /echo HTTP/1.1\\r\\nHost: server\\r\\n"
http -H "$static" /echo >/dev/null

# flood NAME COUNT: a session that asks so often and reads nothing
flood() {
	before
	session "$1" "receive 2304" "connect $server_ip 8080" "repeat $2 $request\\r\\n"
	wait_for 5 moved_is requests.denied.no_token -ge 1
	pause 300
}

# answers NAME COUNT: reads so many answers, which ends the session; `got` says how often each came
answers() {
	session "$1" "times $2 read"
	session_end "$1"
	got=$(tally <"$work/$1")
}

accessed_reset
flood all $count
session all "send $request$static\\r\\n\\r\\n"
pause 200
answers all $((count + 1))
is "$got" "$count 401 0 1 200 11" "$count denials read late, all there, and the request behind them"
is "$(moved requests.denied.no_token)" $count "each was counted once"
accessed_is 1 "the service saw the allowed request only"

accessed_reset
flood reloaded $count
config_write auth.require_auth=false
check "a reload while an answer is half out" mpbpf reload --config "$config"
answers reloaded $count
matches "$got" '^[0-9]+ 401 0 [0-9]+ 200 11$' "what was denied stays so, the rest is judged by the new policy"
denied=${got%% *}
is "$(moved requests.denied.no_token)" "$denied" "all that was denied was answered so"
accessed_is $((count - denied)) "the service saw the rest"

config_write
check "the first policy again" mpbpf reload --config "$config"
flood killed 150
agent_kill 2>/dev/null
# This one is long enough for an answer of the kernel's own, which must not follow half another.
session killed "send $request$(printf 'X-Filler: %0300d' 0)\\r\\n\\r\\n" "timeout 30"
answers killed 150
matches "$got" '^[0-9]+ 401 0( [0-9]+ (timeout|cut|closed))*$' \
	"the agent dies over half an answer: only whole ones are read"
agent_start
wait_for 10 http_is 200 -H "$(bearer "${tokens[1]}")" /echo
is "$(http -H "$static" /echo)" 200 "others are served"
wait_for 5 figure_is connections.open -eq 0
is "$(figure connections.open)" 0 "no connection is left"
tap_done
