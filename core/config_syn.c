// SPDX-License-Identifier: MIT
/* Floor 3: when the SYN guard is active, and for which ports. */
#include "core/config_internal.h"

const char *const syn_cookies[] = { [SYN_OFF] = "off", [SYN_AUTO] = "auto", [SYN_ALWAYS] = "always", NULL };

const struct rule syn_port_rule = {
	.read = read_integer, .expected = "an integer from 1 to 65535", .size = sizeof(uint16_t), .min = 1, .max = 65535
};
