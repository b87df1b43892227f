#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Header lines that the kernel adds: to every final response head, however it is sent; never into a body, and no byte is changed.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "${0%/*}/lib.sh"
sandbox "$@"

# Sends its responses in the ways that services do; the body of /N/big is the file.
shapes_start() {
	cat >"$work/shapes.mjs" <<-'END'
		import net from 'node:net';
		import fs from 'node:fs';
		const big = fs.readFileSync(process.argv[2]);
		const head = (more, n) => `HTTP/1.1 200 OK\r\nContent-Length: ${n}\r\n${more}\r\n`;
		const pause = () => new Promise((done) => setTimeout(done, 15));
		const shapes = {
			'/one': async (s) => s.write(head('X-Shape: one\r\n', 5) + 'hello'),
			'/apart': async (s) => { s.write(head('', 5)); await pause(); s.write('hello'); },
			'/cut-after-line': async (s) => { s.write('HTTP/1.1 200 OK\r\n'); await pause(); s.write('Content-Length: 5\r\n\r\nhello'); },
			'/cut-in-line': async (s) => { s.write('HTTP/1.1 20'); await pause(); s.write('0 OK\r\nContent-Length: 5\r\n\r\nhello'); },
			'/cut-in-field': async (s) => { s.write('HTTP/1.1 200 OK\r\nContent-Len'); await pause(); s.write('gth: 5\r\n\r'); await pause(); s.write('\nhello'); },
			'/bytes': async (s) => { for (const c of head('X-Shape: bytes\r\n', 5) + 'hello') { s.write(c); await new Promise(setImmediate); } },
			'/chunked': async (s) => s.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n'),
			'/chunked-apart': async (s) => { s.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'); await pause(); s.write('3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n'); },
			'/interim': async (s) => { s.write('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'); await pause(); s.write(head('', 5) + 'hello'); },
			'/interim-together': async (s) => s.write('HTTP/1.1 100 Continue\r\n\r\n' + head('', 5) + 'hello'),
			'/pair': async (s) => { s.pair = head('', 3000) + 'a'.repeat(3000); },
			'/paired': async (s) => s.write(s.pair + head('', 3000) + 'b'.repeat(2999) + '\n'),
			'/204': async (s) => s.write('HTTP/1.1 204 No Content\r\n\r\n'),
			'/304': async (s) => s.write('HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n'),
			'/head': async (s) => s.write(head('', 5)),
			'/looks-like': async (s) => s.write(head('', 44) + 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello\n'),
			'/long-line': async (s) => s.write(head('', 5).replace('OK', 'O' + 'K'.repeat(300)) + 'hello'),
			'/long-line-apart': async (s) => { s.write('HTTP/1.1 200 O' + 'K'.repeat(150)); await pause(); s.write('K'.repeat(150)); await pause(); s.write('\r\nContent-Len'); await pause(); s.write('gth: 5\r\n\r\nhello'); },
			'/bare-feed': async (s) => s.write('HTTP/1.1 200 OK\nContent-Length: 5\n\nhello'),
			'/many-chunks': async (s) => s.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n' + '1\r\nx\r\n'.repeat(900) + '0\r\n\r\n'),
			'/end': async (s) => s.end(),
			'/some': async (s) => s.write(head('', 700) + 'x'.repeat(700)),
			'/big': async (s) => s.write(Buffer.concat([Buffer.from(head('', big.length)), big])),
			'/big-apart': async (s) => { s.write(head('', big.length)); s.write(big); },
		};
		net.createServer((s) => {
			let got = '';
			s.on('error', () => {});
			s.on('data', async (data) => {
				got += data;
				for (let end; (end = got.indexOf('\r\n\r\n')) >= 0; got = got.slice(end + 4))
					if (!got.slice(0, end + 4).startsWith('DONE')) {
						const path = got.split(' ')[1];
						s.queue = (s.queue || Promise.resolve()).then(() => shapes[path](s));
					}
			});
		}).listen(8090, '::', () => console.log('ready'));
	END
	in_cgroup "$cgroup" node "$work/shapes.mjs" "$work/web/www/300000" >>"$work/shapes.out" 2>&1 </dev/null &
	wait_for 10 test -s "$work/shapes.out" || bail "the service does not start"
}

added='X-Node: node-1'

request() {
	printf '%s %s HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n' "${2:-GET}" "$1"
}

net_up
server_start
shapes_start
# config_with SHAPES: the configuration, with more members for the listener of that name
config_with() {
	config_write 'license={"license_key": "PENG-ABCD-EFGH-1234-5678-WXYZ", "is_enterprise": true}' \
		'listeners=[{"name": "web", "port": 8080, "license_headers": true},
			{"name": "shapes", "port": 8090, "auth": {"require_auth": false}'"$1"'},
			{"name": "plain", "port": 8091, "auth": {"require_auth": false}}]'
}
config_with ', "response_headers": {"X-Node": "node-1", "X-Zone": "a b"}'
nginx_start "$work/plain" "$cgroup" 8091
mpbpf_load
auth=$(bearer "$(token headers)")
www=$work/web/www

# ---- the licence's ----

# field NAME: of the last answer that curl got
field() {
	local name value
	while IFS=: read -r name value; do
		[[ ${name,,} != "${1,,}" ]] || echo $value
	done < <(tr -d '\r' <"$work/head")
}

curled -H "$auth" /1000 >/dev/null
is "$(field X-License-Edition)" enterprise "X-License-Edition"
is "$(field X-License-Key)" 'PENG-****-****-****-****-WXYZ' "X-License-Key, masked"
is "$(field X-MarchProxy-Edition)" enterprise "X-MarchProxy-Edition"
is "$(head -n 1 "$work/head" | tr -d '\r')" "HTTP/1.1 200 OK" "the status line comes first"
check "the body is the service's" cmp "$work/body" "$www/1000"
curled -H "$auth" -I /1000 >/dev/null
is "$(field X-License-Edition)" enterprise "HEAD"
curled -H "$auth" /none >/dev/null
is "$(field X-License-Edition)" enterprise "404"
curled /denied >/dev/null
is "$(field X-License-Edition)" "" "not what mpbpf answers itself"
port=8091 curled /1000 >/dev/null
is "$(grep -c '^X-' "$work/head")" 0 "not on a listener that does not ask for it"

# ---- every shape, on one connection that is kept ----

for path in one apart cut-after-line cut-in-line cut-in-field bytes chunked chunked-apart looks-like big big-apart; do
	script >"$work/out" <<-END
		connect $server_ip 8090
		send $(request "/$path")
		read
		field X-Node
		field X-Zone
		save $work/first
		send $(request "/one")
		read
		field X-Node
		field X-Shape
	END
	len=5
	case $path in looks-like) len=44 ;; big*) len=300000 ;; esac
	is "$(sed 's/ *$//' "$work/out" | paste -sd '|')" "200 $len|node-1|a b|200 5|node-1|one" "$path, and another behind it"
	case $path in
	looks-like) is "$(tr -d '\r' <"$work/first" | paste -sd '|')" "HTTP/1.1 200 OK|Content-Length: 5||hello" "nothing is added to a body" ;;
	big*) check "its body is whole" cmp "$work/first" "$www/300000" ;;
	esac
