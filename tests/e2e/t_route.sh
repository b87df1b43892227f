#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# mpbpf route: which rule, cluster and endpoint, and why none; of a file, and of the configuration in force.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

services='services=[
	{"name": "one", "hosts": ["10.0.1.1", "10.0.1.2"], "port": 80, "weights": [3, 1], "policy": "source_hash"},
	{"name": "two", "hosts": ["two.internal"], "port": 81}]'
routes='routes=[
	{"name": "api", "prefix": "/api", "cluster_name": "one", "hosts": ["api.example.com"], "timeout": 5},
	{"name": "rest", "prefix": "/", "cluster_name": "two", "hosts": ["*.example.com"]}]'
gateways=$work/gateways.json
config_write "$services" "$routes" 'listeners=[
	{"name": "guard", "port": 8080},
	{"name": "web", "port": 8081, "mode": "gateway"},
	{"name": "egress", "port": 3128, "mode": "gateway", "protocol": "tcp"}]' 'source_routes=[
	{"listener": "egress", "match": {"mod": 4, "equals": 1}, "cluster_name": "two"},
	{"listener": "egress", "match": {"cidr": "10.0.0.0/8"}, "cluster_name": "two"},
	{"name": "lab", "listener": "egress", "match": {"cidr": "10.1.0.0/16"}, "cluster_name": "one"}]'
mv "$config" "$gateways"

# ask ARGUMENTS: mpbpf route, which reads a file and needs no namespace
ask() {
	"$build/mpbpf" route "$@"
}

# route STATUS WANT DESCRIPTION ARGUMENTS: what of the answer matters, as JSON
route() {
	local status=$1 want=$2 what=$3 rc
	shift 3
	ask test --config "$gateways" --json "$@" >"$work/answer" 2>>"$log"
	rc=$?
	is "$rc $(jq -c '[.cluster, .by, .rule.index, .why, [.endpoints[] | select(.picked).host]]' "$work/answer")" \
		"$status $want" "$what"
}

# refused REGEX DESCRIPTION ARGUMENTS: usage
refused() {
	local regex=$1 what=$2
	shift 2
	ask "$@" >"$work/out" 2>"$work/err"
	is $? 2 "$what: exit status 2"
	matches "$(<"$work/err")" "$regex" "$what: the message"
}

route 0 '["one","source_routes",2,null,["10.0.1.1"]]' "the longest network" --listener egress --source 10.1.2.3
route 0 '["two","source_routes",1,null,[]]' "a shorter one" --listener egress --source 10.2.2.3
route 0 '["two","source_routes",0,null,[]]' "a remainder" --listener egress --source 2001:db8::5
route 1 '[null,null,null,"no source route takes it, and the listener has no cluster_name",[]]' "none" \
	--listener egress --source 192.0.2.4
route 0 '["one","routes",0,null,["10.0.1.1"]]' "host and path" --listener web --source 10.1.2.3 \
	--host API.example.com:8081 --path '/x/../api/y?z=/'
route 0 '["two","routes",1,null,[]]' "a wildcard" --listener web --source 10.1.2.3 --host api.example.com --path /apix
route 1 '[null,null,null,"no route is for that host, and the listener has no cluster_name",[]]' "no such host" \
	--listener web --source 10.1.2.3 --host example.com
route 1 '[null,null,null,"the path is refused: servers do not agree on what it means",[]]' "a path with an escaped slash" \
	--listener web --source 10.1.2.3 --host api.example.com --path /api%2fx

ask test --config "$gateways" --listener egress --source 10.1.2.3 >"$work/text" 2>>"$log"
is "$(tail -n 5 "$work/text")" 'rule       source_routes[2] "lab": 10.1.0.0/16
cluster    one, source_hash among those that are healthy
way        steer: where the endpoint is on this node, and listens
  endpoint 10.0.1.1 port 80, weight 3: takes it while healthy
  endpoint 10.0.1.2 port 80, weight 1' "the same for people"
ask list --config "$gateways" >"$work/text" 2>>"$log"
is "$(grep -A 5 egress: "$work/text")" 'listener   egress: tcp, any address, port 3128
  way      steer
  source   10.1.0.0/16 -> one, lab
  source   10.0.0.0/8 -> two
  source   mod 4 equals 1 -> two
  else     refused' "rules are listed in the order of precedence"
is "$(ask list --config "$gateways" --json | jq -c '[.listeners[].name, (.listeners[0].routes[] | .host + .prefix),
	.clusters[].name]')" '["web","egress","api.example.com/api","*.example.com/","one","two"]' "as JSON too"

is "$(ask list --config "$gateways" --json | jq -c '[.listeners[].way]')" '["http","steer"]' "each listener's way is named"
ask test --config "$gateways" --json --listener web --source 10.1.2.3 --host api.example.com --path /api >"$work/answer" 2>>"$log"
is "$(jq -c '[.way, .way_why]' "$work/answer")" '["http","the listener'"'"'s protocol is http"]' "and a request's, and why it is not steered"

refused 'name one with --listener' "two gateways" test --config "$gateways" --source 10.1.2.3
refused 'guard.*no listener of that name whose mode is gateway' "a guard" test --config "$gateways" --source ::1 --listener guard
refused '--source 10\.1: expected an IPv4 or IPv6 address' "half an address" test --config "$gateways" --source 10.1
refused '--host and --path are for http' "a host on tcp" test --config "$gateways" --source ::1 --listener egress --host a
refused 'this command does not take --source' "a list of one source" list --config "$gateways" --source ::1

ask list --pin-root "$pin_root" >"$work/out" 2>"$work/err"
is $? 1 "nothing is loaded: exit status 1"
net_up
config_write "$services" 'listeners=[]'
mpbpf_load --no-agent
is "$(mpbpf route list --json 2>&1 | jq -c '[.clusters[].name]')" '["one","two"]' "without --config it is what was loaded"
config_write 'listeners=[]'
matches "$(mpbpf route list 2>&1)" 'config\.json has changed since it was loaded' "and says so when the file is another by now"
check "unload" mpbpf unload
tap_done
