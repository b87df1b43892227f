// SPDX-License-Identifier: MIT
/* Unit tests of core/path.c: which targets are refused, what the others become, and which are exact. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/util.h"
#include "http1_check.h"
#include "core/path.h"

/* The target flush against a page that cannot be read, the output in as little memory as is promised. */
static int normalize(const char *target, size_t len, char **ret_out, bool *ret_exact)
{
	char *out = malloc(len + 2);
	bool yes = true, no = false;
	int n;

	assert_non_null(out);
	n = path_normalize((const char *)http1_guarded(target, len, true), len, out, &yes);
	assert_int_equal(path_normalize((const char *)http1_guarded(target, len, false), len, out, &no), n);
	if (n < 0) {
		assert_int_equal(n, -EINVAL);
		assert_true(yes && !no);
		free(out);
		*ret_out = NULL;
		return n;
	}
	assert_int_equal(yes, no);
	assert_int_equal(strlen(out), n);
	*ret_exact = yes;
	*ret_out = out;
	return n;
}

/* `path` NULL: refused. */
static void assert_path(const char *target, size_t len, const char *path, bool exact)
{
	_cleanup_free_ char *out = NULL;
	bool is_exact = false;
	int n = normalize(target, len, &out, &is_exact);

	if (n < 0 ? !!path : !path || strcmp(out, path))
		fail_msg("%s: %s, expected %s", http1_shown(target, len), out ? out : "refused",
			 path ? path : "refused");
	if (path && exact != is_exact)
		fail_msg("%s is%s exact", http1_shown(target, len), is_exact ? "" : " not");
}

#define REFUSED NULL, false
#define EXACT(path) path, true
#define INEXACT(path) path, false

