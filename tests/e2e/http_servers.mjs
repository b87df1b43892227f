// SPDX-License-Identifier: MIT
// Test services of t_gateway_http.sh: port 90 tells what it got, well; port 91 breaks rules, by path. What both see of requests goes
// to standard output, a line for each.
import crypto from 'node:crypto';
import http from 'node:http';
import net from 'node:net';

const pattern = (n) => {
	const data = Buffer.alloc(n);
	for (let i = 0; i < n; i++)
		data[i] = (i * 7 + (i >> 8)) & 255;
	return data;
};

/* Responses to /held, which wait for /release. */
const held = [];

const well = http.createServer({ maxHeaderSize: 65536 }, (request, response) => {
	const url = request.url, hash = crypto.createHash('sha256');
	let length = 0;

	console.log(`${request.method} ${url}`);
	request.on('data', (data) => {
		hash.update(data);
		length += data.length;
	});
	request.on('end', () => {
		if (url.startsWith('/big')) {
			response.end(pattern(Number(url.split('?')[1])));
		} else if (url === '/held') {
			held.push(response);
		} else if (url === '/release') {
			response.end(`${held.splice(0).map((one) => one.end('held\n')).length}\n`);
		} else if (url.startsWith('/late')) {
			setTimeout(() => response.end('late\n'), Number(url.split('?')[1]));
		} else if (url.startsWith('/chunked')) {
			for (let i = 0; i < 5; i++)
				response.write(`piece ${i} `);
			response.end('end\n');
		} else if (url.startsWith('/hash')) {
			response.end(`${length} ${hash.digest('hex')}\n`);
		} else {
			response.end(`${request.method} ${url} ${request.rawHeaders.join(' ')}\n`);
		}
	});
});
well.on('upgrade', (request, socket, head) => {
	socket.on('error', () => {});
	socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
	socket.write(head);
	socket.pipe(socket);
});
well.keepAliveTimeout = 60000;
well.listen({ host: '::', port: 90 });

const ok = (text) => `HTTP/1.1 200 OK\r\nContent-Length: ${text.length + 1}\r\n\r\n${text}\n`;
const faults = {
	'/ok': (socket) => socket.write(ok('fine')),
	'/early': (socket) => socket.write('HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n'),
	'/none': (socket) => socket.end(),
	'/bad': (socket) => socket.write('HTTP/1.1 banana\r\nContent-Length: 0\r\n\r\n'),
	'/both': (socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'),
	'/folded': (socket) => socket.write('HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n'),
	'/long': (socket) => socket.write(`HTTP/1.1 200 OK\r\nA: ${'x'.repeat(40000)}\r\nContent-Length: 0\r\n\r\n`),
	'/large-head': (socket) => socket.write(`HTTP/1.1 200 OK\r\nA: ${'x'.repeat(20000)}\r\nContent-Length: 2\r\n\r\nok`),
	'/cut': (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n0123456789'),
	'/cut-chunk': (socket) => socket.end('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n'),
	'/until': (socket) => socket.end('HTTP/1.0 200 OK\r\n\r\nto the end\n'),
	'/two': (socket) => socket.write(ok('first') + ok('second')),
	'/interim': (socket) => socket.write('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n' + ok('hinted')),
	'/hints': (socket) => socket.write('HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'.repeat(3000) + ok('at last')),
	'/hop': (socket) => socket.write('HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nX-End: 2\r\nContent-Length: 0\r\n\r\n'),
	'/silent': () => {},
	'/switch': (socket) => socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n'),
	// Once a connection has carried it, the next request on it is met by silence and an end.
	'/once': (socket) => {
		socket.stale = true;
		socket.write(ok('once'));
	},
};
net.createServer((socket) => {
	let text = '';
	socket.on('error', () => {});
	socket.on('data', (data) => {
		text += data.toString('latin1');
		if (!text.includes('\r\n\r\n'))
			return;
		const target = text.split(' ')[1];
		console.log(`${text.split(' ')[0]} ${target}`);
		text = '';
		if (socket.stale)
			socket.destroy();
		else
			(faults[target] || faults['/ok'])(socket);
	});
}).listen({ host: '::', port: 91 });
