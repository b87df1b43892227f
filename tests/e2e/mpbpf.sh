# shellcheck shell=bash disable=SC2034,SC2154
# SPDX-License-Identifier: MIT
# mpbpf under test: its configuration, its commands and agents, what it leaves, and its counters. lib.sh sources it.

# ---- configuration ----

# Maps that are made and counted fast. t_docs.sh and t_xdp.sh load the sizes that users have.
config_members=(
	'version="1"'
	'rate_limit.enabled=true' 'rate_limit.window_ms=1000' 'rate_limit.packets=10000000' 'rate_limit.mode="enforce"'
	'rate_limit.max_sources=4096' 'cache.max_verdicts=4096'
	'listeners=[{"name": "web", "port": 8080, "mode": "guard", "protocol": "http"}]'
	"auth.jwt_secret=\"$secret\"" 'auth.jwt_algorithm="HS256"' 'auth.require_auth=true' 'auth.leeway_s=60'
	'auth.base64_tokens=["static-token-1"]' 'auth.exempt_paths=["/healthz", "/metrics", "/ready"]'
)

# config_write [MEMBER=JSON]...: the configuration of most cases with these members, which replace or join the others; one
# without JSON is left out. A member of a section is SECTION.NAME.
config_write() {
	local -A members=() sections=()
	local member section name text=
	for member in "${config_members[@]}" "$@"; do
		members[${member%%=*}]=${member#*=}
	done
	for member in "${!members[@]}"; do
		[ -n "${members[$member]}" ] || continue
		section= name=$member
		[[ $member != *.* ]] || section=${member%%.*} name=${member#*.}
		[ -z "$section" ] || sections[$section]+="${sections[$section]:+, }\"$name\": ${members[$member]}"
		[ -n "$section" ] || text+="${text:+, }\"$name\": ${members[$member]}"
	done
	for section in "${!sections[@]}"; do
		text+=", \"$section\": {${sections[$section]}}"
	done
	echo "{$text}" >"$config"
	[ -z "${MPBPF_FAST:-}" ] || config_hasten
}

# With MPBPF_FAST: what listeners do not say of it themselves
config_hasten() {
	jq '.listeners |= map(if .mode == "capture" or .fast_path or .fast_path_peers then . else .fast_path = "on" end)' "$config" \
		>"$config.new" && mv "$config.new" "$config"
}

# ---- commands and agents ----

# mpbpf COMMAND [ARGS]: the program under test, in the server's namespace, on this sandbox's pins and cgroup; inside that
# cgroup too, for the agent of a node is among the processes that it guards
mpbpf() {
	local command=$1 in=(in_cgroup "$cgroup")
	shift
	# What only reads is the same everywhere.
	[[ $command != stat* ]] || in=()
	"${in[@]}" "$build/mpbpf" "$command" --pin-root "$pin_root" --cgroup "$cgroup" "$@"
}

# mpbpf_load [ARGS]: bails out when it fails, for then a case has nothing to look at
mpbpf_load() {
	[ -s "$config" ] || config_write
	mpbpf load --iface eth0 --config "$config" "$@" >>"$log" 2>&1 </dev/null ||
		bail "mpbpf load failed: $(tail -n 20 "$log")"
}

# agents_read [PIN_ROOT]: the pids of the mpbpfd that serve it, into `agents`. A PID namespace of our own: nobody else's can
# be among them.
agents_read() {
	local dir args
	agents=()
	for dir in /proc/[0-9]*; do
		args=()
		{ mapfile -d '' -t args <"$dir/cmdline"; } 2>/dev/null
		[[ "${args[0]-}" == *mpbpfd && "${args[*]} " == *"--pin-root ${1:-$pin_root} "* ]] && agents+=("${dir#/proc/}")
	done
	return 0
}

# agent_pids [PIN_ROOT]: prints them, one a line
agent_pids() {
	agents_read "$@"
	[ "${#agents[@]}" -eq 0 ] || printf '%s\n' "${agents[@]}"
}

agent_kill() {
	agents_read
	[ "${#agents[@]}" -eq 0 ] || kill -KILL "${agents[@]}"
	wait_for 5 agent_gone || bail "mpbpfd outlives SIGKILL"
}

agent_gone() {
	agents_read
	[ "${#agents[@]}" -eq 0 ]
}

agent_start() {
	in_cgroup "$cgroup" "$build/mpbpfd" --pin-root "$pin_root" --cgroup "$cgroup" --config "$config" \
		>>"$log" 2>&1 </dev/null &
}

# ---- what it leaves ----

# pins: what is in the bpffs beside the two files that the kernel puts into each
pins() {
	find "$work/bpf" -mindepth 1 ! -name maps.debug ! -name progs.debug
}

# on_cgroup: how many programs are attached to the sandbox's cgroup
on_cgroup() {
	local shown
	shown=$(bpftool -j cgroup show "$cgroup") || echo 'bpftool fails: '
	shown=${shown//[^\{]/}
	echo "${#shown}"
}

# on_interfaces: how many interfaces of the server carry an XDP program. All of them are in `interfaces`.
on_interfaces() {
	local line n=0
	mapfile -t interfaces < <(ip -n server -d -o link show)
	[ "${#interfaces[@]}" -gt 0 ] || n='no interface: '
	for line in "${interfaces[@]}"; do
		[[ $line != *prog/xdp* ]] || n=$((n + 1))
	done
	echo "$n"
}

# bpf_objects map|prog|link [BPFTOOL_OPTION]: all that the kernel has, into `objects`: an element each, in one line that
# begins with the id
bpf_objects() {
	local line
	objects=()
	bpftool "${@:2}" "$1" show >"$work/objects" || bail "bpftool $1 fails"
	while read -r line; do
		if [[ $line =~ ^[0-9]+: ]]; then objects+=("$line"); else objects[-1]+=" $line"; fi
	done <"$work/objects"
}

# ---- counters ----

stats() {
	mpbpf stats --json 2>>"$log"
}

# Counters by their paths, e.g. requests.denied.no_token. figures_read ARRAY: all of them; figure PATH: prints one.
figures_read() {
	local -n into=$1
	local path value
	into=()
	mpbpf stats >"$work/stats" 2>>"$log" || return
	while read -r path value; do
		into[$path]=$value
	done <"$work/stats"
}

figure() {
	figures_read figures
	echo "${figures[$1]-none}"
}

# figure_is PATH OPERATOR NUMBER: for wait_for
figure_is() {
	figures_read figures
	test "${figures[$1]:-none}" "$2" "$3"
}

# `before` remembers the counters; `after` reads them anew into `figures`, and into `moved` how far each has gone since. moved
# PATH: reads them and prints how far one has gone.
declare -A figures figures_before moved

before() {
	figures_read figures_before
}

after() {
	local path was
	figures_read figures
	moved=()
	for path in "${!figures[@]}"; do
		was=${figures_before[$path]:-0} # statuses and the like are there once they occurred; times have fractions
		moved[$path]=$((${figures[$path]%.*} - ${was%.*}))
	done
}

moved() {
	after
	echo "${moved[$1]-none}"
}

# watched: how many connections the gate believes that it has to watch
watched() {
	bpftool -j map lookup pinned "$pin_root/maps/control" key 0 0 0 0 | jq .formatted.value.conns_asking
}

# moved_is PATH OPERATOR NUMBER: for wait_for
moved_is() {
	after
	test "${moved[$1]:-none}" "$2" "$3"
}