static const struct {
	const char *target, *path;
	bool exact;
} cases[] = {
	/* as they are */
	{ "/", EXACT("/") },
	{ "/a", EXACT("/a") },
	{ "/a/", EXACT("/a/") },
	{ "/a/b/c.html", EXACT("/a/b/c.html") },
	{ "/-._~!$&'()*+,=:@09AZaz", EXACT("/-._~!$&'()*+,=:@09AZaz") },
	{ "/...", EXACT("/...") },
	{ "/.../a", EXACT("/.../a") },
	{ "/.a/a./..a/a../a..b", EXACT("/.a/a./..a/a../a..b") },
	{ "/a:b", EXACT("/a:b") },
	{ "/http://a", INEXACT("/http://a") },
	{ "/*", EXACT("/*") },
	/* escapes of unreserved characters are decoded */
	{ "/%61", EXACT("/a") },
	{ "/%7Ea", EXACT("/~a") },
	{ "/%7ea", EXACT("/~a") },
	{ "/%41%5A%61%7a%30%39", EXACT("/AZaz09") },
	{ "/%2D%2E%5F%7E", EXACT("/-._~") },
	{ "/%2da", EXACT("/-a") },
	{ "/h%65althz", EXACT("/healthz") },
	{ "/a%2Eb", EXACT("/a.b") },
	{ "/%2e%2e%2e", EXACT("/...") },
	{ "/a%61", EXACT("/aa") },
	/* once only */
	{ "/%2561", INEXACT("/%2561") },
	{ "/%25%36%31", INEXACT("/%2561") },
	{ "/%252e%252e/a", INEXACT("/%252e%252e/a") },
	{ "/%252f", INEXACT("/%252f") },
	/* dot segments, spelt out or not */
	{ "/.", INEXACT("/.") },
	{ "/..", INEXACT("/..") },
	{ "/./", INEXACT("/./") },
	{ "/../", INEXACT("/../") },
	{ "/./a", INEXACT("/./a") },
	{ "/../a", INEXACT("/../a") },
	{ "/a/.", INEXACT("/a/.") },
	{ "/a/..", INEXACT("/a/..") },
	{ "/a/./b", INEXACT("/a/./b") },
	{ "/a/../b", INEXACT("/a/../b") },
	{ "/healthz/../admin", INEXACT("/healthz/../admin") },
	{ "/%2e", INEXACT("/.") },
	{ "/%2E%2e/a", INEXACT("/../a") },
	{ "/.%2e", INEXACT("/..") },
	{ "/%2e.", INEXACT("/..") },
	{ "/a/%2e%2e/b", INEXACT("/a/../b") },
	{ "/a/%2e/b", INEXACT("/a/./b") },
	/* empty segments */
	{ "//", INEXACT("//") },
	{ "//a", INEXACT("//a") },
	{ "/a//b", INEXACT("/a//b") },
	{ "/a//", INEXACT("/a//") },
	{ "///", INEXACT("///") },
	/* parameters */
	{ "/a;b", INEXACT("/a;b") },
	{ "/;", INEXACT("/;") },
	{ "/..;/a", INEXACT("/..;/a") },
	{ "/a;/../b", INEXACT("/a;/../b") },
	{ "/a%3Bb", INEXACT("/a%3Bb") },
	/* characters that no URI has, plain or escaped; other escapes */
	{ "/\"", INEXACT("/\"") },
	{ "/<a>", INEXACT("/<a>") },
	{ "/[a]", INEXACT("/[a]") },
	{ "/a^b", INEXACT("/a^b") },
	{ "/`", INEXACT("/`") },
	{ "/{a|b}", INEXACT("/{a|b}") },
	{ "/\xc3\xa4", INEXACT("/\xc3\xa4") },
	{ "/%C3%A4", INEXACT("/%C3%A4") },
	{ "/%c0%ae", INEXACT("/%c0%ae") },
	{ "/%ff", INEXACT("/%ff") },
	{ "/%20", INEXACT("/%20") },
	{ "/a%3Fb", INEXACT("/a%3Fb") },
	{ "/a%23b", INEXACT("/a%23b") },
	{ "/%2B%61", INEXACT("/%2Ba") },
	{ "/%61%40%61", INEXACT("/a%40a") },
	{ "/%2a", INEXACT("/%2a") },
	/* malformed escapes */
	{ "/%", REFUSED },
	{ "/%6", REFUSED },
	{ "/%6/a", REFUSED },
	{ "/%%61", REFUSED },
	{ "/%g1", REFUSED },
	{ "/%1g", REFUSED },
	{ "/% 1", REFUSED },
	{ "/%+1", REFUSED },
	{ "/%0x", REFUSED },
	{ "/%u0061", REFUSED },
	{ "/a%", REFUSED },
	{ "/%61%6", REFUSED },
	/* what servers disagree on beyond repair */
	{ "/a%2fb", REFUSED },
	{ "/a%2Fb", REFUSED },
	{ "/%2f", REFUSED },
	{ "/..%2fa", REFUSED },
	{ "/a\\b", REFUSED },
	{ "/a/..\\b", REFUSED },
	{ "/a%5cb", REFUSED },
	{ "/a%5Cb", REFUSED },
	{ "/a%00", REFUSED },
	{ "/%00", REFUSED },
	{ "/a%0ab", REFUSED },
	{ "/a%0D%0Ab", REFUSED },
	{ "/a%09", REFUSED },
	{ "/%1f", REFUSED },
	{ "/%7F", REFUSED },
	/* other forms */
	{ "*", INEXACT("*") },
	{ "**", REFUSED },
	{ "*/", REFUSED },
	{ "", REFUSED },
	{ "a", REFUSED },
	{ "a:80", REFUSED },
	{ "a/b", REFUSED },
	{ ".", REFUSED },
	{ "..", REFUSED },
	{ "%2f", REFUSED },
	{ "%2fa", REFUSED },
	{ "\\a", REFUSED },
	{ "http://a", EXACT("/") },
	{ "http://a/", EXACT("/") },
	{ "http://a/b", EXACT("/b") },
	{ "HTTP://A/b", EXACT("/b") },
	{ "hTTpS://a:443/b/", EXACT("/b/") },
	{ "https://a", EXACT("/") },
	{ "https://[::1]:80/b", EXACT("/b") },
	{ "http://a/%62", EXACT("/b") },
	{ "http://a//b", INEXACT("//b") },
	{ "http://a/../b", INEXACT("/../b") },
	{ "http://a/b;c", INEXACT("/b;c") },
	{ "http://a/%2f", REFUSED },
	{ "http://a/b%", REFUSED },
	{ "http://a/\\b", REFUSED },
	{ "http://", REFUSED },
	{ "http:///", REFUSED },
	{ "http:///a", REFUSED },
	{ "https://", REFUSED },
	{ "https:///a", REFUSED },
	{ "http:/", REFUSED },
	{ "http:/a", REFUSED },
	{ "http:a", REFUSED },
	{ "http", REFUSED },
	{ "https:/a", REFUSED },
	{ "xhttp://a/b", REFUSED },
	{ "httpx://a/b", REFUSED },
	{ "ftp://a/b", REFUSED },
	{ "ws://a/b", REFUSED },
};

static void paths(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++)
		assert_path(cases[i].target, strlen(cases[i].target), cases[i].path, cases[i].exact);
}

/* Each byte of RFC 3986, section 2, in a path. What the request scanner lets through, and bytes over 127. */
static void every_character(void **state)
{
	char target[4] = "/a?b", path[5] = "/a?b";
	int c;

	(void)state;
	for (c = 0x21; c < 256; c++) {
		bool plain = c < 0x80 && !strchr("\"<>[]^`{|};", c);

		if (c == 0x7f || c == '/')
			continue;
		target[2] = path[2] = c;
		assert_path(target, 4, c == '%' || c == '\\' ? NULL : path, plain);
	}
}

