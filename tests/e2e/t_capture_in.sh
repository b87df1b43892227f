#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Connections to this host, on ports and addresses where nobody has configured a service, that go to clusters: which, as whom, and
# what follows when agents and configurations come and go.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
# shellcheck source-path=SCRIPTDIR source=gateway.sh
. "${0%/*}/gateway.sh"
sandbox "$@"

spare_ip=10.77.0.9 # of the host: what it sends there itself comes from its first address
net_up
hosts_up
echo_start 1
echo_start 2
ip -n server address add "$spare_ip/24" dev eth0 || bail "cannot add an address"

# Services of this node: two where they are sought, one where it would be found if nothing was captured.
block() {
	echo "server { listen $2; location / { return 200 \"$1 \$remote_addr \$server_addr:\$server_port\n\"; } }"
}
mkdir -p "$work/local/tmp"
cat >"$work/local/nginx.conf" <<-END
	daemon off;
	user www-data;
	worker_processes 1;
	pid $work/local/nginx.pid;
	error_log $work/nginx-error.log;
	events { worker_connections 512; }
	http {
		access_log off;
		client_body_temp_path $work/local/tmp/body;
		proxy_temp_path $work/local/tmp/proxy;
		fastcgi_temp_path $work/local/tmp/fastcgi;
		uwsgi_temp_path $work/local/tmp/uwsgi;
		scgi_temp_path $work/local/tmp/scgi;
		$(block near 9001) $(block self 127.0.0.1:7005) $(block hidden 7002) $(block second 7006) $(block web 8080) $(block open 7100)
	}
END
in_cgroup "$cgroup" nginx -c "$work/local/nginx.conf" -p "$work/local" >>"$work/nginx-error.log" 2>&1 </dev/null &
wait_for 10 test -s "$work/local/nginx.pid" || bail "nginx does not start: $(tail -n 5 "$work/nginx-error.log")"

