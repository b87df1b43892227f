/* SPDX-License-Identifier: MIT */
/*
 * Sends request streams to guarded services and finds out whether one of them saw what it had no right to see.
 *
 *   smuggle [-s SEED] [-n STREAMS] [-f FIRST] [-c CONNECTIONS] [-q QUIET_MS] [-l LIMIT_MS] [-w SLOW] [-d DIR] [-k FAMILY]
 *           [-o] [-g] [-v] SERVER NAME:PORT:LOG[:b]...
 *
 * Each stream goes to each service, or with -o to one of them in turn. `-s SEED -f INDEX -n 1` repeats one. `:b`: the log of
 * this service shows bodies below /b/ only. -g: they are reached through gateways.
 * Exit: 0 nothing found, 1 found, 2 cannot run.
 */
#include "smuggle.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BATCH 8192
/* Of the streams that every fourth batch begins with, so many are waited for until their end, however long it takes. */
#define WAIT_OUT_ONE_IN 128
#define REPORTS_MAX 4 /* of each kind */
#define KINDS_MAX 32

struct tally tally;
bool verbose;
static const char *reports_dir;

/* How many reports of this kind there were before. */
static int kind_count(const char *what)
{
	static const char *kinds[KINDS_MAX];
	static int counts[KINDS_MAX];
	int i;

	for (i = 0; i < KINDS_MAX - 1 && kinds[i] && strcmp(kinds[i], what) != 0; i++)
		;
	kinds[i] = what;
	return counts[i]++;
}

void failure(const struct job *job, const struct stream *s, int service, const char *what, const char *detail,
	     size_t len)
{
	char path[512];
	FILE *to;
	int i;

	tally.failures++;
	if (kind_count(what) >= REPORTS_MAX)
		return;
	printf("FAILURE %s: %s (%s%s): -s %lu -f %u -n 1\n", options.service[service].name, what, s->name,
	       s->kind == STREAM_MUTATED ? ", mutated" : "", (unsigned long)stream_seed, s->index);
	printf("  stream: ");
	text_escape(stdout, s->bytes.b, s->bytes.len);
	printf("\n  cut at:");
	for (i = 0; i < s->n_cuts; i++)
		printf(" %u%s", s->cut[i].at, s->cut[i].pause_ms ? "+" : "");
	printf("\n  found: ");
	text_escape(stdout, detail ? detail : "", len);
	if (job)
		printf("\n  answered %d of %d, first status %d, seen %x, after %ld ms%s", job->answered, s->n_wants,
		       job->first_status, job->seen, (long)(now_ms() - job->began), job->ended ? ", ended" : "");
	printf("\n");
	fflush(stdout);
	if (!reports_dir)
		return;
	snprintf(path, sizeof(path), "%s/%lu-%u", reports_dir, (unsigned long)stream_seed, s->index);
	to = fopen(path, "w");
	if (!to)
		return;
	fwrite(s->bytes.b, 1, s->bytes.len, to);
	fclose(to);
}

static void usage(void)
{
	fprintf(stderr,
		"usage: smuggle [-s SEED] [-n STREAMS] [-f FIRST] [-c CONNECTIONS] [-q QUIET_MS] [-l LIMIT_MS]\n"
		"               [-w SLOW] [-d DIR] [-k FAMILY] [-o] [-g] [-v] SERVER NAME:PORT:LOG[:b]...\n");
	exit(2);
}

static void service_read(char *arg)
{
	struct service *service = &options.service[options.services];
	char *port = strchr(arg, ':'), *log = port ? strchr(port + 1, ':') : NULL, *b;

	if (!log || options.services == SERVICES_MAX)
		usage();
	*port++ = 0;
	*log++ = 0;
	b = strchr(log, ':');
	if (b)
		*b = 0;
	*service = (struct service){ .name = arg, .port = atoi(port), .log = log, .body_only_b = b };
	options.services++;
}

static void stream_show(const struct stream *s)
{
	printf("%u %s%s: ", s->index, s->name, s->kind == STREAM_MUTATED ? ", mutated" : "");
	text_escape(stdout, s->bytes.b, s->bytes.len);
	printf("\n");
}

