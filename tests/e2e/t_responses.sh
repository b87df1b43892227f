#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What is measured of requests and responses: methods, statuses, sizes and times, in all, by listener, by prefix and by host.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
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
	local args=() i
	echo ready >"$work/slow.out"
	for ((i = 0; i < $1; i++)); do
		args+=(-o /dev/null "http://$server_ip:8090$2")
	done
	in_client curl -s -w '%{time_pretransfer} %{time_starttransfer} %{time_total}\n' "${args[@]}" |
		awk '{ printf "%d %d\n", ($2 - $1) * 1e6, ($3 - $1) * 1e6 }' >"$work/seen"
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
	between "$1" $((least - least / 20 - 2000)) $((most + most / 20 + 2000 * slow)) "$3"
}

# of ARRAY PREFIX NAME...: these counters in one line; those that did not occur are 0
of() {
	local -n array=$1
	local name line=
	for name in "${@:3}"; do
		line+=" ${array[$2$name]:-0}"
	done
	echo "${line# }"
}

# below ARRAY PREFIX: which counters there are under that name, and how much they count
below() {
	local -n array=$1
	local path
	for path in "${!array[@]}"; do
		[[ $path != "$2"* ]] || echo "${path#"$2"}=${array[$path]}"
	done | sort | joined
}

# timings ARRAY NAME: how many a histogram has, for its last bucket counts the others as well
timings() {
	local -n array=$1
	local i=0 n=0
	while [ -n "${array[$2.histogram.$i.count]-}" ]; do
		n=${array[$2.histogram.$i.count]}
		i=$((i + 1))
	done
	echo "$n"
}

# timed_since NAME: how many were timed since `before`
timed_since() {
	echo $(($(timings figures "$1") - $(timings figures_before "$1")))
}

load() {
	in_client "$tools/httpload" load "$@"
}

net_up
server_start
slow_start
web='{"name": "web", "port": 8080}'
late='{"name": "slow", "port": 8090, "auth": {"require_auth": false}}'
config_write "listeners=[$web, $late]" 'metrics.prefixes=["/echo", "/dav", "/healthz"]'
mpbpf_load
www=$work/web/www
auth=$(bearer "$(token responses)")
other=$(bearer "$(token second)")

# ---- methods, statuses, prefixes ----

for path in /echo /echo /echo /echo/below /echoes /none; do
	http -H "$auth" "$path" >/dev/null
done
curled -H "$auth" -I /1000 >/dev/null
curled -H "$auth" -X DELETE /echo >/dev/null
curled -H "$auth" -X BREW /echo >/dev/null
curled -H "$auth" -T "$www/1000" /dav/put >/dev/null
http /healthz >/dev/null
figures_read figures
is "$(of figures listeners.web.methods. GET HEAD DELETE PUT other POST)" "7 1 1 1 1 0" "requests by method"
is "$(below figures listeners.web.responses.status.)" "200=9 201=1 404=1" "responses by status"
accessed_is 11 "as many as the service saw"
is "$(printf '%s\n' "${accesses[@]}" | cut -d ' ' -f 3 | sort | tally)" "9 200 1 201 1 404" "and as it says"
is "$(of figures responses.classes. 1xx 2xx 3xx 4xx 5xx)" "0 10 0 1 0" "and by class"
is "$(below figures prefixes. | tr ' ' '\n' | sed 's/\..*//' | sort -u | joined)" "/dav /echo /healthz" "prefixes that were asked for"
is "$(of figures prefixes./echo.methods. GET DELETE other)" "4 1 1" "requests of one prefix, at a / boundary"
is "$(of figures prefixes. /dav.responses.status.201 /healthz.responses.status.200)" "1 1" \
	"responses of another; an exempt path has its prefix as well"

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
after
is "$(of moved responses.status. 401 403 400)" "1 2 1" "401; 403, of the helper and of the kernel; 400"
is "$(of moved prefixes./echo.responses. classes.4xx)" 2 "denials count for their prefix"
is "$(timed_since latency_us)" 0 "nobody is timed for them"

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
is "$(joined <"$work/out")" "200 20000 200 20000 200 20000 201 0 201 0" "requests with bodies, and one in pieces"
# 60 chunks of 5000 bytes: "1388\r\n", "\r\n", and "0\r\n\r\n"
length() {
	printf '%b' "$1" | wc -c
}
is "$(moved bytes.in)" $((3 * $(length "$request") + $(length "$body") + 300000 + $(length "$chunks") + 300000 + 60 * 8 + 5)) \
	"bytes of requests, whoever let them pass"
