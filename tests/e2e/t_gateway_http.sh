#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# A gateway for HTTP: each request goes where host and path say, judged before mpbpfd reads it; framing, faults and ends of both sides.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
# shellcheck source-path=SCRIPTDIR source=gateway.sh
. "${0%/*}/gateway.sh"
sandbox "$@"

net_up
hosts_up
echo_start 1
echo_start 2
in_host 1 node "$here/http_servers.mjs" >"$work/seen" 2>>"$log" </dev/null &
wait_for 10 in_host 1 bash -c ': >/dev/tcp/127.0.0.1/91' || bail "the services do not start: $(tail -n 5 "$log")"

listeners='{"name": "web", "port": 8080, "mode": "gateway", "response_headers": {"X-By": "mpbpf"}},
	{"name": "open", "port": 8081, "mode": "gateway", "auth": {"require_auth": false}},
	{"name": "dry", "port": 8082, "mode": "gateway", "enforce": false, "cluster_name": "well"}'
services="{\"name\": \"one\", \"hosts\": [\"$host1_ip\"], \"port\": 80},
	{\"name\": \"two\", \"hosts\": [\"$host2_ip6\"], \"port\": 80},
	{\"name\": \"well\", \"hosts\": [\"$host1_ip\"], \"port\": 90},
	{\"name\": \"faulty\", \"hosts\": [\"$host1_ip\"], \"port\": 91},
	{\"name\": \"dead\", \"hosts\": [\"$host1_ip\", \"$host2_ip\"], \"port\": 9},
	{\"name\": \"half\", \"hosts\": [\"$host1_ip\", \"$host2_ip\"], \"port\": 90},
	{\"name\": \"proxied\", \"hosts\": [\"$host2_ip\"], \"port\": 81, \"proxy_protocol\": \"v2\"}"
route() {
	local hosts=${3:-}
	printf '{"name": "%s", "prefix": "%s", "cluster_name": "%s", "timeout": %d%s}' "${1//[^a-z]/}${2//[^a-z]/}" "$2" "$1" \
		"${4:-$((10 * slow))}" "${hosts:+, \"hosts\": [\"$hosts\"]}"
}
routes=("$(route one / one.test)" "$(route two /two one.test)" "$(route two / '*.two.test')" "$(route well / well.test)"
	"$(route faulty / faulty.test)" "$(route faulty /silent faulty.test 1)" "$(route dead / dead.test)"
	"$(route half / half.test)" "$(route proxied / proxied.test)")
joined_routes=$(printf ', %s' "${routes[@]}")
config_write "listeners=[$listeners]" "services=[$services]" "routes=[${joined_routes:2}]"
in_server "$build/mpbpf" load --pin-root "$pin_root" --cgroup "$cgroup" --iface eth0 --config "$config" >"$work/outside" 2>&1
is $? 1 "mpbpfd outside of the cgroup is not to run one"
matches "$(<"$work/outside")" 'mpbpfd is not in .*, so nobody would judge its requests' "and says why"
is "$(pins)" "" "nothing is left"
mpbpf_load
good=$(bearer "$(token user)")

# get HOST TARGET [FIELDS]: script lines of one request
get() {
	printf 'send GET %s HTTP/1.1\\r\\nHost: %s\\r\\n%s\\r\\n\n' "$2" "$1" "${3:-}"
}
# talk [PORT] <LINES: what a script prints on one connection, joined
talk() {
	{
		echo "connect ${host:-$server_ip} ${1:-8081} ${from:-}"
		cat
	} | script | joined
}
asks() {
	get "$@"
	printf 'status\nbody\n'
}

# ---- where ----

is "$({
	asks one.test /
	asks one.test /two/x
	asks a.b.two.test /
	asks ONE.test:8081 /twox
	asks one.test /two/../x
} | talk)" "200 host1 10.78.1.1 200 host2 fd78:2::1 200 host2 fd78:2::1 200 host1 10.78.1.1 200 host1 10.78.1.1" \
	"requests of one connection go where host and path say"
is "$(host=$server_ip6 talk < <(asks one.test / && asks a.two.test /))" "200 host1 10.78.1.1 200 host2 fd78:2::1" \
	"of an IPv6 connection too"
is "$(event_of http 8081)" "$other_ip6 $server_ip6:8081 null:null" "an event tells of the connection"
is "$(talk < <(asks two.test / && asks one.test /))" "503 200 host1 10.78.1.1" "what no route takes is answered 503, and the next goes on"
is "$(talk < <(asks x 'http://one.test/two/y?q'))" "200 host2 fd78:2::1" "an absolute target names the host"
is "$(talk < <(asks dead.test /))" 503 "no endpoint takes it: 503"
is "$(talk < <(asks half.test /late?0 && asks half.test /late?0 && asks half.test /late?0))" \
	"200 late 200 late 200 late" "an endpoint that refuses is passed over"
is "$(talk < <(asks proxied.test / && asks proxied.test /))" \
	"200 host2 10.77.0.2 10.77.0.1:8081 200 host2 10.77.0.2 10.77.0.1:8081" "a cluster that wants PROXY headers gets them"
is "$(from=$other_ip talk < <(asks proxied.test /))" "200 host2 10.77.0.3 10.77.0.1:8081" "of each client its own"

# ---- judged first ----

is "$(talk 8080 < <(asks well.test /secret && asks well.test /open "$good\r\n" && echo "field X-By" &&
	asks well.test /again "$good\r\n" && asks well.test /secret2) | tr -s ' ')" \
	"401 200 GET /open Host well.test ${good/: / } X-Forwarded-For 10.77.0.2 X-Forwarded-Proto http mpbpf 200 GET /again Host well.test ${good/: / } X-Forwarded-For 10.77.0.2 X-Forwarded-Proto http 401" \
	"what is denied is answered in the kernel, what is allowed goes on"
is "$(grep -c secret "$work/seen") $(grep -c /again "$work/seen")" "0 1" "no denied request reaches an endpoint"
is "$(talk 8082 < <(asks well.test /dry && printf '%s\n' 'send GET / HTTP/1.1\r\nbad field: x\r\n\r\n' status eof))" \
	"200 GET /dry Host well.test X-Forwarded-For 10.77.0.2 X-Forwarded-Proto http 400 eof" \
	"a dry run passes what has no token, and mpbpfd refuses what it cannot read"

# ---- heads ----

is "$(talk < <(asks well.test /x 'Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\nUpgrade: h2c\r\nX-Forwarded-Proto: https\r\nX-Forwarded-For: 192.0.2.1\r\nX-End: 2\r\n'))" \
	"200 GET /x Host well.test X-Forwarded-For 192.0.2.1 X-End 2 X-Forwarded-For 10.77.0.2 X-Forwarded-Proto http" \
	"what concerns one connection alone stays there"
is "$(talk < <(get faulty.test /hop && printf '%s\n' status 'field X-Hop' 'field Keep-Alive' 'field Connection' 'field X-End'))" \
	"200 - - - 2" "in responses as well"
is "$(talk < <(get well.test /a 'Connection: close\r\n' && printf '%s\n' status 'field Connection' eof))" "200 close eof" \
	"a client that closes is closed"
old='send GET / HTTP/1.0\r\nHost: one.test\r\n'
is "$(talk < <(printf '%s\n' "$old\r\n" status 'field Connection' eof))" "200 close eof" "so is one of HTTP/1.0"
old+='Connection: keep-alive\r\n\r\n'
is "$(talk < <(printf '%s\n' "$old" status 'field Connection' "$old" status))" "200 keep-alive 200" "unless it asks to stay"
printf -v long 'X-Long: %020000d\\r\\n' 0
is "$(talk < <(get well.test /long "$long" && echo read))" "200 20082" "heads that need a larger buffer"

# ---- order and framing ----

is "$({
	echo join
	get well.test '/late?200'
	get one.test /
	get nowhere.test /
	get well.test /chunked
	get two.two.test /
	printf '%s\n' flush status body status body status status body status body
} | talk)" "200 late 200 host1 10.78.1.1 503 200 piece 0 piece 1 piece 2 piece 3 piece 4 end 200 host2 fd78:2::1" \
	"pipelined requests are answered in order"
