#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A service whose writes are taken in part only, and which adds the next answer to the rest of the one before: a denial still
# comes behind both, and the connection goes on.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

net_up
in_cgroup "$cgroup" "$tools/shortd" 8080 </dev/null >/dev/null 2>&1 &
wait_for 20 listening 8080
mpbpf_load
good=$(bearer static-token-1)
filler="X-Filler: 012345678901234567890123456789012345678901234567890123456789"

# The denied request comes while the second answer stands still.
answers() {
	script <<-END | joined
		connect $server_ip 8080
		send GET /$1/first HTTP/1.1\r\nHost: server\r\n$good\r\n\r\n
		send GET /$1/second HTTP/1.1\r\nHost: server\r\n$good\r\n\r\n
		read
		pause 300
		send GET /denied HTTP/1.1\r\nHost: server\r\n$2\r\n
		read
		status
		send GET /third HTTP/1.1\r\nHost: server\r\n$good\r\n\r\n
		read
	END
}

for kind in length chunked; do
	is "$(answers $kind "$filler\\r\\n")" "200 300000 200 100000 401 200 3" \
		"$kind: two whole answers, the kernel's denial, another answer"
	is "$(answers $kind "")" "200 300000 200 100000 401 200 3" "$kind: the same, the helper denying"
done
is "$(figure requests.denied.no_token)" 4 "each denial is counted"
tap_done
