// SPDX-License-Identifier: MIT
/*
 * Reads the same bytes with mpbpf's parser (http1_cli) and with node's, and compares. What mpbpf takes for complete requests
 * node must take for the same ones: method, target, framing, and every byte of the body, so that the next head begins at the
 * same place. The other way round mpbpf may be stricter.
 *
 *   node differential.mjs HTTP1_CLI CORPUS_DIR [INPUTS [SEED]]      prints TAP
 */
import http from 'node:http';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Duplex } from 'node:stream';

const [cli, corpusDir, inputsArg = '15000', seedArg = '1'] = process.argv.slice(2);
const CRLF = '\r\n';

// ---- inputs: a small generator with a seed, so that a finding can be had again ----

let state = Number(seedArg) >>> 0;

function random(n) {
	state = (state + 0x6d2b79f5) >>> 0;
	let t = state;
	t = Math.imul(t ^ (t >>> 15), t | 1);
	t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
	return ((t ^ (t >>> 14)) >>> 0) % n;
}

const pick = (list) => list[random(list.length)];

const methods = [
	'GET', 'POST', 'PUT', 'HEAD', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE',
];
const targets = [
	'/', '/a/b?c=d', '/%2e%2e/x', '*', 'http://server/x', '//x', '/a;b', '/a|b', '/{}', '/"', '/\\x', '/a^`b',
	'/<>', '/?a?b', 'x', '/[1]',
];
const names = [
	'Content-Length', 'Transfer-Encoding', 'content-length', 'TRANSFER-ENCODING', 'Content-Length ',
	'Transfer-Encoding\t', 'Content_Length', 'Host', 'Connection', 'Upgrade', 'Expect', 'Authorization', 'X-A',
	'X!#$%&\'*+-.^_`|~', '', 'X A', 'Trailer', 'Proxy-Connection', 'Keep-Alive', 'TE',
];
const values = [
	'3', '0', '5', '03', '+3', '-3', '3, 3', '3 ', ' 3', '3\t', '', '0x3', '3;', '99999999999999999999',
	'chunked', 'Chunked', 'chunked ', '\tchunked', 'chunked, chunked', 'gzip, chunked', 'identity',
	'chunked;q=1', '\vchunked', '"chunked"', 'xchunked', 'close', 'keep-alive', 'Upgrade', 'websocket',
	'100-continue', 'Bearer abc', 'a\x7fb', 'a\x00b', 'a\rb', 'a\nb', '\xe4\xf6', 'a\r\n b',
];
const ends = [CRLF, CRLF, CRLF, CRLF, CRLF, CRLF, '\n', '\r', '\r\r\n', '\n\r'];
const bodies = [
	'', 'abc', 'hello', '3\r\nabc\r\n0\r\n\r\n', '5\r\nhello\r\n3;a=b\r\nabc\r\n0\r\nX-T: 1\r\n\r\n',
	'0\r\n\r\n', '3\nabc\n0\n\n', '3 \r\nabc\r\n0\r\n\r\n', '3;a\r\nabc\r\n0\r\n\r\n',
	'3;a="b\r\nabc\r\n0\r\n\r\n', '0003\r\nabc\r\n00\r\n\r\n', '-1\r\n', '0x3\r\nabc\r\n0\r\n\r\n',
	'3\r\nabcd\r\n0\r\n\r\n', '3\r\nabc\r\n0\r\n X: folded\r\n\r\n',
	'3\r\nabc\r\n0\r\nContent-Length: 5\r\n\r\n', 'fffffffffffffffff\r\n', '3;\x01\r\nabc\r\n0\r\n\r\n',
	'3;;\r\nabc\r\n0\r\n\r\n', '3; a = b\r\nabc\r\n0\r\n\r\n', '3;a\x00\r\nabc\r\n0\r\n\r\n',
];

function made() {
	const end = () => (random(40) ? CRLF : pick(ends));
	let s = `${pick(methods)} ${random(3) ? '/x' : pick(targets)} HTTP/1.${random(12) ? 1 : 0}${end()}`;
	if (random(20))
		s += `Host: server${end()}`;
	for (let n = random(4); n > 0; n--)
		s += `${random(3) ? pick(names.slice(0, 4)) : pick(names)}:${pick(['', ' ', '\t', '  '])}${pick(values)}${end()}`;
	return Buffer.from(s + end() + pick(bodies), 'latin1');
}

const bytes = ['\r', '\n', CRLF, CRLF + CRLF, ' ', '\t', ':', '\0', '\v', '\x7f', '\xff', ',', ';', '0', '3', 'a', '/', '"'];

