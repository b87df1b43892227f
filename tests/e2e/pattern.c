// SPDX-License-Identifier: MIT
/*
 * Test tool: files whose bytes all differ from those around them.
 *
 *   pattern PATH=SIZE...		makes or replaces each file; the same size gives the same bytes
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* SplitMix64: no stretch of bytes comes twice, wherever it is cut. */
static uint64_t word(uint64_t i)
{
	i *= 0x9e3779b97f4a7c15;
	i = (i ^ i >> 30) * 0xbf58476d1ce4e5b9;
	i = (i ^ i >> 27) * 0x94d049bb133111eb;
	return i ^ i >> 31;
}

static int pattern(const char *path, size_t size)
{
	FILE *f = fopen(path, "w");
	uint64_t w, i = 0;
	size_t n;

	if (!f)
		return -1;
	for (; size; size -= n) {
		w = word(++i);
		n = size < sizeof(w) ? size : sizeof(w);
		fwrite_unlocked(&w, n, 1, f);
	}
	return fclose(f);
}

int main(int argc, char **argv)
{
	char *equals;
	int i;

	for (i = 1; i < argc; i++) {
		equals = strrchr(argv[i], '=');
		if (!equals)
			return 2;
		*equals = 0;
		if (pattern(argv[i], strtoul(equals + 1, NULL, 10))) {
			perror(argv[i]);
			return 1;
		}
	}
	return 0;
}
