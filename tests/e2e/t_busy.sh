#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What clients may take of the helper is bounded: connections that wait, bytes that it holds, questions of one source.
# Beyond that the kernel answers by itself, and whoever needs no helper notices nothing.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

filler="X-Filler: $(printf 'y%.0s' {1..120})"
half="GET /healthz/%s HTTP/1.1\\\\r\\\\nHost: server\\\\r\\\\nX-Half: "

# limits [MEMBER=JSON]...: in force from now on; the rest of `clients` has its defaults, time for slow machines apart. Then the known token is known again.
limits() {
	config_write clients.head_timeout_s=$((30 * slow)) "$@"
	if [ -e "$pin_root" ]; then
		mpbpf reload --config "$config" >>"$log" 2>&1 </dev/null || bail "reload failed: $(tail -n 3 "$log")"
	else
		mpbpf_load
	fi
	http -H "$known" /echo >/dev/null
}

# asked [FROM]: the status of a request with the next token; whoever asks counts n up. asked_with NUMBER [FROM]
asked() {
	asked_with $((n + 1)) "$@"
}

asked_with() {
	from=${2:-} http -H "$(bearer "${tokens[$1]}")" /echo
}

# not_asked WHAT: whatever the kernel decides by itself is decided
not_asked() {
	is "$(http -H "$known" /echo) $(http /healthz) $(http -H "$filler" /echo)" "200 200 401" "$1"
}

n=0
net_up
nginx_start "$work/web" "$cgroup" 8080 '[::]:8080' 8081
access_log=$work/web/access.log
in_cgroup "$cgroup" "$tools/blockd" 8082 "$work/errors" </dev/null >/dev/null 2>&1 &
wait_for 20 listening 8082
known=$(bearer static-token-1)
tokens_read 80 busy

# ---- connections that wait ----

listeners='[{"name": "web", "port": 8080}, {"name": "dry", "port": 8081, "enforce": false}, {"name": "block", "port": 8082}]'
limits "listeners=$listeners" clients.max_waiting=3
for i in 1 2 3; do
	session "half$i" "connect $server_ip 8080" "$(printf "send $half" "$i")"
done
check "three connections are with the helper" wait_for 5 figure_is requests.asked -ge 4
before
start=${EPOCHREALTIME/./}
is "$(asked)" 503 "one more: 503"
n=$((n + 1))
between $(((${EPOCHREALTIME/./} - start) / 1000)) 0 $((4000 * slow)) "at once"
is "$(moved requests.denied.busy)" 1 "counted"
not_asked "who needs no helper is served"
is "$(script <<-END
	connect $server_ip 8080
	send GET /ec
	eof
END
)" reset "what is too short for an answer is closed"
is "$(moved requests.denied.busy)" 2 "counted too"

# A service that blocks in recv() is not woken by an answer: see t_blocking_service.sh.
start=${EPOCHREALTIME/./}
is "$(port=8082 asked)" closed "no answer where the service blocks"
between $(((${EPOCHREALTIME/./} - start) / 1000)) 100 $((2000 * slow)) "it sees the end, and nothing before"
is "$(moved requests.denied.busy)" 3 "counted as well"
is "$(port=8081 asked)" 200 "a dry run lets it pass"
is "$(moved requests.would_be_denied.busy)" 1 "and counts it"
n=$((n + 1))

# A response under way is not overtaken: its connection ends behind it.
accessed_reset
mapfile -t answers < <(script <<-END
	connect $server_ip 8080
	send GET /300000 HTTP/1.1\r\nHost: server\r\n$known\r\n\r\n
	pause 100
	send GET /echo/denied HTTP/1.1\r\nHost: server\r\n$filler\r\n\r\n
	send GET /ec
	read
	save $work/whole
	status
	status
END
)
is "${answers[0]}" "200 300000" "the response before comes whole"
check "as it was sent" cmp "$work/whole" "$work/web/www/300000"
matches "${answers[*]:1}" '^(401 )?(closed|cut)' "and nothing but a denial in its turn comes behind it"
is "$(accessed_with denied)" 0 "what was denied never reached the service"

for i in 1 2 3; do
	session "half$i" 'send z\r\n\r\n' status
	session_end "half$i"
	is "$(cat "$work/half$i")" 200 "a connection that waited is served ($i)"
done
is "$(asked)" 200 "then there is room again"
n=$((n + 1))

# ---- bytes ----

# heads COUNT BYTES: connections with so much of a head; then LINE... for each of them
heads() {
	local i line
	for ((i = 0; i < $1; i++)); do
		printf '%s\n' "use $i" "connect $server_ip 8080" 'send GET /echo HTTP/1.1\r\nHost: server\r\nX-Long: '
	done
	for ((i = 0; i < $1; i++)); do
		printf '%s\n' "use $i" "repeat $2 y"
	done
}

# [first=NUMBER] finish COUNT LINE...: the same lines for each, from the first one on
finish() {
	local i
	for ((i = ${first:-0}; i < ${first:-0} + $1; i++)); do
		printf '%s\n' "use $i" "${@:2}"
	done
}

