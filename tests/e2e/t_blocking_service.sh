#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A service that blocks in recv() is not disturbed by bytes that go to the helper: it sees neither an error nor a wake-up.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

count=$(scaled 100 20)
net_up
in_cgroup "$cgroup" "$tools/blockd" 8080 "$work/errors" </dev/null >/dev/null 2>&1 &
wait_for 20 listening 8080
mpbpf_load
: >"$work/errors"

# The service is in recv() when they come, and would be back from it before the helper hands them back.
kill -STOP "$(agent_pids)"
{
	pause 1000
	kill -CONT "$(agent_pids)"
} &
is "$(script <<-END
	connect $server_ip 8080
	pause 200
	send GET / HTTP/1.1\r\nHost: server\r\n$(bearer "$(token first)")\r\n\r\n
	status
END
)" 200 "the first bytes for the helper after a load, and it is late"

# Each with a token that nobody has seen.
tokens_read $((2 * count + 20)) "user $RANDOM"
requests=()
for token in "${tokens[@]}"; do
	requests+=("GET / HTTP/1.1\r\nHost: server\r\n$(bearer "$token")\r\n\r\n")
done

is "$(printf "connect $server_ip 8080\nsend %s\nstatus\n" "${requests[@]:0:count}" | script | tally)" \
	"$count 200" "$count new tokens, each on a connection of its own"
is "$({
	echo "connect $server_ip 8080"
	printf 'send %s\nstatus\n' "${requests[@]:count:count}"
} | script | tally)" \
	"$count 200" "$count new tokens on one connection"
is "$(for request in "${requests[@]:2*count}"; do
	printf '%s\n' "connect $server_ip 8080" "send ${request:0:60}" 'pause 5' "send ${request:60}" status
done | script | tally)" "20 200" "new tokens in heads of two segments"
filler="X-Filler: 0123456789012345678901234567890123456789"
is "$(for ((i = 0; i < count; i++)); do
	printf '%s\n' "connect $server_ip 8080" "send GET / HTTP/1.1\r\nHost: server\r\n$filler\r\n\r\n" status
done | script | tally)" "$count 401" "$count requests without a token"
is "$(cat "$work/errors")" "" "recv() never gave an error"
tap_done