pattern_files "$work/upload=3000000"
sum=$(sha256sum <"$work/upload")
sum=${sum%% *}
is "$(talk < <(printf '%s\n' 'send POST /hash HTTP/1.1\r\nHost: well.test\r\nContent-Length: 3000000\r\n\r\n' "file $work/upload" status body &&
	asks one.test /))" "200 3000000 $sum 200 host1 10.78.1.1" "a body with a length"
is "$(talk < <(printf '%s\n' 'send POST /hash HTTP/1.1\r\nHost: well.test\r\nTransfer-Encoding: chunked\r\n\r\n' "chunked $work/upload 7001" status body &&
	asks one.test /))" "200 3000000 $sum 200 host1 10.78.1.1" "a chunked one"
is "$(talk < <(printf '%s\n' 'send HEAD /x HTTP/1.1\r\nHost: well.test\r\n\r\n' 'read head' && asks one.test /))" "200 0 200 host1 10.78.1.1" \
	"a response to HEAD has no body"
is "$(port=8081 curled -v -H 'Host: well.test' -H 'Expect: 100-continue' --data-binary "@$work/upload" /hash 2>"$work/verbose") $(<"$work/body")" \
	"200 3000000 $sum" "a client that waits for 100"
matches "$(<"$work/verbose")" 'HTTP/1.1 100 Continue' "gets it from the endpoint"
is "$(talk < <(printf '%s\n' 'send POST /early HTTP/1.1\r\nHost: faulty.test\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n' status 'field Connection' eof))" \
	"413 close eof" "or its answer, behind which the connection ends"
