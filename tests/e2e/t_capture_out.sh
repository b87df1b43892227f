#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Connections out of a cgroup that go elsewhere than their processes said: where, what the processes see of that, and what follows
# when endpoints, cgroups, configurations and agents come and go.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
# shellcheck source-path=SCRIPTDIR source=gateway.sh
. "${0%/*}/gateway.sh"
sandbox "$@"

net_up
hosts_up
nginx_locations="location = /ill { return 503; }"
echo_start 1
echo_start 2
in_host 2 "$tools/captured" -s 80 &
app=$cgroup/app inner=$cgroup/app/inner
mkdir "$app" "$inner"

# capture NAME CGROUP MATCH [CLUSTER]
capture() {
	echo "{\"name\": \"$1\", \"mode\": \"capture\", \"direction\": \"out\", \"cgroup\": \"$2\", \"match\": {$3}${4:+, \"cluster_name\": \"$4\"}}"
}
services="[
	{\"name\": \"one\", \"hosts\": [\"$host1_ip\"], \"port\": 80},
	{\"name\": \"two\", \"hosts\": [\"$host2_ip\"], \"port\": 80},
	{\"name\": \"one6\", \"hosts\": [\"$host1_ip6\"], \"port\": 80},
	{\"name\": \"proxy\", \"hosts\": [\"$host1_ip\"], \"port\": 81, \"proxy_protocol\": \"v2\", \"health_check\": {\"type\": \"tcp\"}},
	{\"name\": \"sticky\", \"hosts\": [\"$host2_ip\", \"$host1_ip\"], \"port\": 80, \"policy\": \"source_hash\"},
	{\"name\": \"shares\", \"hosts\": [\"$host1_ip\", \"$host2_ip\"], \"port\": 80, \"weights\": [3, 1]},
	{\"name\": \"dead\", \"hosts\": [\"$host1_ip\"], \"port\": 9},
	{\"name\": \"lo\", \"hosts\": [\"127.0.0.1\"], \"port\": 8080},
	{\"name\": \"ill\", \"hosts\": [\"$host1_ip\"], \"port\": 80,
		\"health_check\": {\"type\": \"http\", \"path\": \"/ill\", \"interval_ms\": 100, \"timeout_ms\": $((500 * slow)), \"rise\": 1, \"fall\": 1}}]"
source_routes='[
	{"listener": "plain", "match": {"destination": "192.0.2.128/25"}, "cluster_name": "two"},
	{"listener": "plain", "match": {"destination": "192.0.2.129/32"}, "cluster_name": "one"},
	{"listener": "plain", "match": {"destination": "2001:db8::/64"}, "cluster_name": "one6"},
	{"listener": "sourced", "match": {"destination": "192.0.2.7/32"}, "cluster_name": "one"},
	{"listener": "sourced", "match": {"cidr": "10.78.2.0/24"}, "cluster_name": "two"},
	{"listener": "sourced", "match": {"last_octet": "odd"}, "cluster_name": "one"},
	{"listener": "nowhere", "match": {"destination": "203.0.113.0/24"}, "cluster_name": "one"}]'
plain='"ports": [80, 90], "cidrs": ["192.0.2.0/24", "10.78.2.0/24", "2001:db8::/32"]'
# Its rules hold, wherever it stands among captures.
web='{"name": "web", "port": 8080}'
captures=(
	"$(capture plain "$app" "$plain" one)"
	"$(capture proxied "$app" '"ports": [81]' proxy)"
	"$(capture sourced "$app" '"ports": [82], "cidrs": ["192.0.2.0/24", "10.78.2.0/24"]' sticky)"
	"$(capture dead "$app" '"ports": [83]' dead)"
	"$(capture ill "$app" '"ports": [84]' ill)"
	"$(capture nowhere "$app" '"ports": [85], "cidrs": ["0.0.0.0/0"]')"
	"$(capture shares "$app" '"ports": [86]' shares)"
	"$(capture lo "$app" '"ports": [87]' lo)"
	"$(capture local "$app" '"cidrs": ["127.0.0.0/8", "::1/128"], "ports": [88]' one)"
	"$(capture bound "$app" '"ports": [89], "cidrs": ["127.0.0.1/32"]' proxy)"
	"$(capture all "$inner" '"cidrs": ["192.0.2.0/24"]' two)"
	"$(capture late "$cgroup/late" '"ports": [80]' one)"
)
# write [LISTENER...]: the configuration with these in place of the captures
write() {
	local joined
	[ $# -gt 0 ] || set -- "${captures[@]}"
	joined=$(printf ', %s' "$@")
	config_write "listeners=[${joined:2}, $web]" "services=$services" "source_routes=${routes-$source_routes}"
}
write
mpbpf_load

# told [CLIENT_ARGS] HOST PORT: what a process in the captured cgroup sees
told() {
	in_cgroup "${from_cgroup:-$app}" timeout $((20 * slow)) "$tools/captured" "$@" 2>&1
}
figure_of() {
	for _ in 1 2 3 4; do
		figures_read figures
		[ -z "${figures[$1]-}" ] || break
	done
	echo "${figures[$1]-none}"
}

# ---- where, and what is seen of it ----

is "$(told 192.0.2.10 80)" "192.0.2.10:80 192.0.2.10:80 - host1 10.78.1.1" "IPv4: peer and SO_ORIGINAL_DST are what the process wanted, the service sees the node"
is "$(told -m 192.0.2.10 80)" "[::ffff:192.0.2.10]:80 192.0.2.10:80 [::ffff:192.0.2.10]:80 host1 10.78.1.1" "the same written as IPv6"
is "$(told 2001:db8::5 80)" "[2001:db8::5]:80 - [2001:db8::5]:80 host1 fd78:1::1" "IPv6, by a destination rule"
is "$(told 2001:db8:1::5 80)" "[2001:db8:1::5]:80 - [2001:db8:1::5]:80 host1 10.78.1.1" "an endpoint of the other family"
is "$(told 192.0.2.200 80 | cut -d ' ' -f 4) $(told 192.0.2.129 80 | cut -d ' ' -f 4)" "host2 host1" "the longest network of a destination decides"
is "$(told 10.78.2.2 80)" "10.78.2.2:80 10.78.2.2:80 - host1 10.78.1.1" "so goes what would have got there"
is "$(told 10.78.2.2 81)" "10.78.2.2:81 10.78.2.2:81 - host1 10.78.2.1 10.78.2.2:81" "with a PROXY header: the true source and destination"
is "$(told -m 10.78.2.2 81)" "[::ffff:10.78.2.2]:81 10.78.2.2:81 [::ffff:10.78.2.2]:81 host1 10.78.2.1 10.78.2.2:81" "written as IPv6"
is "$(told fd78:2::2 81)" "[fd78:2::2]:81 - [fd78:2::2]:81 host1 fd78:2::1 fd78:2::2:81" "and by IPv6"
is "$(told -b 10.78.1.1 10.78.2.2 81 | cut -d ' ' -f 5)" 10.78.1.1 "a socket that is bound has that source"
matches "$(told 192.0.2.10 91)" ENETUNREACH "a port that is not matched"
matches "$(told 198.51.100.1 80)" ENETUNREACH "an address that is not"
from_cgroup=$cgroup
matches "$(told 192.0.2.10 80)" ENETUNREACH "another cgroup"
from_cgroup=$inner
is "$(told 192.0.2.10 80 | cut -d ' ' -f 4)" host2 "of a cgroup within, its own capture holds"
is "$(told 192.0.2.10 81 | cut -d ' ' -f 4)" host2 "also on another port"
is "$(told 2001:db8::5 80 | cut -d ' ' -f 4)" host1 "and the outer one where it has none"
from_cgroup=
is "$(in_cgroup "$app" curl -s --max-time 10 http://192.0.2.10/)" "host1 10.78.1.1" "curl notices nothing"

is "$(event_of direct 80)" "0.0.0.0 192.0.2.10:80 $host1_ip:80" "an event tells of one that went straight"
is "$(event_of relay 81)" "10.78.1.1 10.78.2.2:81 $host1_ip:81" "and the relay of its own"

# ---- rules by source ----

is "$(told 192.0.2.7 82 | cut -d ' ' -f 4)" host1 "a destination's rule comes first"
is "$(told -b 10.78.2.1 192.0.2.8 82 | cut -d ' ' -f 4-5)" "host2 10.78.2.1" "a source that is bound, by its network"
is "$(told -b 10.78.1.1 10.78.2.2 82 | cut -d ' ' -f 4-5)" "host1 10.78.1.1" "by its last octet"
is "$(told 10.78.2.2 82 | cut -d ' ' -f 4)" host2 "one that is not: the source that the routes give decides"
is "$(figure_of capture.sourced.direct) $(figure_of capture.sourced.relayed)" "3 1" "by the relay, the others go straight"

# ---- this host ----

is "$(told 0.0.0.0 88 | cut -d ' ' -f 1,4)" "127.0.0.1:88 host1" "any address is this host's loopback, and so it shows"
is "$(told :: 88 | cut -d ' ' -f 1,4)" "[::1]:88 host1" "of IPv6, too"
is "$(told -b 127.0.0.5 127.0.0.1 89 | cut -d ' ' -f 5-6)" "127.0.0.5 127.0.0.1:89" "a source that was bound stays, be it loopback's"

# ---- as TCP has it ----

is "$(told -n 192.0.2.10 80)" "192.0.2.10:80 192.0.2.10:80 - host1 10.78.1.1" "not blocking"
is "$(told -n 10.78.2.2 81)" "10.78.2.2:81 10.78.2.2:81 - host1 10.78.2.1 10.78.2.2:81" "through the relay as well"
is "$(told -f 192.0.2.10 80)" "192.0.2.10:80 192.0.2.10:80 - host1 10.78.1.1" "connected by a child"
is "$(told -p 192.0.2.10 80)" "192.0.2.10:80 192.0.2.10:80 - host1 10.78.1.1" "passed to another process"
is "$(told 192.0.2.10 83) $(told -n 192.0.2.10 83)" "ECONNREFUSED ECONNREFUSED" "what an endpoint refuses is refused"
is "$(told -r 83 192.0.2.10 80 | cut -d ' ' -f 1,4)" "192.0.2.10:80 host1" "the same socket may then go elsewhere"
matches "$(told -r 83 10.78.1.2 80)" '^10\.78\.1\.2:80 - - host1' "also where nothing is captured: then it tells no other"
is "$(told -u 10.78.2.2 80)" "10.78.2.2:80 - - datagram" "UDP goes where it wants to"
if [ "$(cat /proc/sys/net/mptcp/enabled 2>/dev/null)" = 1 ]; then
	is "$(told -M 10.78.1.2 80)" "10.78.1.2:80 - - host1 10.78.1.1" "and so does MPTCP"
	matches "$(told -M 192.0.2.10 80)" ENETUNREACH "whatever is captured of TCP"
else
	skip "and so does MPTCP" "this kernel has no MPTCP"
	skip "whatever is captured of TCP" "as before"
fi
is "$(told -d host1 192.0.2.10 80 | cut -d ' ' -f 4)" host1 "a socket that is bound to an interface goes straight to an endpoint"
is "$(told -d host2 10.78.2.2 81) $(told -d lo 10.78.2.2 81 | cut -d ' ' -f 4)" "ECONNREFUSED host1" \
	"but cannot come to the relay: refused and not hung, unless it is loopback's"

# ---- refused ----

ill_is_known() {
	[ "$(told 192.0.2.10 84)" = ECONNREFUSED ]
}
check "no endpoint is healthy: refused" wait_for 5 ill_is_known
is "$(told 192.0.2.10 85) $(told -n -m 192.0.2.10 85)" "ECONNREFUSED ECONNREFUSED" "no rule leads anywhere: refused"
is "$(event_of no_route 85)" "0.0.0.0 192.0.2.10:85 null:null" "and an event tells why"
matches "$(told 2001:db8::1 85)" 'ENETUNREACH' "all of IPv4 is not IPv6"
space=host2
is "$(told 192.0.2.10 81)" ECONNREFUSED "in another network namespace the relay is not to be had: refused"
is "$(told 192.0.2.200 80 | cut -d ' ' -f 1,4)" "192.0.2.200:80 host2" "straight to an endpoint it goes on there"
is "$(told 192.0.2.10 87)" ECONNREFUSED "but not to an endpoint of loopback: there it is another's"
unset space

# ---- shares, and what is counted ----

n=$(scaled 120 60)
mapfile -t got < <(for ((i = 0; i < n; i++)); do told 192.0.2.10 86; done | cut -d ' ' -f 4 | sort | uniq -c | awk '{ print $1 }')
between "${got[0]:-0}" $((n * 55 / 100)) $((n * 92 / 100)) "the weights 3 and 1 share connections out"
is "$((${got[0]:-0} + ${got[1]:-0})) $(figure_of capture.shares.direct) $(figure_of capture.shares.clusters.shares.direct)" "$n $n $n" "all went straight"
is "$(figure_of capture.plain.clusters.one6.direct) $(figure_of capture.plain.clusters.two.direct)" "2 2" "counted by what the rule leads to"
is "$(figure_of capture.plain.relayed) $(figure_of gateway.plain.accepted)" "1 1" "the other family was relayed, and nothing else"
is "$(figure_of capture.nowhere.refused_by.no_route) $(figure_of capture.proxied.refused_by.no_relay)" "2 2" "what was refused, and why"
between "$(figure_of capture.ill.refused_by.no_endpoint)" 1 1000 "for want of an endpoint"
is "$(mpbpf status --json | jq -c '[.captures[] | [.name, .attached]] | map(select(.[0] == "plain" or .[0] == "late"))')" \
	'[["plain",true],["late",false]]' "status says which are attached"
port=$(in_server ss -Hltnp | awk '/mpbpfd/ && $4 ~ /^127/ { sub(/.*:/, "", $4); print $4; exit }')
in_server bash -c "exec 3<>/dev/tcp/127.0.0.1/$port; cat <&3" >>"$log" 2>&1
unset port
uncaptured=0
for listener in plain proxied sourced dead ill nowhere shares lo local bound all late; do
	uncaptured=$((uncaptured + $(figure_of "gateway.$listener.refused_by.uncaptured")))
done
is "$uncaptured" 1 "who comes to the relay by itself is reset"
# remembered N: connections on their way to the relay
remembered() {
	[ "$(bpftool -j map dump pinned "$pin_root/maps/relayed" | jq length)" = "$1" ]
}
check "no connection to the relay is remembered" wait_for 5 remembered 0
agents_read
kill -STOP "${agents[@]}"
mkfifo "$work/never.in"
told -x -k 10.78.2.2 81 <"$work/never.in" >"$work/never" &
exec {never_asked}>"$work/never.in"
check "one that mpbpfd has not accepted is" wait_for 5 remembered 1
echo >&"$never_asked"
check "and is forgotten when its client resets it: none can take its place" wait_for 5 remembered 0
exec {never_asked}>&-
: >"$work/host1/access"
told -c 10.78.2.2 81 >"$work/left"
# Longer than a delayed acknowledgment: then its socket is gone.
pause 300
check "one that asked and left before it was accepted is not" remembered 1
kill -CONT "${agents[@]}"
check "what it sent comes to the service" wait_for 5 grep -q 'GET / HTTP' "$work/host1/access"
check "then it is forgotten" wait_for 5 remembered 0
attached() {
	[ "$(bpftool cgroup tree "$cgroup" | grep -c capture_)" = "$1" ]
}
check "programs are attached to both cgroups that are there" attached 12

# ---- what would become of one ----

answer=$(mpbpf route test --config "$config" --listener plain --source 10.78.1.1 --destination 192.0.2.200 --json)
is "$(jq -r '"\(.cluster) \(.way) \(.rule.match)"' <<<"$answer")" "two direct destination 192.0.2.128/25" "route test: the rule and the way"
is "$(mpbpf route test --config "$config" --listener proxied --source 10.78.1.1 --destination 192.0.2.200 --json | jq -r '"\(.way) \(.way_why)"')" \
	"relay the cluster gets PROXY headers" "why another is relayed"
answer=$(mpbpf route test --config "$config" --listener plain --source 10.78.1.1 --destination 198.51.100.1)
is "$? $(grep -c 'is not captured' <<<"$answer")" "1 1" "and what is not captured"
check "route list" mpbpf route list --config "$config"

# ---- cgroups that come late, and come back ----

mkdir "$cgroup/late"
from_cgroup=$cgroup/late
captured_late() {
	[ "$(told 192.0.2.10 80 | cut -d ' ' -f 4)" = host1 ]
}
check "a cgroup that is made later is captured" wait_for 5 captured_late
rmdir "$cgroup/late"
mkdir "$cgroup/late"
check "and one that is made anew" wait_for 5 captured_late
from_cgroup=

# ---- a reload ----

mkfifo "$work/direct.in" "$work/relayed.in"
told -k 192.0.2.10 80 <"$work/direct.in" >"$work/direct" &
told -k 10.78.2.2 81 <"$work/relayed.in" >"$work/relayed" &
exec {direct}>"$work/direct.in" {relayed}>"$work/relayed.in"
holds() {
	[ -s "$work/direct" ] && [ -s "$work/relayed" ]
}
wait_for 5 holds
for ((i = 0; i < $(scaled 100 40); i++)); do told 192.0.2.10 80; done >"$work/under_way" &
asking=$!
for ((i = 0; i < $(scaled 100 40); i++)); do space=host2 told 192.0.2.200 80; done >"$work/elsewhere" &
elsewhere=$!
for ((i = 0; i < 5; i++)); do
	routes=$source_routes write "$(capture plain "$app" "$plain" two)" "${captures[@]:1}"
	mpbpf reload --config "$config" >>"$log" 2>&1 || diag "a reload fails"
	write
	mpbpf reload --config "$config" >>"$log" 2>&1 || diag "a reload fails"
done
wait "$asking" "$elsewhere"
is "$(sort "$work/elsewhere" | uniq -c | tr -s ' ')" " $(scaled 100 40) 192.0.2.200:80 192.0.2.200:80 - host2 10.78.2.2" \
	"what no relay could help goes straight all the time"
is "$(grep -cvE '^192\.0\.2\.10:80 192\.0\.2\.10:80 - host[12] ' "$work/under_way")" 0 "during reloads each connection goes by the one or the other"
write "$(capture plain "$app" "$plain" two)" "${captures[@]:1}"
check "a reload" mpbpf reload --config "$config"
is "$(told 192.0.2.10 80 | cut -d ' ' -f 4)" host2 "holds at once"
echo >&"$direct"
echo >&"$relayed"
answered_both() {
	grep -q host1 "$work/direct" && grep -q host1 "$work/relayed"
}
check "open connections go on, straight and relayed" wait_for 5 answered_both
is "$(<"$work/direct")" "192.0.2.10:80 192.0.2.10:80 - host1 10.78.1.1" "as they were"
config_write "listeners=[{\"name\": \"web\", \"port\": 8080}, $(capture plain "$app" "$plain" nobody)]" "services=$services"
mpbpf reload --config "$config" >"$work/out" 2>&1
is "$? $(grep -c 'the name of a service' "$work/out")" "2 1" "a wrong one changes nothing"
is "$(told 192.0.2.10 80 | cut -d ' ' -f 4)" host2 "what is in force stays"

# ---- an agent that is gone ----

write "$(capture plain "$app" "$plain" two)" "${captures[@]:1}"

agent_kill
is "$(told 192.0.2.10 80)" "192.0.2.10:80 192.0.2.10:80 - host2 10.78.2.1" "without an agent what goes straight goes on"
before_ns=$(date +%s%N)
is "$(told 10.78.2.2 81) $(told -n 10.78.2.2 81)" "ECONNREFUSED ECONNREFUSED" "what takes the relay is refused"
between $((($(date +%s%N) - before_ns) / 1000000)) 0 $((2000 * slow)) "and not hung, milliseconds"
agent_start
relays_again() {
	[ "$(told 10.78.2.2 81)" = "10.78.2.2:81 10.78.2.2:81 - host1 10.78.2.1 10.78.2.2:81" ]
}
check "a new agent relays again" wait_for 10 relays_again

# ---- the agent in the captured cgroup ----

routes='[]' write "$(capture everything "$cgroup" '"cidrs": ["0.0.0.0/0", "::/0"]' proxy)"
check "a reload that captures all, mpbpfd itself included" mpbpf reload --config "$config"
is "$(told 10.78.2.2 82)" "10.78.2.2:82 10.78.2.2:82 - host1 10.78.2.1 10.78.2.2:82" "its own connections are not captured: no loop"
from_cgroup=$cgroup
is "$(told 10.78.2.2 82 | cut -d ' ' -f 4)" host1 "others beside it are"
from_cgroup=
agent_kill
agent_start
all_again() {
	[ "$(told 10.78.2.2 82 | cut -d ' ' -f 4)" = host1 ]
}
check "an agent that starts under it connects to itself" wait_for 10 all_again
between "$(figure_of gateway.everything.accepted)" 1 20 "and accepted no connection of its own"

# ---- the end ----

config_write 'listeners=[{"name": "web", "port": 8080}]'
check "a reload without captures" mpbpf reload --config "$config"
matches "$(told 192.0.2.10 80)" ENETUNREACH "captures nothing"
check "and leaves nothing attached" wait_for 5 attached 0
write
check "and one with them" mpbpf reload --config "$config"
is "$(told 192.0.2.10 80 | cut -d ' ' -f 4)" host1 "captures again"
check "unload" mpbpf unload
matches "$(told 192.0.2.10 80)" ENETUNREACH "then nothing is captured"
is "$(attached 0 && echo nothing) $(pins)" "nothing " "and nothing is left"
tap_done