/* Whether the end of this stream is waited for: of a valid one, of a single one, and of a sample. */
static bool waits_for_end(const struct stream *s, uint32_t first, size_t i, size_t n_jobs)
{
	if (s->kind == STREAM_VALID || n_jobs <= SERVICES_MAX)
		return true;
	return first / BATCH % 4 == 0 && i < n_jobs / 4 && mix(first * 4UL + i) % WAIT_OUT_ONE_IN == 0;
}

static void batch_run(uint32_t first, uint32_t n)
{
	struct stream *streams = calloc(n, sizeof(*streams));
	size_t i, each = options.in_turn ? 1 : options.services, n_jobs = n * each;
	struct job *jobs = calloc(n_jobs, sizeof(*jobs));

	if (!streams || !jobs)
		abort();
	for (i = 0; i < n; i++) {
		stream_make(&streams[i], first + i);
		tally.streams[streams[i].kind]++;
		if (verbose)
			stream_show(&streams[i]);
	}
	for (i = 0; i < n_jobs; i++) {
		jobs[i].stream = &streams[i / each];
		jobs[i].service = (options.in_turn ? first + i : i) % options.services;
		jobs[i].waits_for_end = waits_for_end(jobs[i].stream, first, i, n_jobs);
	}
	client_run(jobs, n_jobs);
	oracle_judge(jobs, n_jobs, first);
	for (i = 0; i < n_jobs; i++)
		text_free(&jobs[i].rx);
	for (i = 0; i < n; i++)
		stream_free(&streams[i]);
	free(jobs);
	free(streams);
}

static void summary(int64_t ms)
{
	uint64_t streams = tally.streams[0] + tally.streams[1] + tally.streams[2];
	int i, code;

	printf("seed=%lu streams=%lu valid=%lu family=%lu mutated=%lu connections=%lu seconds=%.1f\n",
	       (unsigned long)stream_seed, (unsigned long)streams, (unsigned long)tally.streams[STREAM_VALID],
	       (unsigned long)tally.streams[STREAM_FAMILY], (unsigned long)tally.streams[STREAM_MUTATED],
	       (unsigned long)tally.connections, ms / 1000.0);
	printf("expected=%lu answered=%lu waited_out=%lu ended=%lu failures=%lu\n", (unsigned long)tally.expected,
	       (unsigned long)tally.answered, (unsigned long)tally.waited_out, (unsigned long)tally.ended,
	       (unsigned long)tally.failures);
	for (i = 0; i < options.services; i++) {
		printf("%s: seen=%lu", options.service[i].name, (unsigned long)tally.lines[i]);
		for (code = 0; code < 600; code++)
			if (tally.status[i][code])
				printf(" %d=%lu", code, (unsigned long)tally.status[i][code]);
		printf("\n");
	}
}

static void options_read(int argc, char **argv, unsigned long *streams, unsigned long *first)
{
	int c;

	while ((c = getopt(argc, argv, "s:n:f:c:q:l:w:d:k:ogv")) != -1) {
		switch (c) {
		case 's': stream_seed = strtoul(optarg, NULL, 10); break;
		case 'n': *streams = strtoul(optarg, NULL, 10); break;
		case 'f': *first = strtoul(optarg, NULL, 10); break;
		case 'c': options.concurrency = atoi(optarg); break;
		case 'q': options.quiet_ms = atoi(optarg); break;
		case 'l': options.limit_ms = atoi(optarg); break;
		case 'w': options.slow = atoi(optarg); break;
		case 'd': reports_dir = optarg; break;
		case 'k': stream_only = optarg; break;
		case 'o': options.in_turn = true; break;
		case 'g': options.gateway = true; break;
		case 'v': verbose = true; break;
		default: usage();
		}
	}
	if (optind + 1 >= argc || options.concurrency < 1 || options.slow < 1)
		usage();
	options.server = argv[optind++];
	while (optind < argc)
		service_read(argv[optind++]);
}

int main(int argc, char **argv)
{
	unsigned long streams = 1000, first = 0, done, n;
	int64_t began = now_ms();

	options_read(argc, argv, &streams, &first);
	if (oracle_open() < 0) {
		fprintf(stderr, "smuggle: cannot open the services' logs\n");
		return 2;
	}
	for (done = 0; done < streams; done += n) {
		n = streams - done < BATCH ? streams - done : BATCH;
		batch_run(first + done, n);
	}
	oracle_last();
	summary(now_ms() - began);
	return tally.failures ? 1 : 0;
}
