#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A gateway for TCP: who goes where, as whom, and how it ends.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
# shellcheck source-path=SCRIPTDIR source=gateway.sh
. "${0%/*}/gateway.sh"
time_limit=$((time_limit + 100 * slow))
sandbox "$@"

net_up
hosts_up
echo_start 1 83
echo_start 2
in_host 1 "$tools/relay" serve 90 >"$work/served" &
served=$!
cat >"$work/haproxy.cfg" <<-END
	defaults
		mode http
		timeout connect 5s
		timeout client 5s
		timeout server 5s
	frontend in
		bind [::]:82 v4v6 accept-proxy
		http-request return status 200 content-type text/plain lf-string "haproxy %[src] %[dst]:%[dst_port] %[fc_pp_unique_id] %[fc_pp_authority]\n"
END
in_host 2 haproxy -f "$work/haproxy.cfg" >>"$work/haproxy.log" 2>&1 </dev/null &
wait_for 10 in_host 2 bash -c ': >/dev/tcp/127.0.0.1/82' || bail "haproxy does not start: $(<"$work/haproxy.log")"

gateways=(
	'{"name": "parity", "port": 8001, "mode": "gateway", "protocol": "tcp"}'
	'{"name": "net", "port": 8002, "mode": "gateway", "protocol": "tcp", "cluster_name": "v2"}'
	'{"name": "one", "address": "10.77.0.1", "port": 8003, "mode": "gateway", "protocol": "tcp", "cluster_name": "haproxy"}'
	'{"name": "bytes", "port": 8004, "mode": "gateway", "protocol": "tcp", "cluster_name": "bytes"}'
	'{"name": "dead", "port": 8005, "mode": "gateway", "protocol": "tcp", "cluster_name": "dead"}'
	'{"name": "half", "port": 8006, "mode": "gateway", "protocol": "tcp", "cluster_name": "half"}'
	'{"name": "believes", "port": 8007, "mode": "gateway", "protocol": "tcp", "cluster_name": "v1",
		"accept_proxy_protocol": {"trusted": ["10.77.0.2/32"]}}'
	'{"name": "named", "port": 8009, "mode": "gateway", "protocol": "tcp", "cluster_name": "haproxy", "accept_proxy_protocol": true}'
	'{"name": "web", "port": 8080}'
)
services="[
	{\"name\": \"plain1\", \"hosts\": [\"$host1_ip\"], \"port\": 80},
	{\"name\": \"plain2\", \"hosts\": [\"$host2_ip\"], \"port\": 80},
	{\"name\": \"v1\", \"hosts\": [\"$host1_ip\"], \"port\": 81, \"proxy_protocol\": \"v1\"},
	{\"name\": \"v2\", \"hosts\": [\"$host2_ip6\"], \"port\": 81, \"proxy_protocol\": \"v2\", \"proxy_unique_id\": true},
	{\"name\": \"haproxy\", \"hosts\": [\"$host2_ip\"], \"port\": 82, \"proxy_protocol\": \"v2\", \"proxy_unique_id\": true},
	{\"name\": \"bytes\", \"hosts\": [\"$host1_ip\"], \"port\": 90},
	{\"name\": \"dead\", \"hosts\": [\"$host1_ip\", \"$host2_ip\"], \"port\": 9},
	{\"name\": \"half\", \"hosts\": [\"$host2_ip\", \"$host1_ip\"], \"port\": 83}]"
source_routes="[
	{\"listener\": \"parity\", \"match\": {\"last_octet\": \"even\"}, \"cluster_name\": \"plain1\"},
	{\"listener\": \"parity\", \"match\": {\"mod\": 2, \"equals\": 1}, \"cluster_name\": \"plain2\"},
	{\"listener\": \"net\", \"match\": {\"cidr\": \"10.77.0.2/32\"}, \"cluster_name\": \"v1\"},
	{\"listener\": \"net\", \"match\": {\"cidr\": \"fd77::2/128\"}, \"cluster_name\": \"v1\"}]"
joined=$(printf ', %s' "${gateways[@]}")
config_write "listeners=[${joined:2}]" "services=$services" "source_routes=$source_routes"
mpbpf_load

# ---- where, and as whom ----

is "$(asked 8001)" "host1 10.78.1.1" "a source with an even last octet goes to one cluster"
is "$(asked 8001 "$other_ip")" "host2 10.78.2.1" "an odd one to another"
is "$(event_of relay 8001)" "$other_ip $server_ip:8001 $host2_ip:80" "an event tells the way that it took"
is "$(asked 8002)" "host1 10.77.0.2 10.77.0.1:8002" "a network's cluster gets client and destination in PROXY version 1"
is "$(asked 8002 "$other_ip")" "host2 10.77.0.3 10.77.0.1:8002" "the others' cluster, reached by IPv6, in version 2"
host=$server_ip6
is "$(asked 8002 "$client_ip6")" "host1 fd77::2 fd77::1:8002" "the same of clients that come by IPv6"
is "$(asked 8002 "$other_ip6")" "host2 fd77::3 fd77::1:8002" "in version 2 as well"
matches "$(asked 8003)" "Connection refused" "a listener with an address listens there alone"
host=$server_ip
first=$(asked 8003)
second=$(asked 8003)
matches "$first" '^haproxy 10\.77\.0\.2 10\.77\.0\.1:8003 [0-9a-f]{32} -?$' "HAProxy understands it too, with a name for the connection"
matches "$second" '^haproxy 10\.77\.0\.2 10\.77\.0\.1:8003 [0-9a-f]{32} -?$' "so it does the next one"
check "whose name is another" test "$first" != "$second"

# A client that speaks for another is believed where the listener says so.
told() {
	script <<-END
		connect $server_ip ${3:-8007} $1
		send $2GET / HTTP/1.1\r\nHost: server\r\nConnection: close\r\n\r\n
		status
		body
		eof
	END
}
v1='PROXY TCP4 192.0.2.7 198.51.100.9 4711 443\r\n'
v2='\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\xc6\x33\x64\x09\x12\x67\x01\xbb'
is "$(told "$client_ip" "$v1" | joined)" "200 host1 192.0.2.7 198.51.100.9:443 eof" "a PROXY header of a trusted client is passed on"
is "$(told "$client_ip" "$v2" | joined)" "200 host1 192.0.2.7 198.51.100.9:443 eof" "of version 2 in version 1"
is "$(told "$client_ip" 'PROXY UNKNOWN\r\n' | joined)" "200 host1 10.77.0.2 10.77.0.1:8007 eof" "one that says nothing changes nothing"
is "$(told "$other_ip" '' | joined)" "200 host1 10.77.0.3 10.77.0.1:8007 eof" "others need none"
tlvs='\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x20\xc0\0\x02\x07\xc6\x33\x64\x09\x12\x67\x01\xbb\x02\0\x0bexample.org\x05\0\x03abc'
is "$(told "$client_ip" "$tlvs" 8009 | joined)" "200 haproxy 192.0.2.7 198.51.100.9:443 abc example.org eof" \
	"the name that the connection has, and whom the client wanted, are passed on"
matches "$(told "$client_ip" "$v1" 8009 | joined)" '^200 haproxy 192\.0\.2\.7 198\.51\.100\.9:443 [0-9a-f]{32} +(- )?eof$' "one that has none gets one"
refused() {
	script <<-END | sed 's/^failed: connect .* reset by peer$/reset/'
		connect $server_ip $1 ${2:-}
		send ${3:-}
		eof
	END
}
is "$(refused 8007 "$client_ip" 'GET / HTTP/1.1\r\n\r\n')" reset "a trusted client without one is reset"
is "$(refused 8007 "$client_ip" 'PROXY TCP4 192.0.2.7 198.51.100.9 4711 0443\r\n')" reset "so is one with a malformed one"
printf 'connect %s 8007\nsend PROXY TCP4 192.0.2.7 198.51\npause 100\nsend .100.9 4711 443\\r\\nGET / HTTP/1.1\\r\\n\npause 50\nsend Host: a\\r\\n\\r\\n\nstatus\nbody\n' "$server_ip" |
	script | joined >"$work/pieces"
is "$(<"$work/pieces")" "200 host1 192.0.2.7 198.51.100.9:443" "the header may come in pieces"

# ---- nowhere ----

is "$(refused 8005)" reset "without an endpoint that takes it a connection is reset"
is "$(asked 8006) $(asked 8006) $(asked 8006)" "host1 10.78.1.1 host1 10.78.1.1 host1 10.78.1.1" "one that an endpoint refuses goes to the next"
figures_read figures
is "${figures[gateway.dead.refused]} ${figures[gateway.dead.refused_by.no_endpoint]} ${figures[gateway.believes.refused_by.bad_proxy]}" \
	"1 1 2" "what is refused is counted"
is "${figures[gateway.parity.accepted]} ${figures[gateway.parity.path.relay]} ${figures[gateway.parity.open]}" "2 2 0" "so is what is not"
between "${figures[gateway.half.bytes_out]}" 400 2000 "and bytes"
is "${figures[clusters.plain1.endpoints.10.78.1.2:80.connections]}" 1 "by endpoint too"
between "${figures[clusters.half.endpoints.10.78.2.2:83.failed]}" 1 3 "which failed to take some"

is "$(event_of no_endpoint 8005) $(event_of bad_proxy 8007)" "$client_ip $server_ip:8005 null:null $client_ip $server_ip:8007 null:null" \
	"and events tell why a connection was refused"
matches "$(mpbpf events --reason bad_proxy | tail -n 1)" "Z refused bad_proxy $client_ip:[0-9]+ > $server_ip:8007 tcp\$" "as text, too"
matches "$(mpbpf events --reason relay | tail -n 1)" "Z connection relay .* tcp, endpoint [0-9.]+:[0-9]+\$" "and of those that were not"

# ---- byte by byte ----

check "bytes, ends and resets arrive as they were sent" "$tools/relay" run -c 16 -t 1 -n "$(scaled 300 40)" "$server_ip" 8004
check "by IPv6 too" "$tools/relay" run -c 4 -n "$(scaled 60 10)" "$server_ip6" 8004

agents_read
rss() {
	local name value
	while read -r name value _; do
		[ "$name" != VmRSS: ] || echo "$value"
	done <"/proc/${agents[0]}/status"
}
rss_before=$(rss)
"$tools/relay" push "$server_ip" 8004 50000000 $((1200 * slow)) >"$work/push" &
push=$!
wait_for 5 test -s "$work/push"
rss_during=$(rss)
wait "$push"
is $? 0 "a sender whose reader sleeps gets through all the same"
stalled=$(sed -n 's/^stalled=//p' "$work/push")
between "$stalled" 100000 30000000 "it is stopped while the reader sleeps"
between $((rss_during - rss_before)) -100000 1024 "meanwhile mpbpfd does not grow"
# A reset that has overtaken bytes is lost, and the gateway learns by a keepalive that its client is gone.
wait_for 100 gateway_figure_is .gateway.bytes.open 0
is "$(gateway_figure .gateway.bytes.open)" 0 "no connection is left"
kill "$(sed -n s/pid=//p "$work/served")"
wait "$served"
is $? 0 "the server saw no fault"
matches "$(<"$work/served")" '^connections=[0-9]+ ended=[0-9]+ resets=[1-9][0-9]* bytes=[0-9]+ faults=0$' "and resets"

tap_done