is "$(talk < <(printf '%s\n' 'send GET /ws HTTP/1.1\r\nHost: well.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n' 'read head' \
	'send \x81\x05HELLO' 'pause 100' eof))" "101 0 data" "a WebSocket is a tunnel"
is "$(talk < <(get faulty.test /interim && printf '%s\n' 'read head' status body))" "103 0 200 hinted" "interim responses go on"
is "$(port=8081 curled -H 'Host: faulty.test' /hints) $(<"$work/body")" "200 at last" "as many as there are"
is "$(port=8081 curled -H 'Host: faulty.test' /large-head) $(<"$work/body")" "200 ok" "a response's head that needs a larger buffer"

# ---- faults ----

for target in /none /bad /both /folded /long /switch; do
	is "$(talk < <(get faulty.test $target && echo status && asks one.test /))" "502 200 host1 10.78.1.1" "${target#/}: 502, and the client goes on"
done
# Of a request that the gateway cannot read, behind one that it could, the answer comes once, and the end.
many=$(printf 'a%d,' {1..33})
for line in "GET / HTTP/1.1\\r\\nHost: one.test\\r\\nConnection: ${many%,}" 'GET http://u@one.test/ HTTP/1.1\r\nHost: one.test'; do
	is "$(talk < <(asks one.test / && printf '%s\n' "send $line\\r\\n\\r\\n" status eof))" "200 host1 10.78.1.1 400 eof" \
		"what cannot be read behind what could: ${line:0:16}"
done
is "$(talk < <(get faulty.test /cut && echo read))" cut "a response that is cut off is seen to be"
is "$(talk < <(get faulty.test /cut-chunk && echo read))" cut "a chunked one too"
is "$(port=8081 curled -H 'Host: faulty.test' /until) $(<"$work/body")" "200 to the end" "one that ends with its connection"
is "$(talk < <(asks faulty.test /two && asks faulty.test /ok))" "200 first 200 fine" "a response too many goes nowhere"
is "$(talk < <(asks faulty.test /once && asks faulty.test /ok))" "200 once 200 fine" "a connection that ended is replaced, for a request that can be sent twice"
is "$(talk < <(asks faulty.test /once && printf '%s\n' 'send POST /ok HTTP/1.1\r\nHost: faulty.test\r\nContent-Length: 0\r\n\r\n' status))" \
	"200 once 502" "and for no other"
is "$(talk < <(get faulty.test /silent && echo status && asks one.test /))" "504 200 host1 10.78.1.1" "an endpoint that does not answer in time"

# ---- much, slowly, and not to the end ----

