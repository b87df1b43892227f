/* SPDX-License-Identifier: MIT */
/* Floor 5: the tables of commands and options, from which both the parsing and the help are made. */
#ifndef MPBPF_LOADER_CMD_TABLE_H
#define MPBPF_LOADER_CMD_TABLE_H

#include <stddef.h>

#include "loader/commands.h"

enum option_id {
	OPTION_PIN_ROOT = 256,
	OPTION_CGROUP,
	OPTION_JSON,
	OPTION_VERBOSE,
	OPTION_HELP,
	OPTION_VERSION,
	OPTION_IFACE,
	OPTION_CONFIG,
	OPTION_XDP_MODE,
	OPTION_NO_AGENT,
	OPTION_FOREGROUND,
	OPTION_TOKEN_FILE,
	OPTION_SUB,
	OPTION_JTI,
	OPTION_FOR,
	OPTION_REVOCATIONS,
	OPTION_FILE,
	OPTION_REASON,
	OPTION_NETWORK, /* a word of its own, without a name */
	OPTION_SOURCE,
	OPTION_LISTENER,
	OPTION_HOST,
	OPTION_PATH,
	OPTION_FOLLOW,
	OPTION_TOP,
	OPTION_DESTINATION,
};

#define OPTIONS_MAX 32 /* bits of a word */
#define BIT(id) (1U << ((id) - 256))
#define GLOBAL                                                                                                   \
	(BIT(OPTION_PIN_ROOT) | BIT(OPTION_CGROUP) | BIT(OPTION_JSON) | BIT(OPTION_VERBOSE) | BIT(OPTION_HELP) | \
	 BIT(OPTION_VERSION))

struct option_row {
	enum option_id id;
	const char *name;
	const char *argument; /* NULL: takes none */
	const char *help;
};

extern const struct option_row options[];
extern const size_t n_options;

struct command {
	const char *name;
	const char *action; /* the second word, NULL: there is none */
	const char *summary;
	unsigned int options; /* beside the global ones */
	int (*run)(const struct context *c);
};

extern const struct command commands[];
extern const size_t n_commands;

#endif
