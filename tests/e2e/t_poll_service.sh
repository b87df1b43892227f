#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A service that uses poll() is not told again and again of bytes that were taken away from it: those that came before accept()
# and were answered by the guard, or handed back. And it is told of those that come later.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

net_up
: >"$work/spins"
in_cgroup "$cgroup" "$tools/polld" 8080 "$work/spins" </dev/null >/dev/null 2>&1 &
wait_for 20 listening 8080
mpbpf_load
good=$(bearer static-token-1)
filler="X-Filler: 012345678901234567890123456789012345678901234567890123456789"

# polled NAME TARGET FIELDS STATUS: two such requests, with an allowed one in between, and a connection at rest behind each
polled() {
	local request="send GET $2 HTTP/1.1\r\nHost: server\r\n$3\r\n"
	: >"$work/spins"
	is "$(script <<-END | joined
		connect $server_ip 8080
		$request
		status
		pause $((600 / pace))
		send GET /between HTTP/1.1\r\nHost: server\r\n$good\r\n\r\n
		status
		$request
		status
		pause $((600 / pace))
	END
	)" "$4 200 $4" "$1: answered, and so is what follows"
	check "$1: the service sees the end" wait_for 5 test -s "$work/spins"
	between "$(<"$work/spins")" 0 9 "$1: at rest, poll() says nothing"
}

# begun NAME TARGET FIELDS STATUS: the beginning of such a head before accept(), a piece behind it, and a client that rests
begun() {
	local head="GET $2 HTTP/1.1\r\nHost: server\r\n$3\r\n"
	: >"$work/spins"
	is "$(script <<-END | joined
		connect $server_ip 8080
		send ${head:0:20}
		pause 150
		send ${head:20:10}
		pause 500
		send ${head:30}
		status
		save $work/got
		send GET /behind HTTP/1.1\r\nHost: server\r\n$good\r\n\r\n
		status
	END
	)" "$4 200" "$1: answered when it is complete, and so is what follows"
	check "$1: the service sees the end" wait_for 5 test -s "$work/spins"
	between "$(<"$work/spins")" 0 9 "$1: at rest, poll() says nothing"
	[ "$4" != 200 ] || printf '%b' "$head" >"$work/sent"
	[ "$4" != 200 ] || check "$1: the service saw what was sent" cmp "$work/got" "$work/sent"
}

polled "denied by the kernel" / "$filler\\r\\n" 401
polled "denied by the helper" / "" 401
polled "denied by the helper, longer" '/a;b' "$filler\\r\\n" 401
polled "allowed" / "$good\\r\\n" 200
polled "allowed by the helper" '/a;b' "$good\\r\\n" 200
begun "half a head that will be allowed" / "$good\\r\\n" 200
begun "half a head that will be denied" / "$filler\\r\\n" 401
tap_done
