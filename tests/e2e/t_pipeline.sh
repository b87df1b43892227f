#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Pipelined requests are each judged, and answered in order; what follows a denial is never let through unjudged.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

net_up
server_start
mpbpf_load
good=$(bearer "$(token pipeline)")
bad=$(bearer "$(jwt '{"sub":"pipeline"}' another-secret)")
filler="X-Filler: 0123456789012345678901234567890123456789"

# to NUMBER FIELD: a request in `to`
to() {
	to="GET /echo/$1 HTTP/1.1\r\nHost: server\r\n$2\r\n\r\n"
}

# pipeline FIELD...: a request with each, numbered from 1, all in one write. The statuses are in `statuses`, the numbers that the
# service answered to in `answered`.
pipeline() {
	local field line text= n=0 reads=()
	for field in "$@"; do
		to $((n += 1)) "$field"
		text+=$to
		reads+=(read body)
	done
	accessed_reset
	statuses= answered=
	while read -r line; do
		case $line in
		[0-9][0-9][0-9]\ *) statuses+=" ${line%% *}" ;;
		closed | cut | timeout | garbled) statuses+=" $line" ;;
		*/echo/*) line=${line##*/echo/} answered+=" ${line%% *}" ;;
		esac
	done < <(printf '%s\n' "connect $server_ip 8080" 'timeout 3000' "send $text" "${reads[@]}" | script 2>&1)
	statuses=${statuses# } answered=${answered# }
}

for round in "unknown token" "cached token"; do
	pipeline "$good" "$good" "$good"
	is "$statuses" "200 200 200" "$round: good, good, good"
	is "$answered" "1 2 3" "$round: answered in order"
	accessed_is 3 "$round: the service saw three"
done

for denied in "$bad=403" "$filler=401"; do
	status=${denied##*=}
	denied=${denied%=*}
	pipeline "$good" "$denied"
	is "$statuses" "200 $status" "good, then $status: in order"
	accessed_is 1 "good, then $status: the service saw the good one"
	matches "${accesses[*]}" '^GET /echo/1 ' "good, then $status: and that one only"

	# After a denial the connection may end; then the client asks again, and the service saw nothing.
	pipeline "$denied" "$good"
	served=0
	[ "$statuses" != "$status 200" ] || served=1
	matches "$statuses" "^$status (200|closed)$" "$status, then good: the denial comes first"
	accessed_is "$served" "$status, then good: the service saw what was answered"

	pipeline "$good" "$denied" "$good"
	served=1
	[ "$statuses" != "200 $status 200" ] || served=2
	matches "$statuses" "^200 $status (200|closed)$" "good, $status, good: in order"
	accessed_is "$served" "good, $status, good: the service saw what was answered"
done

mapfile -t hundred < <(printf "$good%.0s\n" {1..100})
pipeline "${hundred[@]}"
is "$statuses" "$(printf '200 %.0s' {1..99})200" "a hundred at once: all answered"
is "$answered" "$(echo {1..100})" "a hundred at once: in order"
accessed_is 100 "a hundred at once: the service saw each once"

accessed_reset
for i in 2 4 5; do
	to "$i" "$good"
	requests[i]=$to
done
is "$(script <<-END
	connect $server_ip 8080
	send POST /echo/1 HTTP/1.1\r\nHost: server\r\n$good\r\nContent-Length: 5\r\n\r\nhello${requests[2]}
	read
	read
	send POST /echo/3 HTTP/1.1\r\nHost: server\r\n$good\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n${requests[4]}
	read
	read
	send ${requests[5]}GET /echo/6 HT
	read
	send TP/1.1\r\nHost: server\r\n$good\r\n\r\n
	read
END
)" $'200 14\n200 13\n200 14\n200 13\n200 13\n200 13' "bodies, chunks and a cut head between pipelined requests"
accessed_is 6 "the service saw six"
tap_done
