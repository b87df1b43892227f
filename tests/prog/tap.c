/* SPDX-License-Identifier: MIT */
/* Tests: the TAP writer. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "tap.h"

static unsigned int results, faults, failures;

static void print(const char *prefix, const char *format, va_list args)
{
	fputs(prefix, stdout);
	vprintf(format, args);
	putchar('\n');
}

void tap_start(void)
{
	setlinebuf(stdout);
	puts("TAP version 13");
}

void tap_note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print("# ", format, args);
	va_end(args);
}

void tap_fault(void)
{
	faults++;
}

void tap_result(const char *name)
{
	printf("%sok %u - %s\n", faults ? "not " : "", ++results, name);
	failures += !!faults;
	faults = 0;
}

void tap_skip(const char *name, const char *why)
{
	printf("ok %u - %s # SKIP %s\n", ++results, name, why);
}

void tap_bail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print("Bail out! ", format, args);
	va_end(args);
	exit(1);
}

int tap_end(void)
{
	printf("1..%u\n", results);
	return failures || !results;
}
