// SPDX-License-Identifier: MIT
/* Floor 5: publishes a configuration under the publishers' lock, after checking that the data path can carry it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/pins.h"
#include "core/policy.h"
#include "core/util.h"
#include "loader/apply.h"
#include "loader/capturing.h"
#include "loader/datapath.h"
#include "loader/steering.h"

static const char *error_text(int r)
{
	switch (r) {
	case -ENAMETOOLONG: return "its path is longer than 255 bytes";
	case -E2BIG: return "it does not fit into the policy maps";
	case -EEXIST: return "two listeners have the same address and port";
	default: return strerror(-r);
	}
}

/* "a", "a and b", "a, b and c changed: ..." */
static void note_fixed(const struct maps *maps, const struct config *config, struct apply_report *ret)
{
	struct policy_fixed fixed;
	const char *changed[4];
	size_t n = 0, len = 0;

	if (policy_fixed_differ(maps, config, &fixed) < 0)
		return;
	if (fixed.max_sources)
		changed[n++] = "rate_limit.max_sources";
	if (fixed.max_quotas)
		changed[n++] = "rate_limit.max_quotas";
	if (fixed.max_verdicts)
		changed[n++] = "cache.max_verdicts";
	if (fixed.max_flows)
		changed[n++] = "classify.max_flows";
	for (size_t i = 0; i < n; i++)
		len += snprintf(ret->text + len, sizeof(ret->text) - len, "%s%s",
				!i	    ? ""
				: i + 1 < n ? ", "
					    : " and ",
				changed[i]);
	if (n)
		snprintf(ret->text + len, sizeof(ret->text) - len, " changed: that takes effect at the next load");
}

int apply_config(const char *pin_root, const struct maps *maps, const struct config *config, const char *path,
		 struct apply_report *ret)
{
	_cleanup_close_ int lock = -1;
	int r;

	ret->text[0] = '\0';
	if (config_n_guarded(config) && !datapath_has_l7(pin_root)) {
		snprintf(ret->text, sizeof(ret->text),
			 "%s: it has listeners, but this data path was loaded without the L7 programs", path ?: "");
		return -EOPNOTSUPP;
	}
	if ((config_n_captures(config, CAPTURE_OUT) && !capturing_pinned(pin_root)) ||
	    (config_n_captures(config, CAPTURE_IN) && !steering_pinned(pin_root))) {
		snprintf(ret->text, sizeof(ret->text),
			 "%s: it has captures, but this kernel cannot capture connections (`mpbpf check` says why)",
			 path ?: "");
		return -EOPNOTSUPP;
	}
	lock = pins_policy_lock(pin_root);
	r = lock < 0 ? lock : policy_publish(maps, config, path);
	if (r < 0) {
		snprintf(ret->text, sizeof(ret->text), "%s: the policy in force stays: %s", path ?: "", error_text(r));
		return r;
	}
	maps->control->wall_offset_ns = clock_wall_offset();
	note_fixed(maps, config, ret);
	return 0;
}
