// SPDX-License-Identifier: MIT
/* Floor 3: the reasons that networks are listed for: texts by number, of which those that nobody bears any more are reused. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>

#include "core/lists.h"
#include "core/util.h"

bool list_reason_is_valid(const char *text)
{
	size_t len;

	for (len = 0; text[len]; len++)
		if (text[len] < ' ' || text[len] > '~')
			return false;
	return len && len < MPBPF_LIST_REASON_SIZE;
}

int list_reasons_read(const struct maps *maps, struct list_reason **ret)
{
	_cleanup_free_ struct list_reason *reasons = calloc(MPBPF_LIST_REASONS, sizeof(*reasons));
	_cleanup_free_ __u32 *keys = calloc(MPBPF_LIST_REASONS, sizeof(*keys));
	__u32 n = MPBPF_LIST_REASONS, position;
	int r;

	if (!reasons || !keys)
		return -ENOMEM;
	r = bpf_map_lookup_batch(maps->fd[MAP_LIST_REASONS], NULL, &position, keys, reasons, &n, NULL);
	if (r < 0 && r != -ENOENT)
		return r;
	*ret = TAKE_PTR(reasons);
	return 0;
}

/* Numbers that no network of either list bears. Returns one of them, or 0. */
static int free_unused(const struct lists *lists, uint32_t *ret)
{
	static const struct list_reason none;
	bool used[MPBPF_LIST_REASONS] = {};
	uint32_t first = 0;
	int r = 0;

	for (enum cidr_list list = 0; r == 0 && list < CIDR_LIST_MAX; list++) {
		struct lists one = { .maps = lists->maps, .pin_root = lists->pin_root, .list = list };
		_cleanup_free_ struct list_entry *entries = NULL;
		size_t n = 0;

		r = list_read(&one, &entries, &n);
		for (size_t i = 0; i < n; i++)
			if (entries[i].listed.reason && entries[i].listed.reason <= MPBPF_LIST_REASONS)
				used[entries[i].listed.reason - 1] = true;
	}
	for (uint32_t i = MPBPF_LIST_REASONS; r == 0 && i-- > 0;) {
		if (used[i])
			continue;
		r = bpf_map_update_elem(lists->maps->fd[MAP_LIST_REASONS], &i, &none, BPF_ANY);
		first = i + 1;
	}
	if (r == 0)
		*ret = first;
	return r;
}

int list_reason_number(const struct lists *lists, const char *text, uint32_t *ret)
{
	_cleanup_free_ struct list_reason *reasons = NULL;
	struct list_reason reason = {};
	uint32_t number = 0, at;
	int r;

	r = list_reasons_read(lists->maps, &reasons);
	if (r < 0)
		return r;
	strncpy(reason.text, text, sizeof(reason.text) - 1);
	for (at = 0; at < MPBPF_LIST_REASONS; at++) {
		if (!strcmp(reasons[at].text, reason.text)) {
			*ret = at + 1;
			return 0;
		}
		if (!number && !reasons[at].text[0])
			number = at + 1;
	}
	if (!number)
		r = free_unused(lists, &number);
	if (r == 0 && !number)
		r = -EUSERS;
	at = number - 1;
	if (r == 0)
		r = bpf_map_update_elem(lists->maps->fd[MAP_LIST_REASONS], &at, &reason, BPF_ANY);
	if (r == 0)
		*ret = number;
	return r;
}
