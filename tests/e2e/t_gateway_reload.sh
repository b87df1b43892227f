#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A gateway while things change: endpoints that fall ill and recover, a reload under open connections, too few descriptors.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
# shellcheck source-path=SCRIPTDIR source=gateway.sh
. "${0%/*}/gateway.sh"
sandbox "$@"

net_up
hosts_up
echo_start 1
echo_start 2

tcp='"mode": "gateway", "protocol": "tcp"'
check_tcp="\"health_check\": {\"type\": \"tcp\", \"interval_ms\": 100, \"timeout_ms\": $((5000 * slow)), \"rise\": 2, \"fall\": 2}"
check_http="\"health_check\": {\"type\": \"http\", \"path\": \"/health\", \"interval_ms\": 100, \"timeout_ms\": $((5000 * slow)), \"rise\": 1, \"fall\": 1}"
both="\"hosts\": [\"$host1_ip\", \"$host2_ip\"], \"port\": 80"

# write LISTENERS SERVICES: a configuration of those
write() {
	config_write "listeners=[$1]" "services=[$2]"
}
listeners="{\"name\": \"pair\", \"port\": 8001, $tcp, \"cluster_name\": \"pair\"},
	{\"name\": \"kept\", \"port\": 8002, $tcp, \"cluster_name\": \"one\"},
	{\"name\": \"http\", \"port\": 8003, $tcp, \"cluster_name\": \"http\"}"
one1="{\"name\": \"one\", \"hosts\": [\"$host1_ip\"], \"port\": 80, \"drain_s\": $((2 * slow))}"
one2="{\"name\": \"one\", \"hosts\": [\"$host2_ip\"], \"port\": 80, \"drain_s\": $((2 * slow))}"
pair="{\"name\": \"pair\", $both, $check_tcp}"
http="{\"name\": \"http\", \"hosts\": [\"$host2_ip\"], \"port\": 80, $check_http}"
write "$listeners" "$one1, $pair, $http"
mpbpf_load
agent_log=/run/mpbpf/*"${work##*/mpbpf-}"*/agent.log

# ---- health ----

is "$(for _ in 1 2 3 4; do asked 8001; done | sort | tally)" "2 host1 10.78.1.1 2 host2 10.78.2.1" "connections take turns"
healthy() {
	gateway_figure_is ".clusters.pair.endpoints.\"$1:80\".healthy" "$2"
}
echo_stop 1
check "an endpoint that takes no connections is found out" wait_for 10 healthy "$host1_ip" 0
is "$(for _ in 1 2 3 4; do asked 8001; done | tally)" "4 host2 10.78.2.1" "and gets none"
echo_start 1
check "one that recovers is found out" wait_for 10 healthy "$host1_ip" 1
is "$(for _ in 1 2 3 4; do asked 8001; done | sort | tally)" "2 host1 10.78.1.1 2 host2 10.78.2.1" "and gets its share"
# shellcheck disable=SC2086
text=$(cat $agent_log)
matches "$text" "cluster pair: endpoint $host1_ip:80 is not healthy: " "the log says so"
matches "$text" "cluster pair: endpoint $host1_ip:80 is healthy again" "both"
is "$(asked 8003)" "host2 10.78.2.1" "an endpoint whose health is asked by HTTP"
echo_stop 2
health=503 echo_start 2
http_healthy() {
	gateway_figure_is ".clusters.http.endpoints.\"$host2_ip:80\".healthy" "$1"
}
check "answers 503: it is not healthy" wait_for 10 http_healthy 0
matches "$(asked 8003)" '^(reset|closed|cut|failed: connect .* Connection reset by peer)' "a cluster without a healthy endpoint takes no connection"

# ---- a reload with open connections ----

request='send GET / HTTP/1.1\r\nHost: a\r\n\r\n'
session held "connect $server_ip 8002" "$request" status
session gone "connect $server_ip 8001" "$request" status
wait_for 5 session_answered held 1
wait_for 5 session_answered gone 1
is "$(<"$work/held") $(<"$work/gone")" "200 200" "two connections are open"
in_server "$tools/relay" serve 8090 >"$work/occupied" &
wait_for 5 listening 8090

# reload_is STATUS REGEX DESCRIPTION: of a reload of what was written last
reload_is() {
	mpbpf reload --config "$config" >"$work/out" 2>&1
	is $? "$1" "$3: exit status $1"
	matches "$(<"$work/out")" "$2" "$3: the message says it"
}
write "$listeners, {\"name\": \"more\", \"port\": 8090, $tcp, \"cluster_name\": \"one\"}" "$one2, $pair, $http"
reload_is 1 'listener more cannot listen at \[::\]:8090: .*something listens there already' "a port that is taken"
write "$listeners, {\"name\": \"guard\", \"address\": \"10.77.0.1\", \"port\": 8001}" "$one2, $pair, $http"
reload_is 2 'listeners\[0\]\.port: value 8001: expected a port that no guard has' "a port that is a guard's as well"
write "{\"name\": \"h\", \"port\": 8007, \"mode\": \"gateway\", \"cluster_name\": \"one\", \"accept_proxy_protocol\": true}" "$one2"
reload_is 2 'listeners\[0\]\.accept_proxy_protocol: value \(given\): expected a gateway whose protocol is "tcp"' "a gateway for HTTP behind PROXY headers"
is "$(asked 8002)" "host1 10.78.1.1" "none of them changed anything"

write "{\"name\": \"kept\", \"port\": 8002, $tcp, \"cluster_name\": \"one\"},
	{\"name\": \"low\", \"port\": 443, $tcp, \"cluster_name\": \"one\"}" "$one2, $pair"
check "a reload to another endpoint, without one listener, with another" mpbpf reload --config "$config"
is "$(asked 8002)" "host2 10.78.2.1" "new connections go to the new endpoint"
is "$(session_read held "$request" status)" 200 "an open one goes on to the old one"
is "$(asked 443)" "host2 10.78.2.1" "a listener below port 1024 is added, privileges or not"
matches "$(asked 8001)" "Connection refused" "the listener that is gone does not accept"
is "$(session_read gone "$request" status)" 200 "its open connection goes on"
is "$(gateway_figure '.gateway.pair.open, .gateway.kept.open' | joined)" "1 1" "both are counted still"
is "$(session_read held eof)" reset "the endpoint that is gone is left when its time is over"
is "$(gateway_figure .gateway.kept.open)" 0 "and forgotten"
is "$(gateway_figure ".clusters.one.endpoints.\"$host1_ip:80\"")" null "with its endpoint"
is "$(session_read gone "$request" status)" 200 "the others stay"
session_end held
session_end gone

# ---- names ----

echo "$host1_ip here.example" >"$work/hosts"
mount --bind "$work/hosts" /etc/hosts || bail "cannot replace /etc/hosts"
write "{\"name\": \"named\", \"port\": 8002, $tcp, \"cluster_name\": \"named\"}" \
	"{\"name\": \"named\", \"hosts\": [\"here.example\"], \"port\": 80}"
check "a reload to a host that is a name" mpbpf reload --config "$config"
is "$(asked 8002)" "host1 10.78.1.1" "it goes to its address"

# ---- too few descriptors ----

in_host 1 "$tools/relay" serve 90 >"$work/served" &
write "{\"name\": \"bytes\", \"port\": 8004, $tcp, \"cluster_name\": \"bytes\"}" \
	"{\"name\": \"bytes\", \"hosts\": [\"$host1_ip\"], \"port\": 90}"
mpbpf reload --config "$config" >>"$log" 2>&1
agents_read
descriptors=("/proc/${agents[0]}/fd/"*)
prlimit --pid "${agents[0]}" --nofile=$((${#descriptors[@]} + 9)):
check "with too few descriptors connections wait, and none is lost" \
	"$tools/relay" run -c 24 -t 2 -n "$(scaled 100 50)" "$server_ip" 8004
# shellcheck disable=SC2086
matches "$(cat $agent_log)" "out of file descriptors" "which the log says"
# shellcheck disable=SC2086
is "$(grep -c "out of file descriptors" $agent_log)" 1 "once"

# ---- the agent's end ----

session last "connect $server_ip 8004"
wait_for 5 gateway_figure_is .gateway.bytes.open 1
agent_kill
agent_start
wait_for 10 listening 8004
check "a new agent listens anew" "$tools/relay" run -n 5 "$server_ip" 8004
is "$(session_read last eof)" eof "a killed agent's connections are over"
check "unload" mpbpf unload
tap_done
