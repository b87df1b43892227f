/* SPDX-License-Identifier: MIT */
/*
 * Floor 3: what one data path keeps outside the kernel, in /run/mpbpf/<pin root, escaped>/: who serves it, and facts
 * of its load. The directory itself is the lock that load, unload and reload hold.
 */
#ifndef MPBPF_CORE_RUNTIME_H
#define MPBPF_CORE_RUNTIME_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/un.h>

#define RUNTIME_BASE "/run/mpbpf"
#define RUNTIME_LOG "agent.log"
#define RUNTIME_IFNAME_MAX 16
#define RUNTIME_IFACES_MAX 64

struct runtime {
	int fd; /* the directory */
	char path[PATH_MAX];
};

#define RUNTIME_EMPTY { .fd = -1 }

/* Facts of a load that the kernel does not keep. */
struct runtime_facts {
	uint64_t unguarded; /* connections that were open on guarded ports at load time */
	uint64_t netns;	    /* cookie of the network namespace that the interfaces are in; 0: unknown */
	char cgroup[PATH_MAX];
	size_t n_ifaces;
	struct {
		char name[RUNTIME_IFNAME_MAX];
		bool native;
	} ifaces[RUNTIME_IFACES_MAX];
};

/* What net.ipv4.tcp_syncookies was in a network namespace (its cookie) before the SYN guard needed another value there. */
struct runtime_sysctl {
	uint64_t netns;
	int syncookies;
};

/* /run/mpbpf, made when missing, as a locked file descriptor; or -errno. */
int runtime_base_lock(void);
/* Removes /run/mpbpf when nothing is left in it. */
void runtime_base_remove(void);

/* Opens the directory of a pin root (absolute). 0; -ENOENT: there is none and `create` is false; -errno. */
int runtime_open(const char *pin_root, bool create, struct runtime *ret);
/* As runtime_open() with create, and waits for the lock on it, which goes with ret->fd. */
int runtime_open_locked(const char *pin_root, struct runtime *ret);
void runtime_close(struct runtime *runtime);
/* Removes the files in it and the directory itself. */
int runtime_remove(struct runtime *runtime);

/*
 * The agent's lock, held until *ret_fd is closed. -EBUSY: another agent has it. Waits for those who stand in, so that what is read
 * afterwards is what they made.
 */
int runtime_agent_lock(const struct runtime *runtime, int *ret_fd);
/*
 * runtime_stand_in - for who does an agent's work while none runs, until *ret_fd is closed
 *
 * An agent that starts meanwhile waits. Returns 0; -EBUSY: there is one, or one that is starting; -errno.
 */
int runtime_stand_in(const struct runtime *runtime, int *ret_fd);
/*
 * The agent's process, or 0 when none holds the lock; -errno. Not for the agent itself, nor for who stands in: as record locks
 * are, theirs are lost with the first descriptor of the file that they close.
 */
pid_t runtime_agent_pid(const struct runtime *runtime);

/*
 * The address of the agent's control socket, through /proc/self/fd so that the length of the pin root does not
 * matter.
 */
int runtime_socket(const struct runtime *runtime, struct sockaddr_un *ret);

/* Facts written at load time. Reading: -ENOENT when there are none, -EBADMSG when they cannot be read as such. */
int runtime_facts_write(const struct runtime *runtime, const struct runtime_facts *facts);
int runtime_facts_read(const struct runtime *runtime, struct runtime_facts *ret);

/* The same of a sysctl that was changed; to be written before it is changed, and forgotten once it is put back. */
int runtime_sysctl_write(const struct runtime *runtime, const struct runtime_sysctl *sysctl);
int runtime_sysctl_read(const struct runtime *runtime, struct runtime_sysctl *ret);
int runtime_sysctl_forget(const struct runtime *runtime);

#endif
