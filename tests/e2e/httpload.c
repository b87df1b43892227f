// SPDX-License-Identifier: MIT
/*
 * Test tool: many requests whose answers are checked.
 *
 *   httpload load HOST PORT [-c CONNECTIONS] [-n REQUESTS | -u] [-p MS] [-H FIELD]... [-b BODY_FILE] PATH=EXPECTED_FILE...
 *     keep-alive requests over all connections, the paths in turn; with -b they are POSTs that carry the file; -u: until
 *     SIGTERM; -p: with pauses of that length on each connection. A 200 whose body is not the expected file's is a mismatch.
 *     Prints "requests=N errors=N mismatched=N connections=N 200=N ...".
 *   httpload split HOST PORT REQUEST_FILE [keep]
 *     sends the request once for every place where it can be cut in two, in two segments; `keep`: all on one connection.
 *     Prints how often each answer came, e.g. "200=118 closed=1".
 *
 * MPBPF_SLOW multiplies time-outs and pauses, but not the moment between two segments: the network's, not the machine's.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>

#include "http_client.h"

#define PATHS_MAX 16
#define FIELDS_MAX 16
#define SPLIT_GAP_US 1500

struct blob {
	char *data;
	size_t len;
};

static struct {
	const char *host;
	int port, connections;
	long requests; /* in all; LONG_MAX: until SIGTERM */
	int pause_ms;
	const char *fields[FIELDS_MAX];
	int n_fields;
	struct blob post;
	struct {
		const char *path;
		struct blob expected;
		struct blob request;
	} paths[PATHS_MAX];
	int n_paths;
} options = { .connections = 1, .requests = 1 };

static long ticket, errors, mismatched, connected, statuses[1000];
static volatile sig_atomic_t stopped;

static int blob_read(const char *path, struct blob *ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		perror(path);
		return -errno;
	}
	ret->data = malloc(st.st_size + 1);
	ret->len = read(fd, ret->data, st.st_size);
	close(fd);
	return ret->len == (size_t)st.st_size ? 0 : -EIO;
}

static struct blob request_make(const char *path)
{
	struct blob b;
	FILE *f = open_memstream(&b.data, &b.len);
	int i;

	fprintf(f, "%s %s HTTP/1.1\r\nHost: server\r\n", options.post.data ? "POST" : "GET", path);
	for (i = 0; i < options.n_fields; i++)
		fprintf(f, "%s\r\n", options.fields[i]);
	if (options.post.data)
		fprintf(f, "Content-Length: %zu\r\n", options.post.len);
	fputs("\r\n", f);
	fwrite(options.post.data, 1, options.post.len, f);
	fclose(f);
	return b;
}

static void stop(int signal)
{
	(void)signal;
	stopped = 1;
}

static void request_one(struct client *c, int i)
{
	const struct blob *expected = &options.paths[i].expected;
	size_t len;

	if (client_send(c, options.paths[i].request.data, options.paths[i].request.len) < 0 ||
	    client_read(c, false) < 0) {
		__sync_fetch_and_add(&errors, 1);
		client_close(c);
		return;
	}
	__sync_fetch_and_add(&statuses[c->status], 1);
	if (c->status == 200 && (c->body_len != expected->len || memcmp(c->body, expected->data, expected->len)))
		__sync_fetch_and_add(&mismatched, 1);
	if (client_field(c, "Connection", &len) && !strncasecmp(client_field(c, "Connection", &len), "close", 5))
		client_close(c);
}

static void *worker(void *unused)
{
	struct client *c = calloc(1, sizeof(*c));
	long n;

	(void)unused;
	c->fd = -1;
	c->timeout_ms = 10000 * client_slow();
	while ((n = __sync_fetch_and_add(&ticket, 1)) < options.requests && !stopped) {
		if (c->fd < 0) {
			if (client_connect(c, options.host, options.port, NULL) < 0) {
				__sync_fetch_and_add(&errors, 1);
				client_close(c);
				usleep(1000);
				continue;
			}
			__sync_fetch_and_add(&connected, 1);
		}
		request_one(c, n % options.n_paths);
		if (options.pause_ms)
			usleep(options.pause_ms * 1000 * client_pace());
	}
	client_close(c);
	free(c->body);
	free(c);
	return NULL;
}

