/* SPDX-License-Identifier: MIT */
/* Floor 5: the version of both programs. */
#ifndef MPBPF_LOADER_VERSION_H
#define MPBPF_LOADER_VERSION_H

#define MPBPF_VERSION "0.1.0"

#endif
