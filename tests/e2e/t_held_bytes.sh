#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What the helper holds of one connection is bounded by 256 KiB, however much its client sends, and nothing of it is lost.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

# What the gate has let by before the last of it was counted comes beyond that: segments of 64 KiB, a socket's backlog of them.
least=$((256 << 10)) most=$((1 << 20))
wait=$((6000 * pace))

net_up
in_cgroup "$cgroup" node "$top/tests/e2e/late_server.mjs" "$wait" >"$work/late.log" 2>&1 </dev/null &
wait_for 20 listening 8082
config_write 'listeners=[{"name": "late", "port": 8082}]'
mpbpf_load
known=$(bearer static-token-1)
# get PATH: an allowed request, for a script
get() {
	echo "send GET $1 HTTP/1.1\\r\\nHost: server\\r\\n$known\\r\\n\\r\\n"
}

pattern_files "$work/large=8000000"
port=8082 http -H "$known" /now >/dev/null

# held NAME ADDRESS LINE...: 8 MB behind a request that waits for a response
held() {
	local name=$1 address=$2
	before
	session "$name" "${@:3}" "timeout $((4 * 6000 * pace / slow + 20000))" "connect $address 8082" "$(get /before)" \
		"send POST /denied HTTP/1.1\\r\\nHost: server\\r\\nContent-Length: 8000000\\r\\n\\r\\n" "file $work/large" \
		"$(get /now)" status status status
	wait_for 5 moved_is requests.asked_bytes -ge "$least"
	# A machine that stands still for a moment has the client send later than that.
	wait_for 5 moved_is connections.held_packets -ge 1
	pause 500
	after
	between "${moved[requests.asked_bytes]}" "$least" "$most" "$name: the helper was given 256 KiB, and no more than was under way"
	between "${moved[connections.held_packets]}" 1 1000000 "the rest was held back"
	session_end "$name"
	is "$(joined <"$work/$name")" "200 401 200" "when the response is there, all goes on"
}

held IPv4 "$server_ip"
held IPv6 "$server_ip6"
held destination-options "$server_ip6" options
tap_done
