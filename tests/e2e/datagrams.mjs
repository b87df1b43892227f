// SPDX-License-Identifier: MIT
// Test traffic beside TCP. `datagrams.mjs serve` answers broadcasts to port 67 as a DHCP server would. `datagrams.mjs ask IFACE`
// says ok for each line that it reads, when a broadcast from port 68 was answered and an IPv6 group joined and left (MLD).
import dgram from 'node:dgram';
import readline from 'node:readline';

const [role, iface] = process.argv.slice(2);

function serve() {
	const server = dgram.createSocket({ type: 'udp4', reuseAddr: true });
	server.on('message', () => server.send('offer', 68, '255.255.255.255'));
	server.bind(67, '0.0.0.0', () => {
		server.setBroadcast(true);
		console.log('ready');
	});
}

function join(done) {
	const member = dgram.createSocket('udp6');
	member.bind(0, '::', () => {
		member.addMembership('ff02::4d50', `::%${iface}`);
		member.dropMembership('ff02::4d50', `::%${iface}`);
		member.close(done);
	});
}

function ask() {
	const client = dgram.createSocket({ type: 'udp4', reuseAddr: true });
	let timer = null;
	client.on('message', () => {
		if (timer) join(() => console.log('ok'));
		clearInterval(timer);
		timer = null;
	});
	client.bind(68, '0.0.0.0', () => {
		client.setBroadcast(true);
		readline.createInterface({ input: process.stdin }).on('line', () => {
			timer = setInterval(() => client.send('discover', 67, '255.255.255.255'), 100);
		});
	});
}

if (role === 'serve') serve();
else ask();
