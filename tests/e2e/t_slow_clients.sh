#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A head must be whole in its time, however it trickles; a body may take any time as long as it moves. A reload changes
# both.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

limit=$((1 + pace))
filler="X-Filler: $(printf 'y%.0s' {1..120})"
listeners='[{"name": "web", "port": 8080}, {"name": "dry", "port": 8081, "enforce": false}, {"name": "late", "port": 8082}]'

# timed NAME SECONDS: until that session has printed something; how many ms it took since it was begun is in `ms`
declare -A begun
timed() {
	local printed
	wait_for "$2" test -s "$work/$1"
	printed=$(stat -c %.6Y "$work/$1")
	ms=$(((${printed/./} - ${begun[$1]}) / 1000))
}

# begin NAME LINE...: a session whose answers may take long
begin() {
	begun[$1]=${EPOCHREALTIME/./}
	session "$1" 'timeout 30000' "${@:2}"
}

net_up
nginx_start "$work/web" "$cgroup" 8080 8081
access_log=$work/web/access.log
in_cgroup "$cgroup" node "$top/tests/e2e/late_server.mjs" $((4 * limit * 1000)) >"$work/late.log" 2>&1 </dev/null &
wait_for 20 listening 8082
config_write "listeners=$listeners" "clients.head_timeout_s=$limit" "clients.body_timeout_s=$limit"
mpbpf_load
known=$(bearer static-token-1)
fresh=$(bearer "$(token fresh)")
http -H "$known" /echo >/dev/null
http -H "$known" -H 'Connection: close' /echo >/dev/null

# All at once; what takes as long as the limits is waited for once.
before
put="PUT /dav/%s HTTP/1.1\\\\r\\\\nHost: server\\\\r\\\\n%s\\\\r\\\\n%s\\\\r\\\\n\\\\r\\\\n"
begin trickled "connect $server_ip 8080" 'send GET /echo/trickled HTTP/1.1\r\nHost: server\r\nX-Slow: ' \
	"drip $((limit * 100 / pace)) $(printf 'x%.0s' {1..40})" read eof
begin stalled "connect $server_ip 8080" "$(printf "send $put" stalled "$known" 'Content-Length: 1000')01234567" eof
begin chunked "connect $server_ip 8080" "$(printf "send $put" chunked "$known" 'Transfer-Encoding: chunked')5\\r\\nhe" eof
begin asked "connect $server_ip 8080" "$(printf "send $put" asked "$fresh" 'Content-Length: 1000')0123" eof
begin denied "connect $server_ip 8080" "$(printf "send $put" denied "$filler" 'Content-Length: 1000')012" status eof
begin steady "connect $server_ip 8080" "$(printf "send $put" steady "$known" 'Content-Length: 16')" \
	"drip $((limit * 400 / pace)) xxxxxxxxxxxxxxxx" status
begin dry-head "connect $server_ip 8081" 'send GET /echo/dry HTTP/1.1\r\nHost: server\r\n' "pause $((limit * 2000 / pace))" \
	'send X-Id: 1\r\n\r\n' status
begin dry-body "connect $server_ip 8081" "$(printf "send $put" dry "$filler" 'Content-Length: 4')01" \
	"pause $((limit * 3500 / pace))" 'send 23' status
pattern_files "$work/large=12000000"
begin late "connect $server_ip 8082" \
	"send PUT / HTTP/1.1\\r\\nHost: server\\r\\n$known\\r\\nContent-Length: 12000000\\r\\n\\r\\n" "file $work/large" status body

timed trickled 30
between "$ms" $((limit * 1000)) $((limit * 1000 + 2000 * slow)) "a head that trickles is answered when its time is over, not earlier"
session_end trickled
matches "$(joined <"$work/trickled")" '^408 0 (eof|reset)$' "408, and the connection is closed"
for name in stalled chunked asked; do
	timed "$name" 30
	between "$ms" $((limit * 1000)) $((limit * 1000 + 3000 * slow)) "a body that stands still ($name) ends when its time is over"
	session_end "$name"
	matches "$(cat "$work/$name")" '^(eof|reset)$' "the connection is closed ($name)"
done
session_end denied
timed denied 1
matches "$(joined <"$work/denied")" '^401 (eof|reset)$' "so does the rest of a body whose request was denied"
between "$ms" $((limit * 1000)) $((limit * 1000 + 3000 * slow)) "in its time as well"
wait_for 10 moved_is requests.denied.timeout -eq 5
is "$(moved requests.denied.timeout)" 5 "each is counted"

session_end dry-head
is "$(cat "$work/dry-head")" 200 "a dry run lets a slow head pass"
session_end dry-body
is "$(cat "$work/dry-body")" 201 "and a slow body"
is "$(moved requests.would_be_denied.timeout)" 2 "both are counted, once"
session_end steady
is "$(cat "$work/steady")" 201 "a body that moves slowly but steadily arrives"
is "$(cat "$work/web/dav/steady")" xxxxxxxxxxxxxxxx "whole"
session_end late
is "$(joined <"$work/late")" "200 12000000" "a service that reads late gets its body: it is not the client who is slow"
is "$(moved requests.denied.timeout)" 5 "nobody else was closed"
is "$(accessed_with trickled)" 0 "the service never saw the slow head"

config_write "listeners=$listeners" clients.head_timeout_s=3600 clients.body_timeout_s=86400
check "a reload to long times" mpbpf reload --config "$config"
before
begin head "connect $server_ip 8080" 'send GET /echo/head HTTP/1.1\r\nHost: ser' eof
begin body "connect $server_ip 8080" "$(printf "send $put" body "$known" 'Content-Length: 1000')01234567" eof
pause $((limit * 1500 / pace))
is "$(moved requests.denied.timeout)" 0 "they hold"
config_write "listeners=$listeners" clients.head_timeout_s=1 clients.body_timeout_s=1
check "a reload to short ones" mpbpf reload --config "$config"
wait_for 5 moved_is requests.denied.timeout -eq 2
is "$(moved requests.denied.timeout)" 2 "these hold at once, for what is under way too"
tap_done
