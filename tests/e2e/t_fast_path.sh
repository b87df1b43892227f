#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Whose bytes go past TCP, and what becomes of them: by configuration and by reload, judged where they are sent, at a gateway that
# steers, with threads that send at once, and when one end is elsewhere or gone.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
# shellcheck source-path=SCRIPTDIR source=gateway.sh
. "${0%/*}/gateway.sh"
sandbox "$@"

near() {
	space=client in_cgroup "$cgroup" "$@"
}
# near_script: as script, by a client of the node
near_script() {
	near "$tools/httpc"
}
# listener MEMBERS: `web` with these
listener() {
	config_write "listeners=[{\"name\": \"web\", \"port\": 8080$1}]" "${@:2}"
}
load_or_reload() {
	if [ -z "$(pins)" ]; then mpbpf_load; else mpbpf reload --config "$config" >>"$log" 2>&1 || bail "a reload fails: $(tail -n 1 "$log")"; fi
	# The token is validated anew: the helper is asked, over TCP.
	is "$(http -H "$good" /1)" 200 "a policy in force"
}
# past COMMAND...: how much `fast_path` has moved by it: "CONNECTIONS REQUESTS DENIED" in `went`, and messages
past() {
	local -A was=() is=()
	figures_read was
	"$@" >"$work/past" 2>&1
	figures_read is
	messages=$((is[fast_path.messages] - was[fast_path.messages]))
	went="$((is[fast_path.connections] - was[fast_path.connections])) $((is[fast_path.requests] - was[fast_path.requests])) $((is[fast_path.denied] - was[fast_path.denied]))"
}
long=/a-path-that-makes-this-request-long-enough-for-the-answer-to-it
# two HOST RUNNER: two requests that pass and a denied one between them, on one connection
two() {
	"$2" <<-END | joined
		connect $1 8080
		send GET /1 HTTP/1.1\r\nHost: server\r\n$good\r\n\r\n
		status
		send GET $long HTTP/1.1\r\nHost: server\r\nX-Fill: 0123456789012345678901234567890123456789\r\n\r\n
		status
		send GET /1 HTTP/1.1\r\nHost: server\r\n$good\r\n\r\n
		status
	END
}

net_up
server_start
good=$(bearer static-token-1)

# ---- whose ----

# expect WHAT HOST RUNNER MOVED
# A message goes by TCP when the other end is in the middle of something. So not every time is all of it past TCP.
expect() {
	for _ in {1..5}; do
		past two "$2" "$3"
		[[ $(<"$work/past") == "200 401 200" && $went != "$4" ]] || break
	done
	is "$(<"$work/past")" "200 401 200" "$1: judged"
	is "$went" "$4" "$1: ${4%% *} past TCP"
}
listener ''
load_or_reload
expect "no word of it" "$server_ip" near_script "0 0 0"
listener ', "fast_path": "on"'
load_or_reload
expect "on" "$server_ip" near_script "1 2 1"
is "$messages" 5 "on: two requests, two responses, and the answer to the denied one"
expect "on, IPv6" "$server_ip6" near_script "1 2 1"
expect "on, a client that is not in the cgroup, as one from afar" "$server_ip" script "0 0 0"
listener ', "fast_path": "off"'
load_or_reload
expect "off" "$server_ip" near_script "0 0 0"
listener ', "fast_path_peers": ["10.77.0.0/30", "fd99::/64"]'
load_or_reload
expect "auto, a client among the peers" "$server_ip" near_script "1 2 1"
expect "auto, a client that is not" "$server_ip6" near_script "0 0 0"
listener ', "fast_path": "auto"'
load_or_reload
expect "auto, and no peers" "$server_ip" near_script "0 0 0"

# ---- what ends it on an open connection ----

