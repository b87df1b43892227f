// SPDX-License-Identifier: MIT
/*
 * Test service: node's http, with its strict or its lenient parser. Answers 200 with the request's X-Id, and appends one
 * line for each request that it saw to a file, in the form that oracle.c reads.
 *
 *   node service.mjs PORT[,PORT]... strict|lenient LOG
 */
import http from 'node:http';
import { openSync, writeSync } from 'node:fs';

const [ports, mode, path] = process.argv.slice(2);
const log = openSync(path, 'a');
const lenient = mode === 'lenient';
let lines = '';

const hex = (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`;
const escape = (text) => text.replace(/[^\x20-\x5b\x5d-\x7e]/g, hex);

function flush() {
	writeSync(log, lines, null, 'latin1');
	lines = '';
}

/* One line a request, however it ends. */
function note(socket, request, status, body) {
	const seen = [], head = [];
	for (let i = 0; i < request.rawHeaders.length; i += 2) {
		head.push(`${request.rawHeaders[i]}:${request.rawHeaders[i + 1]}\n`);
		if (request.rawHeaders[i].toLowerCase() === 'authorization')
			seen.push(request.rawHeaders[i + 1]);
	}
	if (!lines)
		setTimeout(flush, 2);
	lines += [
		socket.port, request.method, escape(request.url), escape(request.headers['x-id'] ?? '-'), escape(seen.join(', ') || '-'),
		status, escape(body) || '-', '-', escape(head.join('')) || '-',
	].join('\t') + '\n';
}

function serve(request, response) {
	const chunks = [];
	let noted = false;
	const end = (status) => {
		if (noted)
			return;
		noted = true;
		note(request.socket, request, status, Buffer.concat(chunks).toString('latin1'));
	};
	request.on('data', (chunk) => chunks.push(chunk));
	request.on('error', () => end(400));
	request.on('close', () => end(499));
	request.on('end', () => {
		end(200);
		const id = request.headers['x-id'] ?? '-';
		response.writeHead(200, { 'Content-Length': Buffer.byteLength(id) });
		response.end(id);
	});
}

const make = () => http.createServer({
	insecureHTTPParser: lenient, requireHostHeader: !lenient, maxHeaderSize: 65536, keepAliveTimeout: 75000,
	requestTimeout: 0, headersTimeout: 0,
}, serve);

function listen(port) {
	const server = make();
	server.on('connection', (socket) => {
		socket.port = socket.remotePort;
		socket.on('error', () => {});
	});
	server.on('checkContinue', (request, response) => {
		response.writeContinue();
		serve(request, response);
	});
	server.on('checkExpectation', serve);
	/* Both are requests that were seen; a tunnel is made of an upgrade by the strict one only. */
	server.on('connect', (request, socket) => {
		note(socket, request, 405, '');
		socket.destroy();
	});
	if (!lenient) {
		server.on('upgrade', (request, socket) => {
			note(socket, request, 101, '');
			socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
			socket.on('data', () => {});
			socket.on('end', () => socket.end());
		});
	}
	server.on('clientError', (error, socket) => {
		if (socket.writable)
			socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
		else
			socket.destroy();
	});
	server.listen({ host: '::', port, backlog: 4096 });
}

process.on('SIGTERM', () => {
	flush();
	process.exit(0);
});
ports.split(',').forEach((port) => listen(Number(port)));
