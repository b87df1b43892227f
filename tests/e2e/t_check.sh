#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# mpbpf check proves each feature of the kernel, ends in time whatever happens, and leaves nothing behind.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
sandbox "$@"

features="btf bpffs cgroup2 xdp_load xdp_verdict xdp_native xdp_skb guard_load guard_attach guard_reply helper_channel"
features+=" pass_backpressure partial_send deny_order close membarrier version"
# Not on every kernel; what they are worth there is for the table of kernels.
extras="fionread splice sleepable_lock"

# What only a check makes: maps of this size, and programs that use them; cgroups, processes, namespaces.
check_maps() {
	bpftool -j map | jq -c '[.[] | select((.name == "sources" or .name == "conns") and .max_entries == 1200) | .id]'
}

check_programs() {
	bpftool -j prog | jq -c --argjson maps "$(check_maps)" \
		'[.[] | select(.map_ids // [] | any(. as $id | $maps | index($id))) | .id]'
}

check_cgroups() {
	find "$cgroup" -mindepth 1 -maxdepth 1 -name 'mpbpf-check-*'
}

# left LIST: which of these maps and programs are still there. Others that check on this machine meanwhile make new ones.
left() {
	jq -nc --argjson were "$1" --argjson are "[$(check_maps),$(check_programs)]" \
		'[range(2) | . as $i | $were[$i] - ($were[$i] - $are[$i])]'
}

none_left() {
	[ "$(left "$1")" = '[[],[]]' ]
}

maps_are_seen() {
	[ "$(check_maps)" != '[]' ]
}

# leaves_nothing WHAT: the kernel takes programs and namespaces down a moment after the process
leaves_nothing() {
	local were
	is "$(check_cgroups)" "" "$1: no cgroup is left"
	is "$(pgrep -x mpbpf)" "" "$1: no process is left"
	were="[$(check_maps),$(check_programs)]"
	wait_for 22 none_left "$were"
	is "$(left "$were")" '[[],[]]' "$1: no map and no program is left"
	is "$(pins)" "" "$1: no pin is left"
	is "$(on_cgroup)" 0 "$1: nothing is left on the cgroup"
	is "$(on_interfaces)" 0 "$1: nothing is left on an interface"
	is "$(ip -n server -o link | wc -l)" "$links" "$1: no interface is left"
	is "$(ip netns | sort | tr -d '\n')" "clientserver" "$1: no network namespace has a name"
	wait_for 5 namespaces_are "$namespaces"
	is "$(lsns -t net -n | wc -l)" "$namespaces" "$1: no network namespace is left"
}

namespaces_are() {
	[ "$(lsns -t net -n | wc -l)" -eq "$1" ]
}

check_started() {
	[ -n "$(check_cgroups)" ]
}

# Starts a check and waits until it has made its cgroup. Its output goes to $work/out, its exit status to $work/status.
check_start() {
	rm -f "$work/status"
	(
		# A shell's background processes ignore SIGINT unless told otherwise.
		in_cgroup "$cgroup" env --default-signal=INT "$build/mpbpf" check \
			--pin-root "$pin_root" --cgroup "$cgroup" >"$work/out" 2>&1 </dev/null
		echo $? >"$work/status"
	) &
	wait_for 5 check_started || bail "mpbpf check does not start: $(cat "$work/out")"
}

# The process that tries, and not one that it started itself.
check_child() {
	pgrep -x -P "$(pgrep -o -x mpbpf)" mpbpf
}

check_end() {
	wait_for 20 test -s "$work/status" || bail "mpbpf check does not end: $(cat "$work/out")"
}

net_up
namespaces=$(lsns -t net -n | wc -l)
links=$(ip -n server -o link | wc -l)

started=$SECONDS
out=$(mpbpf check 2>&1)
is $? 0 "this kernel can run it: exit status 0"
between $((SECONDS - started)) 0 19 "in less than 20 s"
is "$(awk '$1 ~ /^(ok|no|FAIL)$/ { print $2 }' <<<"$out" | xargs)" "$features $extras" "a line for each feature, in their order"
is "$(awk '$1 == "ok" { print $2 }' <<<"$out" | grep -Fxcf <(tr ' ' '\n' <<<"$features"))" "$(wc -w <<<"$features")" \
	"all ok that is needed"
