#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Connections of a gateway that the kernel gives to the endpoint's own socket: which, what the service sees of them, and what
# follows when services, configurations and agents come and go.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
# shellcheck source-path=SCRIPTDIR source=gateway.sh
. "${0%/*}/gateway.sh"
sandbox "$@"

# A server block that tells its name, whom it takes for its client and where that wanted to go: which nginx looks up where it
# listens on any address.
block() {
	echo "server { listen $2; root $work; location = /health { if (-f $work/ill) { return ${ill:-204}; } return 204; }
		location / { return 200 \"$1 \$remote_addr \$server_addr:\$server_port\n\"; } }"
}

# service_start NAME BLOCKS [CGROUP]: an nginx in the server's namespace, on this node
service_start() {
	local dir=$work/$1
	mkdir -p "$dir/tmp"
	rm -f "$dir/nginx.pid"
	cat >"$dir/nginx.conf" <<-END
		daemon off;
		user www-data;
		worker_processes 2;
		pid $dir/nginx.pid;
		error_log $work/nginx-error.log;
		events { worker_connections 512; }
		http {
			access_log off;
			client_body_temp_path $dir/tmp/body;
			proxy_temp_path $dir/tmp/proxy;
			fastcgi_temp_path $dir/tmp/fastcgi;
			uwsgi_temp_path $dir/tmp/uwsgi;
			scgi_temp_path $dir/tmp/scgi;
			$2
		}
	END
	in_cgroup "$cgroup" nginx -c "$dir/nginx.conf" -p "$dir" >>"$work/nginx-error.log" 2>&1 </dev/null &
	wait_for 10 test -s "$dir/nginx.pid" || bail "nginx does not start: $(tail -n 5 "$work/nginx-error.log")"
}

service_stop() {
	kill "$(<"$work/$1/nginx.pid")"
	wait_for 5 test ! -s "$work/$1/nginx.pid"
}

net_up
hosts_up
echo_start 1
chmod 755 "$work"
service_start one "$(block one 9001)"
service_start rest "$(block two 0.0.0.0:9002) $(block six '[::]:9003') $(block any '[::]:9004 ipv6only=off')
	$(ill=503 block w1 127.0.0.1:9005) $(block w2 127.0.0.2:9005) $(block guarded 127.0.0.1:8080)
	server { listen 127.0.0.1:9006 reuseport; location / { return 200 \"\$pid\n\"; } }"

tcp='"mode": "gateway", "protocol": "tcp"'
gateways="{\"name\": \"parity\", \"port\": 8001, $tcp},
	{\"name\": \"net\", \"port\": 8002, $tcp, \"cluster_name\": \"any\"},
	{\"name\": \"shares\", \"port\": 8003, $tcp, \"cluster_name\": \"shares\"},
	{\"name\": \"sticky\", \"port\": 8004, $tcp, \"cluster_name\": \"sticky\"},
	{\"name\": \"guarded\", \"port\": 8005, $tcp, \"cluster_name\": \"guarded\"},
	{\"name\": \"mixed\", \"port\": 8006, $tcp, \"cluster_name\": \"mixed\"},
	{\"name\": \"proxy\", \"port\": 8007, $tcp, \"cluster_name\": \"proxy\"},
	{\"name\": \"dead\", \"port\": 8008, $tcp, \"cluster_name\": \"dead\"},
	{\"name\": \"workers\", \"address\": \"$server_ip\", \"port\": 8009, $tcp, \"cluster_name\": \"workers\"},
	{\"name\": \"believes\", \"port\": 8010, $tcp, \"cluster_name\": \"two\", \"accept_proxy_protocol\": {\"trusted\": [\"192.0.2.1/32\"]}},
	{\"name\": \"chain\", \"port\": 8011, $tcp, \"cluster_name\": \"gateway\"},
	{\"name\": \"web\", \"port\": 8080}"
# services WEIGHTS [HOSTS]: of the cluster that shares by weight, and by source
services() {
	echo "{\"name\": \"one\", \"hosts\": [\"127.0.0.1\"], \"port\": 9001},
	{\"name\": \"two\", \"hosts\": [\"$server_ip\"], \"port\": 9002},
	{\"name\": \"six\", \"hosts\": [\"::1\"], \"port\": 9003},
	{\"name\": \"any\", \"hosts\": [\"127.0.0.1\"], \"port\": 9004},
	{\"name\": \"shares\", \"hosts\": [${2:-\"127.0.0.1\", \"127.0.0.2\"}], \"weights\": [$1], \"port\": 9005, \"drain_s\": $((2 * slow)),
		\"health_check\": {\"type\": \"http\", \"path\": \"/health\", \"interval_ms\": 100, \"timeout_ms\": $((5000 * slow)), \"rise\": 1, \"fall\": 1}},
	{\"name\": \"sticky\", \"hosts\": [\"127.0.0.1\", \"127.0.0.2\"], \"port\": 9005, \"policy\": \"source_hash\"},
	{\"name\": \"guarded\", \"hosts\": [\"127.0.0.1\"], \"port\": 8080},
	{\"name\": \"mixed\", \"hosts\": [\"127.0.0.1\", \"$host1_ip\"], \"port\": 80},
	{\"name\": \"proxy\", \"hosts\": [\"$host1_ip\"], \"port\": 81, \"proxy_protocol\": \"v1\"},
	{\"name\": \"dead\", \"hosts\": [\"127.0.0.1\"], \"port\": 9},
	{\"name\": \"workers\", \"hosts\": [\"127.0.0.1\"], \"port\": 9006},
	{\"name\": \"gateway\", \"hosts\": [\"127.0.0.1\"], \"port\": 8001}"
}
source_routes="[
	{\"listener\": \"parity\", \"match\": {\"last_octet\": \"even\"}, \"cluster_name\": \"one\"},
	{\"listener\": \"parity\", \"match\": {\"last_octet\": \"odd\"}, \"cluster_name\": \"two\"},
	{\"listener\": \"net\", \"match\": {\"cidr\": \"10.77.0.0/24\"}, \"cluster_name\": \"one\"},
	{\"listener\": \"net\", \"match\": {\"cidr\": \"10.77.0.3/32\"}, \"cluster_name\": \"two\"},
	{\"listener\": \"net\", \"match\": {\"cidr\": \"::/0\"}, \"cluster_name\": \"any\"},
	{\"listener\": \"net\", \"match\": {\"cidr\": \"fd77::3/128\"}, \"cluster_name\": \"six\"}]"
# write SERVICES...
write() {
	config_write "listeners=[$gateways]" "services=[$1]" "source_routes=$source_routes"
}
write "$(services "3, 1")"
mpbpf_load
agent_log=/run/mpbpf/*"${work##*/mpbpf-}"*/agent.log

# many N PORT [FROM]: what answers N connections, the words that name the endpoint alone
many() {
	local i text=
	for ((i = 0; i < $1; i++)); do
		text+="connect $server_ip $2 ${3:-}"$'\n''send GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'$'\n''status'$'\n''body'$'\n'
	done
	printf %s "$text" | script | grep -v '^200$' | cut -d ' ' -f 1
}
# agent_figures: reads `figures` with what mpbpfd itself has counted. One that is busy may not answer in time.
agent_figures() {
	for _ in 1 2 3 4; do
		figures_read figures
		[ -z "${figures[gateway.shares.accepted]-}" ] || break
	done
}

# steered LISTENER...: of each, how many were steered, relayed, accepted by mpbpfd, and missed
steered() {
	local name text=
	agent_figures
	for name in "$@"; do
		text+="${text:+, }${figures[gateway.$name.path.steer]-} ${figures[gateway.$name.path.relay]-}"
		text+=" ${figures[gateway.$name.accepted]-} ${figures[gateway.$name.steer_missed]-}"
	done
	echo "$text"
}
# A connection that is reset, be it before it was made or after.
reset='^(reset|closed|cut)|reset by peer'

# ---- where, and as whom ----

is "$(asked 8001)" "one 10.77.0.2 10.77.0.1:8001" "an even source: the service sees who asks, and where that wanted to go"
is "$(asked 8001 "$other_ip")" "two 10.77.0.3 10.77.0.1:8001" "an odd one goes to the other"
is "$(steered parity)" "2 0 0 0" "both were steered, and nothing was accepted by mpbpfd"
is "$(event_of steer 8001)" "$other_ip $server_ip:8001 $server_ip:9002" "an event tells the way that it took"
is "$(asked 8002) $(asked 8002 "$other_ip")" "one 10.77.0.2 10.77.0.1:8002 two 10.77.0.3 10.77.0.1:8002" "the longest network decides"
host=$server_ip6
is "$(asked 8002 "$client_ip6")" "any fd77::2 fd77::1:8002" "all of IPv6 is not all of IPv4; by IPv6"
is "$(asked 8002 "$other_ip6")" "six fd77::3 fd77::1:8002" "an IPv6 network within it"
is "$(asked 8001 "$client_ip6")" "one 127.0.0.1 127.0.0.1:9001" "a service that listens for IPv4 alone gets IPv6 relayed"
host=$server_ip
is "$(steered net parity)" "4 0 0 0, 2 1 1 1" "which is counted as what it is"

# ---- shares ----

n=$(scaled 200 60)
mapfile -t got < <(many "$n" 8003 | sort | uniq -c | awk '{ print $1 }')
between "${got[0]:-0}" $((n * 55 / 100)) $((n * 92 / 100)) "the weights 3 and 1 share connections out"
is "$((${got[0]:-0} + ${got[1]:-0})) $(steered shares)" "$n $n 0 0 0" "all of them steered"
for source in "$client_ip" "$other_ip"; do
	read -r way picked < <(mpbpf route test --listener sticky --source "$source" --json |
		jq -r '"\(.way) \(.endpoints[] | select(.picked).host)"')
	want=w1
	[ "$picked" = 127.0.0.1 ] || want=w2
	is "$way $(many 5 8004 "$source" | tally)" "steer 5 $want" "$source stays with the endpoint that the gateway would take, $picked"
done
many "$(scaled 100 40)" 8009 | sort -u >"$work/pids"
is "$(wc -l <"$work/pids")" 2 "workers that share a port all get connections"

# ---- what is relayed ----

is "$(port=8005 http /)" 401 "a guard's denial holds behind a gateway"
is "$(port=8005 http -H "$(bearer static-token-1)" /)" 200 "so does its consent"
is "$(steered guarded)" "0 2 2 0" "for what a guard judges is not steered"
is "$(asked 8006)" "host1 10.78.1.1" "with an endpoint elsewhere it is relayed"
is "$(asked 8007)" "host1 10.77.0.2 10.77.0.1:8007" "so it is with a PROXY header to be sent"
is "$(asked 8010)" "two 10.77.0.1 10.77.0.1:9002" "or to be read"
is "$(asked 8011)" "two 127.0.0.1 127.0.0.1:8001" "with a gateway for its endpoint, which steers the relay's connection: an odd source"
is "$(steered chain)" "0 1 1 0" "and counts no more than that"
matches "$(asked 8008)" "$reset" "without an endpoint that listens a connection is reset"
is "$(steered mixed proxy believes dead)" "0 1 1 0, 0 1 1 0, 0 1 1 0, 0 0 1 1" "each counted"
agent_figures
is "${figures[gateway.dead.refused_by.no_endpoint]-none}" 1 "and why it was reset"

ways=$(mpbpf route list --json | jq -r '(.listeners[], .clusters[]) | "\(.name) \(.way) \(.way_why)"')
told() {
	[[ $'\n'$ways$'\n' == *$'\n'"$1"$'\n'* ]]
}
says() {
	check "$2" told "$1"
}
says 'parity steer null' "route list says which listener is steered"
says 'one steer null' "and which cluster"
says "guarded relay a guard listens on the cluster's port" "what is not, and why: a guard"
says 'mixed relay an endpoint is not on this node' "an endpoint elsewhere"
says 'proxy relay the cluster gets PROXY headers' "PROXY headers out"
says "gateway relay the cluster's port is a gateway's" "an endpoint that is a gateway"
says 'believes relay the listener accepts PROXY headers' "and in"
is "$(mpbpf status --json | jq .steering)" true "status says that it is attached"

# ---- services that come and go ----

service_stop one
matches "$(asked 8001)" "$reset" "a service that is down takes nothing: reset"
service_start one "$(block uno 9001)"
answers_anew() {
	[ "$(asked 8001)" = "uno 10.77.0.2 10.77.0.1:8001" ]
}
check "started again it is steered to" wait_for 2 answers_anew
: >"$work/ill"
shares_are() {
	[ "$(many 8 8003 | tally)" = "8 $1" ]
}
check "an endpoint that falls ill is not steered to" wait_for 5 shares_are w2
rm "$work/ill"
spread() {
	[ "$(many 24 8003 | sort -u | joined)" = "w1 w2" ]
}
check "one that recovers is" wait_for 5 spread

# ---- a reload ----

session held "connect $server_ip 8003" 'send GET / HTTP/1.1\r\nHost: a\r\n\r\n' status
wait_for 5 session_answered held 1
write "$(services "0, 1")"
check "a reload that drains an endpoint" mpbpf reload --config "$config"
is "$(many 12 8003 | tally)" "12 w2" "gives it no new connection"
write "$(services 1 '"127.0.0.1"')"
check "one that takes an endpoint away" mpbpf reload --config "$config"
is "$(many 12 8003 | tally)" "12 w1" "takes it at once"
is "$(session_read held 'send GET / HTTP/1.1\r\nHost: a\r\n\r\n' status)" 200 "an open connection goes on, for it is nobody's but the service's"
agent_figures
between "${figures[gateway.shares.path.steer]-0}" $((n + 24)) $((n + 5000)) "counters go on over reloads"

# ---- an agent that is gone ----

agent_kill
is "$(asked 8001) $(asked 8001 "$other_ip")" "uno 10.77.0.2 10.77.0.1:8001 two 10.77.0.3 10.77.0.1:8001" "without an agent what was steered is steered on"
service_stop one
matches "$(asked 8001)" 'Connection refused' "without a service either nobody takes it: refused, not hung"
service_start one "$(block one 9001)"
pinned=$(bpftool -j map dump pinned "$pin_root/maps/endpoints" | jq -c '[.[].formatted.value | select(.port != 0)] | length')
agent_start
steers_again() {
	[ "$(asked 8001)" = "one 10.77.0.2 10.77.0.1:8001" ]
}
check "a new agent finds the service that was started meanwhile" wait_for 10 steers_again
is "$(asked 8001 "$other_ip")" "two 10.77.0.3 10.77.0.1:8001" "and goes on with the others"
is "$(bpftool -j map dump pinned "$pin_root/maps/endpoints" | jq -c '[.[].formatted.value | select(.port != 0)] | length')" "$pinned" \
	"each in the place that it had"

# A gateway less, a guard more: what is judged now is steered no more.
write "$(services "1, 1")"
config_write "listeners=[$gateways, {\"name\": \"late\", \"port\": 9002}]" "services=[$(services "1, 1")]" "source_routes=$source_routes"
check "a reload that puts an endpoint under guard" mpbpf reload --config "$config"
is "$(port=8001 from=$other_ip http /)" 401 "it is judged from then on"
config_write 'listeners=[{"name": "web", "port": 8080}]'
check "a reload without gateways" mpbpf reload --config "$config"
is "$(mpbpf status --json | jq .steering)" false "attaches nothing"
write "$(services "1, 1")"
check "and one with them" mpbpf reload --config "$config"
is "$(asked 8001)" "one 10.77.0.2 10.77.0.1:8001" "steers again"
# shellcheck disable=SC2086
is "$(grep -c 'cannot be had' $agent_log "$log" | cut -d : -f 2 | joined)" "0 0" "every socket was found"
check "unload" mpbpf unload
matches "$(asked 8001)" 'Connection refused' "then nothing is steered"
is "$(in_server bpftool -j net show | jq -c '[.. | .id? // empty] | length') $(pins)" "0 " "and nothing is left"
tap_done
