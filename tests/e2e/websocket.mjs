// SPDX-License-Identifier: MIT
// Test tool: WebSocket (RFC 6455).  serve PORT: sends every message back.  ask HOST PORT: has messages of many sizes sent back,
// one after the other and at once, pings, and closes; prints "echoed=MESSAGES bytes=N pong closed", or fails.
import net from 'node:net';
import { createHash, randomBytes } from 'node:crypto';

const BINARY = 2, CLOSE = 8, PING = 9, PONG = 10;

function accept(key) {
	return createHash('sha1').update(key + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').digest('base64');
}

function frame(opcode, data, masked) {
	const mask = masked ? randomBytes(4) : Buffer.alloc(0);
	const size = data.length < 126 ? 0 : data.length < 65536 ? 2 : 8;
	const head = Buffer.alloc(2 + size);
	head[0] = 0x80 | opcode;
	head[1] = (masked ? 0x80 : 0) | (size === 0 ? data.length : size === 2 ? 126 : 127);
	if (size === 2)
		head.writeUInt16BE(data.length, 2);
	if (size === 8)
		head.writeBigUInt64BE(BigInt(data.length), 2);
	return Buffer.concat([head, mask, masked ? data.map((byte, i) => byte ^ mask[i & 3]) : data]);
}

// The frame at the beginning of the bytes: [opcode, data, rest], or null while it is not whole.
function unframe(bytes) {
	if (bytes.length < 2)
		return null;
	const masked = bytes[1] & 0x80, short = bytes[1] & 0x7f, size = short < 126 ? 0 : short === 126 ? 2 : 8;
	const at = 2 + size + (masked ? 4 : 0);
	if (bytes.length < at)
		return null;
	const length = size === 0 ? short : size === 2 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
	if (bytes.length < at + length)
		return null;
	const mask = bytes.subarray(at - 4, at), data = bytes.subarray(at, at + length);
	return [bytes[0] & 0xf, masked ? data.map((byte, i) => byte ^ mask[i & 3]) : data, bytes.subarray(at + length)];
}

// Calls onHead with what comes before the first frame, then onFrame with each.
function follow(socket, onHead, onFrame) {
	let chunks = [], head = false;
	socket.on('data', (chunk) => {
		chunks.push(chunk);
		let bytes = Buffer.concat(chunks), end, one;
		if (!head && (end = bytes.indexOf('\r\n\r\n')) >= 0) {
			head = true;
			onHead(bytes.subarray(0, end).toString('latin1'));
			bytes = bytes.subarray(end + 4);
		}
		while (head && (one = unframe(bytes))) {
			bytes = one[2];
			onFrame(one[0], one[1]);
		}
		chunks = [bytes];
	});
}

function serve(port) {
	net.createServer((socket) => {
		socket.on('error', () => {});
		follow(socket, (head) => {
			const key = /\r\nsec-websocket-key: *(\S+)/i.exec(head)[1];
			socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
				`Sec-WebSocket-Accept: ${accept(key)}\r\n\r\n`);
		}, (opcode, data) => {
			socket.write(frame(opcode === PING ? PONG : opcode, data, false));
			if (opcode === CLOSE)
				socket.end();
		});
	}).listen({ host: '::', port });
}

function ask(host, port) {
	const key = randomBytes(16).toString('base64');
	const sizes = [0, 1, 125, 126, 4096, 65535, 65536, 1000000];
	const sent = sizes.concat(sizes).map((size) => randomBytes(size));
	const socket = net.connect(port, host);
	let echoed = 0, bytes = 0, pong = '';
	const fail = (why) => {
		console.log(`fault: ${why} after ${echoed} messages`);
		process.exit(1);
	};
	socket.write(`GET /ws HTTP/1.1\r\nHost: ${host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
		`Sec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n\r\n`);
	socket.on('error', (error) => fail(error.message));
	follow(socket, (head) => {
		if (!head.startsWith('HTTP/1.1 101 ') || !head.includes(accept(key)))
			fail(`handshake: ${head}`);
		socket.write(frame(BINARY, sent[0], true));
	}, (opcode, data) => {
		if (opcode === PONG) {
			pong = ` ${data.toString()}`;
			socket.write(frame(CLOSE, Buffer.from([3, 232]), true));
			return;
		}
		if (opcode === CLOSE) {
			console.log(`echoed=${echoed} bytes=${bytes}${pong} closed`);
			socket.end();
			return;
		}
		if (!data.equals(sent[echoed]))
			fail('another message came back');
		bytes += data.length;
		echoed++;
		// The first half one after the other, the second at once.
		if (echoed < sizes.length)
			socket.write(frame(BINARY, sent[echoed], true));
		else if (echoed === sizes.length)
			sent.slice(echoed).forEach((message) => socket.write(frame(BINARY, message, true)));
		else if (echoed === sent.length)
			socket.write(frame(PING, Buffer.from('pong'), true));
	});
}

if (process.argv[2] === 'serve')
	serve(Number(process.argv[3]));
else
	ask(process.argv[3], Number(process.argv[4]));