static void print_statuses(void)
{
	int i;

	for (i = 0; i < 1000; i++) {
		if (statuses[i])
			printf(" %d=%ld", i, statuses[i]);
	}
	putchar('\n');
}

static int load(void)
{
	pthread_t threads[options.connections];
	sigset_t term;
	long done = 0;
	int i;

	signal(SIGTERM, stop);
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	/* Not for the workers: it would interrupt their waits. */
	pthread_sigmask(SIG_BLOCK, &term, NULL);
	for (i = 0; i < options.connections; i++)
		pthread_create(&threads[i], NULL, worker, NULL);
	pthread_sigmask(SIG_UNBLOCK, &term, NULL);
	for (i = 0; i < options.connections; i++)
		pthread_join(threads[i], NULL);
	for (i = 0; i < 1000; i++)
		done += statuses[i];
	printf("requests=%ld errors=%ld mismatched=%ld connections=%ld", done, errors, mismatched, connected);
	print_statuses();
	return 0;
}

static int path_add(char *arg)
{
	char *equals = strchr(arg, '=');
	int i = options.n_paths++;

	if (!equals || i == PATHS_MAX)
		return -EINVAL;
	*equals = 0;
	options.paths[i].path = arg;
	return blob_read(equals + 1, &options.paths[i].expected);
}

static int load_main(int argc, char **argv)
{
	int o, i;

	while ((o = getopt(argc, argv, "c:n:up:H:b:")) > 0) {
		if (o == 'c')
			options.connections = atoi(optarg);
		else if (o == 'n')
			options.requests = atol(optarg);
		else if (o == 'u')
			options.requests = __LONG_MAX__;
		else if (o == 'p')
			options.pause_ms = atoi(optarg);
		else if (o == 'H' && options.n_fields < FIELDS_MAX)
			options.fields[options.n_fields++] = optarg;
		else if (o != 'b' || blob_read(optarg, &options.post) < 0)
			return 2;
	}
	for (i = optind; i < argc; i++) {
		if (path_add(argv[i]) < 0)
			return 2;
	}
	for (i = 0; i < options.n_paths; i++)
		options.paths[i].request = request_make(options.paths[i].path);
	return options.n_paths ? load() : 2;
}

/* One request in two segments: 0, or what went wrong. */
static int split_one(struct client *c, const struct blob *request, size_t at)
{
	int r;

	if (c->fd < 0) {
		r = client_connect(c, options.host, options.port, NULL);
		if (r < 0)
			return r;
	}
	r = client_send(c, request->data, at);
	if (r < 0)
		return r;
	usleep(SPLIT_GAP_US);
	r = client_send(c, request->data + at, request->len - at);
	return r < 0 && r != -EPIPE && r != -ECONNRESET ? r : client_read(c, false);
}

static int split_main(const char *path, bool keep)
{
	static struct client c = { .fd = -1 };
	long failed[3] = {};
	struct blob request;
	size_t at;
	int r;

	if (blob_read(path, &request) < 0)
		return 2;
	c.timeout_ms = 3000 * client_slow();
	for (at = 1; at < request.len; at++) {
		r = split_one(&c, &request, at);
		if (!r)
			statuses[c.status]++;
		else
			failed[r == -ECONNRESET || r == -EPIPE ? 0 : r == -ETIMEDOUT ? 1 : 2]++;
		if (r || !keep)
			client_close(&c);
	}
	printf("closed=%ld timeout=%ld garbled=%ld", failed[0], failed[1], failed[2]);
	print_statuses();
	return 0;
}

int main(int argc, char **argv)
{
	if (argc < 5) {
		fputs("usage: httpload load|split HOST PORT ...\n", stderr);
		return 2;
	}
	options.host = argv[2];
	options.port = atoi(argv[3]);
	if (!strcmp(argv[1], "split"))
		return split_main(argv[4], argc > 5);
	return load_main(argc - 3, argv + 3);
}