curled -H "$auth" /20000 >/dev/null
head_len=$(wc -c <"$work/head")
n=$(scaled 1000)
before
is "$(load "$server_ip" 8080 -c 4 -n "$n" -H "$auth" "/20000=$www/20000")" \
	"requests=$n errors=0 mismatched=0 connections=4 200=$n" "many responses"
after
is "${moved[bytes.out]}" $((n * (20000 + head_len))) "their bytes"
is "${moved[responses.status.200]}" "$n" "each counted once"
n=$(scaled 200 8)
before
# A reader that is slower than the service: the end of each response is sent in several attempts.
is "$(load "$server_ip" 8080 -c 8 -n "$n" -H "$auth" "/300000=$www/300000")" \
	"requests=$n errors=0 mismatched=0 connections=8 200=$n" "long responses"
after
is "${moved[responses.status.200]}" "$n" "each counted once, however often its end is sent"
is "$(timed_since latency_last_us)" "$n" "and timed once"

# ---- pipelining ----

before
script >"$work/out" <<-END
	connect $server_ip 8080
	send GET /1 HTTP/1.1\r\nHost: a\r\n$auth\r\n\r\nGET /echo HTTP/1.1\r\nHost: a\r\n$auth\r\n\r\nGET /none HTTP/1.1\r\nHost: a\r\n$auth\r\n\r\n
	read
	read
	read
END
after
is "$(of moved responses.status. 200 404)" "2 1" "pipelined: two found, one not"
is "$(of moved prefixes./echo.responses.status. 200)" 1 "each under its own prefix"
between "$(timed_since latency_us)" 1 3 "those that passed alone are timed"

# ---- times ----

slow 5 /50/100
figures_read figures
first=${figures[listeners.slow.latency_us.p50]%.*} last=${figures[listeners.slow.latency_last_us.p50]%.*}
timed "$first" 1 "the time to the first byte"
timed "$last" 2 "and to the last"
between "$((last - first))" 90000 10000000 "which are told apart"
is "$(timings figures listeners.slow.latency_us)" 5 "the histogram has all five"
slow 41 /120
figures_read figures
timed "${figures[listeners.slow.latency_us.p50]%.*}" 1 "times of another length"
is "$(timings figures listeners.slow.latency_us)" 46 "the histogram adds up"

# ---- over a reload ----

# reload WHAT MEMBER=JSON...
reload() {
	config_write "listeners=[$late, $web]" "${@:2}"
	check "reload: $1" mpbpf reload --config "$config"
	before
}

# ask N: so many good requests
ask() {
	local i
	for ((i = 0; i < $1; i++)); do
		http -H "$auth" /echo >/dev/null
	done
	after
}

figures_read figures
count=${figures[listeners.web.responses.classes.2xx]}
reload "in another order" 'metrics.prefixes=["/dav", "/new", "/echo"]'
is "${figures_before[listeners.web.responses.classes.2xx]}" "$count" "a listener keeps its counters"
ask 1
is "$(of moved listeners.web.responses.classes. 2xx)" 1 "and its name, though its place is another"
is "$(of moved prefixes./echo.responses.classes. 2xx)" 1 "so does a prefix"

# ---- hosts ----

# host HOST [TARGET]: asks for a target with this line as Host's value; prints the status
host() {
	script <<-END
		connect $server_ip 8080
		send GET ${2:-/echo} HTTP/1.1\r\nHost:$1\r\n$auth\r\n\r\n
		status
	END
}

# hosts: how many responses each host has had since `before`, by status
hosts() {
	below moved hosts. | tr ' ' '\n' | grep '\.status\.' | grep -v '=0$' | sed 's/\.responses\.status\./ /' | joined
}

is "$(below figures hosts.)" "" "no hosts where none is named"
reload "with hosts" 'metrics.hosts=["api.example.org", "*.example.org", "[2001:db8::1]"]' 'metrics.prefixes=["/echo"]'
http -H "$auth" /echo >/dev/null # the token is known from here on
before
for name in api.example.org ' API.Example.ORG.:8080' ' www.example.org' ' a.api.example.org:' ' [2001:DB8::1]:80' ' example.org' \
	' evil.org' ' a b.example.org' ' .example.org' ''; do
	host "$name" >/dev/null
