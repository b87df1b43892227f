#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Sources that are answered 401 or 403 too often are dropped by XDP for a while; off by default, and the allow list wins.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

net_up
server_start
ban='ddos.ban={"enabled": true, "failures": 4, "window_s": 3600, "ban_s": '$((3 * pace))'}'
good=$(bearer static-token-1)

# asked ADDRESS [HTTP_ARGS]: the status that a request from there gets, or "nothing", for `silence` ms (5000)
asked() {
	local said
	said=$(from=$1 patience=${silence:-5000} http "${@:2}" /echo)
	case $said in
	timeout | failed:*'timed out') said=nothing ;;
	esac
	echo "$said"
}

# asked_is STATUS ADDRESS [HTTP_ARGS]: for wait_for
asked_is() {
	[ "$(asked "${@:2}")" = "$1" ]
}

# refused ADDRESS: six times without a token
refused() {
	for _ in {1..6}; do
		silence=400 asked "$1" >/dev/null
	done
}

mpbpf_load
refused "$client_ip"
is "$(asked "$client_ip" -H "$good")" 200 "nobody is banned by default"

config_write "$ban"
check "reload with bans" mpbpf reload --config "$config"
is "$(asked "$client_ip") $(asked "$client_ip") $(asked "$client_ip" -H "$(bearer wrong)")" "401 401 403" "up to the limit"
is "$(asked "$client_ip" -H "$good")" 200 "a good request is no failure"
before
matches "$(silence=400 asked "$client_ip" -H "$(bearer wrong)")" '^(403|nothing)$' "the failure that bans is answered still, or cut off"
is "$(silence=400 asked "$client_ip" -H "$good")" nothing "then nothing of the source comes through"
is "$(asked "$other_ip" -H "$good")" 200 "another source is served"
between "$(moved xdp.dropped.banned)" 1 1000 "drops are counted"
silence=400 check "the ban runs out" wait_for 8 asked_is 200 "$client_ip" -H "$good"

config_write "$ban" 'ddos.allow=["'"$other_ip"'/32"]'
check "reload with an allow list" mpbpf reload --config "$config"
refused "$other_ip"
is "$(asked "$other_ip" -H "$good")" 200 "a source on the allow list is never dropped"
tap_done
