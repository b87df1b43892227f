#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Two instances on one node, with pins and cgroups of their own, do not see each other.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
sandbox "$@"

net_up
link_up eth1 1
mkdir "$cgroup/a" "$cgroup/b"
nginx_start "$work/a" "$cgroup/a" 10.77.0.1:8080
nginx_start "$work/b" "$cgroup/b" 10.77.1.1:8080

# instance NAME COMMAND [ARGS]
instance() {
	local pin_root=$work/bpf/$1 cgroup=$cgroup/$1
	shift
	mpbpf "$@"
}

# ask NAME PATH TOKEN
ask() {
	local host=10.77.0.1
	[ "$1" = a ] || host=10.77.1.1
	http -H "$(bearer "$3")" "$2"
}

config_write '.auth.base64_tokens = ["of-a"]'
cp "$config" "$work/a.json"
config_write '.auth.base64_tokens = ["of-b"]'
cp "$config" "$work/b.json"
check "the first loads" instance a load --iface eth0 --config "$work/a.json"
check "the second loads beside it" instance b load --iface eth1 --config "$work/b.json"
for round in 1 2; do
	is "$(ask a /echo of-a)" 200 "each takes its own token: a ($round)"
	is "$(ask b /echo of-b)" 200 "each takes its own token: b ($round)"
	is "$(ask a /echo of-b)" 403 "and not the other's: a ($round)"
	is "$(ask b /echo of-a)" 403 "and not the other's: b ($round)"
done
is "$(instance a stats --json | jq -c '[.requests.allowed, .requests.denied.bad_token]')" '[2,2]' "each counts its own: a"
is "$(instance b stats --json | jq -c '[.requests.allowed, .requests.denied.bad_token]')" '[2,2]' "each counts its own: b"
is "$(agent_pids "$work/bpf/a" | wc -l) $(agent_pids "$work/bpf/b" | wc -l)" "1 1" "each has an agent"

check "a reload of one" instance a reload --config "$work/b.json"
is "$(ask a /echo of-b) $(ask a /echo of-a)" "200 403" "holds there"
is "$(ask b /echo of-b) $(ask b /echo of-a)" "200 403" "and changes nothing at the other"
check "one unloads" instance a unload
is "$(ask a /echo nothing)" 200 "and guards no more"
is "$(ask b /echo nothing)" 403 "the other still does"
is "$(ask b /echo of-b)" 200 "with its verdicts"
is "$(agent_pids "$work/bpf/a" | wc -l) $(agent_pids "$work/bpf/b" | wc -l)" "0 1" "and its agent"
check "the other unloads" instance b unload
is "$(pins)" "" "no pin is left"
tap_done
