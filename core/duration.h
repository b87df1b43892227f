/* SPDX-License-Identifier: MIT */
/* Floor 3: lengths of time as users write them. */
#ifndef MPBPF_CORE_DURATION_H
#define MPBPF_CORE_DURATION_H

#include <stdint.h>

/* "30s", "10m", "2h", "7d" in seconds: at least one, at most a century. 0; -ERANGE: longer; -EINVAL. */
int duration_parse(const char *text, int64_t *ret);

#endif
