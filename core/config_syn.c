// SPDX-License-Identifier: MIT
/* Floor 3: when the SYN guard is active, and for which ports; how many connections a source may make and have. */
#include "core/config_internal.h"

const char *const syn_cookies[] = { [SYN_OFF] = "off", [SYN_AUTO] = "auto", [SYN_ALWAYS] = "always", NULL };

const struct rule syn_port_rule = {
	.read = read_integer, .expected = "an integer from 1 to 65535", .size = sizeof(uint16_t), .min = 1, .max = 65535
};

static const char *const connections_modes[] = { "enforce", "monitor", NULL };

const struct rule connections_rules[] = {
	BOOL("enabled", struct connections_config, enabled),
	{ .key = "per_second",
	  .read = read_number,
	  .expected = "a number from 0.001 to 1000000, connections a second",
	  FIELD(struct connections_config, rate),
	  .min = 0.001,
	  .max = 1000000 },
	INTEGER("burst", struct connections_config, burst, 1, 1000000),
	INTEGER("open", struct connections_config, open, 0, 1000000),
	NAME("mode", struct connections_config, mode, connections_modes, RATE_ENFORCE, "\"enforce\" or \"monitor\""),
	{},
};
