// SPDX-License-Identifier: MIT
/* Floor 3: base64 and base64url, decoded strictly. */
#include <errno.h>
#include <stdint.h>

#include "core/base64.h"

static int sextet(enum base64_alphabet alphabet, char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == (alphabet == BASE64_URL ? '-' : '+'))
		return 62;
	if (c == (alphabet == BASE64_URL ? '_' : '/'))
		return 63;
	return -EINVAL;
}

ssize_t base64_decode(enum base64_alphabet alphabet, const char *text, size_t len, unsigned char *out)
{
	uint32_t bits = 0;
	unsigned int have = 0;
	size_t i, n = 0;
	int v;

	if (len % 4 == 1)
		return -EINVAL;
	for (i = 0; i < len; i++) {
		v = sextet(alphabet, text[i]);
		if (v < 0)
			return v;
		bits = bits << 6 | (uint32_t)v;
		have += 6;
		if (have >= 8) {
			have -= 8;
			out[n++] = (unsigned char)(bits >> have);
			bits &= (1U << have) - 1;
		}
	}
	return bits ? -EINVAL : (ssize_t)n;
}

ssize_t base64_unpadded(const char *text, size_t len)
{
	size_t n = len;

	while (n > 0 && text[n - 1] == '=')
		n--;
	if (n == len)
		return (ssize_t)n;
	return len % 4 == 0 && len - n <= 2 ? (ssize_t)n : -EINVAL;
}
