#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What is measured of requests and responses: methods, statuses, sizes and times, in all, by listener and by prefix.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
sandbox "$@"

# A service that is slow where the path says so: /MS waits before its head, /MS/MS before its last byte too. It says how long
# it took, in microseconds.
slow_start() {
	cat >"$work/slow.mjs" <<-'END'
		import http from 'node:http';
		http.createServer((req, res) => {
			const [, first, last] = req.url.split('/').map(Number);
			const start = process.hrtime.bigint();
			const since = () => Number((process.hrtime.bigint() - start) / 1000n);
			setTimeout(() => {
				const took = since();
				const end = () => {
					console.log(took, since());
					res.end('x'.repeat(100));
				};
				if (!last) return end();
				res.writeHead(200, { 'Content-Length': 200 });
				res.write('x'.repeat(100));
				setTimeout(end, last);
			}, first || 0);
		}).listen(8090, '::', () => console.log('ready'));
	END
	in_cgroup "$cgroup" node "$work/slow.mjs" >>"$work/slow.out" 2>&1 </dev/null &
	wait_for 10 test -s "$work/slow.out" || bail "the slow service does not start"
}

# slow N PATH: asks N times; what the service and the client measured goes to $work/served and $work/seen
slow() {
	local i
	echo ready >"$work/slow.out"
	for i in $(seq "$1"); do
		in_client curl -s -o /dev/null -w '%{time_pretransfer} %{time_starttransfer} %{time_total}\n' "http://$server_ip:8090$2"
	done | awk '{ printf "%d %d\n", ($2 - $1) * 1e6, ($3 - $1) * 1e6 }' >"$work/seen"
	grep -v ready "$work/slow.out" >"$work/served"
}

