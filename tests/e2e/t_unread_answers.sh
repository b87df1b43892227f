#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A client that sends denied requests and never reads the answers is held back: they do not pile up in the kernel.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

sent=16000
net_up
# What the buffers may grow to is bounded: with the defaults (4 MB to send, 32 MB to receive) all the answers fit in at times.
in_server sh -c 'echo 4096 16384 262144 >/proc/sys/net/ipv4/tcp_wmem'
echo 4096 131072 262144 >/proc/sys/net/ipv4/tcp_rmem
server_start
mpbpf_load
filler="X-Filler: $(printf 'y%.0s' {1..1200})"
script >"$work/out" 2>&1 <<-END
	connect $server_ip 8080
	timeout 500
	times $sent send GET /echo HTTP/1.1\r\nHost: server\r\n$filler\r\n\r\n
END
between "$(figure requests.denied.no_token)" 200 12000 "of $sent requests of 1.2 kB the first few were answered, the rest waits"
wait_for 5 figure_is connections.open -eq 0
is "$(figure connections.open)" 0 "and when the client is gone, so is its connection"
is "$(http /healthz)" 200 "others are served"
tap_done
