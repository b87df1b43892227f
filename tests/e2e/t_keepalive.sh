#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Thousands of requests on kept connections: every answer is whole and right, and the helper is asked once a token.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
sandbox "$@"

net_up
server_start
mpbpf_load
www=$work/web/www
auth=$(bearer "$(token keepalive)")

load() {
	in_client "$tools/httpload" load "$@"
}

before
is "$(load "$server_ip" 8080 -c 8 -n 10000 -H "$auth" "/1000=$www/1000" "/20000=$www/20000" "/0=$www/0")" \
	"requests=10000 errors=0 mismatched=0 connections=8 200=10000" "IPv4: 10,000 answers, each body right"
is "$(moved requests.allowed)" 10000 "each of them was judged"
# Connections that start at the same time may each ask before the first answer is in the cache.
between "$(moved requests.asked)" 1 8 "the helper was asked for the first only"
is "$(moved connections.guarded)" 8 "eight connections were guarded"
is "$(load "$server_ip6" 8080 -c 8 -n 10000 -H "$auth" "/1000=$www/1000" "/300000=$www/300000")" \
	"requests=10000 errors=0 mismatched=0 connections=8 200=10000" "IPv6: 10,000 answers, each body right"
printf 'POST /echo \n' >"$work/expected"
before
is "$(load "$server_ip" 8080 -c 4 -n 4000 -H "$auth" -b "$www/1000" "/echo=$work/expected")" \
	"requests=4000 errors=0 mismatched=0 connections=4 200=4000" "POST with 1,000 bytes of body: 4,000 answers"
is "$(moved requests.asked)" 0 "no POST with a cached token needs the helper"
is "$(load "$server_ip" 8080 -c 4 -n 400 -H "$auth" -b "$www/300000" "/echo=$work/expected")" \
	"requests=400 errors=0 mismatched=0 connections=4 200=400" "POST with 300,000 bytes of body: 400 answers"
accessed_is 24400 "the service saw each request once"
wait_for 5 eval '[ "$(figure connections.open)" = 0 ]'
is "$(figure connections.open)" 0 "closed connections are counted off"
tap_done
