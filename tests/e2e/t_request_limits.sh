#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Request limits: by listener, token, subject, source and prefix; exact; 429 says when to come again.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

net_up
server_start

# limits JSON...: in force from now on. A rate at which no request comes back while the case runs.
rate=0.001
limits() {
	local list
	printf -v list '%s, ' "$@"
	config_write "request_limits=[${list%, }]"
	if [ -e "$pin_root" ]; then
		mpbpf reload --config "$config" >>"$log" 2>&1 </dev/null || bail "reload failed: $(tail -n 3 "$log")"
	else
		mpbpf_load
	fi
}

# limit NAME PER BURST [MEMBERS]
limit() {
	echo "{\"name\": \"$1\", \"per\": \"$2\", \"rate\": $rate, \"burst\": $3${4:+, $4}}"
}

# requests N TARGET TOKEN [FROM]: the statuses of N requests on one connection, counted: "3 200 2 429"
requests() {
	local i field
	field=$(bearer "$3")
	{
		echo "connect $server_ip 8080 ${4:-}"
		for ((i = 0; i < $1; i++)); do
			printf '%s\n' "send GET $2 HTTP/1.1\r\nHost: server\r\n$field\r\n\r\n" status
		done
	} | script | tally
}

limits "$(limit slow token 3)"
a=$(token a) b=$(token b)
before
accessed_reset
is "$(requests 5 /echo "$a")" "3 200 2 429" "by token: as many as the burst, the first of them asked for"
is "$(requests 4 /echo "$b")" "3 200 1 429" "another token has its own"
is "$(requests 4 /healthz "$a")" "4 200" "exempt paths do not count"
curled -H "$(bearer "$a")" /echo >/dev/null
matches "$(tr -d '\r' <"$work/head")" '^Retry-After: +(1000|9[0-9][0-9])$' "Retry-After says when there is room"
is "$(moved requests.denied.rate)" 4 "denials are counted"
accessed_is 10 "the service saw what was let through"
limits "$(limit slow token 3)"
is "$(requests 2 /echo "$a")" "2 429" "a reload does not fill the buckets"

limits "$(limit by-subject subject 2)"
is "$(requests 2 /echo "$(jwt '{"sub":"one","n":1}')") $(requests 2 /echo "$(jwt '{"sub":"one","n":2}')")" "2 200 2 429" \
	"by subject: two tokens of one share"
is "$(requests 2 /echo "$(jwt '{"sub":"two"}')")" "2 200" "another subject does not"

limits "$(limit by-source source 2)"
is "$(requests 3 /echo "$a" "$client_ip") $(requests 3 /echo "$a" "$other_ip")" "2 200 1 429 2 200 1 429" "by source"

limits "$(limit by-listener listener 3)"
is "$(requests 2 /echo "$a") $(requests 2 /echo "$b")" "2 200 1 200 1 429" "by listener: all share"

limits "$(limit all token 4)" "$(limit deep token 1 '"prefix": "/echo/deep"')"
is "$(requests 3 /echo/deep/x "$a")" "1 200 2 429" "by prefix: the tighter one holds"
is "$(requests 4 /echo "$a")" "3 200 1 429" "what it refused was not counted against the other"
d=$(token d)
is "$(requests 1 /echo/%64eep "$d") $(requests 1 /echo/./deep "$d")" "1 200 1 429" "however the path is written"

limits "$(limit watch token 1 '"enforce": false')"
before
is "$(requests 3 /echo "$a")" "3 200" "a limit that is a dry run denies nothing"
after
is "${moved[requests.would_be_denied.rate]} ${moved[requests.denied.rate]}" "2 0" "and counts what it would have denied"

limits "$(limit one token 1 '"listener": "web"')"
is "$(requests 2 /echo "$a")" "1 200 1 429" "a limit of one listener"
tap_done
