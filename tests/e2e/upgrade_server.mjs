// SPDX-License-Identifier: MIT
// Test service: answers 101 to whatever Upgrade asks for, then echoes; each byte that it sees goes to standard output.
import net from 'node:net';

net.createServer((socket) => {
	let head = '', tunnel = false;
	socket.on('error', () => {});
	socket.on('data', (data) => {
		process.stdout.write(data);
		if (tunnel) {
			socket.write(data);
			return;
		}
		head += data.toString('latin1');
		if (!head.includes('\r\n\r\n'))
			return;
		const upgrade = /\r\nupgrade: *([^\r\n]*)/i.exec(head);
		tunnel = upgrade !== null && !head.startsWith('GET /refuse');
		socket.write(tunnel
			? `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${upgrade[1]}\r\n\r\n`
			: 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
		head = '';
	});
}).listen({ host: '::', port: 8080 });
