// SPDX-License-Identifier: MIT
/* Floor 3: what slow and hostile clients are held to. */
#include "core/config_internal.h"

_Static_assert(MPBPF_CONNS_MAX == 262144, "the range of max_waiting");

static const struct rule asks_rules[] = {
	BOOL("enabled", struct asks_config, enabled),
	{ .key = "rate",
	  .read = read_number,
	  .expected = "a number from 0.001 to 1000000, requests a second",
	  FIELD(struct asks_config, rate),
	  .min = 0.001,
	  .max = 1000000 },
	INTEGER("burst", struct asks_config, burst, 1, 1000000),
	{},
};

const struct rule clients_rules[] = {
	INTEGER("head_timeout_s", struct clients_config, head_timeout_s, 1, 3600),
	INTEGER("body_timeout_s", struct clients_config, body_timeout_s, 1, 86400),
	INTEGER("max_waiting", struct clients_config, max_waiting, 1, 262144),
	INTEGER("max_held_bytes", struct clients_config, max_held_bytes, 1048576, 4294967295),
	OBJECT("asks", struct clients_config, asks, asks_rules),
	{},
};
