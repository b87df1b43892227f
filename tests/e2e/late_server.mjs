// SPDX-License-Identifier: MIT
// Test service: late_server.mjs MS. Leaves a request body unread for that time, then answers with the number of its bytes; but
// answers a request for /now at once.
import http from 'node:http';

const wait = Number(process.argv[2]);

http.createServer((request, response) => {
	setTimeout(() => {
		let length = 0;
		request.on('data', (data) => {
			length += data.length;
		});
		request.on('end', () => response.end(String(length)));
	}, request.url === '/now' ? 0 : wait);
}).listen({ host: '::', port: 8082 });