# open_over COMMAND...: requests before and after it on one connection, and how many of those after went past TCP
open_over() {
	local -A was=() is=()
	session over "connect $server_ip 8080" "send GET /1 HTTP/1.1\\r\\nHost: server\\r\\n$good\\r\\n\\r\\n" status
	wait_for 5 grep -q 200 "$work/over"
	"$@" || bail "$*"
	figures_read was
	for _ in 1 2 3; do
		session over "send GET /1 HTTP/1.1\\r\\nHost: server\\r\\n$good\\r\\n\\r\\n" status
	done
	session_end over
	figures_read is
	echo "$(joined <"$work/over") $((is[fast_path.messages] - was[fast_path.messages]))"
}
# Here a session's client is of this node.
script() { near "$tools/httpc"; }
listener ', "fast_path": "on"'
load_or_reload
open_over true >"$work/said"
matches "$(<"$work/said")" '^200 200 200 200 [4-6]$' "nothing: past TCP"
# Then it is XDP's, which drops what comes by TCP.
block() { mpbpf block add 10.77.0.2 >>"$log" 2>&1 && session over "timeout $((300 * pace))"; }
open_over block >"$work/said"
matches "$(<"$work/said")" '^200 timeout .* 0$' "its address is blocked"
mpbpf block del 10.77.0.2 >>"$log" 2>&1 || bail "a network cannot be taken off the list"
# What was dropped is sent again, and counted when it comes.
check "and goes on by TCP until its end" wait_for 30 figure_is connections.open -eq 0
switch_off() {
	listener ', "fast_path": "off"'
	mpbpf reload --config "$config" >>"$log" 2>&1
}
open_over switch_off >"$work/said"
is "$(<"$work/said")" "200 200 200 200 0" "a reload without"
script() { in_client "$tools/httpc"; }

# ---- judged where it is sent ----

listener ', "fast_path": "on", "response_headers": {"X-Node": "here"}' \
	'request_limits=[{"name": "slow", "per": "listener", "rate": 0.001, "burst": 3, "prefix": "/limited"}]' \
	'metrics.sample_rate=1'
load_or_reload
before
is "$(near_script <<-END | tr -s ' ' | sed 's/ $//' | joined
	connect $server_ip 8080
	send GET /1 HTTP/1.1\r\nHost: server\r\n$good\r\n\r\n
	status
	field X-Node
	send HEAD /1 HTTP/1.1\r\nHost: server\r\n$good\r\n\r\n
	read head
	field X-Node
	times 4 send GET /limited HTTP/1.1\r\nHost: server\r\nX-Fill: 01234567890123456789012345678901234567890123456789\r\n$good\r\n\r\n
	times 4 status
	field Retry-After
END
)" "200 here 200 0 here 404 404 404 429 1000" "headers are added, HEAD has no body, and the limit holds"
after
is "${moved[requests.cached]} ${moved[requests.denied.rate]}" "5 1" "each is counted once"
is "${moved[methods.GET]} ${moved[methods.HEAD]} ${moved[responses.status.200]} ${moved[responses.status.404]}" "5 1 2 3" "and measured once"
between "${moved[fast_path.messages]}" 4 20 "past TCP"

# ---- threads that send at once ----

accessed_reset
near "$tools/racer" "$server_ip" 8080 "$(scaled 3)" "$good" >"$work/racer"
is $? 0 "a client whose threads send at once"
diag "$(<"$work/racer")" "broken=$(figure connections.broken)"
accessed
printf '%s\n' "${accesses[@]}" >"$work/accessed"
between "$(grep -c '/allowed' "$work/accessed")" 10 10000000 "what is allowed comes"
is "$(grep -c '/forbidden' "$work/accessed")" 0 "what is denied does not, in whatever order bytes are sent"

# ---- a WebSocket's end, a reload under way ----

