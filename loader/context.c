// SPDX-License-Identifier: MIT
/* Floor 5: what several commands need before they begin: rights, the cgroup, the configuration. */
#include <errno.h>
#include <string.h>
#include <linux/magic.h>

#include "core/system.h"
#include "core/util.h"
#include "loader/commands.h"
#include "loader/log.h"

int context_need_root(void)
{
	if (geteuid() == 0)
		return EXIT_DONE;
	log_line("this must be run as root");
	return EXIT_FAILED;
}

int cgroup_check(const char *cgroup)
{
	int r = system_fs_is(cgroup, CGROUP2_SUPER_MAGIC);

	if (r == 1)
		return EXIT_DONE;
	log_line("--cgroup %s: %s", cgroup, r < 0 ? strerror(-r) : "not a directory of a cgroup2 file system");
	return EXIT_FAILED;
}

int context_cgroup(const struct context *c, char *ret, size_t size)
{
	if (c->cgroup[0]) {
		snprintf(ret, size, "%s", c->cgroup);
		return cgroup_check(ret);
	}
	if (system_cgroup2(ret, size) == 0)
		return EXIT_DONE;
	log_line("no cgroup2 file system is mounted%s; mount one (`mount -t cgroup2 cgroup2 DIR`) or name a directory "
		 "with --cgroup",
		 system_mounts_private() ? " in this private mount namespace (instead of `ip netns exec` use `nsenter "
					   "--net=/run/netns/NAME`)"
					 : "");
	return EXIT_FAILED;
}

/* What the file says, or that it is not there, is for its author to mend; the rest is the machine's. */
int config_exit_code(int r)
{
	return r == -ENOMEM || r == -EIO ? EXIT_FAILED : EXIT_USAGE;
}

int context_config(const char *path, struct config **ret)
{
	_cleanup_(config_free_ptr) struct config *config = NULL;
	struct config_error error = {};
	int r;

	r = config_load(path && path[0] ? path : NULL, &config, &error);
	if (r < 0) {
		log_line("%s", error.text);
		return config_exit_code(r);
	}
	for (size_t i = 0; i < config->n_warnings; i++)
		log_line("%s", config->warnings[i]);
	*ret = TAKE_PTR(config);
	return EXIT_DONE;
}
