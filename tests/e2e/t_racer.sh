#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A client whose threads send pieces of requests at once, and which resets: what is denied never comes, be it that a service reads on
# behind a reset and takes the body of the request before for one.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

net_up
server_start
mpbpf_load
good=$(bearer static-token-1)
is "$(http -H "$good" /1)" 200 "the token is known"
accessed_reset
for ((i = 0; i < $(scaled 3); i++)); do
	in_client "$tools/racer" "$server_ip" 8080 2 "$good" >>"$work/racer" || bail "racer: $(<"$work/racer")"
done
accessed
printf '%s\n' "${accesses[@]}" >"$work/accessed"
diag "$(<"$work/racer")"
between "$(grep -c '/allowed' "$work/accessed")" 10 10000000 "what is allowed comes"
is "$(grep -c '/forbidden' "$work/accessed")" 0 "what is denied does not"

# A reset that comes while the helper has a part of a request is kept from TCP, and the agent ends the connection. The client has an
# answer that it has not read: so its close() is a reset.
none_open() {
	[ "$(figure connections.open)" = 0 ]
}
wait_for 10 none_open
held=$(figure connections.held_packets)
script <<-END
	connect $server_ip 8080
	send GET /1 HTTP/1.1\r\nHost: server\r\n$good\r\n\r\n
	pause 200
	send GET /2 HTTP/1.1\r\nHo
	pause 200
	close
END
between $(($(figure connections.held_packets) - held)) 1 1000000 "a reset is kept from TCP while the helper has half a head"
check "and the agent ends the connection" wait_for 3 none_open
tap_done
