#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Sources that are answered 401 or 403 too often are dropped by XDP for a while; off by default, and the allow list wins.
. "$(dirname "$0")/lib.sh"
sandbox "$@"

net_up
server_start
ban='.ddos.ban = {"enabled": true, "failures": 4, "window_s": 3600, "ban_s": 3}'

# from ADDRESS [CURL_ARGS]: status, 000 when nothing comes
from() {
	in_client curl -s -o /dev/null -w '%{http_code}' --max-time 1 --interface "$1" "${@:2}" "http://$server_ip:8080/echo"
}

config_write
mpbpf_load
for _ in 1 2 3 4 5 6; do from "$client_ip" >/dev/null; done
is "$(from "$client_ip" -H "$(bearer static-token-1)")" 200 "nobody is banned by default"

config_write "$ban"
mpbpf reload >>"$log" 2>&1
is "$(from "$client_ip") $(from "$client_ip") $(from "$client_ip" -H "$(bearer wrong)")" "401 401 403" "up to the limit"
is "$(from "$client_ip" -H "$(bearer static-token-1)")" 200 "a good request is no failure"
before
is "$(from "$client_ip" -H "$(bearer wrong)")" 403 "the failure that bans is answered still, or cut off"
is "$(from "$client_ip" -H "$(bearer static-token-1)")" 000 "then nothing of the source comes through"
is "$(from "$other_ip" -H "$(bearer static-token-1)")" 200 "another source is served"
check "drops are counted" test "$(moved xdp.dropped.banned)" -gt 0
wait_for 8 eval '[ "$(from "$client_ip" -H "$(bearer static-token-1)")" = 200 ]'
is "$(from "$client_ip" -H "$(bearer static-token-1)")" 200 "the ban runs out"

config_write "$ban | .ddos.allow = [\"$other_ip/32\"]"
mpbpf reload >>"$log" 2>&1
for _ in 1 2 3 4 5 6; do from "$other_ip" >/dev/null; done
is "$(from "$other_ip" -H "$(bearer static-token-1)")" 200 "a source on the allow list is never dropped"
tap_done