/* Every escape, in both cases of its digits. */
static void every_escape(void **state)
{
	static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
	static const char *const formats[] = { "/x%%%02x", "/x%%%02X" };
	char target[8], decoded[] = "/x?";
	size_t i;
	int c;

	(void)state;
	for (c = 0; c < 256; c++) {
		for (i = 0; i < ARRAY_SIZE(formats); i++) {
			sprintf(target, formats[i], c);
			decoded[2] = c;
			if (c < 0x20 || c == 0x7f || c == '/' || c == '\\')
				assert_path(target, 5, NULL, false);
			else if (strchr(unreserved, c))
				assert_path(target, 5, decoded, true);
			else
				assert_path(target, 5, target, false);
		}
	}
}

/* Any two bytes behind '%': an escape only if both are digits of a hexadecimal number. */
static void every_pair_behind_a_percent_sign(void **state)
{
	static const char digits[] = "0123456789abcdefABCDEF";
	char target[4] = "/%??", out[6];
	bool exact;
	int a, b;

	(void)state;
	for (a = 0; a < 256; a++) {
		for (b = 0; b < 256; b++) {
			if (a && b && strchr(digits, a) && strchr(digits, b))
				continue;
			target[2] = a;
			target[3] = b;
			assert_int_equal(path_normalize(target, 4, out, &exact), -EINVAL);
		}
	}
}

/* Cut anywhere: nothing is read or written beyond. */
static void every_part_of_every_target(void **state)
{
	size_t i, len;
	bool exact;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		for (len = 0; len < strlen(cases[i].target); len++) {
			_cleanup_free_ char *out = NULL;

			normalize(cases[i].target, len, &out, &exact);
		}
	}
}

/* ---- the kernel's scanner and this must mean the same by canonical ---- */

static bool is_canonical(const char *path, size_t len)
{
	char head[1024];
	size_t n = snprintf(head, sizeof(head), "GET %.*s HTTP/1.0\r\n\r\n", (int)len, path);
	struct http1_reading r = http1_compare(head, n, n / 2, false);

	return r.result == HTTP1_DONE && !(r.flags & HTTP1_ODD);
}

static uint32_t below(uint32_t n)
{
	static uint64_t seed = 0x70617468;

	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (seed >> 33) % n;
}

static void canonical_means_the_same_to_the_scanner(void **state)
{
	static const char *const pieces[] = { "/",   "/", "/", "a", "b.c", ".", "..", "%2e", "%61", "%7E", "%20",
					      "%25", ";", "~", "*", ":",   "[", "\"", "%2",  "\\",  "%2f", "%41" };
	uint32_t i, j, n, canonical = 0, exacts = 0, refused = 0;
	char target[256];
	bool exact;

	(void)state;
	for (i = 0; i < 60000; i++) {
		_cleanup_free_ char *out = NULL;

		strcpy(target, "/");
		for (j = below(8); j; j--)
			strcat(target, pieces[below(below(2) ? ARRAY_SIZE(pieces) : 8)]);
		n = strlen(target);
		if (normalize(target, n, &out, &exact) < 0) {
			refused++;
			assert_false(is_canonical(target, n));
			continue;
		}
		exacts += exact;
		assert_int_equal(is_canonical(out, strlen(out)), exact);
		canonical += is_canonical(target, n);
		assert_int_equal(is_canonical(target, n), exact && !strcmp(target, out));
	}
	assert_true(refused > 1000 && canonical > 1000 && exacts > canonical + 1000);
}

/* As servers that resolve everything read it. */
static void paths_are_reduced_to_what_they_may_mean(void **state)
{
	static const char *const cases[][2] = {
		{ "/", "/" },
		{ "/a", "/a" },
		{ "/a/", "/a" },
		{ "//a///b/", "/a/b" },
		{ "/a/./b", "/a/b" },
		{ "/a/../b", "/b" },
		{ "/../../b", "/b" },
		{ "/a/..", "/" },
		{ "/a;x=1/b;y", "/a/b" },
		{ "/a/..;x/b", "/b" },
		{ "/;a/b", "/b" },
		{ "/a%3Bx/b", "/a/b" },
		{ "/a/b%20c", "/a/b c" },
		{ "*", "/*" },
		{ "/a/.;/b", "/a/b" },
		{ "/x/%2e%2e/b", "/b" },
		{ "/a/...", "/a/..." },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *path = memcpy(malloc(strlen(cases[i][0]) + 2), cases[i][0], strlen(cases[i][0]) + 1);
		size_t len = path_reduce(path, strlen(path));

		assert_string_equal(path, cases[i][1]);
		assert_int_equal(len, strlen(path));
		free(path);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths),
		cmocka_unit_test(every_character),
		cmocka_unit_test(every_escape),
		cmocka_unit_test(every_pair_behind_a_percent_sign),
		cmocka_unit_test(every_part_of_every_target),
		cmocka_unit_test(canonical_means_the_same_to_the_scanner),
		cmocka_unit_test(paths_are_reduced_to_what_they_may_mean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
