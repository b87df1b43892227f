// SPDX-License-Identifier: MIT
/* Floor 3: lengths of time as users write them. */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "core/duration.h"
#include "core/util.h"

#define DURATION_MAX_S (36500LL * 86400)

int duration_parse(const char *text, int64_t *ret)
{
	static const struct {
		char unit;
		int64_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	long long n;
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return -EINVAL;
	errno = 0;
	n = strtoll(text, &end, 10);
	if (errno || !n || !end[0] || end[1])
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (end[0] != units[i].unit)
			continue;
		if (n > DURATION_MAX_S / units[i].seconds)
			return -ERANGE;
		*ret = n * units[i].seconds;
		return 0;
	}
	return -EINVAL;
}
