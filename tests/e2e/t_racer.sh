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
for _ in 1 2 3; do
	in_client "$tools/racer" "$server_ip" 8080 2 "$good" >>"$work/racer" || bail "racer: $(<"$work/racer")"
done
accessed
printf '%s\n' "${accesses[@]}" >"$work/accessed"
diag "$(<"$work/racer")"
between "$(grep -c '/allowed' "$work/accessed")" 10 10000000 "what is allowed comes"
is "$(grep -c '/forbidden' "$work/accessed")" 0 "what is denied does not"
tap_done
