#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A client whose last bytes come in one segment with its FIN is served like any other: the service gets them all, and then the end.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

# Each waits for a retransmission.
rounds=$(scaled 3)
net_up
server_start
config_write 'listeners=[{"name": "web", "port": 8080}, {"name": "last", "port": 8081}]'
mpbpf_load
static=$(bearer static-token-1)
get="GET /echo HTTP/1.1\\r\\nHost: server\\r\\n"
denied="${get}X-Filler: 0123456789012345678901234567890123456789\\r\\n\\r\\n"
printf -v long 'X-Long: %05000d\\r\\n' 0
http -H "$static" /echo >/dev/null
tokens_read 60 last
next=0

# a new token's field in `new`
new() {
	next=$((next + 1))
	new=$(bearer "${tokens[next]}")
}

# talk DESCRIPTION WANT LINE...: a connection of its own, its answers in one line, the end with them
talk() {
	local what=$1 want=$2
	shift 2
	is "$(printf '%s\n' "connect $server_ip 8080" "$@" eof | script | joined)" "$want eof" "$what"
}

before
accessed_reset
for ((i = 1; i <= rounds; i++)); do
	new
	talk "cached token ($i)" "200 11" "last $get$static\\r\\n\\r\\n" read
	talk "unknown token ($i)" "200 11" "last $get$new\\r\\n\\r\\n" read
	new
	talk "unknown token, the head in two ($i)" "200 11" "send $get" "pause 20" "last $new\\r\\n\\r\\n" read
	talk "cached token, the head in two ($i)" "200 11" "send ${get:0:30}" "last ${get:30}$static\\r\\n\\r\\n" read
	talk "a head of 5 kB ($i)" "200 11" "last $get$long$static\\r\\n\\r\\n" read
	talk "exempt path ($i)" "200 8" "last GET /healthz HTTP/1.1\\r\\nHost: server\\r\\n\\r\\n" read
	talk "no token ($i)" "401 0" "last $denied" read
	talk "no token, the head in two ($i)" "401 0" "send ${get:0:20}" "pause 20" "last ${get:20}\\r\\n" read
	new
	talk "two at once, and a denial between ($i)" "200 11 401 0 200 11" \
		"last $get$new\\r\\n\\r\\n$denied$get$static\\r\\n\\r\\n" read read read
	talk "a denial as the last of three ($i)" "200 11 200 300000 401 0" \
		"last $get$static\\r\\n\\r\\nGET /300000 HTTP/1.1\\r\\nHost: server\\r\\n$static\\r\\n\\r\\n$denied" read read read
done
accessed_is $((10 * rounds)) "the service saw each allowed request once, and nothing else"
is "$(moved requests.denied.no_token)" $((4 * rounds)) "each denial was counted once"

# Over IPv6, and behind extension headers there, as a client may send them.
for options in '' options; do
	for i in 1 2 3; do
		new
		is "$(printf '%s\n' $options "connect $server_ip6 8080" "last $get$new\\r\\n\\r\\n$denied" read read eof | script | joined)" \
			"200 11 401 0 eof" "IPv6${options:+ with destination options}, a new token and a denial ($i)"
	done
done

# Bodies, which say by themselves whether the end came too early.
put="PUT /dav/body HTTP/1.1\\r\\nHost: server\\r\\n"
pattern_files "$work/large=300000"
small=$(seq -s , 1000)
small=${small:0:3000}
echo -n "$small" >"$work/small"
for ((i = 1; i <= rounds; i++)); do
	for kind in cached unknown; do
		new
		[ $kind = unknown ] || new=$static
		rm -f "$work/web/dav/body"
		talk "a body with the head, $kind token ($i)" "201 0" \
			"last ${put}Content-Length: 3000\\r\\n$new\\r\\n\\r\\n$small" read
		check "it is whole" cmp "$work/small" "$work/web/dav/body"
		rm -f "$work/web/dav/body"
		talk "a body in two, $kind token ($i)" "201 0" \
			"send ${put}Content-Length: 3000\\r\\n$new\\r\\n\\r\\n${small:0:1000}" "last ${small:1000}" read
		check "it is whole" cmp "$work/small" "$work/web/dav/body"
		rm -f "$work/web/dav/body"
		talk "a chunked body, $kind token ($i)" "201 0" \
			"send ${put}Transfer-Encoding: chunked\\r\\n$new\\r\\n\\r\\n3e8\\r\\n${small:0:1000}" \
			"last \\r\\n7d0\\r\\n${small:1000}\\r\\n0\\r\\n\\r\\n" read
		check "it is whole" cmp "$work/small" "$work/web/dav/body"
	done
done

# More than one segment at a time: the client sends the parts of it again one by one.
for ((i = 1; i <= rounds; i++)); do
	new
	rm -f "$work/web/dav/body"
	talk "300000 bytes and the end, unknown token ($i)" "201 0" join \
		"send ${put}Content-Length: 300000\\r\\n$new\\r\\n\\r\\n" "file $work/large" flush shutdown read
	check "they are whole" cmp "$work/large" "$work/web/dav/body"
done

# This service has closed behind its response, which waits for a slow client, when the segment comes again.
pattern_files "$work/90000=90000"
{ printf 'HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n' && cat "$work/90000"; } >"$work/answer"
in_cgroup "$cgroup" "$tools/blockd" 8081 "$work/errors" "$work/answer" </dev/null >/dev/null 2>&1 &
wait_for 20 listening 8081
for ((i = 1; i <= rounds; i++)); do
	new
	is "$(script <<-END | joined
		receive 4096
		connect $server_ip 8081
		last $get$new\r\n\r\n
		pause 900
		read
		save $work/slow
	END
	)" "200 90000" "a response that ends the connection, read late ($i)"
	check "it is whole" cmp "$work/slow" "$work/90000"
	new
	is "$(script <<-END | joined
		connect $server_ip 8081
		last $get$new\r\n\r\n
		pause 500
		read
		eof
	END
	)" "200 90000 eof" "read when the segment has come again ($i)"
done

wait_for 10 figure_is connections.open -eq 0
is "$(figure connections.open)" 0 "no connection is left"
is "$(watched)" 0 "none is watched"
before
accessed_reset
agent_kill 2>/dev/null
talk "without an agent, cached token" "200 11" "last $get$static\\r\\n\\r\\n" read
accessed_is 1 "the service saw it"
new
script >/dev/null <<-END
	connect $server_ip 8080
	last $get$new\r\n\r\n
	read
END
accessed_is 1 "but not the one that needs the agent"
is "$(moved requests.denied.helper_down)" 1 "that one is counted"
tap_done
