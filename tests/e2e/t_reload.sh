#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A reload under load fails no request, holds at once and for all, and a bad one changes nothing.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
sandbox "$@"

net_up
server_start
config_write '.auth.base64_tokens = ["constant", "a"]'
mpbpf_load
is "$(http -H "$(bearer a)" /echo)" 200 "the first policy holds"

# Idle and kept since before the reloads.
mkfifo "$work/commands"
: >"$work/answers"
script <"$work/commands" >>"$work/answers" &
exec {kept}>"$work/commands"
kept_ask() {
	local n
	n=$(wc -l <"$work/answers")
	printf '%s\n' "send GET /echo HTTP/1.1\r\nHost: server\r\n$(bearer "$1")\r\n\r\n" read >&"$kept"
	wait_for 5 eval '[ "$(wc -l <"$work/answers")" -gt '"$n"' ]'
	tail -n 1 "$work/answers" | cut -d ' ' -f 1
}
echo "connect $server_ip 8080" >&"$kept"
is "$(kept_ask a)" 200 "on a kept connection too"

in_client "$tools/httpload" load "$server_ip" 8080 -c 4 -t 8 -H "$(bearer constant)" "/1000=$work/web/www/1000" \
	>"$work/load1" &
load1=$!
in_client "$tools/httpload" load "$server_ip6" 8080 -c 2 -t 8 -H "$(bearer "$(token steady)")" "/20000=$work/web/www/20000" \
	>"$work/load2" &
load2=$!
printf 'healthy\n' >"$work/healthy"
in_client "$tools/httpload" load "$server_ip" 8080 -c 2 -t 8 "/healthz=$work/healthy" \
	>"$work/load3" &
load3=$!

for i in 1 2 3 4 5; do
	config_write '.auth.base64_tokens = ["constant", "b"] | .auth.exempt_paths += ["/echo/open"]'
	check "reload $i" mpbpf reload --config "$config"
	is "$(http -H "$(bearer a)" /echo)" 403 "reload $i: the token that is gone is refused at once"
	is "$(http -H "$(bearer b)" /echo)" 200 "reload $i: the new one is good"
	is "$(http /echo/open)" 200 "reload $i: the new exempt path is open"
	is "$(kept_ask a)" 403 "reload $i: it holds on a kept connection"
	config_write '.auth.base64_tokens = ["constant", "a"]'
	check "reload $i back" mpbpf reload --config "$config"
	is "$(http -H "$(bearer a)" /echo)" 200 "reload $i back: the token is good again"
	is "$(http -H "$(bearer b)" /echo)" 403 "reload $i back: the other is refused"
	is "$(http /echo/open)" 401 "reload $i back: the path is closed"
	is "$(kept_ask a)" 200 "reload $i back: it holds on a kept connection"
done

cp "$config" "$work/good.json"
refuse() {
	local rc
	mpbpf reload --config "$2" >"$work/out" 2>&1
	rc=$?
	is "$rc" 2 "$1: exit status 2"
	matches "$(cat "$work/out")" "$3" "$1: the message says where"
	is "$(http -H "$(bearer a)" /echo)" 200 "$1: the policy in force stays in force"
}
echo '{"version": "1", "listeners": [' >"$work/cut.json"
refuse "a file cut short" "$work/cut.json" 'cut\.json'
jq '.listeners[0].port = 70000' "$work/good.json" >"$work/port.json"
refuse "a port out of range" "$work/port.json" 'port\.json.*listeners\[0\]\.port.*70000'
jq '.auth.jwt_secrte = "x"' "$work/good.json" >"$work/key.json"
refuse "an unknown key" "$work/key.json" 'key\.json.*jwt_secrte'

jq '.listeners += [{"name": "more", "port": 8081}]' "$work/good.json" >"$config"
check "a reload that adds a listener" mpbpf reload --config "$config"
nginx_start "$work/more" "$cgroup" 8081
port=8081
is "$(http /echo)" 401 "which is guarded from then on"
check "a reload that takes it away" mpbpf reload --config "$work/good.json"
is "$(http /echo)" 200 "which is guarded no more"

wait "$load1" "$load2" "$load3"
for n in 1 2 3; do
	matches "$(cat "$work/load$n")" '^requests=[0-9]{3,} errors=0 mismatched=0 connections=[24] 200=[0-9]+$' \
		"no request of load $n failed through all this"
done
exec {kept}>&-
tap_done