listener ', "fast_path": "on"'
load_or_reload
session open "connect $server_ip 8080" "send GET /1 HTTP/1.1\\r\\nHost: server\\r\\n$good\\r\\n\\r\\n" status
session_end open
is "$(<"$work/open")" 200 "a connection from afar goes on beside"
# near_begin: a connection of the node, allowed so far; near_end: one more such request, and one without a token
near_begin() {
	session near "connect $server_ip 8080" "send GET /1 HTTP/1.1\\r\\nHost: server\\r\\n$good\\r\\n\\r\\n" status
	wait_for 5 session_answered near 1
}
near_end() {
	session near "send GET /1 HTTP/1.1\\r\\nHost: server\\r\\n$good\\r\\n\\r\\n" status 'pause 100' \
		"send GET $long HTTP/1.1\\r\\nHost: server\\r\\nX-Fill: 0123456789012345678901234567890123456789\\r\\n\\r\\n" status
	session_end near
	joined <"$work/near"
}
script() { near "$tools/httpc"; }
near_begin
listener ', "fast_path": "on", "enforce": false'
load_or_reload
near_end >"$work/said"
is "$(<"$work/said")" "200 200 404" "by a reload the policy changes on an open connection: a dry run"
near_begin
listener ', "fast_path": "on"'
load_or_reload
agent_kill
near_end >"$work/said"
is "$(<"$work/said")" "200 200 401" "and changes back, and without an agent the kernel judges on"
script() { in_client "$tools/httpc"; }
agent_start

# ---- a gateway that steers ----

chmod 755 "$work"
in_cgroup "$cgroup" "$tools/relay" serve 90 >"$work/served" &
wait_for 5 test -s "$work/served" || bail "relay does not start"
config_write "listeners=[{\"name\": \"steered\", \"port\": 8004, \"mode\": \"gateway\", \"protocol\": \"tcp\", \"cluster_name\": \"bytes\", \"fast_path\": \"on\"},
	{\"name\": \"relayed\", \"port\": 8005, \"mode\": \"gateway\", \"protocol\": \"tcp\", \"cluster_name\": \"least\", \"fast_path\": \"on\"},
	{\"name\": \"plain\", \"port\": 8006, \"mode\": \"gateway\", \"protocol\": \"tcp\", \"cluster_name\": \"bytes\"}]" \
	"services=[{\"name\": \"bytes\", \"hosts\": [\"$server_ip\"], \"port\": 90, \"policy\": \"random\"},
		{\"name\": \"least\", \"hosts\": [\"$server_ip\"], \"port\": 90, \"policy\": \"least_conn\"}]"
load_or_reload
# through PORT AT_LEAST: whether all was right, and whether as many connections had a fast path; for 0, none
through() {
	past near "$tools/relay" run -c 4 -n "$(scaled 40 10)" "$server_ip" "$1"
	local ok=$?
	[ "$ok" -eq 0 ] && grep -q ' faults=0' "$work/past" && echo -n right || echo -n wrong
	[ "${went%% *}" -eq "$2" ] || [ "${went%% *}" -gt "$2" -a "$2" -gt 0 ] && echo " past TCP: $2"
}
wait_for 10 gateway_figure_is .gateway.steered.path.steer 0
n=$(scaled 40 10)
through 8004 "$n" >"$work/said"
is "$(<"$work/said")" "right past TCP: $n" "what is steered goes past TCP"
through 8005 0 >"$work/said"
is "$(<"$work/said")" "right past TCP: 0" "what mpbpfd relays does not"
through 8006 0 >"$work/said"
is "$(<"$work/said")" "right past TCP: 0" "nor what is not configured so"
figures_read figures
is "${figures[gateway.steered.path.relay]-0} ${figures[gateway.relayed.path.steer]-0}" "0 0" "each took its way"
between "${figures[gateway.steered.path.steer]}" "$n" $((2 * n)) "steered"
between "${figures[gateway.relayed.path.relay]}" "$n" $((2 * n)) "relayed"

wait_for 30 figure_is connections.open -eq 0
is "$(bpftool map dump pinned "$pin_root/maps/fast_clients" | grep -c '"key"')" 0 "nothing is left of any client"
is "$(figure connections.open)" 0 "nor of any service"
tap_done
