// SPDX-License-Identifier: MIT
/* Floor 4: hosts of services that are names: their addresses are asked for now and then, and taken when they come. */
#include <stdlib.h>
#include <string.h>
#include <event2/dns.h>
#include <event2/event.h>
#include <event2/util.h>

#include "core/util.h"
#include "gateway/backend.h"

#define ASK_AGAIN_S 30
#define ADDRS_MAX 64 /* of a name */

/* The backend, and the configuration, may have gone when the answer comes: it is for the names as they are then. */
struct question {
	struct gateway *gateway;
	char *cluster, *host;
};

static void question_free(struct question *question)
{
	free(question->cluster);
	free(question->host);
	free(question);
}

static size_t answer_read(const struct evutil_addrinfo *answer, struct addr *out)
{
	struct sockaddr_storage at;
	struct place place;
	size_t n = 0;

	for (; answer && n < ADDRS_MAX; answer = answer->ai_next) {
		if (answer->ai_family != AF_INET && answer->ai_family != AF_INET6)
			continue;
		memcpy(&at, answer->ai_addr, answer->ai_addrlen);
		place_from(&at, &place);
		out[n++] = place.addr;
	}
	return n;
}

/* The addresses that it had stay if there are no others, or none. Returns whether they have changed. */
static bool host_answer(struct backend *backend, struct host *host, int error, const struct evutil_addrinfo *answer)
{
	struct addr addrs[ADDRS_MAX], *copy;
	size_t n = error ? 0 : answer_read(answer, addrs);

	if (!n) {
		if (!host->failed)
			gateway_note(backend->gateway, "cluster %s: no address of %s is to be had: %s", backend->name,
				     host->name, error ? evutil_gai_strerror(error) : "it has none");
		host->failed = true;
		return false;
	}
	host->failed = false;
	if (n == host->n_addrs && !memcmp(host->addrs, addrs, n * sizeof(*addrs)))
		return false;
	copy = malloc(n * sizeof(*addrs));
	if (!copy)
		return false;
	memcpy(copy, addrs, n * sizeof(*addrs));
	free(host->addrs);
	host->addrs = copy;
	host->n_addrs = n;
	return true;
}

static void backend_answer(struct backend *backend, const char *name, int error, const struct evutil_addrinfo *answer)
{
	bool changed = false;

	for (size_t i = 0; i < backend->n_hosts; i++)
		if (!strcmp(backend->hosts[i].name, name))
			changed |= host_answer(backend, &backend->hosts[i], error, answer);
	if (!changed)
		return;
	workers_halt(backend->gateway);
	backend_refresh(backend);
	workers_go(backend->gateway);
}

static void on_answer(int error, struct evutil_addrinfo *answer, void *data)
{
	struct question *question = data;
	struct gateway *gateway = question->gateway;
	struct backend *backend = backend_find(gateway, question->cluster);

	gateway->questions--;
	if (backend && backend->service && error != EVUTIL_EAI_CANCEL)
		backend_answer(backend, question->host, error, answer);
	if (answer)
		evutil_freeaddrinfo(answer);
	question_free(question);
}

static void host_ask(struct backend *backend, const char *host)
{
	static const struct evutil_addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct question *question = calloc(1, sizeof(*question));

	if (!question)
		return;
	question->gateway = backend->gateway;
	question->cluster = strdup(backend->name);
	question->host = strdup(host);
	if (!question->cluster || !question->host) {
		question_free(question);
		return;
	}
	backend->gateway->questions++;
	/* It may answer at once, from /etc/hosts. */
	evdns_getaddrinfo(backend->gateway->dns, host, NULL, &hints, on_answer, question);
}

/* /etc/hosts and /etc/resolv.conf are read anew when nothing is under way. */
static bool dns_open(struct gateway *gateway)
{
	if (gateway->dns && !gateway->questions) {
		evdns_base_free(gateway->dns, 0);
		gateway->dns = NULL;
	}
	if (!gateway->dns)
		gateway->dns = evdns_base_new(gateway->base, EVDNS_BASE_INITIALIZE_NAMESERVERS);
	if (gateway->dns)
		return true;
	/* There is no name server, but there may be hosts. */
	gateway->dns = evdns_base_new(gateway->base, 0);
	if (gateway->dns)
		evdns_base_load_hosts(gateway->dns, "/etc/hosts");
	return gateway->dns;
}

static void on_again(evutil_socket_t fd, short what, void *data)
{
	(void)fd;
	(void)what;
	names_ask(data);
}

void names_ask(struct gateway *gateway)
{
	static const struct timeval again = { .tv_sec = ASK_AGAIN_S };
	struct backend *backend, *next;
	struct addr addr;
	bool any = false;

	for (backend = TAILQ_FIRST(&gateway->backends); backend; backend = next) {
		next = TAILQ_NEXT(backend, link);
		for (size_t i = 0; backend->service && i < backend->service->n_hosts; i++) {
			if (cidr_parse_address(backend->service->hosts[i], &addr, NULL))
				continue;
			if (!any && !dns_open(gateway))
				return;
			any = true;
			host_ask(backend, backend->service->hosts[i]);
		}
	}
	if (!gateway->names_timer && any)
		gateway->names_timer = evtimer_new(gateway->base, on_again, gateway);
	if (gateway->names_timer && any)
		evtimer_add(gateway->names_timer, &again);
	else if (gateway->names_timer)
		evtimer_del(gateway->names_timer);
}

void names_close(struct gateway *gateway)
{
	if (gateway->names_timer)
		event_free(gateway->names_timer);
	if (gateway->dns)
		evdns_base_free(gateway->dns, 0);
}