is "$(grep -c '^FAIL' <<<"$out")" 0 "no line that says otherwise"
matches "$(tail -n 1 <<<"$out")" '^Linux .*: L3/L4 protection works, guarded listeners work$' "a summary"
leaves_nothing "after a check"

mpbpf check --json >"$work/json" 2>"$work/err"
is $? 0 "--json: exit status 0"
is "$(cat "$work/err")" "" "--json: nothing on standard error"
is "$(jq -r '[.features[].name] | join(" ")' "$work/json")" "$features $extras" "--json: the same features"
is "$(jq -c '[.features[] | select(.required and (.ok | not))]' "$work/json")" '[]' "--json: all ok that is needed"
is "$(jq -c '[.features[] | select(.detail == "" or .instead == "")]' "$work/json")" '[]' \
	"--json: each with what was shown, and what would be without it"
is "$(jq -r '[.features[] | select(.required | not) | .name] | join(" ")' "$work/json")" \
	"xdp_native membarrier version $extras" "--json: what it can do without"
is "$(jq -c '[.kernel, .xdp, .guard]' "$work/json")" "[\"$(uname -r)\",true,true]" "--json: the summary"

# Without the cgroup only the guard is lost.
out=$(in_server "$build/mpbpf" check --pin-root "$pin_root" --cgroup "$work" 2>&1)
is $? 1 "a --cgroup that is none: exit status 1"
matches "$out" '^FAIL cgroup2 +--cgroup.*not on a cgroup2.*: no listener can be guarded' "it says what is lost"
matches "$out" '^FAIL guard_attach +not tried, for cgroup2 failed$' "what needs it is not tried"
matches "$out" '^ok +xdp_skb ' "the rest is"
matches "$(tail -n 1 <<<"$out")" 'L3/L4 protection works, guarded listeners do not work' "and the summary tells"
out=$(mpbpf check --pin-root "$work/nowhere" 2>&1)
is $? 1 "a --pin-root that is not on bpffs: exit status 1"
matches "$out" "^FAIL bpffs +$work: not on a BPF file system: " "it says so"
out=$(in_server setpriv --reuid=65534 --clear-groups "$build/mpbpf" check 2>&1)
is $? 1 "no root: exit status 1"
matches "$out" 'root' "no root: it says so"
mpbpf check | head -n 1 >/dev/null
leaves_nothing "a reader that goes away"

# interrupted SIGNAL SECONDS STATUS
interrupted() {
	check_start
	sleep "$2"
	kill -"$1" "$(pgrep -o -x mpbpf)"
	check_end
	is "$(cat "$work/status")" "$3" "SIG$1 after $2 s: exit status $3"
	leaves_nothing "SIG$1 after $2 s"
}
interrupted INT 0 130
interrupted INT 0.3 130
interrupted INT 0.7 130
interrupted TERM 1.1 143

check_start
check "its maps can be seen while it runs" wait_for 5 maps_are_seen
kill -KILL "$(check_child)"
check_end
is "$(cat "$work/status")" 1 "the process that tries is killed: exit status 1"
matches "$(cat "$work/out")" '^FAIL .* ended by signal 9: ' "it says so"
matches "$(tail -n 2 "$work/out" | head -n 1)" '^no +sleepable_lock +not tried' "the rest is not tried"
leaves_nothing "the process that tries is killed"

check_start
kill -STOP "$(check_child)"
started=$SECONDS
check_end
between $((SECONDS - started)) 2 12 "the process that tries hangs: it is given up"
is "$(cat "$work/status")" 1 "the process that tries hangs: exit status 1"
matches "$(cat "$work/out")" '^FAIL [a-z0-9_]+ +timed out: ' "the process that tries hangs: the step timed out"
leaves_nothing "the process that tries hangs"

server_start
mpbpf_load
before
is "$(http -H "$(bearer static-token-1)" /echo)" 200 "a loaded instance serves"
is "$(mpbpf check >/dev/null 2>&1; echo $?)" 0 "a check works beside it"
is "$(http -H "$(bearer static-token-1)" /echo) $(http /echo)" "200 401" "which still serves"
is "$(moved requests.allowed) $(moved requests.denied.no_token) $(moved connections.guarded)" "2 1 3" \
	"and has counted nothing of the check"
is "$(agent_pids | wc -l)" 1 "its agent still runs"
is "$(check_cgroups)" "" "no cgroup is left beside it"
tap_done
