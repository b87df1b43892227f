#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Bytes and ends of any kind through a gateway, while the configuration changes under them: none is lost, doubled or another's.
# GATEWAY_SOAK_SECONDS (4) makes it longer, GATEWAY_SOAK_SEED repeats a run.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
# shellcheck source-path=SCRIPTDIR source=gateway.sh
. "${0%/*}/gateway.sh"
seconds=${GATEWAY_SOAK_SECONDS:-4}
time_limit=$((90 * slow + 2 * seconds))
sandbox "$@"

net_up
hosts_up
served=()
for i in 1 2; do
	in_host "$i" "$tools/relay" serve 90 >"$work/served$i" &
	served[i]=$!
	wait_for 5 test -s "$work/served$i" || bail "relay does not start"
done

# write POLICY WEIGHT: both hosts by that policy, and a cluster that nothing goes to
write() {
	config_write 'listeners=[{"name": "bytes", "port": 8004, "mode": "gateway", "protocol": "tcp", "cluster_name": "bytes"}]' \
		"services=[{\"name\": \"bytes\", \"hosts\": [\"$host1_ip\", \"$host2_ip6\"], \"port\": 90, \"policy\": \"$1\", \"weights\": [1, $2],
			\"health_check\": {\"interval_ms\": 200, \"fall\": 100}}]"
}
write round_robin 1
mpbpf_load
seed=${GATEWAY_SOAK_SEED:-$RANDOM$RANDOM}
"$tools/relay" run -c "$(scaled 24 6)" -t "$seconds" -s "$seed" "$server_ip" 8004 >"$work/run4" &
run4=$!
"$tools/relay" run -c "$(scaled 12 3)" -t "$seconds" -s "$((seed + 1))" "$server_ip6" 8004 >"$work/run6" &
run6=$!
end=$((SECONDS + seconds))
reloads=0
while [ "$SECONDS" -lt "$end" ]; do
	for policy in random least_conn source_hash round_robin; do
		write "$policy" $((reloads % 5 + 1))
		mpbpf reload --config "$config" >>"$log" 2>&1 || bail "a reload fails: $(tail -n 1 "$log")"
		reloads=$((reloads + 1))
		pause 100
	done
done
wait "$run4"
is $? 0 "IPv4: every connection got what it had to, seed $seed"
wait "$run6"
is $? 0 "IPv6: likewise"
diag "$(<"$work/run4")" "$(<"$work/run6")" "reloads=$reloads"
figures_read figures
is "${figures[gateway.bytes.refused]} ${figures[gateway.bytes.open]}" "0 0" "none was refused, none is left"
for i in 1 2; do
	kill "$(sed -n s/pid=//p "$work/served$i")"
	wait "${served[i]}"
	matches "$(<"$work/served$i")" ' resets=[0-9]+ bytes=[1-9][0-9]+ faults=0$' "host $i: so did its ends"
done
tap_done
