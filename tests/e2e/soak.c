// SPDX-License-Identifier: MIT
/*
 * Test tool: a service and its many clients, who hold every byte against what it has to be, in both directions.
 *
 *   soak server PORT
 *     prints its pid, answers on both families until SIGTERM, then prints what it saw. Every request says who it is, and by
 *     that which bytes it must have; one that is not as its client wrote it, that comes twice, out of order, on another's
 *     connection, or that should have been denied, is a fault.
 *   soak client [-c CONNECTIONS] [-t SECONDS] [-n REQUESTS] [-s SEED] [-w SECONDS] TOKENS PORT HOST...
 *     keeps CONNECTIONS (12) busy for SECONDS (10) or up to REQUESTS, over the hosts in turn: bodies with and without
 *     length, cut heads, pipelined requests, denied ones, slow reading, resets and half closes, by a seed that is printed.
 *     TOKENS is a file of lines "known TOKEN", "new TOKEN" (used once) and "bad TOKEN". Each answer must be the one that
 *     its request deserves, whole and in order; a connection on which nothing moves for -w seconds (10) is a fault.
 *
 * Faults are lines "fault: ...", the first of them; totals are lines of NAME=NUMBER. Exit status 1: there were faults.
 */
#include <unistd.h>

#include "soak_client.h"
#include "soak_server.h"

static int usage(void)
{
	fputs("usage: soak server PORT | soak client [-c N] [-t S] [-n N] [-s SEED] [-w S] TOKENS PORT HOST...\n",
	      stderr);
	return 2;
}

int main(int argc, char **argv)
{
	double seconds = 10;
	int o;

	if (argc == 3 && !strcmp(argv[1], "server"))
		return server_main(atoi(argv[2]));
	if (argc < 5 || strcmp(argv[1], "client"))
		return usage();
	client_run.seed = mix(now_us() ^ (uint64_t)getpid() << 32) >> 40;
	while ((o = getopt(argc - 1, argv + 1, "c:t:n:s:w:")) > 0) {
		switch (o) {
		case 'c': client_run.n_flows = atoi(optarg); break;
		case 't': seconds = atof(optarg); break;
		case 'n': client_run.requests_max = strtoul(optarg, NULL, 10); break;
		case 's': client_run.seed = strtoul(optarg, NULL, 10); break;
		case 'w': client_run.wait_us = 1000000LL * atoi(optarg); break;
		default: return usage();
		}
	}
	argv += optind + 1;
	if (argc - 1 - optind < 3 || !client_run.n_flows || client_run.n_flows > FLOWS_MAX)
		return usage();
	return client_main(seconds, argv[0], atoi(argv[1]), argv + 2);
}
