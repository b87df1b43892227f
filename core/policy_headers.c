// SPDX-License-Identifier: MIT
/* Floor 3: header lines that the kernel adds to the responses of listeners. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/policy_headers.h"
#include "core/util.h"

#define KEY_SHOWN 4 /* characters at the end of the licence's key */
#define KEY_LEN 29

/* PENG-XXXX-XXXX-XXXX-XXXX-ABCD as PENG-****-****-****-****-ABCD. */
static void key_mask(const char *key, char ret[KEY_LEN + 1])
{
	snprintf(ret, KEY_LEN + 1, "PENG-****-****-****-****-%s", key + KEY_LEN - KEY_SHOWN);
}

static int license_lines(const struct license_config *license, char *text, size_t size)
{
	const char *edition = license->is_enterprise ? "enterprise" : "community";
	char key[KEY_LEN + 1] = "", line[64] = "";

	if (license->license_key) {
		key_mask(license->license_key, key);
		snprintf(line, sizeof(line), "X-License-Key: %s\r\n", key);
	}
	return snprintf(text, size, "X-License-Edition: %s\r\n%sX-MarchProxy-Edition: %s\r\n", edition, line, edition);
}

/* White space behind a value is no part of it (RFC 9110, section 5.5). */
static void fill_up(struct header_block *block)
{
	static const uint32_t sizes[] = { 128, 256, MPBPF_HEADERS_SIZE };
	uint32_t len = block->len;
	size_t i = 0;

	while (sizes[i] < len)
		i++;
	memset(block->text + len - 2, ' ', sizes[i] - len);
	memcpy(block->text + sizes[i] - 2, "\r\n", 2);
	block->len = sizes[i];
}

int header_block_of(const struct config *config, size_t i, uint32_t generation, struct header_block *ret)
{
	const struct listener_config *listener = &config->listeners[i];
	char text[2 * MPBPF_HEADERS_SIZE];
	int len = 0;

	*ret = (struct header_block){ .generation = generation };
	if (listener->license_headers)
		len = license_lines(&config->license, text, sizeof(text));
	len += snprintf(text + len, sizeof(text) - len, "%s", listener->response_headers ?: "");
	if (len > MPBPF_HEADERS_SIZE)
		return -E2BIG;
	if (!len)
		return 0;
	memcpy(ret->text, text, len);
	ret->len = len;
	fill_up(ret);
	return 0;
}

size_t headers_first(const struct config *config, size_t i)
{
	const struct listener_config *listener = &config->listeners[i], *other = config->listeners;

	for (; other < listener; other++)
		if (other->license_headers == listener->license_headers &&
		    !strcmp(other->response_headers ?: "", listener->response_headers ?: ""))
			break;
	return other - config->listeners;
}

uint16_t headers_place(const struct config *config, size_t i)
{
	size_t first = headers_first(config, i);
	uint16_t place = 1;

	if (!config->listeners[i].license_headers && !config->listeners[i].response_headers)
		return 0;
	for (size_t k = 0; k < first; k++)
		place += headers_first(config, k) == k &&
			 (config->listeners[k].license_headers || config->listeners[k].response_headers);
	return place;
}
