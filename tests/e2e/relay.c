// SPDX-License-Identifier: MIT
/*
 * Test tool: both ends of TCP connections through a gateway, which hold every byte and every end against what it has to be.
 *
 *   relay serve PORT...
 *     on both families, until SIGTERM; prints its pid, and in the end what it saw.
 *   relay run [-c CONNECTIONS] [-t SECONDS] [-n TOTAL] [-b BYTES] [-x FACTOR] [-s SEED] HOST PORT
 *     keeps CONNECTIONS (8) busy for SECONDS (2), up to TOTAL, or until BYTES have arrived at this end or gone from it: of any
 *     size, FACTOR (1) times as large as usual, in pieces of any size, with pauses, half-closed in any order; some of them reset
 *     by the client, some by the server, some read slowly.
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
	c->lazy = plan->slow == 2;
}

static int total(void)
{
	printf("connections=%lu ended=%lu resets=%lu bytes=%llu faults=%lu\n", started, ended, resets, bytes, faults);
	printf("sent=%llu\n", sent);
	return faults ? 1 : 0;
}

/* How much there is to do. */
struct work {
	int n_conns;
	double seconds;
	unsigned long conns;
	unsigned long long bytes;
	uint32_t factor; /* of sizes */
};

static bool is_over(const struct work *work, int64_t end)
{
	return now_ms() >= end || started >= work->conns || bytes + sent >= work->bytes;
}

static int run(const struct addrinfo *to, const struct work *work, uint64_t seed)
{
	int64_t end = now_ms() + work->seconds * 1000;

	printf("seed=%llu\n", (unsigned long long)seed);
	while (!faults && (!is_over(work, end) || ended < started)) {
		while (!is_over(work, end) && started - ended < (unsigned long)work->n_conns) {
			struct plan plan = plan_by(&seed, work->factor);

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
		int fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);

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
	struct work work = { .n_conns = 8, .seconds = -1, .conns = -1UL, .bytes = -1ULL, .factor = 1 };
	uint64_t seed = now_ms();
	int o;

	slow = getenv("MPBPF_SLOW") ? atoi(getenv("MPBPF_SLOW")) : 1;
	for (int i = 0; i < CONNS_MAX; i++)
		conns[i].fd = -1;
	if (argc > 2 && !strcmp(argv[1], "serve"))
		return serve(argv + 2);
	if (argc == 6 && !strcmp(argv[1], "push"))
		return push(resolve(argv[2], argv[3]), atoi(argv[4]), atoi(argv[5]));
	while ((o = getopt(argc - 1, argv + 1, "c:t:n:b:x:s:")) > 0) {
		switch (o) {
		case 'c': work.n_conns = atoi(optarg); break;
		case 't': work.seconds = atof(optarg); break;
		case 'n': work.conns = strtoul(optarg, NULL, 10); break;
		case 'b': work.bytes = strtoull(optarg, NULL, 10); break;
		case 'x': work.factor = atoi(optarg); break;
		case 's': seed = strtoull(optarg, NULL, 10); break;
		default: return 2;
		}
	}
	if (argc - 1 - optind != 2 || strcmp(argv[1], "run")) {
		fprintf(stderr,
			"usage: relay serve PORT... | run [options] HOST PORT | push HOST PORT BYTES PAUSE_MS\n");
		return 2;
	}
	if (work.seconds < 0)
		work.seconds = work.bytes == -1ULL ? 2 : 1e6;
	return run(resolve(argv[optind + 1], argv[optind + 2]), &work, seed);
}
