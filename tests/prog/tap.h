/* SPDX-License-Identifier: MIT */
/* Tests: results in TAP version 13. A test is any number of CHECKs and then one tap_result() with its name. */
#ifndef MPBPF_TESTS_TAP_H
#define MPBPF_TESTS_TAP_H

#include <stdbool.h>

void tap_start(void);
void tap_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Counts a fault of the test under way. */
void tap_fault(void);
/* Ends the test under way: it failed if anything was wrong since the last result. */
void tap_result(const char *name);
/* The test could not be made here; `why` is for the reader. */
void tap_skip(const char *name, const char *why);
/* Ends the program: nothing further can be tested. */
void tap_bail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
/* The plan, known at last; returns what main() returns. */
int tap_end(void);

/* Notes what was wrong; the test goes on, so that one run shows every fault. */
#define CHECK(condition, ...)                  \
	({                                     \
		bool _held = (condition);      \
		if (!_held) {                  \
			tap_note(__VA_ARGS__); \
			tap_fault();           \
		}                              \
		_held;                         \
	})

#endif
