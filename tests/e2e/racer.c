// SPDX-License-Identifier: MIT
/*
 * Test tool: a hostile client, whose threads send pieces of requests on one connection at the same time, so that bytes might be read
 * in another order than they were judged in.
 *
 *   racer HOST PORT SECONDS "AUTHORIZATION FIELD"
 *     what is allowed is for /allowed, with the field, and has bodies that read like requests for /forbidden without one.
 *     Prints connections, and sends that were taken.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define THREADS 4
#define BODY 64 /* of a request; as long as the one that hides in it */

static char whole[1024 + BODY], head[1024], body[BODY + 1], get[1024];
static const char *pieces[5];
static atomic_int fd = -1;
static atomic_ulong taken, connections;
static atomic_bool over;

static void *send_any(void *arg)
{
	unsigned int seed = (unsigned long)arg;

	while (!over) {
		const char *piece = pieces[rand_r(&seed) % 5];

		if (send(fd, piece, strlen(piece), MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
			taken++;
		if (rand_r(&seed) % 4 == 0)
			usleep(rand_r(&seed) % 200);
	}
	return NULL;
}

/* Reads what is answered until the connection ends, or for a moment. */
static void *read_all(void *arg)
{
	static char b[65536];
	struct sockaddr_in *at = arg;
	const struct timeval tv = { .tv_usec = 50000 };

	while (!over) {
		int new = socket(AF_INET, SOCK_STREAM, 0), one = 1, old, i;

		setsockopt(new, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		setsockopt(new, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
		if (new < 0 || connect(new, (struct sockaddr *)at, sizeof(*at)) < 0) {
			perror("racer: connect");
			exit(1);
		}
		connections++;
		old = atomic_exchange(&fd, new);
		if (old >= 0)
			close(old);
		for (i = 0; i < 4 && recv(new, b, sizeof(b), 0) > 0; i++)
			;
	}
	return NULL;
}

int main(int argc, char *argv[])
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	pthread_t threads[THREADS], reader;

	if (argc != 5 || inet_pton(AF_INET, argv[1], &at.sin_addr) != 1) {
		fprintf(stderr, "usage: racer HOST PORT SECONDS FIELD\n");
		return 2;
	}
	at.sin_port = htons(atoi(argv[2]));
	snprintf(body, sizeof(body), "GET /forbidden HTTP/1.1\r\nHost: a\r\nX: %0*d\r\n\r\n", BODY - 41, 0);
	snprintf(head, sizeof(head), "POST /allowed HTTP/1.1\r\nHost: a\r\n%s\r\nContent-Length: %d\r\n\r\n", argv[4],
		 BODY);
	snprintf(whole, sizeof(whole), "%s%s", head, body);
	snprintf(get, sizeof(get), "GET /allowed HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n", argv[4]);
	pieces[0] = whole;
	pieces[1] = get;
	pieces[2] = head;
	pieces[3] = body;
	pieces[4] = whole;
	if (strlen(body) != BODY)
		return 2;
	pthread_create(&reader, NULL, read_all, &at);
	for (unsigned long i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, send_any, (void *)(i + 1));
	sleep(atoi(argv[3]));
	over = true;
	pthread_join(reader, NULL);
	for (unsigned long i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	printf("connections=%lu taken=%lu\n", connections, taken);
	return 0;
}