done
for path in 204 304 head; do
	method=GET
	[ "$path" != head ] || method=HEAD
	script >"$work/out" <<-END
		connect $server_ip 8090
		send $(request "/$path" "$method")
		read head
		field X-Node
		send $(request "/one")
		read
		field X-Node
	END
	is "$(sed 's/^204 0$\|^304 0$\|^200 0$/ok/' "$work/out" | paste -sd '|')" "ok|node-1|200 5|node-1" "$path: no body, and another behind it"
done

# raw PATH...: pipelined requests, and all that comes back
raw() {
	local path requests=
	for path in "$@" /end; do
		requests+="GET $path HTTP/1.1\r\nHost: a\r\n\r\n"
	done
	# shellcheck disable=SC2059
	in_client bash -c "exec 3<>/dev/tcp/$server_ip/8090; printf '$requests' >&3; timeout $((5 * slow)) cat <&3" | tr -d '\r'
}

count() {
	grep -ac "$1" "$work/out"
}

raw /interim >"$work/out"
is "$(count "$added")" 1 "an interim response gets nothing"
is "$(grep -an -A1 '^HTTP/1.1' "$work/out" | sed -n 2p | sed 's/^[0-9]*-//')" "Link: </a>" "its head is as it was"
raw /interim-together >"$work/out"
is "$(count "$added")" 1 "nor does one that comes together with the final one"
raw /pair /paired >"$work/out"
is "$(count "$added") $(grep -aoE 'a{3000}' "$work/out" | wc -l) $(grep -aoE 'b{2999}' "$work/out" | wc -l)" "2 1 1" \
	"two responses in one send of more than 4 KiB: each has them, and its body"
raw /one /204 /chunked /apart /bytes /looks-like /one >"$work/out"
is "$(count "$added")" 7 "seven pipelined responses: seven times"
is "$(grep -ao 'HTTP/1.1 2' "$work/out" | wc -l)" 8 "and no head too many"

# ---- none of those that go without is missed ----

before
raw /long-line /one >"$work/out"
is "$(count "$added") $(moved connections.unadded)" "1 1" "a status line of more than 256 bytes is left alone, and counted"
before
raw /long-line-apart /one >"$work/out"
is "$(count "$added") $(moved connections.unadded)" "1 1" "in several sends, too"
before
raw /one /bare-feed /one /one >"$work/out"
is "$(count "$added") $(moved connections.unadded)" "1 4" "a head that cannot be read, and all behind it, /end too"
before
script >"$work/out" <<-END
	connect $server_ip 8090
	send $(request /many-chunks)
	read
	field X-Node
	send $(request /one)
	read
	field X-Node
	send $(request /one)
	read
	field X-Node
