// SPDX-License-Identifier: MIT
/*
 * Test tool: runs a script from standard input, one command a line, and prints one line for each response.
 *
 *   use N                        the commands that follow are about connection N of 0 to 255 (0)
 *   connect HOST PORT [SOURCE]   a new connection (an earlier one of that number is closed)
 *   send TEXT                    to the end of the line; \r \n \t \0 \\ and \xHH are understood
 *   pieces SIZE TEXT             the text in segments of SIZE bytes, one after the other
 *   drip MS TEXT                 a byte of the text every MS, until something comes back
 *   repeat N TEXT                the text N times, in one write
 *   join                         the next sends are collected
 *   flush                        and leave in one write
 *   file PATH                    the file's bytes
 *   chunked PATH SIZE            the file as chunks of SIZE bytes, terminated
 *   pause MS
 *   read [head]                  prints "STATUS BODY_LENGTH"; `head`: the response has no body
 *   status                       reads a response too, and prints its status only
 *   body                         prints the last body
 *   save PATH                    writes the last body to a file
 *   field NAME                   prints a field of the last response, or "-"
 *   eof                          waits for the end; prints "eof", "reset", "data" or "timeout"
 *   last TEXT                    sends it and half-closes: the end comes in one segment with the bytes
 *   shutdown | close             half-closes; closes
 *   timeout MS                   for all later connects, reads and writes (5000)
 *   receive BYTES                the receive buffer of later connects
 *   options                      later connects over IPv6 have a header of destination options in each packet
 *   times N COMMAND              the command N times
 *   exit                         the script ends here, whatever follows
 *
 * MPBPF_SLOW multiplies the time-outs, and pauses by less (lib.sh), but not the moment between pieces: the network's, not the machine's.
 * A response that does not come prints "closed", "cut", "timeout" or "garbled". Exit status 1: the script itself failed.
 */
#include <ctype.h>

#include "httpc_send.h"

#define CLIENTS_MAX 512

static struct client *clients[CLIENTS_MAX];
static int slow, timeout_ms, rcvbuf;
static bool options;

static const char *failure(int r)
{
	switch (-r) {
	case ECONNRESET: return "closed";
	case EPIPE: return "cut";
	case ETIMEDOUT: return "timeout";
	default: return "garbled";
	}
}

static int do_use(char *args)
{
	unsigned long n = strtoul(args, NULL, 10);

	if (n >= CLIENTS_MAX)
		return -EINVAL;
	if (!clients[n]) {
		clients[n] = calloc(1, sizeof(*client));
		if (!clients[n])
			return -ENOMEM;
		clients[n]->fd = -1;
	}
	client = clients[n];
	client->timeout_ms = timeout_ms;
	client->rcvbuf = rcvbuf;
	client->options = options;
	return 0;
}

static int do_connect(char *args)
{
	char host[64], from[64] = "";
	int port;

	if (sscanf(args, "%63s %d %63s", host, &port, from) < 2)
		return -EINVAL;
	client_close(client);
	return client_connect(client, host, port, *from ? from : NULL);
}

static int do_pause(char *args)
{
	usleep(strtoul(args, NULL, 10) * 1000 * client_pace());
	return 0;
}

static int do_read(char *args)
{
	int r = client_read(client, !strcmp(args, "head"));

	if (r < 0)
		puts(failure(r));
	else
		printf("%d %zu\n", client->status, client->body_len);
	return 0;
}

static int do_status(char *args)
{
	int r = client_read(client, false);

	(void)args;
	if (r < 0)
		puts(failure(r));
	else
		printf("%d\n", client->status);
	return 0;
}

static int do_body(char *args)
{
	(void)args;
	fwrite(client->body, 1, client->body_len, stdout);
	return 0;
}

static int do_save(char *args)
{
	FILE *f = fopen(args, "w");
	size_t n;

	if (!f)
		return -errno;
	n = fwrite(client->body, 1, client->body_len, f);
	return fclose(f) || n != client->body_len ? -EIO : 0;
}

static int do_field(char *args)
{
	size_t len = 1;
	const char *v = client_field(client, args, &len);

	printf("%.*s\n", (int)len, v ? v : "-");
	return 0;
}

static int do_eof(char *args)
{
	int r = client->start == client->end ? client_fill(client) : 1;

	(void)args;
	puts(r > 0 ? "data" : !r ? "eof" : r == -ETIMEDOUT ? "timeout" : "reset");
	return 0;
}

static int do_shutdown(char *args)
{
	(void)args;
	return shutdown(client->fd, SHUT_WR) ? -errno : 0;
}

static int do_close(char *args)
{
	(void)args;
	client_close(client);
	return 0;
}

static int do_timeout(char *args)
{
	timeout_ms = client->timeout_ms = atoi(args) * slow;
	return 0;
}

static int do_receive(char *args)
{
	rcvbuf = client->rcvbuf = atoi(args);
	return 0;
}

static int do_options(char *args)
{
	(void)args;
	options = client->options = true;
	return 0;
}

static int do_exit(char *args)
{
	(void)args;
	exit(0);
}

static int run(char *line);

static int do_times(char *args)
{
	char *command, *copy;
	long n = strtol(args, &command, 10);
	int r = 0;

	if (*command++ != ' ')
		return -EINVAL;
	while (!r && n-- > 0) {
		copy = strdup(command);
		r = copy ? run(copy) : -ENOMEM;
		free(copy);
	}
	return r;
}

static const struct {
	const char *name;
	int (*run)(char *args);
} commands[] = {
	{ "use", do_use },	   { "connect", do_connect },	{ "send", do_send },   { "pieces", do_pieces },
	{ "repeat", do_repeat },   { "join", do_join },		{ "flush", do_flush }, { "file", do_file },
	{ "chunked", do_chunked }, { "pause", do_pause },	{ "read", do_read },   { "status", do_status },
	{ "body", do_body },	   { "save", do_save },		{ "field", do_field }, { "eof", do_eof },
	{ "close", do_close },	   { "shutdown", do_shutdown }, { "times", do_times }, { "timeout", do_timeout },
	{ "receive", do_receive }, { "last", do_last },		{ "drip", do_drip },   { "exit", do_exit },
	{ "options", do_options },
};

static int run(char *line)
{
	size_t i, n = strcspn(line, " ");

	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strlen(commands[i].name) == n && !strncmp(line, commands[i].name, n))
			return commands[i].run(line + n + (line[n] == ' '));
	}
	return -ENOSYS;
}

int main(void)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;
	int r;

	slow = client_slow();
	timeout_ms = 5000 * slow;
	if (do_use("0") < 0)
		return 1;
	while ((n = getline(&line, &cap, stdin)) > 0) {
		if (line[n - 1] == '\n')
			line[n - 1] = 0;
		if (!*line || *line == '#')
			continue;
		r = run(line);
		if (r < 0) {
			printf("failed: %.60s: %s\n", line, strerror(-r));
			return 1;
		}
		fflush(stdout);
	}
	free(line);
	return 0;
}