done
after
is "${moved[requests.asked]}" 0 "judged in the kernel"
is "$(hosts)" "*.example.org 200=2 [2001:db8::1] 200=1 api.example.org 200=2" "hosts that are named, and their wildcards"
is "$(of moved '' methods.GET prefixes./echo.methods.GET)" "10 10" "those that are not count with all"
is "$(of moved 'hosts.*.example.org.' methods.GET methods.HEAD)" "2 0" "requests of one host"
is "$(timed_since 'hosts.*.example.org.latency_us') $(timed_since hosts.api.example.org.latency_last_us)" "2 2" "and their times"
check "with their bytes" test "${moved[hosts.api.example.org.bytes.in]}" -gt 100 -a "${moved[hosts.api.example.org.bytes.out]}" -gt 100
before
script <<-END >/dev/null
	connect $server_ip 8080
	send GET /echo HTTP/1.1\r\nHo
	pause 30
	send st: api.example.org\r\n$auth\r\n\r\n
	status
END
host ' api.example.org' http://www.example.org/echo >/dev/null
host ' api.example.org' http://evil.org/echo >/dev/null
host ' api.example.org' /e%63ho >/dev/null
after
is "${moved[requests.asked]}" 4 "judged by the helper"
is "$(hosts)" "*.example.org 200=1 api.example.org 200=2" "the target's host, where it has one"
before
script <<-END >"$work/out"
	connect $server_ip 8080
	send GET /1 HTTP/1.1\r\nHost: www.example.org\r\n$auth\r\n\r\nGET /none HTTP/1.1\r\nHost: api.example.org\r\n$auth\r\n\r\nGET /1 HTTP/1.1\r\nHost: evil.org\r\n$auth\r\n\r\n
	status
	status
	status
END
after
is "$(joined <"$work/out")" "200 404 200" "pipelined to three hosts"
is "$(hosts)" "*.example.org 200=1 api.example.org 404=1" "each response under its own"
before
auth=$(bearer bad) host ' api.example.org' >/dev/null
auth=$(bearer bad) host ' api.example.org' >/dev/null
auth='X: y' host ' www.example.org' >/dev/null
auth='X: y' host ' www.example.org' http://api.example.org/echo >/dev/null
auth='X: y' host ' evil.org' >/dev/null
after
is "$(of moved responses.status. 401 403)" "3 2" "denied, by the helper and by the kernel"
is "$(hosts)" "*.example.org 401=1 api.example.org 401=1 api.example.org 403=2" "count for their host"
reload "with fewer hosts" 'metrics.hosts=["evil.org", "api.example.org"]'
host ' api.example.org' >/dev/null
host ' evil.org' >/dev/null
host ' www.example.org' >/dev/null
after
is "$(hosts)" "api.example.org 200=1 evil.org 200=1" "after a reload that takes one away"
is "${figures[hosts.api.example.org.responses.status.200]}" 5 "the other has kept what it had"

# ---- over a limit ----

request="GET /echo HTTP/1.1\r\nHost: a\r\n$other\r\n\r\n"
reload "with a limit" 'request_limits=[{"name": "one", "per": "token", "rate": 0.001, "burst": 1}]'
is "$(script <<-END | joined
	connect $server_ip 8080
	send $request$request
	status
	status
END
)" "200 429" "of two requests in one segment the second is over a limit"
after
is "$(of moved '' methods.GET responses.status.200 responses.status.429)" "2 1 1" "both are counted"
is "${moved[bytes.in]}" $((2 * $(length "$request"))) "with the bytes of both"

# ---- switches ----

reload "without requests and times" metrics.enable_request_metrics=false metrics.enable_timing_metrics=false
ask 2
is "$(below moved methods. | tr ' ' '\n' | grep -vc '=0$')" 0 "no methods"
is "$(of moved responses.status. 200)" 2 "statuses"
is "$(timed_since latency_us)" 0 "no times"
between "${moved[bytes.in]}" 100 2000 "bytes in"
reload "without responses and sizes" metrics.enable_response_metrics=false metrics.enable_size_metrics=false
ask 1
is "$(of moved methods. GET)" 1 "methods"
is "$(below moved responses.classes. | tr ' ' '\n' | grep -vc '=0$')" 0 "no statuses"
is "$(of moved bytes. in out)" "0 0" "no bytes"
is "$(timed_since latency_us)" 1 "times"
reload "a sample rate of 0" metrics.sample_rate=0
ask 3
is "$(of moved '' methods.GET responses.classes.2xx bytes.out connections.measured)" "0 0 0 0" "nothing is measured"
is "${moved[requests.allowed]}" 3 "but judged all the same"
reload "a sample rate of 0.5" metrics.sample_rate=0.5
for i in {1..200}; do echo "connect $server_ip 8080"; done | script
after
# Six times the standard deviation of 200 throws of a coin.
between "${moved[connections.measured]}" 58 142 "a sample rate of 0.5: about half of the connections"
is "${figures[connections.unmeasured]}" 0 "nothing was left out for want of room"
tap_done