END
is "$(sed 's/ *$//' "$work/out" | paste -sd '|')" "200 900|node-1|200 5|-|200 5|-" "a message of more pieces than are looked at"
is "$(moved connections.unadded)" 2 "each response behind it is counted"
before
raw /one /204 /interim /looks-like >"$work/out"
is "$(count "$added") $(moved connections.unadded)" "4 0" "nor is one counted that has them"

# ---- large bodies through small buffers ----

for size in 4096 16384; do
	in_server sysctl -qw net.ipv4.tcp_wmem="4096 $size $size"
	in_client sysctl -qw net.ipv4.tcp_rmem="4096 $size $size"
	n=$(scaled 400 16)
	before
	is "$(in_client "$tools/httpload" load "$server_ip" 8080 -c 8 -n "$n" -H "$auth" "/300000=$www/300000" "/1000=$www/1000")" \
		"requests=$n errors=0 mismatched=0 connections=8 200=$n" "buffers of $size bytes: nginx, each body right"
	n=$(scaled 200 16)
	is "$(in_client "$tools/httpload" load "$server_ip" 8090 -c 8 -n "$n" "/big=$www/300000" "/big-apart=$www/300000")" \
		"requests=$n errors=0 mismatched=0 connections=8 200=$n" "head and body in one send"
	is "$(moved connections.broken)" 0 "and no connection had to be given up"
done

# ---- a reader that is slow, and sends on: sends are cut short anywhere, in front of heads and in them ----

cat >"$work/slow.mjs" <<-'END'
	import net from 'node:net';
	import fs from 'node:fs';
	const [host, n] = [process.argv[2], Number(process.argv[3])];
	const big = fs.readFileSync(process.argv[4]), some = Buffer.alloc(700, 'x');
	const plain = /^HTTP\/1.1 200 OK\r\nContent-Length: \d+$/, added = /^HTTP\/1.1 200 OK\r\nX-Node: node-1\r\nX-Zone: a b *\r\nContent-Length: \d+$/;
	let whole = 0, with_headers = 0, wrong = 0, cut = 0, open = 4;
	for (let k = 0; k < 4; k++) {
		let got = Buffer.alloc(0), asked = 0, done = 0, turn = 0;
		const s = net.connect({ host, port: 8090, highWaterMark: 700 + 300 * k });
		const ask = () => {
			while (asked < n && asked - done < 12)
				s.write(`GET ${++asked % 5 ? '/some' : '/big-apart'} HTTP/1.1\r\nHost: a\r\n\r\n`);
		};
		s.on('connect', ask);
		s.on('error', () => {});
		s.on('data', (data) => {
			got = Buffer.concat([got, data]);
			for (;;) {
				const end = got.indexOf('\r\n\r\n');
				if (end < 0) break;
				const text = got.subarray(0, end).toString();
				const body = (done + 1) % 5 ? some : big, length = body.length;
				if (got.length < end + 4 + length) break;
				if (!(plain.test(text) || added.test(text)) || !text.endsWith(`: ${length}`) || !got.subarray(end + 4, end + 4 + length).equals(body)) {
					wrong++;
					s.destroy();
					return;
				}
				with_headers += added.test(text);
				got = got.subarray(end + 4 + length);
				whole++;
				done++;
			}
			if (done === n) { s.end(); return; }
			ask();
			if (++turn % 64 === 0) { s.pause(); setTimeout(() => s.resume(), 3); }
		});
		s.on('close', () => {
			cut += done !== n;
			if (!--open) console.log(`whole=${whole} wrong=${wrong} cut=${cut} with_headers=${with_headers}`);
		});
	}
END
before
n=$(scaled 100 20)
out=$(in_client timeout $((60 * slow)) node "$work/slow.mjs" "$server_ip" "$n" "$www/300000")
is "${out% with*}" "whole=$((4 * n)) wrong=0 cut=0" "responses to a slow reader are right"
between "${out##*=}" $((n / 5)) $((4 * n)) "those that surely go out have the headers"
is "$(moved connections.broken)" 0 "and no connection had to be given up"
in_server sysctl -qw net.ipv4.tcp_wmem="4096 16384 4194304"
in_client sysctl -qw net.ipv4.tcp_rmem="4096 131072 6291456"

# ---- reload ----

config_with ', "response_headers": {"X-Node": "node-2"}'
check "reload" mpbpf reload --config "$config"
raw /one >"$work/out"
is "$(count 'X-Node: node-2')/$(count X-Zone)" "1/0" "other headers"
config_with ''
check "reload without" mpbpf reload --config "$config"
raw /one >"$work/out"
is "$(count X-Node)" 0 "none"
tap_done