function mutated(seed) {
	let b = Buffer.from(seed);
	for (let n = 1 + random(3); n > 0; n--) {
		const at = random(b.length + 1);
		const cut = Math.min(b.length, at + random(4));
		const kind = random(5);
		if (kind === 0 && b.length)
			b[random(b.length)] ^= 1 << random(8);
		else if (kind === 1)
			b = Buffer.concat([b.subarray(0, at), Buffer.from(pick(bytes), 'latin1'), b.subarray(at)]);
		else if (kind === 2)
			b = Buffer.concat([b.subarray(0, at), b.subarray(cut)]);
		else if (kind === 3)
			b = Buffer.concat([b.subarray(0, at), Buffer.from(pick(bytes), 'latin1'), b.subarray(cut)]);
		else
			b = doubledLine(b);
	}
	return b;
}

function doubledLine(b) {
	const lines = b.toString('latin1').split(CRLF);
	const at = random(lines.length);
	lines.splice(random(lines.length + 1), 0, lines[at]);
	return Buffer.from(lines.join(CRLF), 'latin1');
}

function inputs() {
	const seeds = readdirSync(corpusDir).sort().map((name) => readFileSync(join(corpusDir, name)));
	const all = [...seeds];
	while (all.length < Number(inputsArg)) {
		const kind = random(4);
		if (kind === 0)
			all.push(made());
		else if (kind === 1)
			all.push(Buffer.concat([made(), pick(seeds)]));
		else
			all.push(mutated(random(2) ? pick(seeds) : made()));
	}
	return all;
}

// ---- the two readers ----

function ours(all) {
	const framed = all.flatMap((b) => {
		const len = Buffer.alloc(4);
		len.writeUInt32LE(b.length);
		return [len, b];
	});
	const run = spawnSync(cli, { input: Buffer.concat(framed), maxBuffer: 1 << 30, encoding: 'latin1' });
	if (run.status !== 0)
		throw new Error(`${cli}: ${run.error ?? run.signal ?? run.status} ${run.stderr ?? ""}`);
	return run.stdout.trimEnd().split('\n').map((line) => JSON.parse(line));
}

class Socket extends Duplex {
	_read() {}
	_write(chunk, encoding, done) {
		done();
	}
	setTimeout() {
		return this;
	}
	setNoDelay() {
		return this;
	}
	setKeepAlive() {
		return this;
	}
}

const server = http.createServer({
	insecureHTTPParser: false, maxHeaderSize: 65536, keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0,
});

/* What node makes of one connection's bytes: its requests in order, each with its body, and whether it ended in an error. */
function theirs(input) {
	return new Promise((resolve) => {
		const socket = new Socket({ allowHalfOpen: true });
		const read = { requests: [], error: null, tunnel: false };
		socket.seen = (request, response) => {
			const { method, url: target, httpVersion: version, headers } = request;
			const one = { method, target, version, headers, body: [], complete: false };
			read.requests.push(one);
			request.on('data', (chunk) => one.body.push(chunk));
			request.on('error', () => {});
			request.on('end', () => {
				one.complete = request.complete;
				response?.end();
			});
			if (!response)
				read.tunnel = true;
		};
		socket.failed = (error) => {
			read.error = error.code;
		};
		const done = () => {
			clearTimeout(late);
			socket.destroy();
			resolve(read);
		};
		const late = setTimeout(() => {
			read.error ??= 'no end';
			done();
		}, 5000);
		socket.on('error', () => {});
		socket.on('close', done);
		socket.on('finish', done);
		server.emit('connection', socket);
		socket.push(input);
		socket.push(null);
	});
}

server.on('request', (request, response) => request.socket.seen(request, response));
server.on('checkContinue', (request, response) => request.socket.seen(request, response));
server.on('checkExpectation', (request, response) => request.socket.seen(request, response));
server.on('connect', (request, socket) => {
	socket.seen(request, null);
	socket.end();
});
server.on('clientError', (error, socket) => {
	socket.failed(error);
	socket.end();
});

// ---- comparison ----

/* The content that our reading says the message has. */
function content(input, message) {
	if (!message.chunked)
		return input.subarray(message.head, message.end);
	const parts = [];
	let at = message.head;
	for (;;) {
		const line = input.indexOf(CRLF, at);
		const size = parseInt(input.toString('latin1', at, line), 16);
		if (!size)
			return Buffer.concat(parts);
		parts.push(input.subarray(line + 2, line + 2 + size));
		at = line + 2 + size + 2;
	}
}

