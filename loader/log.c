// SPDX-License-Identifier: MIT
/* Floor 5: writes lines to stderr and keeps libbpf's for the case that a load fails. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/libbpf.h>

#include "loader/log.h"

/* A verifier log can be megabytes; its end says why. */
#define KEPT_MAX (256 << 10)

static char kept[KEPT_MAX];
static size_t kept_len;
static bool show_all;

void log_line(const char *format, ...)
{
	va_list args;

	flockfile(stderr); /* threads' lines stay whole */
	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	funlockfile(stderr);
}

/* Keeps the end of what does not fit. */
static void keep(const char *text, size_t len)
{
	if (len > KEPT_MAX) {
		text += len - KEPT_MAX;
		len = KEPT_MAX;
	}
	if (kept_len + len > KEPT_MAX) {
		size_t drop = kept_len + len - KEPT_MAX;

		memmove(kept, kept + drop, kept_len - drop);
		kept_len -= drop;
	}
	memcpy(kept + kept_len, text, len);
	kept_len += len;
}

static int on_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	char *text = NULL;
	int n;

	if (level == LIBBPF_DEBUG && !show_all)
		return 0;
	n = vasprintf(&text, format, args);
	if (n < 0)
		return n;
	if (show_all)
		fwrite(text, 1, n, stderr);
	else
		keep(text, n);
	free(text);
	return n;
}

void log_libbpf(bool verbose)
{
	show_all = verbose;
	libbpf_set_print(on_libbpf);
}

void log_libbpf_show(void)
{
	fwrite(kept, 1, kept_len, stderr);
	kept_len = 0;
}

void log_libbpf_forget(void)
{
	kept_len = 0;
}
