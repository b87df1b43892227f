// SPDX-License-Identifier: MIT
/*
 * Test tool: both ends of TCP connections through a gateway, which hold every byte and every end against what it has to be.
 *
 *   relay serve PORT...
 *     on both families, until SIGTERM; prints its pid, and in the end what it saw.
 *   relay run [-c CONNECTIONS] [-t SECONDS] [-n TOTAL] [-s SEED] HOST PORT
 *     keeps CONNECTIONS (8) busy for SECONDS (2) or up to TOTAL: of any size, in pieces of any size, with pauses, half-closed
 *     in any order; some of them reset by the client, some by the server.
 *   relay push HOST PORT BYTES PAUSE_MS
 *     one connection whose server does not read for so long; prints "stalled=N" with what was taken by then, and goes on.
 *
 * Each connection begins with a plan, by which the server knows what it must get and has to send. Faults are lines "fault:
 * ...", totals a line of NAME=NUMBER. Exit status 1: there were faults.
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>

#include "relay_conn.h"

static volatile sig_atomic_t over;

static void client_new(const struct addrinfo *to, const struct plan *plan)
{
	int fd = socket(to->ai_family, SOCK_STREAM, 0);
	struct conn *c = conn_new(fd, false);

	if (!c || connect(fd, to->ai_addr, to->ai_addrlen) < 0 ||
	    send(fd, plan, sizeof(*plan), MSG_NOSIGNAL) != sizeof(*plan)) {
		perror("relay: connect");
		exit(1);
	}
	c->plan = *plan;
	c->planned = true;
	c->random = plan->seed ^ 0x5555;
}

static uint32_t size_by(uint64_t *random)
{
	switch (rnd(random) % 8) {
	case 0: return 0;
	case 1: return rnd(random) % 3000000;
	case 2:
	case 3: return rnd(random) % 200000;
	default: return rnd(random) % 3000;
	}
}

static struct plan plan_by(uint64_t *random)
{
	uint32_t how = rnd(random) % 8;

	return (struct plan){
		.seed = (uint64_t)rnd(random) << 32 | rnd(random),
		.up = size_by(random),
		.down = size_by(random),
		.how = how == 1	  ? CLIENT_RESETS
		       : how == 2 ? SERVER_RESETS
				  : ENDS,
	};
}

static int total(void)
{
	printf("connections=%lu ended=%lu resets=%lu bytes=%llu faults=%lu\n", started, ended, resets, bytes, faults);
	return faults ? 1 : 0;
}

static int run(const struct addrinfo *to, int n_conns, double seconds, unsigned long most, uint64_t seed)
{
	int64_t end = now_ms() + seconds * 1000;

	printf("seed=%llu\n", (unsigned long long)seed);
	while (!faults && ((now_ms() < end && started < most) || ended < started)) {
		while (now_ms() < end && started < most && started - ended < (unsigned long)n_conns) {
			struct plan plan = plan_by(&seed);

			client_new(to, &plan);
		}
		turn();
	}
	return total();
}

static int push(const struct addrinfo *to, uint32_t up, uint32_t pause_ms)
{
	const struct plan plan = { .seed = 42, .up = up, .pause_ms = pause_ms };
	int64_t look = now_ms() + pause_ms * 3 / 4;
	bool looked = false;

	client_new(to, &plan);
	while (ended < started) {
		turn();
		if (!looked && now_ms() >= look) {
			printf("stalled=%zu\n", conns[0].out);
			fflush(stdout);
			looked = true;
		}
	}
	return total();
}

static void on_signal(int signal)
{
	(void)signal;
	over = 1;
}

static int serve(char **ports)
{
	const int one = 1;

	for (; *ports && n_listeners < 16; ports++) {
		struct sockaddr_in6 at = { .sin6_family = AF_INET6, .sin6_port = htons(atoi(*ports)) };
		int fd = socket(AF_INET6, SOCK_STREAM, 0);

		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 1024) < 0) {
			perror("relay: listen");
			return 1;
		}
		listeners[n_listeners++] = fd;
	}
	signal(SIGTERM, on_signal);
	printf("pid=%d\n", getpid());
	fflush(stdout);
	while (!over)
		turn();
	return total();
}

static struct addrinfo *resolve(const char *host, const char *port)
{
	const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM };
	struct addrinfo *to;

	if (getaddrinfo(host, port, &hints, &to)) {
		fprintf(stderr, "relay: %s %s?\n", host, port);
		exit(2);
	}
	return to;
}

int main(int argc, char **argv)
{
	unsigned long most = -1UL;
	uint64_t seed = now_ms();
	double seconds = 2;
	int n_conns = 8, o;

	slow = getenv("MPBPF_SLOW") ? atoi(getenv("MPBPF_SLOW")) : 1;
	for (int i = 0; i < CONNS_MAX; i++)
		conns[i].fd = -1;
	if (argc > 2 && !strcmp(argv[1], "serve"))
		return serve(argv + 2);
	if (argc == 6 && !strcmp(argv[1], "push"))
		return push(resolve(argv[2], argv[3]), atoi(argv[4]), atoi(argv[5]));
	while ((o = getopt(argc - 1, argv + 1, "c:t:n:s:")) > 0) {
		switch (o) {
		case 'c': n_conns = atoi(optarg); break;
		case 't': seconds = atof(optarg); break;
		case 'n': most = strtoul(optarg, NULL, 10); break;
		case 's': seed = strtoull(optarg, NULL, 10); break;
		default: return 2;
		}
	}
	if (argc - 1 - optind != 2 || strcmp(argv[1], "run")) {
		fprintf(stderr,
			"usage: relay serve PORT... | run [options] HOST PORT | push HOST PORT BYTES PAUSE_MS\n");
		return 2;
	}
	return run(resolve(argv[optind + 1], argv[optind + 2]), n_conns, seconds, most, seed);
}
