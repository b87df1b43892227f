#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A service that blocks in recv() is not disturbed by bytes that go to the helper: it sees neither an error nor a wake-up.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
sandbox "$@"

count=100
net_up
in_cgroup "$cgroup" "$tools/blockd" 8080 "$work/errors" </dev/null >/dev/null 2>&1 &
wait_for 20 in_server bash -c 'ss -Hltn "sport = :8080" | grep -q .'
mpbpf_load
http -H "$(bearer static-token-1)" / >/dev/null
: >"$work/errors"

# request NUMBER: with a token that nobody has seen
request() {
	echo "GET /$1 HTTP/1.1\r\nHost: server\r\n$(bearer "$(token "user-$1-$RANDOM$RANDOM")")\r\n\r\n"
}

answers() {
	script | cut -d ' ' -f 1 | sort | uniq -c | sed 's/^ *//' | paste -sd ' '
}

is "$(for i in $(seq $count); do printf 'connect %s 8080\nsend %s\nread\n' "$server_ip" "$(request "$i")"; done | answers)" \
	"$count 200" "$count new tokens, each on a connection of its own"
is "$({
	printf 'connect %s 8080\n' "$server_ip"
	for i in $(seq $count); do printf 'send %s\nread\n' "$(request "$i")"; done
} | answers)" \
	"$count 200" "$count new tokens on one connection"
is "$(for i in $(seq 20); do
	request=$(request "$i")
	printf 'connect %s 8080\nsend %s\npause 5\nsend %s\nread\n' "$server_ip" "${request:0:60}" "${request:60}"
done | answers)" "20 200" "new tokens in heads of two segments"
filler="X-Filler: 0123456789012345678901234567890123456789"
is "$(for i in $(seq $count); do printf 'connect %s 8080\nsend GET / HTTP/1.1\\r\\nHost: server\\r\\n%s\\r\\n\\r\\n\nread\n' "$server_ip" "$filler"; done | answers)" "$count 401" \
	"$count requests without a token"
is "$(cat "$work/errors")" "" "recv() never gave an error"
tap_done