/* Where node refuses what RFC 9110 and 9112 allow, and mpbpf with them: each as narrow as it can be said. */
const stricter = {
	'targets that the helper judges': (head, body, message) => message.odd,
	'a tab behind a framing field': (head) =>
		/\r\n(content-length|transfer-encoding):[ \t]*[0-9a-z]+[ \t]*\t[ \t]*\r\n/i.test(head),
	'framing fields in trailers': (head, body, message) => message.chunked &&
		/\r\n0+(;.*)?\r\n(.*\r\n)*(content-length|transfer-encoding|connection|upgrade):/i.test(`\r\n${body}`),
	'chunk extensions but of tokens': (head, body, message) => message.chunked &&
		(body.match(/^[0-9a-f]+;.*(?=\r$)/gim) ?? []).some((line) =>
			!/^[0-9a-f]+(;[\w!#$%&'*+.^`|~-]+(=[\w!#$%&'*+.^`|~-]+)?)+$/i.test(line)),
};

const skipped = { method: 0, closed: 0 };
const refusals = Object.fromEntries(Object.keys(stricter).map((why) => [why, 0]));
let compared = 0;

/* Node ended with an error at this message: is it one of those that we know? */
function knownRefusal(input, message, start) {
	const head = input.toString('latin1', start, message.head);
	const body = input.toString('latin1', message.head, message.end);
	const why = Object.keys(stricter).find((name) => stricter[name](head, body, message));
	if (why)
		refusals[why]++;
	return why !== undefined;
}

/* Null, or how the two readings of message i differ. */
function difference(input, message, node, i) {
	const theirs = node.requests[i];
	if (!theirs)
		return `node has no such request (${node.error})`;
	if (theirs.method !== message.method || theirs.target !== message.target)
		return `node reads ${theirs.method} ${theirs.target}`;
	if (message.chunked !== (theirs.headers['transfer-encoding'] !== undefined))
		return `node reads Transfer-Encoding ${theirs.headers['transfer-encoding']}`;
	if (!message.chunked && Number(theirs.headers['content-length'] ?? 0) !== message.length)
		return `node reads Content-Length ${theirs.headers['content-length']}`;
	if (message.method === 'CONNECT')
		return null;
	if (!theirs.complete)
		return `node's body has no end (${node.error})`;
	if (Buffer.compare(Buffer.concat(theirs.body), content(input, message)))
		return `node reads the body ${JSON.stringify(Buffer.concat(theirs.body).toString('latin1'))}`;
	return null;
}

/* Node hangs up where we leave that to the service: after `close`, after HTTP/1.0, at a CONNECT. */
function hangsUp(node, i) {
	const { headers, method, version } = node.requests[i];
	const wish = headers.connection ?? '';
	return method === 'CONNECT' || /close/i.test(wish) || (version === '1.0' && !/keep-alive/i.test(wish));
}

function compare(input, our, node) {
	for (const [i, message] of our.messages.entries()) {
		if (message.end === null)
			break;
		if (!http.METHODS.includes(message.method)) {
			skipped.method++;
			break;
		}
		const found = difference(input, message, node, i);
		const last = node.requests.length <= i + 1 && !node.requests[i]?.complete;
		if (found && last && node.error && knownRefusal(input, message, i ? our.messages[i - 1].end : 0))
			break;
		if (found)
			return `request ${i} (${message.method} ${message.target}, body to ${message.end}): ${found}`;
		compared++;
		if (hangsUp(node, i)) {
			skipped.closed += our.messages.length - i - 1;
			break;
		}
	}
	return null;
}

const all = inputs();
const our = ours(all);
let faults = 0;
for (const [i, input] of all.entries()) {
	const fault = compare(input, our[i], await theirs(input));
	if (!fault)
		continue;
	faults++;
	if (faults <= 10)
		console.log(`# ${fault}\n#   in ${JSON.stringify(input.toString('latin1'))}`);
}

const accepted = our.filter((one) => one.messages.length && one.messages[0].end !== null).length;
console.log(`# ${all.length} inputs (seed ${seedArg}), ${accepted} begin with a whole request, ` +
	`${compared} requests compared; ` +
	`left out: ${skipped.method} methods unknown to node, ${skipped.closed} behind the end of a connection`);
console.log(`# node alone refuses: ${Object.entries(refusals).map(([why, n]) => `${n} ${why}`).join(', ')}`);
console.log('1..2');
console.log(`${faults ? `not ok 1 - ${faults} requests that mpbpf accepts, node reads otherwise` :
	`ok 1 - what mpbpf accepts, node ${process.version} reads as the same requests`}`);
const enough = compared >= all.length / 10 && accepted <= all.length * 0.9;
console.log(`${enough ? 'ok' : 'not ok'} 2 - enough was accepted, and enough refused, to compare`);
process.exit(faults || !enough ? 1 : 0);
