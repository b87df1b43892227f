// SPDX-License-Identifier: MIT
/* Floor 3: tells kernels whose sockmap is known to lose or corrupt data. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "core/util.h"
#include "core/kernel.h"

#define TOO_OLD "its sockmap lacks what guarding connections needs"
#define PARTIAL_SEND "its sockmap corrupts data when a send is cut short (fixed upstream by 3b4f14b79428)"

/* Versions from `first` on, up to but without `fixed`. */
static const struct fault {
	struct kernel_version first, fixed;
	const char *why;
} faults[] = {
	{ { 0, 0, 0 }, { 6, 0, 0 }, TOO_OLD },	      { { 6, 0, 0 }, { 6, 1, 142 }, PARTIAL_SEND },
	{ { 6, 2, 0 }, { 6, 6, 94 }, PARTIAL_SEND },  { { 6, 7, 0 }, { 6, 12, 34 }, PARTIAL_SEND },
	{ { 6, 13, 0 }, { 6, 15, 0 }, PARTIAL_SEND },
};

static int compare(const struct kernel_version *a, const struct kernel_version *b)
{
	if (a->major != b->major)
		return a->major < b->major ? -1 : 1;
	if (a->minor != b->minor)
		return a->minor < b->minor ? -1 : 1;
	return a->patch < b->patch ? -1 : a->patch > b->patch;
}

static int parse(const char *text, struct kernel_version *ret)
{
	struct kernel_version v = {};

	if (sscanf(text, "%u.%u.%u", &v.major, &v.minor, &v.patch) < 2)
		return -EINVAL;
	*ret = v;
	return 0;
}

int kernel_version_parse(const char *release, const char *version, const char *signature, struct kernel_version *ret)
{
	static const char debian[] = " Debian ";
	const char *p;

	/* "Ubuntu 6.8.0-45.45-generic 6.8.12" */
	p = signature ? strrchr(signature, ' ') : NULL;
	if (p && parse(p + 1, ret) == 0)
		return 0;
	/* "#1 SMP PREEMPT_DYNAMIC Debian 6.1.158-1 (2025-11-09)" */
	p = strstr(version, debian);
	if (p && parse(p + strlen(debian), ret) == 0)
		return 0;
	return parse(release, ret);
}

const char *kernel_sockmap_fault(const struct kernel_version *version)
{
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
		if (compare(version, &faults[i].first) >= 0 && compare(version, &faults[i].fixed) < 0)
			return faults[i].why;
	return NULL;
}

const char *kernel_running_fault(char *ret_name, size_t size)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/version_signature", "re");
	struct kernel_version version;
	char signature[256] = "";
	struct utsname name;

	if (f && !fgets(signature, sizeof(signature), f))
		signature[0] = '\0';
	if (uname(&name) < 0 || kernel_version_parse(name.release, name.version, signature, &version) < 0)
		return NULL;
	snprintf(ret_name, size, "%u.%u.%u", version.major, version.minor, version.patch);
	return kernel_sockmap_fault(&version);
}
