#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A connection that must end is closed in whatever network namespace its service runs, the agent's own or another, also in one
# without a name; and no namespace is held for that.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

box_ip=10.77.9.1
limit=$pace

# A namespace that is joined with the client's alone.
box_up() {
	ip netns add box || bail "cannot make a network namespace"
	ip link add box0 index 101 type veth peer name eth0 netns box || bail "cannot make a veth pair"
	ip -n box -batch - <<-END || bail "cannot configure the box"
		address add $box_ip/24 dev eth0
		link set eth0 up
		link set lo up
	END
	ip address add 10.77.9.2/24 dev box0
	ip link set box0 up
}

# ended TEXT [ADDRESS]: what a client gets that sends it, and keeps its own end open; not later than `patience` ms after (5000)
ended() {
	script <<-END | joined
		timeout ${patience:-5000}
		connect ${2:-$box_ip} 8080
		send $1
		status
		eof
	END
}

in_box() {
	nsenter --net="/proc/$box/ns/net" -- "$@"
}

# doors: how many sockets mpbpfd has open beside those of its beginning; each of them holds a namespace
doors() {
	local found
	found=$(find "/proc/$agent/fd" -lname 'socket:*' -printf x)
	echo $((${#found} - sockets))
}

doors_are() {
	[ "$(doors)" -eq "$1" ]
}

late_listens() {
	[ -n "$(in_box ss -Hltn 'sport = :8082')" ]
}

lost_is_said() {
	grep -q 'mpbpfd-netns has ended' /run/mpbpf/*"${work##*/mpbpf-}"*/agent.log
}

gone() {
	! ip link show "$1"
}

capabilities() {
	local name value
	while read -r name value; do
		[ "$name" != CapPrm: ] || echo "$value"
	done <"/proc/$1/status"
}

net_up
box_up
server_start
space=box nginx_start "$work/box" "$cgroup" 8080
access_log=$work/box/access.log
space=box in_cgroup "$cgroup" node "$top/tests/e2e/late_server.mjs" $((3 * limit * 1000)) >"$work/late.log" 2>&1 </dev/null &
# As that of a container: only processes lead to it.
box=$(<"$work/box/nginx.pid")
check "a service that reads late listens" wait_for 20 late_listens
ip netns del box
config_write 'listeners=[{"name": "web", "port": 8080}, {"name": "late", "port": 8082}]' \
	"clients.head_timeout_s=$limit" "clients.body_timeout_s=$limit"
mpbpf_load
known=$(bearer static-token-1)
malformed='GET /echo/bad HTTP/1.1\r\nHost : server\r\n\r\n'
good="GET /echo HTTP/1.1\\r\\nHost: server\\r\\n$known\\r\\n\\r\\n"
agent=$(agent_pids)
porter=$(pgrep -P "$agent")

is "$(capabilities "$agent")" 0000008000001404 "mpbpfd itself keeps no right to enter a namespace"
is "$(capabilities "$porter")" 0000000000281000 "the one who does has three"
is "$(tr '\0' ' ' <"/proc/$porter/cmdline" | sed 's/ *$//')" "mpbpfd: network namespaces" "it says what it is"
is "$(find "/proc/$porter/fd" -type l | wc -l)" 4 "and has nothing open of mpbpfd"

sockets=0
sockets=$(doors)
pattern_files "$work/large=12000000"
session late 'timeout 30000' "connect $box_ip 8082" \
	"send PUT / HTTP/1.1\\r\\nHost: server\\r\\n$known\\r\\nContent-Length: 12000000\\r\\n\\r\\n" "file $work/large" status body
session kept "connect $box_ip 8080"
is "$(session_read kept "send $good" status)" 200 "a service in another namespace is served"
matches "$(ended "$malformed" "$server_ip")" '^400 (eof|reset)$' "the agent's own: a malformed request: 400, and the end"
matches "$(ended "$malformed")" '^400 (eof|reset)$' "a malformed request: 400, and the end"
is "$(in_box ss -Htn state established 'sport = :8080' | wc -l)" 1 "the connection is gone, the other is there"
is "$(session_read kept "send $good" status)" 200 "which lives on"
session two "connect $box_ip 8080" "send $malformed" "use 1" "connect $box_ip 8080" "send $malformed"
check "one socket for that namespace" wait_for 5 doors_are 1
session_end two

session slow-head 'timeout 10000' "connect $box_ip 8080" 'send GET /echo/slow HTTP/1.1\r\nHost: ser' read eof
session slow-body 'timeout 10000' "connect $box_ip 8080" \
	"send PUT /dav/a HTTP/1.1\\r\\nHost: server\\r\\n$known\\r\\nContent-Length: 1000\\r\\n\\r\\n0123" eof
session_end slow-head
matches "$(joined <"$work/slow-head")" '^408 0 (eof|reset)$' "a head that is not complete in time: 408, and the end"
session_end slow-body
matches "$(cat "$work/slow-body")" '^(eof|reset)$' "a body that stands still: the end"
session_end late
is "$(joined <"$work/late")" "200 12000000" "where the service is slow, nobody is closed"

is "$(figure connections.unclosed)" 0 "none was to be closed and could not be"
check "the namespace is let go when nothing is to be closed" wait_for 8 doors_are 0

kill -KILL "$porter"
check "mpbpfd says that it has lost the one who enters" wait_for 5 lost_is_said
is "$(patience=1000 ended "$malformed")" "400 timeout" "then a denied connection is not closed"
is "$(figure connections.unclosed)" 1 "which is counted"
is "$(session_read kept "send $good" status)" 200 "and others go on"
session_end kept

kill "$box" "$(pgrep -f late_server.mjs)"
check "without a process the namespace goes away" wait_for 10 gone box0
accessed
is "$(accessed_with bad)" 0 "no denied request reached the service"
tap_done
