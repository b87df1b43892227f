#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A segment that begins with bytes that have come already, as retransmissions do, brings them once: TCP reads the rest of it.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

net_up
nginx_start "$work/web" "$cgroup" 8080 8081
access_log=$work/web/access.log
# Answers late, and also a client that has ended meanwhile.
in_cgroup "$cgroup" node -e "require('net').createServer({ allowHalfOpen: true }, (s) => s.on('error', () => {}).once('data', () =>
	setTimeout(() => s.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'), $((1000 * pace))))).listen(8082)" >"$work/late.log" 2>&1 </dev/null &
wait_for 20 listening 8082
config_write 'listeners=[{"name": "web", "port": 8080}, {"name": "late", "port": 8082}]'
mpbpf_load
# An address that is nobody's; the server is told where it lives.
nobody=10.77.0.9
mac=$(ip -o link show eth0)
mac=${mac#*link/ether }
ip -n server neigh replace "$nobody" lladdr "${mac%% *}" dev eth0 || bail "cannot add a neighbour"
static=$(bearer static-token-1)
head="PUT /dav/%s HTTP/1.1\\\\r\\\\nHost: server\\\\r\\\\n$static\\\\r\\\\nContent-Length: 26\\\\r\\\\n\\\\r\\\\n"
http -H "$static" /echo >/dev/null

# segments PORT STEP...: what the client is told
segments() {
	"$tools/overlap" "$nobody" "$server_ip" "$1" eth0 "${@:2}" 2>&1 | tr -d '\r'
}

# stored NAME PORT STEP...: a body in overlapping segments; %N in a step is N bytes behind the head
stored() {
	local name=$1 port=$2 text steps=() step len
	# shellcheck disable=SC2059
	printf -v text "$head" "$name"
	len=$(($(printf '%b' "$text" | wc -c)))
	shift 2
	for step in "$@"; do
		[[ $step != %* ]] || step=$((len + ${step:1:2} - 10))${step:3}
		steps+=("$step")
	done
	[ -n "${head_steps:-}" ] && steps=("0:${text:0:16}" "8:${text:8}" "${steps[@]}") || steps=("0:$text" "${steps[@]}")
	matches "$(segments "$port" "${steps[@]}")" '^HTTP/1.1 201 ' "$name: stored"
	is "$(cat "$work/web/dav/$name")" abcdefghijklmnopqrstuvwxyz "$name: each byte once"
}

# Offsets are written with 10 added, so that they have two digits.
body=(%10:abcdefghij wait:50)
for port in 8081 8080; do
	kind=$([ $port = 8080 ] && echo guarded || echo unguarded)
	stored "$kind-again" $port "${body[@]}" %15:fghijklmnopqrstuvwxyz
	stored "$kind-all-again" $port "${body[@]}" %10:abcdefghijklmnopqrstuvwxyz
	stored "$kind-twice" $port "${body[@]}" %12:cdefghijklmno wait:50 %23:nopqrstuvwxyz
	stored "$kind-old" $port "${body[@]}" %12:cdef wait:50 %20:klmnopqrstuvwxyz
	stored "$kind-other" $port "${body[@]}" %15:FGHIJklmnopqrstuvwxyz
	stored "$kind-order" $port %30:uvwxyz %10:abcdefghijklmnopqrstuvwx
	head_steps=2 stored "$kind-head" $port %10:abcdefghij %15:fghijklmnopqrstuvwxyz
done

# The helper judges these: it has not seen the token.
head=${head/$static/$(bearer "$(token new)")}
head_steps=2 stored asked-head 8080 %10:abcdefghij %15:fghijklmnopqrstuvwxyz
accessed_reset
is "$(segments 8080 0:GET 1:ET "3: /echo HTTP/1.1\\r\\nHost: server\\r\\n" "18:\\r\\nHost: server\\r\\n\\r\\n" | head -n 1)" \
	"HTTP/1.1 401 Unauthorized" "without a token: denied"
accessed_is 0 "and the service saw nothing"

# The client's last bytes, in one segment with its end. What TCP throws away is not had: the right ones come behind it, twice, for
# where the gate takes them TCP waits for the second.
last() {
	printf 'GET /echo/%s HTTP/1.1\\r\\nHost: server\\r\\nX-Filler: %080d\\r\\n%s\\r\\n\\r\\n' "$1" 0 "$static"
}

for port in 8081 8080; do
	kind=$([ $port = 8080 ] && echo guarded || echo unguarded)
	for way in "s|a wrong checksum" "a|an acknowledgment of what was never sent" "sa|both"; do
		accessed_reset
		matches "$(segments "$port" "0f${way%%|*}:$(last damaged)" wait:100 "0f:$(last genuine)" wait:100 \
			"0f:$(last genuine)")" '^GET /echo/genuine' \
			"$kind, the end with ${way#*|}: the next segment counts"
		is "$(accessed_with damaged)" 0 "and what came with it did not"
	done
	got=$(segments "$port" "0:$(last again)" wait:200 "0f:$(last again)")
	matches "$got" '^GET /echo/again' "$kind, a request that comes again with its end: one answer"
	is "$(grep -c 'HTTP/1.1\|reset' <<<"$got")" 1 "and no reset behind it"
done
late="GET /late HTTP/1.1\\r\\nHost: server\\r\\n$static\\r\\n\\r\\n"
matches "$(segments 8082 "0:$late" wait:200 "0f:$late")" '^HTTP/1.1 200 OK' "nor ahead of a response that comes late"
accessed_reset
matches "$(segments 8080 "0fo:$(last damaged)" wait:100 "0f:$(last genuine)" wait:100 "0f:$(last genuine)")" '^GET /echo/genuine' \
	"the end with an acknowledgment that is behind: it is waited for one that is not"
is "$(accessed_with damaged)" 0 "and what came with it did not"
tap_done