# capture NAME MATCH [CLUSTER]
capture() {
	echo "{\"name\": \"$1\", \"mode\": \"capture\", \"direction\": \"in\", \"match\": {$2}${3:+, \"cluster_name\": \"$3\"}}"
}
services="[
	{\"name\": \"near\", \"hosts\": [\"127.0.0.1\"], \"port\": 9001},
	{\"name\": \"one\", \"hosts\": [\"$host1_ip\"], \"port\": 80},
	{\"name\": \"two\", \"hosts\": [\"$host2_ip\"], \"port\": 80},
	{\"name\": \"proxy\", \"hosts\": [\"$host1_ip\"], \"port\": 81, \"proxy_protocol\": \"v2\"},
	{\"name\": \"second\", \"hosts\": [\"$spare_ip\"], \"port\": 7006, \"policy\": \"least_conn\", \"health_check\": {\"type\": \"tcp\", \"interval_ms\": 100}},
	{\"name\": \"self\", \"hosts\": [\"127.0.0.1\"], \"port\": 7005, \"policy\": \"least_conn\",
		\"health_check\": {\"type\": \"http\", \"interval_ms\": 100, \"timeout_ms\": $((500 * slow))}}]"
source_routes='[
	{"listener": "all", "match": {"cidr": "10.77.0.3/32"}, "cluster_name": "two"},
	{"listener": "far", "match": {"destination": "fd77::1/128"}, "cluster_name": "two"}]'
captures=(
	"$(capture near '"ports": [7001]' near)"
	"$(capture far '"ports": [7002]' one)"
	"$(capture proxied '"ports": [7003]' proxy)"
	"$(capture all "\"cidrs\": [\"$spare_ip/32\"]" one)"
	"$(capture second '"ports": [7006]' second)"
	"$(capture loop '"ports": [7005], "cidrs": ["127.0.0.0/8"]' self)"
)
# write [LISTENER...]: the configuration with these in place of the captures
write() {
	local joined
	[ $# -gt 0 ] || set -- "${captures[@]}"
	joined=$(printf ', %s' "$@")
	config_write "listeners=[${joined:2}, {\"name\": \"web\", \"port\": 8080}]" "services=$services" "source_routes=$source_routes"
}
figure_of() {
	for _ in 1 2 3 4; do
		figures_read figures
		[ -z "${figures[$1]-}" ] || break
	done
	echo "${figures[$1]-none}"
}
# here PORT: what answers a process of this node, over loopback
here() {
	in_server curl -s --max-time $((5 * slow)) "http://127.0.0.1:$1/" || echo "curl: $?"
}
write
mpbpf_load
steered() {
	[ "$(asked 7001)" = "near $client_ip $server_ip:7001" ]
}

# ---- where, and as whom ----

check "a service of this node takes the connection itself, and sees who asks and where that wanted to go" wait_for 5 steered
is "$(asked 7002)" "host1 10.78.1.1" "another host's gets it by the relay, though somebody listens on that port"
is "$(asked 7003)" "host1 $client_ip $server_ip:7003" "a PROXY header says who asked, and where that wanted to go"
host=$server_ip6
is "$(asked 7003 "$client_ip6")" "host1 $client_ip6 $server_ip6:7003" "of IPv6, too"
is "$(asked 7002 "$client_ip6")" "host2 10.78.2.1" "a destination's rule comes first"
host=$spare_ip
is "$(asked 22) $(asked 5432) $(asked 65535)" "host1 10.78.1.1 host1 10.78.1.1 host1 10.78.1.1" "every port of an address"
is "$(asked 22 "$other_ip")" "host2 10.78.2.1" "by the client's network"
is "$(port=8080 from=$client_ip http /)" 401 "but not a guard's: there requests are judged"
host=$server_ip
is "$(asked 7100)" "open $client_ip $server_ip:7100" "what nothing matches comes to whom it wanted"
is "$(here 7001) $(here 7002)" "near 127.0.0.1 127.0.0.1:7001 host1 10.78.1.1" "processes of this node are captured as well"
is "$(here 7005)" "self 127.0.0.1 127.0.0.1:7005" "what mpbpfd carries to a place that is captured is not captured again"
is "$(asked 7006)" "second 10.77.0.1 $spare_ip:7006" "nor is what comes from another address than it goes to"
is "$(figure_of gateway.second.accepted)" 1 "once"
is "$(figure_of gateway.loop.accepted)" 1 "its own connections and tries came to it no second time"
is "$(figure_of capture.far.relayed) $(figure_of gateway.far.path.relay) $(figure_of capture.all.relayed)" "3 3 4" "what was relayed is counted"
between "$(figure_of capture.near.direct)" 2 100 "and what went straight"
is "$(event_of steer 7001) $(event_of relay 7003)" "127.0.0.1 127.0.0.1:7001 127.0.0.1:9001 $client_ip6 $server_ip6:7003 $host1_ip:81" \
	"events tell the way of each"
is "$(bpftool -j map dump pinned "$pin_root/maps/own_places" | jq length)" "$((2 * ${#captures[@]}))" \
	"of mpbpfd's own places only those of the relays are remembered"

# ---- the relay itself ----

relay_port=$(in_server ss -Hltnp | awk '/mpbpfd/ && $4 ~ /^127/ { sub(/.*:/, "", $4); print $4; exit }')
in_server bash -c "exec 3<>/dev/tcp/127.0.0.1/$relay_port; cat <&3" >>"$log" 2>&1
uncaptured=0
for listener in near far proxied all second loop; do
	uncaptured=$((uncaptured + $(figure_of "gateway.$listener.refused_by.uncaptured")))
done
is "$uncaptured" 1 "who comes to the relay by itself is reset"

# ---- what is said of it ----

is "$(mpbpf status --json | jq -r '[.captures[] | "\(.direction) \(.attached)"] | unique | join(",")')" "in true" "status says that it works"
answer=$(mpbpf route test --config "$config" --listener all --source 10.77.0.3 --destination "$spare_ip" --json)
is "$(jq -r '"\(.cluster) \(.rule.match)"' <<<"$answer")" "two 10.77.0.3/32" "route test: whereto, and by which rule"
answer=$(mpbpf route test --config "$config" --listener all --source 10.77.0.3 --destination 10.77.0.1)
is "$? $(grep -c 'is not captured' <<<"$answer")" "1 1" "and what is not captured"
check "route list" mpbpf route list --config "$config"

# ---- without an agent ----

agent_kill
is "$(asked 7001)" "near $client_ip $server_ip:7001" "without an agent what goes straight goes on"
before_ns=$(date +%s%N)
matches "$(asked 7002) $(host=$spare_ip asked 22)" "refused.*refused" "what takes the relay is refused"
between $((($(date +%s%N) - before_ns) / 1000000)) 0 $((2000 * slow)) "and not hung, milliseconds"
is "$(asked 7100)" "open $client_ip $server_ip:7100" "and others come through"
is "$(event_of no_relay 22)" "$client_ip $spare_ip:22 null:null" "an event tells why"
agent_start
relays_again() {
	[ "$(asked 7002)" = "host1 10.78.1.1" ]
}
check "a new agent relays again" wait_for 10 relays_again

# ---- a reload ----

for ((i = 0; i < $(scaled 60 20); i++)); do asked 7003; done >"$work/under_way" &
asking=$!
for ((i = 0; i < 5; i++)); do
	write "$(capture far '"ports": [7002]' two)" "${captures[@]:2}"
	mpbpf reload --config "$config" >>"$log" 2>&1 || diag "a reload fails"
	write
	mpbpf reload --config "$config" >>"$log" 2>&1 || diag "a reload fails"
done
wait "$asking"
is "$(sort "$work/under_way" | uniq -c | tr -s ' ')" " $(scaled 60 20) host1 $client_ip $server_ip:7003" "during reloads none is lost"
write "$(capture far '"ports": [7002]' two)"
config_write "listeners=[$(capture far '"ports": [7002]' two), {\"name\": \"web\", \"port\": 8080}]" "services=$services"
check "a reload" mpbpf reload --config "$config"
is "$(asked 7002)" "host2 10.78.2.1" "holds at once"
matches "$(asked 7001)" "refused" "what is captured no more is not"
config_write "listeners=[$(capture far '"ports": [8080]' two), {\"name\": \"web\", \"port\": 8080}]" "services=$services"
mpbpf reload --config "$config" >"$work/out" 2>&1
is "$? $(grep -c 'a port that no guard and no gateway has' "$work/out")" "2 1" "a guard's port is not to be had"
config_write 'listeners=[{"name": "web", "port": 8080}]'
check "a reload without captures" mpbpf reload --config "$config"
is "$(asked 7002)" "hidden $client_ip $server_ip:7002" "captures nothing"
write
check "and one with them" mpbpf reload --config "$config"
check "captures again" wait_for 5 relays_again
check "unload" mpbpf unload
is "$(asked 7002)" "hidden $client_ip $server_ip:7002" "then nothing is captured"
is "$(pins)" "" "and nothing is left"
tap_done
