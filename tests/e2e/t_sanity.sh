#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Frames that no receiver may accept, sent over a wire: each is dropped under its kind, and the service goes on.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

net_up
server_start
config_write
mpbpf_load --no-agent

# To nobody, for what would be answered must not be.
link='02 00 00 00 00 09 02 00 00 00 00 08'
ip4="$link 0800"
ip6="$link 86dd"
here=0a4d0001 there=0a4d0002
here6='fd77 0000 0000 0000 0000 0000 0000 0001' there6='fd77 0000 0000 0000 0000 0000 0000 0002'
ports='9c40 0050'
tcp="$ports 00000001 00000000 5010 ffff 0000 0000"

before
"$tools/frames" eth0 <<-END
	1 $ip4 4500 0028 0000 0000 40 06
	2 $ip4 6500 0028 0000 0000 4006 0000 $there $here $tcp
	3 $ip4 4400 0028 0000 0000 4006 0000 $there $here $tcp
	4 $ip4 4500 0fff 0000 0000 4006 0000 $there $here $tcp
	5 $ip4 4600 002c 0000 0000 4006 0000 $there $here 9401 0000 $tcp
	6 $ip4 4500 0028 0000 0000 4006 0000 $there $here $ports 00000001 00000000 5003 ffff 0000 0000
	7 $ip4 4500 0028 0000 0000 4006 0000 $here $here $tcp
	8 $ip4 4500 001c 0000 2000 4006 0000 $there $here $ports 00000001
	9 $ip4 4500 0028 0000 1fff 4001 0000 $there $here $tcp
	10 $ip4 4500 0028 0000 0001 4006 0000 $there $here $tcp
	11 $ip6 6000 0000 0011 2c40 $there6 $here6 1100 05c1 00000000 000000000000000000
	12 $ip6 6000 0000 0020 2b40 $there6 $here6 1102 0001 00000000 $here6 9c40 0035 0008 0000
	13 $ip4 4700 0024 0000 0000 4011 0000 $there $here 8307 040a 0000 0100 9c40 0035 0008 0000
END
after
n=0
for kind in truncated bad_version bad_header_length bad_length bad_options bad_tcp_flags land tiny_fragment \
	oversized_fragment overlapping_fragment unaligned_fragment; do
	n=$((n + 1))
	is "${moved[xdp.malformed.$kind]}" "$n" "$kind"
done
is "${moved[xdp.malformed.source_route]}" 25 "source_route, both families"
is "${moved[xdp.dropped.malformed]}" 91 "all of them were dropped as malformed"
is "$(http /healthz)" 200 "the service goes on"

config_write ddos.drop_invalid=false
check "reload: drop_invalid false" mpbpf reload --config "$config"
before
echo "3 $ip4 4500 0028 0000 0000 4006 0000 $here $here $tcp" | "$tools/frames" eth0
after
is "${moved[xdp.malformed.land]} ${moved[xdp.dropped.malformed]}" "3 3" "drop_invalid false: counted"
between "${moved[xdp.passed]}" 3 100 "and passed"
check "unload" mpbpf unload
tap_done
