#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Pipelined requests are each judged, and answered in order; what follows a denial is never let through unjudged.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
sandbox "$@"

net_up
server_start
mpbpf_load
good=$(bearer "$(token pipeline)")
bad=$(bearer "$(jwt '{"sub":"pipeline"}' another-secret)")
filler="X-Filler: 0123456789012345678901234567890123456789"

request() {
	echo "GET /echo/$1 HTTP/1.1\r\nHost: server\r\n$2\r\n\r\n"
}

# pipeline COUNT REQUEST...: all in one write; COUNT answers are read
pipeline() {
	local n=$1
	shift
	accessed_reset
	{
		printf 'connect %s 8080\ntimeout 3000\nsend ' "$server_ip"
		printf '%s' "$@"
		printf '\n'
		for _ in $(seq "$n"); do printf 'read\nbody\n'; done
	} | script 2>&1
}

statuses() {
	grep -oE '^([0-9]{3} |closed|cut|timeout|garbled)' | tr -d ' ' | paste -sd ' '
}

for round in "unknown token" "cached token"; do
	out=$(pipeline 3 "$(request 1 "$good")" "$(request 2 "$good")" "$(request 3 "$good")")
	is "$(statuses <<<"$out")" "200 200 200" "$round: good, good, good"
	is "$(grep -o '/echo/[0-9]' <<<"$out" | paste -sd ' ')" "/echo/1 /echo/2 /echo/3" "$round: answered in order"
	accessed_is 3 "$round: the service saw three"
done

for denied in "$bad=403" "$filler=401"; do
	status=${denied##*=}
	denied=${denied%=*}
	out=$(pipeline 2 "$(request 1 "$good")" "$(request 2 "$denied")")
	is "$(statuses <<<"$out")" "200 $status" "good, then $status: in order"
	accessed_is 1 "good, then $status: the service saw the good one"
	is "$(accessed | cut -d ' ' -f 2)" /echo/1 "good, then $status: and that one only"

	# After a denial the connection may end; then the client asks again, and the service saw nothing.
	out=$(pipeline 2 "$(request 1 "$denied")" "$(request 2 "$good")" | statuses)
	served=$([ "$out" = "$status 200" ] && echo 1 || echo 0)
	matches "$out" "^$status (200|closed)$" "$status, then good: the denial comes first"
	accessed_is "$served" "$status, then good: the service saw what was answered"

	out=$(pipeline 3 "$(request 1 "$good")" "$(request 2 "$denied")" "$(request 3 "$good")" | statuses)
	served=$([ "$out" = "200 $status 200" ] && echo 2 || echo 1)
	matches "$out" "^200 $status (200|closed)$" "good, $status, good: in order"
	accessed_is "$served" "good, $status, good: the service saw what was answered"
done

requests=()
for i in $(seq 100); do requests+=("$(request "$i" "$good")"); done
out=$(pipeline 100 "${requests[@]}")
is "$(grep -c '^200 ' <<<"$out")" 100 "a hundred at once: all answered"
is "$(grep -oE '/echo/[0-9]+' <<<"$out" | cut -d / -f 3)" "$(seq 100)" "a hundred at once: in order"
accessed_is 100 "a hundred at once: the service saw each once"

accessed_reset
is "$(script <<-END
	connect $server_ip 8080
	send POST /echo/1 HTTP/1.1\r\nHost: server\r\n$good\r\nContent-Length: 5\r\n\r\nhello$(request 2 "$good")
	read
	read
	send POST /echo/3 HTTP/1.1\r\nHost: server\r\n$good\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n$(request 4 "$good")
	read
	read
	send $(request 5 "$good")GET /echo/6 HT
	read
	send TP/1.1\r\nHost: server\r\n$good\r\n\r\n
	read
END
)" $'200 14\n200 13\n200 14\n200 13\n200 13\n200 13' "bodies, chunks and a cut head between pipelined requests"
accessed_is 6 "the service saw six"
tap_done
