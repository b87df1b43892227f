#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A load that cannot be done says why, ends with the promised status, and leaves nothing behind.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

# leaves_nothing WHAT
leaves_nothing() {
	is "$(pins)" "" "$1: no pin"
	is "$(on_cgroup)" 0 "$1: nothing on the cgroup"
	is "$(on_interfaces)" 0 "$1: nothing on an interface"
	wait_for 2 agent_gone
	is "${agents[*]}" "" "$1: no agent"
}

# fails WHAT STATUS REGEX COMMAND [ARGS]
fails() {
	local what=$1 status=$2 regex=$3
	shift 3
	"$@" >"$work/out" 2>&1 </dev/null
	matches $? "^$status\$" "$what: exit status $status"
	matches "$(<"$work/out")" "$regex" "$what: the message"
}

net_up
link_up eth1 1
server_start
config_write
fails "no such interface" 1 'eth9' mpbpf load --iface eth9 --config "$config"
leaves_nothing "no such interface"
fails "the second interface is missing" 1 'eth9' mpbpf load --iface eth0 --iface eth9 --config "$config"
leaves_nothing "the second interface is missing"
fails "no such file" '[12]' 'nowhere\.json' mpbpf load --iface eth0 --config "$work/nowhere.json"
leaves_nothing "no such file"

# bad WHAT REGEX MEMBER=JSON...
bad() {
	config_write "${@:3}"
	fails "$1" 2 "config\\.json.*$2" mpbpf load --iface eth0 --config "$config"
	leaves_nothing "$1"
}
bad "a port that is a word" 'listeners\[0\]\.port.*http' 'listeners=[{"name": "web", "port": "http"}]'
bad "an unknown algorithm" 'auth\.jwt_algorithm.*none' 'auth.jwt_algorithm="none"'
bad "an unknown key" 'rate_limit.*pakets' 'rate_limit.pakets=1'
bad "an address that is none" 'ddos\.deny\[0\].*10\.0\.0\.0/33' 'ddos.deny=["10.0.0.0/33"]'
bad "a window of nothing" 'rate_limit\.window_ms.*0' 'rate_limit.window_ms=0'
config_write 'auth.jwt_secret_file="nowhere.secret"' auth.jwt_secret=
fails "a secret that cannot be read" '[12]' 'nowhere\.secret' mpbpf load --iface eth0 --config "$config"
is "$(grep -c "$secret" "$work/out")" 0 "no secret in a message"
leaves_nothing "a secret that cannot be read"
config_write

mpbpf_load
static=$(bearer static-token-1)
fails "loaded already" 1 'already loaded' mpbpf load --iface eth0 --config "$config"
fails "loaded already, another interface" 1 'already loaded' mpbpf load --iface eth1 --config "$config"
is "$(http /echo) $(http -H "$static" /echo)" "401 200" "which goes on as before"
other() {
	local pin_root=$work/bpf/other cgroup=$cgroup/other
	mkdir -p "$cgroup"
	mpbpf "$@"
}
fails "the XDP hook is busy" 1 'eth0.*(busy|XDP)' other load --iface eth1 --iface eth0 --config "$config"
check "the XDP hook is busy: no pin" test ! -e "$work/bpf/other"
is "$(on_interfaces)" 1 "the XDP hook is busy: nothing on the other interface"
is "$(http /echo) $(http -H "$static" /echo)" "401 200" "which goes on as before too"
check "unload" mpbpf unload
leaves_nothing "unload"

fails "no command" 2 'usage|Usage|help' "$build/mpbpf"
fails "an unknown command" 2 'frobnicate' "$build/mpbpf" frobnicate
fails "an unknown option" 2 'frobnicate' mpbpf load --iface eth0 --frobnicate
fails "no interface" 2 'iface' mpbpf load --config "$config"
fails "an unknown XDP mode" 2 'fast' mpbpf load --iface eth0 --xdp-mode fast --config "$config"
fails "an argument too many" 2 'stray' mpbpf load --iface eth0 --config "$config" stray
fails "an option without its value" 2 'config|iface' mpbpf load --iface eth0 --config
fails "no root" 1 'root|privilege|capabilit|CAP_|permitted' in_server setpriv --reuid=65534 --clear-groups "$build/mpbpf" \
	load --iface eth0 --pin-root "$pin_root" --cgroup "$cgroup"
leaves_nothing "wrong usage"

help=$("$build/mpbpf" --help)
for command in load unload reload status stats check verdict; do
	out=$("$build/mpbpf" "$command" --help 2>/dev/null)
	is $? 0 "$command --help: exit status 0"
	matches "$out" "mpbpf $command" "$command --help: its usage, on standard output"
	matches "$help" "^ +(mpbpf )?$command( |\$)" "--help names $command"
done
matches "$("$build/mpbpf" --version)" '^mpbpf [0-9]' "--version"
tap_done
