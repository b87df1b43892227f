#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A client that sends denied requests and never reads the answers is held back: they do not pile up in the kernel.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
sandbox "$@"

sent=16000
net_up
server_start
mpbpf_load
filler="X-Filler: $(printf 'y%.0s' $(seq 1200))"
{
	printf 'connect %s 8080\ntimeout 1500\n' "$server_ip"
	for _ in $(seq $sent); do printf 'send GET /echo HTTP/1.1\\r\\nHost: server\\r\\n%s\\r\\n\\r\\n\n' "$filler"; done
} | script >"$work/out" 2>&1
between "$(figure requests.denied.no_token)" 200 6000 "of $sent requests of 1.2 kB the first few were answered, the rest waits"
wait_for 5 eval '[ "$(figure connections.open)" = 0 ]'
is "$(figure connections.open)" 0 "and when the client is gone, so is its connection"
is "$(http /healthz)" 200 "others are served"
tap_done
