#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Request limits: by listener, token, subject, source and prefix; exact; 429 says when to come again.
. "$(dirname "$0")/lib.sh"
sandbox "$@"

net_up
server_start

# limits JSON: in force from now on
limits() {
	config_write ".request_limits = $1"
	if [ -e "$pin_root" ]; then
		mpbpf reload >>"$log" 2>&1 </dev/null || bail "reload failed: $(tail -n 3 "$log")"
	else
		mpbpf_load
	fi
}

# requests N TARGET TOKEN [FROM]: the statuses of N requests on one connection, counted: "3x200 2x429"
requests() {
	local i list=()
	for ((i = 0; i < $1; i++)); do
		list+=(-o /dev/null "http://$server_ip:8080$2")
	done
	in_client curl -s --max-time 20 ${4:+--interface "$4"} -H "$(bearer "$3")" -w '%{http_code}\n' "${list[@]}" |
		sort | uniq -c | awk '{ printf "%s%sx%s", sep, $1, $2; sep = " " }'
}

limits '[{"name": "slow", "per": "token", "rate": 0.01, "burst": 3}]'
a=$(token a) b=$(token b)
before
accessed_reset
is "$(requests 5 /echo "$a")" "3x200 2x429" "by token: as many as the burst, the first of them asked for"
is "$(requests 4 /echo "$b")" "3x200 1x429" "another token has its own"
is "$(requests 4 /healthz "$a")" "4x200" "exempt paths do not count"
http -H "$(bearer "$a")" /echo >/dev/null
matches "$(tr -d '\r' <"$work/head")" '^Retry-After: +(100|9[5-9])$' "Retry-After says when there is room"
is "$(moved requests.denied.rate)" 4 "denials are counted"
accessed_is 10 "the service saw what was let through"
limits '[{"name": "slow", "per": "token", "rate": 0.01, "burst": 3}]'
is "$(requests 2 /echo "$a")" "2x429" "a reload does not fill the buckets"

limits '[{"name": "by-subject", "per": "subject", "rate": 0.01, "burst": 2}]'
is "$(requests 2 /echo "$(jwt '{"sub":"one","n":1}')") $(requests 2 /echo "$(jwt '{"sub":"one","n":2}')")" "2x200 2x429" \
	"by subject: two tokens of one share"
is "$(requests 2 /echo "$(jwt '{"sub":"two"}')")" "2x200" "another subject does not"

limits '[{"name": "by-source", "per": "source", "rate": 0.01, "burst": 2}]'
is "$(requests 3 /echo "$a" "$client_ip") $(requests 3 /echo "$a" "$other_ip")" "2x200 1x429 2x200 1x429" "by source"

limits '[{"name": "by-listener", "per": "listener", "rate": 0.01, "burst": 3}]'
is "$(requests 2 /echo "$a") $(requests 2 /echo "$b")" "2x200 1x200 1x429" "by listener: all share"

limits '[{"name": "all", "per": "token", "rate": 0.01, "burst": 4}, {"name": "deep", "per": "token", "rate": 0.01, "burst": 1, "prefix": "/echo/deep"}]'
is "$(requests 3 /echo/deep/x "$a")" "1x200 2x429" "by prefix: the tighter one holds"
is "$(requests 4 /echo "$a")" "3x200 1x429" "what it refused was not counted against the other"
d=$(token d)
is "$(requests 1 /echo/%64eep "$d") $(requests 1 /echo/./deep "$d")" "1x200 1x429" "however the path is written"

limits '[{"name": "watch", "per": "token", "rate": 0.01, "burst": 1, "enforce": false}]'
before
is "$(requests 3 /echo "$a")" "3x200" "a limit that is a dry run denies nothing"
is "$(moved requests.would_be_denied.rate) $(moved requests.denied.rate)" "2 0" "and counts what it would have denied"

limits '[{"name": "wrong", "per": "token", "rate": 0.01, "burst": 1, "listener": "web"}]'
is "$(requests 2 /echo "$a")" "1x200 1x429" "a limit of one listener"
tap_done