# middle FILE COLUMN: the median
middle() {
	cut -d ' ' -f "$2" "$1" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

# timed GOT COLUMN DESCRIPTION: not shorter than the service says, not longer than the client does, but for 5 % and 2 ms
timed() {
	local least most
	least=$(middle "$work/served" "$2") most=$(middle "$work/seen" "$2")
	between "$(printf '%.0f' "$1")" $((least - least / 20 - 2000)) $((most + most / 20 + 2000)) "$3"
}

load() {
	in_client "$tools/httpload" load "$@"
}

net_up
server_start
slow_start
config_write '.listeners += [{"name": "slow", "port": 8090, "auth": {"require_auth": false}}]
	| .metrics = {"prefixes": ["/echo", "/dav", "/healthz"]}'
mpbpf_load
www=$work/web/www
auth=$(bearer "$(token responses)")
other=$(bearer "$(token second)")

# ---- methods, statuses, prefixes ----

for i in 1 2 3; do http -H "$auth" /echo >/dev/null; done
http -H "$auth" /echo/below >/dev/null
http -H "$auth" /echoes >/dev/null
http -H "$auth" /none >/dev/null
http -H "$auth" -I /1000 >/dev/null
http -H "$auth" -X DELETE /echo >/dev/null
http -H "$auth" -X BREW /echo >/dev/null
http -H "$auth" -T "$www/1000" /dav/put >/dev/null
http /healthz >/dev/null
is "$(figure 'listeners.web.methods | [.GET, .HEAD, .DELETE, .PUT, .other, .POST] | @csv')" "7,1,1,1,1,0" "requests by method"
is "$(figure 'listeners.web.responses.status | to_entries | map(.key + "=" + (.value | tostring)) | join(" ")')" \
	"200=9 201=1 404=1" "responses by status"
is "$(accessed | awk '{ n[$3]++ } END { print n[200], n[201], n[404] }')" "9 1 1" "as the service says"
is "$(figure 'responses.classes | [.["1xx"], .["2xx"], .["3xx"], .["4xx"], .["5xx"]] | @csv')" "0,10,0,1,0" "and by class"
is "$(figure 'prefixes | keys | join(" ")')" "/dav /echo /healthz" "prefixes that were asked for"
is "$(figure 'prefixes["/echo"].methods | [.GET, .DELETE, .other] | @csv')" "4,1,1" "requests of one prefix, at a / boundary"
is "$(figure 'prefixes["/dav"].responses.status["201"]')" 1 "responses of another"
is "$(figure 'prefixes["/healthz"].responses.status["200"]')" 1 "an exempt path has its prefix as well"

# ---- answers of the kernel and of the helper ----

before
http /denied >/dev/null
http -H "$(bearer bad)" /echo >/dev/null
http -H "$(bearer bad)" /echo >/dev/null
script <<-END >/dev/null
	connect $server_ip 8080
	send GET bad\r\n\r\n
	read
END
is "$(moved 'responses.status["401"] // 0')" 1 "401"
is "$(moved 'responses.status["403"] // 0')" 2 "403, of the helper and of the kernel"
is "$(moved 'responses.status["400"] // 0')" 1 "400"
is "$(moved 'prefixes["/echo"].responses.classes["4xx"]')" 2 "denials count for their prefix"
is "$(moved 'latency_us.histogram | map(.count) | max // 0')" 0 "nobody is timed for them"

# ---- sizes ----

request="GET /20000 HTTP/1.1\r\nHost: a\r\n$other\r\n\r\n"
body="PUT /dav/size HTTP/1.1\r\nHost: a\r\n$other\r\nContent-Length: 300000\r\n\r\n"
chunks="PUT /dav/chunked HTTP/1.1\r\nHost: a\r\n$other\r\nTransfer-Encoding: chunked\r\n\r\n"
before
script >"$work/out" <<-END
	connect $server_ip 8080
	send $request
	read
	send $request
	read
	send GET /20000 HTTP/1.1\r\nHo
	pause 30
	send st: a\r\n$other\r\n\r\n
	read
	send $body
	file $www/300000
	read
	send $chunks
	chunked $www/300000 5000
	read
END
is "$(tr '\n' ' ' <"$work/out")" "200 20000 200 20000 200 20000 201 0 201 0 " "requests with bodies, and one in pieces"
# 60 chunks of 5000 bytes: "1388\r\n", "\r\n", and "0\r\n\r\n"
length() { printf '%b' "$1" | wc -c; }
is "$(moved bytes.in)" $((3 * $(length "$request") + $(length "$body") + 300000 + $(length "$chunks") + 300000 + 60 * 8 + 5)) \
	"bytes of requests, whoever let them pass"
in_client curl -s -o /dev/null -D "$work/h" -H "$auth" "http://$server_ip:8080/20000"
head_len=$(wc -c <"$work/h")
before
is "$(load "$server_ip" 8080 -c 4 -n 1000 -H "$auth" "/20000=$www/20000")" \
	"requests=1000 errors=0 mismatched=0 connections=4 200=1000" "1,000 responses"
is "$(moved bytes.out)" $((1000 * (20000 + head_len))) "their bytes"
is "$(moved 'responses.status["200"]')" 1000 "each counted once"
before
# A reader that is slower than the service: the end of each response is sent in several attempts.
is "$(load "$server_ip" 8080 -c 8 -n 200 -H "$auth" "/300000=$www/300000")" \
	"requests=200 errors=0 mismatched=0 connections=8 200=200" "200 long responses"
is "$(moved 'responses.status["200"]')" 200 "each counted once, however often its end is sent"
is "$(moved 'latency_last_us.histogram | map(.count) | max // 0')" 200 "and timed once"

# ---- pipelining ----

before
script >"$work/out" <<-END
	connect $server_ip 8080
	send GET /1 HTTP/1.1\r\nHost: a\r\n$auth\r\n\r\nGET /echo HTTP/1.1\r\nHost: a\r\n$auth\r\n\r\nGET /none HTTP/1.1\r\nHost: a\r\n$auth\r\n\r\n
	read
	read
	read
END
is "$(moved 'responses.status["200"]')" 2 "pipelined: two found"
is "$(moved 'responses.status["404"]')" 1 "one not"
is "$(moved 'prefixes["/echo"].responses.status["200"]')" 1 "each under its own prefix"
between "$(moved 'latency_us.histogram | map(.count) | max // 0')" 1 3 "those that passed alone are timed"

# ---- times ----

slow 5 /50/100
slow=$(figure listeners.slow)
timed "$(jq .latency_us.p50 <<<"$slow")" 1 "the time to the first byte"
timed "$(jq .latency_last_us.p50 <<<"$slow")" 2 "and to the last"
between "$(jq '.latency_last_us.p50 - .latency_us.p50 | floor' <<<"$slow")" 90000 10000000 "which are told apart"
is "$(jq '.latency_us.histogram[-1].count' <<<"$slow")" 5 "the histogram has all five"
slow 41 /120
timed "$(figure listeners.slow.latency_us.p50)" 1 "times of another length"
is "$(figure 'listeners.slow.latency_us.histogram[-1].count')" 46 "the histogram adds up"

# ---- over a reload ----

jq '.metrics.prefixes = ["/dav", "/new", "/echo"] | .listeners = [.listeners[1], .listeners[0]]' "$config" >"$config.2"
mv "$config.2" "$config"
before
check "reload" mpbpf reload --config "$config"
is "$(moved 'listeners.web.responses.classes["2xx"]')" 0 "a listener keeps its counters"
http -H "$auth" /echo >/dev/null
is "$(moved 'listeners.web.responses.classes["2xx"]')" 1 "and its name, though its place is another"
is "$(moved 'prefixes["/echo"].responses.classes["2xx"]')" 1 "so does a prefix"

# ---- switches ----

jq '.metrics = {"enable_request_metrics": false, "enable_timing_metrics": false}' "$config" >"$config.2"
mv "$config.2" "$config"
check "reload without requests and times" mpbpf reload --config "$config"
before
http -H "$auth" /echo >/dev/null
http -H "$auth" /echo >/dev/null
is "$(moved 'methods | add')" 0 "no methods"
is "$(moved 'responses.status["200"]')" 2 "statuses"
is "$(moved 'latency_us.histogram | map(.count) | max // 0')" 0 "no times"
between "$(moved bytes.in)" 100 2000 "bytes in"
jq '.metrics = {"enable_response_metrics": false, "enable_size_metrics": false}' "$config" >"$config.2"
mv "$config.2" "$config"
check "reload without responses and sizes" mpbpf reload --config "$config"
before
http -H "$auth" /echo >/dev/null
is "$(moved methods.GET)" 1 "methods"
is "$(moved 'responses.classes | add')" 0 "no statuses"
is "$(moved bytes.in)/$(moved bytes.out)" "0/0" "no bytes"
is "$(moved 'latency_us.histogram | map(.count) | max // 0')" 1 "times"
jq '.metrics = {"sample_rate": 0}' "$config" >"$config.2"
mv "$config.2" "$config"
check "reload with a sample rate of 0" mpbpf reload --config "$config"
before
for i in 1 2 3; do http -H "$auth" /echo >/dev/null; done
is "$(moved 'methods | add')/$(moved 'responses.classes | add')/$(moved bytes.out)/$(moved connections.measured)" "0/0/0/0" \
	"a sample rate of 0: nothing is measured"
is "$(moved requests.allowed)" 3 "but judged all the same"
jq '.metrics = {"sample_rate": 0.5}' "$config" >"$config.2"
mv "$config.2" "$config"
check "reload with a sample rate of 0.5" mpbpf reload --config "$config"
before
in_client bash -c "for i in \$(seq 200); do exec 3<>/dev/tcp/$server_ip/8080; exec 3>&-; done"
# Six times the standard deviation of 200 throws of a coin.
between "$(moved connections.measured)" 58 142 "a sample rate of 0.5: about half of the connections"
is "$(figure connections.unmeasured)" 0 "nothing was left out for want of room"
tap_done
