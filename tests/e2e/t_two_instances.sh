#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Two instances on one node, with pins and cgroups of their own, do not see each other.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
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

# ask NAME TOKEN
ask() {
	local host=10.77.0.1
	[ "$1" = a ] || host=10.77.1.1
	http -H "$(bearer "$2")" /echo
}

# counted NAME: requests that it allowed and that had a bad token
counted() {
	local pin_root=$work/bpf/$1
	figures_read figures
	echo "${figures[requests.allowed]} ${figures[requests.denied.bad_token]}"
}

# agents_of NAME: how many
agents_of() {
	agents_read "$work/bpf/$1"
	echo "${#agents[@]}"
}

for name in a b; do
	config=$work/$name.json
	config_write "auth.base64_tokens=[\"of-$name\"]"
done
check "the first loads" instance a load --iface eth0 --config "$work/a.json"
check "the second loads beside it" instance b load --iface eth1 --config "$work/b.json"
for round in 1 2; do
	is "$(ask a of-a)" 200 "each takes its own token: a ($round)"
	is "$(ask b of-b)" 200 "each takes its own token: b ($round)"
	is "$(ask a of-b)" 403 "and not the other's: a ($round)"
	is "$(ask b of-a)" 403 "and not the other's: b ($round)"
done
is "$(counted a)" "2 2" "each counts its own: a"
is "$(counted b)" "2 2" "each counts its own: b"
is "$(agents_of a) $(agents_of b)" "1 1" "each has an agent"

check "a reload of one" instance a reload --config "$work/b.json"
is "$(ask a of-b) $(ask a of-a)" "200 403" "holds there"
is "$(ask b of-b) $(ask b of-a)" "200 403" "and changes nothing at the other"
check "one unloads" instance a unload
is "$(ask a nothing)" 200 "and guards no more"
is "$(ask b nothing)" 403 "the other still does"
is "$(ask b of-b)" 200 "with its verdicts"
is "$(agents_of a) $(agents_of b)" "0 1" "and its agent"
check "the other unloads" instance b unload
is "$(pins)" "" "no pin is left"
tap_done
