#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A reload under load fails no request, holds at once and for all, and a bad one changes nothing.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

net_up
server_start
config_write 'auth.base64_tokens=["constant", "a"]'
mpbpf_load
a=$(bearer a) b=$(bearer b)
is "$(http -H "$a" /echo)" 200 "the first policy holds"

# Idle and kept since before the reloads.
session kept "connect $server_ip 8080"
asked=0
kept_is() {
	local answers
	session kept "send GET /echo HTTP/1.1\r\nHost: server\r\n$a\r\n\r\n" status
	asked=$((asked + 1))
	wait_for 5 answered
	mapfile -t answers <"$work/kept"
	is "${answers[asked - 1]-none}" "$1" "$2"
}
answered() {
	local answers
	mapfile -t answers <"$work/kept"
	[ "${#answers[@]}" -ge "$asked" ]
}
kept_is 200 "on a kept connection too"

load_start load1 "$server_ip" 8080 -c 4 -p 10 -H "$(bearer constant)" "/1000=$work/web/www/1000"
load_start load2 "$server_ip6" 8080 -c 2 -p 10 -H "$(bearer "$(token steady)")" "/20000=$work/web/www/20000"
printf 'healthy\n' >"$work/healthy"
load_start load3 "$server_ip" 8080 -c 2 -p 10 "/healthz=$work/healthy"

for i in 1 2 3 4 5; do
	config_write 'auth.base64_tokens=["constant", "b"]' 'auth.exempt_paths=["/healthz", "/metrics", "/ready", "/echo/open"]'
	check "reload $i" mpbpf reload --config "$config"
	is "$(http -H "$a" /echo)" 403 "reload $i: the token that is gone is refused at once"
	is "$(http -H "$b" /echo)" 200 "reload $i: the new one is good"
	is "$(http /echo/open)" 200 "reload $i: the new exempt path is open"
	kept_is 403 "reload $i: it holds on a kept connection"
	config_write 'auth.base64_tokens=["constant", "a"]'
	check "reload $i back" mpbpf reload --config "$config"
	is "$(http -H "$a" /echo)" 200 "reload $i back: the token is good again"
	is "$(http -H "$b" /echo)" 403 "reload $i back: the other is refused"
	is "$(http /echo/open)" 401 "reload $i back: the path is closed"
	kept_is 200 "reload $i back: it holds on a kept connection"
done

# refuse WHAT FILE REGEX [MEMBER=JSON]...: a configuration of that name
refuse() {
	local config=$work/$2
	[ $# -lt 4 ] || config_write "${@:4}"
	mpbpf reload --config "$config" >"$work/out" 2>&1
	is $? 2 "$1: exit status 2"
	matches "$(<"$work/out")" "$3" "$1: the message says where"
	is "$(http -H "$a" /echo)" 200 "$1: the policy in force stays in force"
}
echo '{"version": "1", "listeners": [' >"$work/cut.json"
refuse "a file cut short" cut.json 'cut\.json'
refuse "a port out of range" port.json 'port\.json.*listeners\[0\]\.port.*70000' 'listeners=[{"name": "web", "port": 70000}]'
refuse "an unknown key" key.json 'key\.json.*jwt_secrte' 'auth.jwt_secrte="x"'

config_write 'auth.base64_tokens=["constant", "a"]' \
	'listeners=[{"name": "web", "port": 8080}, {"name": "more", "port": 8081}]'
check "a reload that adds a listener" mpbpf reload --config "$config"
nginx_start "$work/more" "$cgroup" 8081
port=8081
is "$(http /echo)" 401 "which is guarded from then on"
config_write 'auth.base64_tokens=["constant", "a"]'
check "a reload that takes it away" mpbpf reload --config "$config"
is "$(http /echo)" 200 "which is guarded no more"

for n in 1 2 3; do
	load_end "load$n"
	matches "$(<"$work/load$n")" '^requests=[0-9]{2,} errors=0 mismatched=0 connections=[24] 200=[0-9]+$' \
		"no request of load $n failed through all this"
done
tap_done
