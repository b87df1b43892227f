#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# mpbpf check proves each feature of the kernel, ends in time whatever happens, and leaves nothing behind.
# alone
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

features="btf bpffs cgroup2 xdp_load xdp_verdict xdp_native xdp_skb guard_load guard_attach guard_reply helper_channel"
features+=" pass_backpressure partial_send deny_order close membarrier version fionread tcp_bpf_ioctl splice tcp_walk"
features+=" sleepable_lock sk_lookup capture fast_path"
# What it can do without.
optional="xdp_native membarrier version fionread tcp_bpf_ioctl splice tcp_walk sleepable_lock sk_lookup capture fast_path"

# left_read: what only a check makes, into `left`: maps of this size, programs that use them
left_read() {
	local object id
	local -A maps=()
	left=()
	bpf_objects map
	for object in "${objects[@]}"; do
		[[ $object =~ \ name\ (sources|conns)\ .*\ max_entries\ 1200\  ]] || continue
		maps[${object%%:*}]=
		left+=("map:${object%%:*}")
	done
	bpf_objects prog
	for object in "${objects[@]}"; do
		[[ $object =~ \ map_ids\ ([0-9,]+) ]] || continue
		for id in ${BASH_REMATCH[1]//,/ }; do
			[[ ! -v "maps[$id]" ]] || left+=("prog:${object%%:*}")
		done
	done
}

# still_left ID...: whether one of these is left. Others that check on this machine meanwhile make new ones.
still_left() {
	local id
	left_read
	for id in "$@"; do
		[[ " ${left[*]} " != *" $id "* ]] || return 0
	done
	return 1
}

none_left() {
	! still_left "$@"
}

maps_are_seen() {
	left_read
	[ "${#left[@]}" -gt 0 ]
}

check_cgroups() {
	compgen -G "$cgroup/mpbpf-check-*"
}

# processes: those of mpbpf
processes() {
	local file name
	for file in /proc/[0-9]*/comm; do
		name=
		{ read -r name <"$file"; } 2>/dev/null
		[ "$name" != mpbpf ] || echo "$file"
	done
}

namespaces_are() {
	[ "$(lsns -t net -n | wc -l)" -eq "$1" ]
}

# leaves_nothing WHAT: the kernel takes programs and namespaces down a moment after the process
leaves_nothing() {
	local were
	is "$(check_cgroups)" "" "$1: no cgroup is left"
	is "$(processes)" "" "$1: no process is left"
	left_read
	were=("${left[@]}")
	check "$1: no map and no program is left" wait_for 22 none_left "${were[@]}"
	is "$(pins)" "" "$1: no pin is left"
	is "$(on_cgroup)" 0 "$1: nothing is left on the cgroup"
	on_interfaces >"$work/out_interfaces"
	is "$(<"$work/out_interfaces")" 0 "$1: nothing is left on an interface"
	is "${#interfaces[@]}" "$links" "$1: no interface is left"
	is "$(echo /run/netns/*)" "/run/netns/client /run/netns/server" "$1: no network namespace has a name"
	check "$1: no network namespace is left" wait_for 5 namespaces_are "$namespaces"
}

check_started() {
	[ -n "$(check_cgroups)" ]
}

# Starts a check and waits until it has made its cgroup. Its output goes to $work/out line by line, its exit status to
# $work/status.
check_start() {
	rm -f "$work/status"
	(
		# A shell's background processes ignore SIGINT unless told otherwise.
		in_cgroup "$cgroup" env --default-signal=INT stdbuf -oL "$build/mpbpf" check \
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
on_interfaces >/dev/null
links=${#interfaces[@]}

started=$SECONDS most=$((slow > 1 ? 44 : 19))
out=$(mpbpf check 2>&1)
is $? 0 "this kernel can run it: exit status 0"
between $((SECONDS - started)) 0 $most "within $most s"
is "$(awk '/^(ok|no|FAIL) / { print $2 }' <<<"$out" | joined)" "$features" "a line for each feature, in their order"
is "$(grep '^FAIL' <<<"$out")" "" "none that is needed is missing"
matches "${out##*$'\n'}" '^Linux .*: L3/L4 protection works, guarded listeners work$' "a summary"
leaves_nothing "after a check"

# Without the cgroup only the guard is lost.
out=$(in_server "$build/mpbpf" check --pin-root "$pin_root" --cgroup "$work" 2>&1)
is $? 1 "a --cgroup that is none: exit status 1"
matches "$out" '^FAIL cgroup2 +--cgroup.*not on a cgroup2.*: no listener can be guarded' "it says what is lost"
matches "$out" '^FAIL guard_attach +not tried, for cgroup2 failed$' "what needs it is not tried"
matches "$out" '^ok +xdp_skb ' "the rest is"
matches "${out##*$'\n'}" 'L3/L4 protection works, guarded listeners do not work' "and the summary tells"
out=$(in_server setpriv --reuid=65534 --clear-groups "$build/mpbpf" check 2>&1)
is $? 1 "no root: exit status 1"
matches "$out" 'root' "no root: it says so"

# A reader that goes away must not keep it from cleaning up, nor from ending as it should.
{
	in_server "$build/mpbpf" check --pin-root "$work/nowhere" --cgroup "$work" 2>&1
	echo $? >"$work/status"
} | head -n 2 >"$work/out"
is "$(cat "$work/status")" 1 "a --pin-root that is not on bpffs: exit status 1"
matches "$(cat "$work/out")" "^FAIL bpffs +$work: not on a BPF file system: " "it says so"
leaves_nothing "a reader that goes away"

# interrupted SIGNAL FEATURE STATUS: once that feature is told; right at the start when there is none
interrupted() {
	local when="SIG$1 ${2:+after }${2:-at once}"
	check_start
	[ -z "$2" ] || wait_for 10 grep -q "^ok *$2 " "$work/out" || bail "$2 is not told: $(cat "$work/out")"
	kill -"$1" "$(pgrep -o -x mpbpf)"
	check_end
	is "$(cat "$work/status")" "$3" "$when: exit status $3"
	leaves_nothing "$when"
}
interrupted INT "" 130
interrupted INT xdp_verdict 130
interrupted INT guard_attach 130
interrupted TERM helper_channel 143

check_start
check "its maps can be seen while it runs" wait_for 5 maps_are_seen
kill -KILL "$(check_child)"
check_end
is "$(cat "$work/status")" 1 "the process that tries is killed: exit status 1"
matches "$(cat "$work/out")" '^FAIL .* ended by signal 9: ' "it says so"
matches "$(cat "$work/out")" '^no +version +not tried' "the rest is not tried"
leaves_nothing "the process that tries is killed"

check_start
kill -STOP "$(check_child)"
started=$SECONDS
check_end
between $((SECONDS - started)) 2 25 "the process that tries hangs: it is given up"
is "$(cat "$work/status")" 1 "the process that tries hangs: exit status 1"
matches "$(cat "$work/out")" '^FAIL [a-z0-9_]+ +timed out: ' "the process that tries hangs: the step timed out"
leaves_nothing "the process that tries hangs"

server_start
mpbpf_load
static=$(bearer static-token-1)
before
is "$(http -H "$static" /echo)" 200 "a loaded instance serves"
mpbpf check --json >"$work/json" 2>"$work/err"
is $? 0 "beside it, --json: exit status 0"
is "$(cat "$work/err")" "" "--json: nothing on standard error"
mapfile -t told < <(jq -r 'def names(f): [.features[] | select(f) | .name] | join(" ");
	names(true), names(.required | not), names(.required and (.ok | not)),
	names(.detail == "" or (.instead | type) != "string"), "\(.kernel) \(.xdp) \(.guard)"' "$work/json")
is "${told[0]-}" "$features" "--json: the same features"
is "${told[1]-}" "$optional" "--json: what it can do without"
is "${told[2]-none}" "" "--json: all that is needed is there"
is "${told[3]-none}" "" "--json: each with what was shown, and what is done without it"
is "${told[4]-}" "$(uname -r) true true" "--json: the summary"
is "$(http -H "$static" /echo) $(http /echo)" "200 401" "the instance still serves"
after
is "${moved[requests.allowed]} ${moved[requests.denied.no_token]} ${moved[connections.guarded]}" "2 1 3" \
	"and has counted nothing of the check"
agents_read
is "${#agents[@]}" 1 "its agent still runs"
is "$(check_cgroups)" "" "no cgroup is left beside it"
tap_done