limits clients.max_held_bytes=1048576
mapfile -t lines < <(heads 27 31000)
session long "${lines[@]}"
before
wait_for 10 http_is 503 -H "$(bearer "${tokens[n + 1]}")" /echo
n=$((n + 1))
is "$(asked)" 503 "the helper holds over three quarters of what it may: 503"
n=$((n + 1))
between "$(moved requests.denied.busy)" 1 50 "counted"
not_asked "who needs no helper is served"
mapfile -t lines < <(finish 27 'send \r\n\r\n' status)
session long "${lines[@]}"
session_end long
is "$(tally <"$work/long")" "27 401" "those that it has are dealt with"
is "$(asked)" 200 "then it takes more again"
n=$((n + 1))

before
{
	heads 45 900
	finish 45 'repeat 30000 y'
	echo 'pause 300'
	finish 45 'send \r\n\r\n' status
} | script >"$work/many"
matches "$(sort "$work/many" | tally)" '^(1?[0-9]|2[0-9]|3[0-2]) 401 ([0-9]+ 503 )?[0-9]+ (closed|cut)' \
	"of 45 connections that want 32 KiB each, 1 MiB is enough for 32 at most; the others are closed, or come when it takes none"
between "$(moved requests.denied.busy)" 13 45 "and counted"
is "$(asked)" 200 "and it takes more again"
n=$((n + 1))

# ---- the ring, of a helper that does not come to read it ----

# One segment of 13 kB takes 64 KiB of 8 MiB; where it comes as two or three segments those take less: so many
# that some are refused, then, whatever their number.
agents_read
kill -STOP "${agents[@]}"
before
filling="X-Filler: $(printf 'y%.0s' {1..1300})\\r\\n"
for ((sent = 0; sent < 500;)); do
	mapfile -t lines < <(first=$sent finish 20 "connect $server_ip 8080" join 'send GET /echo HTTP/1.1\r\nHost: server\r\n' \
		"repeat 10 $filling" 'send \r\n' flush)
	session ring "${lines[@]}"
	((sent += 20))
	! moved_is requests.denied.busy -ge 30 || break
done
check "a ring that nobody reads gets too full: 503" wait_for 10 moved_is requests.denied.busy -ge 30
check "but not before most of it is taken" moved_is requests.denied.busy -le $((sent - 80))
after
is "${moved[requests.denied.helper_down]} ${moved[connections.broken]}" "0 0" "while there is room for those that are with the helper"
not_asked "who needs no helper is served"
kill -CONT "${agents[@]}"
mapfile -t lines < <(finish $sent status)
session ring "${lines[@]}"
session_end ring
matches "$(tally <"$work/ring")" '^[0-9]+ 401 [0-9]+ 503$' "and when the helper is back, all of those are answered"
is "$(asked)" 200 "and it takes more again"
n=$((n + 1))

# ---- questions of one source ----

# One in 100 s: none comes back while this goes on.
limits 'clients.asks={"rate": 0.01, "burst": 6}'
before
is "$(for i in {1..8}; do asked_with $((n + i)); done | tally)" "5 200 3 429" \
	"a source that floods: 429 when it has asked as often as it may"
n=$((n + 8))
is "$(moved requests.denied.ask_rate)" 3 "counted"
n=$((n + 1))
mapfile -t answers < <(script <<-END
	connect $server_ip 8080
	send GET /echo HTTP/1.1\r\nHost: server\r\n$(bearer "${tokens[n]}")\r\n\r\n
	status
	field Retry-After
	field Connection
	eof
END
)
is "${answers[0]} ${answers[2]}" "429 close" "again"
between "${answers[1]}" 1 100 "with Retry-After"
matches "${answers[3]}" '^(eof|reset)$' "and the connection is closed"
start=${EPOCHREALTIME/./}
is "$(asked "$other_ip")" 200 "another source's first token is validated"
n=$((n + 1))
between $(((${EPOCHREALTIME/./} - start) / 1000)) 0 $((4000 * slow)) "at once"
not_asked "the flooding source's known token passes still"
is "$(for i in {1..20}; do http -H "$known" /echo; done | tally)" "20 200" "as often as it likes"

# More than one request at a time is more than one question.
requests=
for i in {1..10}; do
	requests+="GET /echo HTTP/1.1\\r\\nHost: server\\r\\n$(bearer "${tokens[n + i]}")\\r\\n\\r\\n"
done
n=$((n + 10))
is "$({
	printf '%s\n' "connect $server_ip6 8080 $client_ip6" "send $requests"
	printf 'status\n%.0s' {1..8}
} | script | tally)" "6 200 1 429 1 closed" "ten at once on one connection are ten"
is "$(host=$server_ip6 asked "$other_ip6")" 429 "an IPv6 /64 is one source"
n=$((n + 1))
limits 'clients.asks={"rate": 0.01, "burst": 6, "enabled": false}'
is "$(for i in {1..8}; do asked_with $((n + i)); done | tally)" "8 200" "not enabled: no limit"
tap_done
