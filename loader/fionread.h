/* SPDX-License-Identifier: MIT */
/* Floor 5: what FIONREAD tells a service of bytes that the helper handed back, and the programs that mend it on some kernels. */
#ifndef MPBPF_LOADER_FIONREAD_H
#define MPBPF_LOADER_FIONREAD_H

#include <stdbool.h>

struct mpbpf;

enum fionread {
	FIONREAD_KERNEL, /* the kernel counts them: it has tcp_bpf_ioctl */
	FIONREAD_ADDED,	 /* kprobe_tcp_ioctl and kretprobe_tcp_ioctl can add them */
	FIONREAD_SHORT,	 /* neither: a service that asks may wait for what it has */
};

/* Does the kernel count them itself? */
bool fionread_is_whole(void);
/* Found by loading the programs alone, once in a process. */
enum fionread fionread_try(void);
/* Before the object is loaded: with the programs, or without. */
void fionread_choose(struct mpbpf *object, bool with);
/*
 * fionread_attach - after it was loaded; nothing is done when it was without
 * pin_root: pins the links there; NULL: they hold until this process ends
 *
 * Returns 0 or -errno.
 */
int fionread_attach(const struct mpbpf *object, const char *pin_root);
/* The same, and logs what it means when FIONREAD stays short: listeners can be guarded all the same. */
void fionread_attach_or_say(const struct mpbpf *object, const char *pin_root);

#endif
