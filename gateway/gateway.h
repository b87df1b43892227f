/* SPDX-License-Identifier: MIT */
/*
 * Floor 4: the gateway: listeners whose connections mpbpfd accepts and carries to the endpoints of a cluster.
 *
 * It runs on threads with event bases of their own, so that neither what it relays nor what the helper validates has to wait
 * for the other: workers, which carry the connections, and one that keeps what these go by. The functions below are the agent's:
 * they are called from one thread, and those that change or read something have it done by the keeping thread, while the
 * workers stand still between two turns of their loops (some milliseconds at most). The gateway never waits for the agent.
 */
#ifndef MPBPF_GATEWAY_GATEWAY_H
#define MPBPF_GATEWAY_GATEWAY_H

#include "core/config.h"

struct cJSON;
struct cluster;
struct event_note;
struct gateway;
struct gateway_plan;

/* By whom the requests of a connection were judged: those from number `from` on, the first being 0, by generation `policy`. */
struct gateway_judged {
	/* The last that judged any; if none was judged yet: the first will be, by this one or a later. */
	uint32_t policy;
	uint32_t from;
};

/* Where a captured connection wanted to go. */
struct gateway_original {
	struct addr addr;
	__be16 port;
	bool bound; /* its source is one that it was bound to */
};

struct gateway_hooks {
	/* A line for the log: an endpoint's health has changed, descriptors are short. Called on any thread of the gateway. */
	void (*note)(const char *text);
	/*
	 * Is the accepted socket under guard? What it sends has been judged then. dry_run: its listener denies nothing.
	 * As long as ret->policy is in force, the answer stays. Called on any thread of the gateway, for http; NULL: no socket is.
	 */
	bool (*judged)(void *data, int fd, bool dry_run, struct gateway_judged *ret);
	/* The generation in force. Called on any thread of the gateway. */
	uint32_t (*policy)(void *data);
	/* Of ours, about to connect: it must not be captured. 0, or -errno: then it does not. NULL: nothing is. Called on any thread. */
	int (*connecting)(void *data, int fd);
	/*
	 * The capture `name`, of what comes (`in`) or goes out, has these listening sockets now, by family, IPv4 first; -1: none. 0 or
	 * -errno. The thread that prepares, or the gateway's.
	 */
	int (*relay_opened)(void *data, const char *name, bool in, const int fds[2]);
	/* Where the client there, which came to that port of ours, wanted to go. false: it was not captured. On any thread. */
	bool (*original)(void *data, const struct addr *from, __be16 from_port, __be16 relay,
			 struct gateway_original *ret);
	/* A connection was taken or refused. false: there is no room for more of them now. NULL: nobody asks. On any thread. */
	bool (*event)(void *data, const struct event_note *note);
	void *data;
};

#define GATEWAY_WORKERS_MAX 16

/* An idle gateway, without threads. workers: 1 to GATEWAY_WORKERS_MAX; others mean the nearest. 0 or -errno. */
int gateway_open(const struct gateway_hooks *hooks, size_t workers, struct gateway **ret);
/* Resets what is open, ends the threads. NULL is fine. */
void gateway_close(struct gateway *gateway);

/*
 * gateway_prepare - all that can fail of putting `config` in force: opens its new listening sockets
 *
 * Returns 0, or -errno with a text in `ret_error`; nothing has changed then.
 */
int gateway_prepare(struct gateway *gateway, const struct config *config, struct gateway_plan **ret,
		    struct config_error *ret_error);
/*
 * gateway_commit - puts the plan's configuration in force, which must live until the next commit or gateway_close()
 *
 * Open connections stay. New ones go where it says. Listeners that are gone accept what has come and no more; endpoints that
 * are gone have drain_s to end. Frees the plan.
 */
void gateway_commit(struct gateway *gateway, struct gateway_plan *plan);
/* Closes what the plan has opened. NULL is fine. */
void gateway_abandon(struct gateway_plan *plan);

/* Starts the threads, which have the capabilities and the signal mask of the caller: to be called when both are final. 0 or -errno. */
int gateway_start(struct gateway *gateway);

/*
 * gateway_clusters - calls `each` with the cluster of every service (its index in the configuration in force) as it is now,
 * while the workers stand still
 */
void gateway_clusters(struct gateway *gateway, void (*each)(size_t service, const struct cluster *cluster, void *data),
		      void *data);
/* Grows when what gateway_clusters() tells has changed. Costs nothing. */
uint32_t gateway_changes(const struct gateway *gateway);

/* Adds the objects `gateway` and `clusters` to `json`. false: out of memory. */
bool gateway_stats(struct gateway *gateway, struct cJSON *json);

#endif
