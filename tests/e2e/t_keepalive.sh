#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Thousands of requests on kept connections: every answer is whole and right, and the helper is asked once a token.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

net_up
server_start
mpbpf_load
www=$work/web/www
auth=$(bearer "$(token keepalive)")
gets=$(scaled 10000) large_gets=$(scaled 3000) posts=$(scaled 4000) large_posts=$(scaled 400)

load() {
	in_client "$tools/httpload" load "$@"
}

before
is "$(load "$server_ip" 8080 -c 8 -n "$gets" -H "$auth" "/1000=$www/1000" "/20000=$www/20000" "/0=$www/0")" \
	"requests=$gets errors=0 mismatched=0 connections=8 200=$gets" "IPv4: $gets answers, each body right"
after
is "${moved[requests.allowed]}" "$gets" "each of them was judged"
# Connections that start at the same time may each ask before the first answer is in the cache.
between "${moved[requests.asked]}" 1 8 "the helper was asked for the first only"
is "${moved[connections.guarded]}" 8 "eight connections were guarded"
is "$(load "$server_ip6" 8080 -c 8 -n "$large_gets" -H "$auth" "/1000=$www/1000" "/300000=$www/300000")" \
	"requests=$large_gets errors=0 mismatched=0 connections=8 200=$large_gets" "IPv6: $large_gets answers, each body right"
printf 'POST /echo \n' >"$work/expected"
before
is "$(load "$server_ip" 8080 -c 4 -n "$posts" -H "$auth" -b "$www/1000" "/echo=$work/expected")" \
	"requests=$posts errors=0 mismatched=0 connections=4 200=$posts" "POST with 1,000 bytes of body: $posts answers"
is "$(moved requests.asked)" 0 "no POST with a cached token needs the helper"
is "$(load "$server_ip" 8080 -c 4 -n "$large_posts" -H "$auth" -b "$www/300000" "/echo=$work/expected")" \
	"requests=$large_posts errors=0 mismatched=0 connections=4 200=$large_posts" \
	"POST with 300,000 bytes of body: $large_posts answers"
accessed_is $((gets + large_gets + posts + large_posts)) "the service saw each request once"
wait_for 5 figure_is connections.open -eq 0
is "$(figure connections.open)" 0 "closed connections are counted off"
tap_done
