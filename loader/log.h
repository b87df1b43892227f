/* SPDX-License-Identifier: MIT */
/* Floor 5: lines on stderr, each opened by the program's name; and libbpf's, kept until a load fails. */
#ifndef MPBPF_LOADER_LOG_H
#define MPBPF_LOADER_LOG_H

#include <stdbool.h>

/* One line; the newline is added. */
__attribute__((format(printf, 1, 2))) void log_line(const char *format, ...);

/* From now on libbpf's lines are kept, and with `verbose` also shown as they come. */
void log_libbpf(bool verbose);
/* Shows what was kept, the verifier's log with it; forgets it. */
void log_libbpf_show(void);
void log_libbpf_forget(void);

#endif