agents_read
rss() {
	local name value
	while read -r name value _; do
		[ "$name" != VmRSS: ] || echo "$value"
	done <"/proc/${agents[0]}/status"
}
size=$(scaled 16000000 4000000)
rss_before=$(rss)
printf '%s\n' 'receive 4096' "connect $server_ip 8081" "send GET /big?$size HTTP/1.1\\r\\nHost: well.test\\r\\n\\r\\n" 'pause 700' >"$work/slow.in"
script <"$work/slow.in" &
slow_client=$!
pause 500
rss_during=$(rss)
wait "$slow_client"
between $((rss_during - rss_before)) -100000 1024 "mpbpfd does not grow while a client does not read"
wait_for 5 gateway_figure_is .gateway.open.open 0
is "$(gateway_figure .gateway.open.open) $(gateway_figure '.clusters.well.endpoints."10.78.1.2:90" | .open - .idle')" "0 0" \
	"a client that goes away takes its endpoint's connection along"
port=8081 curled -H 'Host: well.test' "/big?$size" >"$work/status"
want=$(node -e "const n=$size,b=Buffer.alloc(n);for(let i=0;i<n;i++)b[i]=(i*7+(i>>8))&255;console.log(require('crypto').createHash('sha256').update(b).digest('hex'))")
is "$(<"$work/status") $(sha256sum <"$work/body")" "200 $want  -" "a large response arrives byte by byte"
figures_read figures
is "${figures[gateway.open.answered.timeout]} ${figures[gateway.open.answered.bad_response]} ${figures[gateway.open.answered.no_endpoint]}" "1 7 1" \
	"mpbpfd's own answers are counted"
is "${figures[clusters.faulty.endpoints.10.78.1.2:91.retried]} ${figures[gateway.dry.answered.bad_request]} ${figures[gateway.web.requests]}" "2 1 2" \
	"and the rest"

# ---- a reload ----

# waiting NAME: a connection whose second request was judged and waits behind the first, whose response is held back until `release`
waiting() {
	before
	session "$1" "connect $server_ip 8081" join "$(get well.test /held)" "$(get one.test /)" flush
	wait_for 10 moved_is requests.allowed -eq 2
}
release() {
	in_host 1 curl -s http://127.0.0.1:90/release
}
waiting first
written=$(<"$config") was=$(route one / one.test) now=$(route two / one.test)
printf '%s\n' "${written//"$was"/$now}" >"$config"
check "reload with another route" mpbpf reload
is "$(release)" 1 "a response comes"
session first status body status body
session_end first
is "$(joined <"$work/first")" "200 held 200 host2 fd78:2::1" "a request that was judged and waits goes by the new one"
waiting second
session kept "connect $server_ip 8081"
is "$(session_read kept "$(get one.test /)" status)" "200" "a connection is open"
config_write "listeners=[{\"name\": \"open\", \"port\": 8081, \"mode\": \"gateway\", \"auth\": {\"require_auth\": false}, \"cluster_name\": \"two\"}]" "services=[$services]"
check "reload" mpbpf reload
is "$(release)" 1 "a response comes"
session second status body status 'field Connection' eof
session_end second
is "$(joined <"$work/second")" "200 held 503 close eof" "with another policy one that the old one judged goes nowhere"
is "$(gateway_figure .gateway.open.answered.old_policy)" 1 "and is counted"
is "$(session_read kept "$(get one.test /two)" status 'timeout 3000') $(session_read kept body)" "200 host2 fd78:2::1" "its next request goes where the new routes say"
matches "$(talk 8080 < <(get one.test /))" refused "a listener that is gone takes no more"
config_write "listeners=[{\"name\": \"tcp\", \"port\": 8081, \"mode\": \"gateway\", \"protocol\": \"tcp\", \"cluster_name\": \"one\"}]" "services=[$services]"
check "reload again" mpbpf reload
is "$(session_read kept eof)" eof "a gateway that speaks no HTTP any more ends its idle connections"
session_end kept
is "$(talk < <(asks two.two.test /))" "200 host1 10.78.1.1" "and takes new ones"
check "unload" mpbpf unload
tap_done
