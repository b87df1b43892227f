#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Bytes and ends of any kind through a gateway, while the configuration changes under them: none is lost, doubled or another's.
# GATEWAY_SOAK_SECONDS (4) makes it longer; with GATEWAY_SOAK_GB it lasts until so many GB were sent, in larger streams (`make
# soak`); GATEWAY_SOAK_SEED repeats a run. GATEWAY_SOAK_PATH is the way that the connections must take: relay (4 s of it are in
# `make check`), whose endpoints are other hosts, or steer, whose endpoints are on this node: what comes within a moment of a reload is
# relayed there, so both are at work beside each other.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
# shellcheck source-path=SCRIPTDIR source=gateway.sh
. "${0%/*}/gateway.sh"
seconds=${GATEWAY_SOAK_SECONDS:-4}
gb=${GATEWAY_SOAK_GB:-0}
path=${GATEWAY_SOAK_PATH:-relay}
time_limit=$((190 * slow + 2 * seconds + 300 * gb))
sandbox "$@"

net_up
hosts_up
served=()
# serve I COMMAND...: endpoint I, entered by COMMAND
serve() {
	"${@:2}" "$tools/relay" serve 90 >"$work/served$1" &
	served[$1]=$!
	wait_for 5 test -s "$work/served$1" || bail "relay does not start"
}
case $path in
relay)
	policies=(random least_conn source_hash round_robin)
	hosts=("$host1_ip" "$host2_ip6")
	serve 1 in_host 1
	serve 2 in_host 2
	;;
steer)
	policies=(random source_hash round_robin)
	hosts=("$server_ip" "$server_ip6")
	serve 1 in_server
	;;
*) bail "GATEWAY_SOAK_PATH is $path: relay or steer" ;;
esac

# write POLICY WEIGHT: both hosts by that policy, and a cluster that nothing goes to
write() {
	config_write 'listeners=[{"name": "bytes", "port": 8004, "mode": "gateway", "protocol": "tcp", "cluster_name": "bytes"}]' \
		"services=[{\"name\": \"bytes\", \"hosts\": [\"${hosts[0]}\", \"${hosts[1]}\"], \"port\": 90, \"policy\": \"$1\", \"weights\": [1, $2],
			\"health_check\": {\"interval_ms\": 200, \"fall\": 100}}]"
}
write round_robin 1
mpbpf_load
seed=${GATEWAY_SOAK_SEED:-$RANDOM$RANDOM}
# Both ends of a connection count what they get and send, so a third by IPv6 makes all of it.
amount() {
	if [ "$gb" -eq 0 ]; then echo "-t $seconds"; else echo "-x 8 -b $((gb * 1000000000 / 3 * $1))"; fi
}
began=$SECONDS
# shellcheck disable=SC2046
"$tools/relay" run -c "$(scaled 24 6)" $(amount 2) -s "$seed" "$server_ip" 8004 >"$work/run4" &
run4=$!
# shellcheck disable=SC2046
"$tools/relay" run -c "$(scaled 12 3)" $(amount 1) -s "$((seed + 1))" "$server_ip6" 8004 >"$work/run6" &
run6=$!
reloads=0
while kill -0 "$run4" "$run6" 2>/dev/null && { [ "$gb" -ne 0 ] || [ "$SECONDS" -lt $((began + seconds)) ]; }; do
	for policy in "${policies[@]}"; do
		write "$policy" $((reloads % 5 + 1))
		mpbpf reload --config "$config" >>"$log" 2>&1 || bail "a reload fails: $(tail -n 1 "$log")"
		reloads=$((reloads + 1))
		pause $((gb ? 500 : 100))
	done
done
wait "$run4"
is $? 0 "IPv4: every connection got what it had to, seed $seed"
wait "$run6"
is $? 0 "IPv6: likewise"
diag "$(<"$work/run4")" "$(<"$work/run6")" "reloads=$reloads seconds=$((SECONDS - began))"
# A reset that was lost on the way is found out by keepalive (relay_conn.h).
wait_for 100 gateway_figure_is .gateway.bytes.open 0
figures_read figures
is "${figures[gateway.bytes.refused]} ${figures[gateway.bytes.open]}" "0 0" "none was refused, none is left"
ways=
for name in "${!figures[@]}"; do
	[[ $name != gateway.bytes.path.* || ${figures[$name]} -eq 0 ]] || ways+=" ${name##*.}"
done
steered=${figures[gateway.bytes.path.steer]-0} relayed=${figures[gateway.bytes.path.relay]-0}
diag "steered=$steered relayed=$relayed"
if [ "$path" = relay ]; then
	is "$ways" " relay" "all took one way"
else
	between "$steered" $((5 * relayed + 1)) 1000000000 "most were steered"
	others=${ways/ relay/}
	is "${others/ steer/}" "" "and the others relayed"
fi
for i in "${!served[@]}"; do
	kill "$(sed -n s/pid=//p "$work/served$i")"
	wait "${served[i]}"
	matches "$(<"$work/served$i")" ' resets=[0-9]+ bytes=[1-9][0-9]+ faults=0$' "endpoint $i: so did its ends"
done
tap_done
