// SPDX-License-Identifier: MIT
/* Floor 4: names for connections. */
#include <errno.h>
#include <stdint.h>
#include <sys/random.h>

#include "gateway/unique_id.h"

int unique_id_make(char ret[UNIQUE_ID_LEN])
{
	static const char digits[] = "0123456789abcdef";
	uint8_t random[UNIQUE_ID_LEN / 2];
	ssize_t n;

	do
		n = getrandom(random, sizeof(random), 0);
	while (n < 0 && errno == EINTR);
	if (n != sizeof(random))
		return n < 0 ? -errno : -EIO;
	for (int i = 0; i < UNIQUE_ID_LEN / 2; i++) {
		ret[2 * i] = digits[random[i] >> 4];
		ret[2 * i + 1] = digits[random[i] & 0xf];
	}
	return 0;
}
