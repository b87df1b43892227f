// SPDX-License-Identifier: MIT
/*
 * Unit tests of bpf/include/http1.h: the heads of http1_cases.txt (MPBPF_HTTP1_CASES), each read whole, in two parts at
 * every byte and byte by byte, with nothing behind it that may be touched, and with bytes behind it that must not matter.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/util.h"
#include "http1_check.h"

#define CASES_MIN 450

struct head_case {
	char *name, *text, *expected;
};

/* A case ready to run. */
struct head {
	uint8_t data[4096];
	size_t len;
	size_t marked[3]; /* where \!, \[ and \] stand, plus 1 */
	struct http1_reading r;
	bool response;
};

/* ---- reading the table ---- */

static void wrong(const char *what, const char *text)
{
	print_error("%s: %s\n", what, text);
	fail_msg("http1_cases.txt");
}

/* One escape, the backslash behind us. Returns the character behind it. */
static const char *unescape(struct head *head, const char *p)
{
	static const char marks[] = "![]", names[] = "rnt0\\", bytes[] = "\r\n\t\0\\";
	const char *mark = strchr(marks, *p), *name = strchr(names, *p);
	unsigned int byte;

	if (!*p)
		wrong("escape", "at the end");
	if (mark) {
		head->marked[mark - marks] = head->len + 1;
	} else if (*p == '|') {
		head->r.head_len = head->len;
	} else if (name) {
		head->data[head->len++] = bytes[name - names];
	} else if (sscanf(p, "x%2x", &byte) == 1) {
		head->data[head->len++] = byte;
		return p + 3;
	} else {
		wrong("escape", p);
	}
	return p + 1;
}

/* A line ends with CR LF, unless a backslash ends it. */
static void read_input(struct head *head, const char *p)
{
	while (*p) {
		assert_true(head->len + 2 < sizeof(head->data));
		if (p[0] == '\\' && p[1] == '\n') {
			p += 2;
		} else if (*p == '\\') {
			p = unescape(head, p + 1);
		} else if (*p == '\n') {
			memcpy(head->data + head->len, "\r\n", 2);
			head->len += 2;
			p++;
		} else {
			head->data[head->len++] = *p++;
		}
	}
}

static bool read_flag(struct http1_reading *r, const char *word)
{
	static const struct {
		const char *word;
		unsigned int flag;
	} flags[] = {
		{ "host", HTTP1_HOST },	    { "auth", HTTP1_AUTH },	      { "bearer", HTTP1_BEARER },
		{ "length", HTTP1_LENGTH }, { "chunked", HTTP1_CHUNKED },     { "upgrade", HTTP1_UPGRADE },
		{ "odd", HTTP1_ODD },	    { "websocket", HTTP1_WEBSOCKET },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		if (!strcmp(word, flags[i].word)) {
			r->flags |= flags[i].flag;
			return true;
		}
	}
	return false;
}

static bool read_method(struct http1_reading *r, const char *word)
{
	static const char *const words[] = {
		[HTTP1_METHOD_HEAD] = "head",
		[HTTP1_METHOD_OPTIONS] = "options",
		[HTTP1_METHOD_CONNECT] = "connect",
	};
	size_t i;

	for (i = 1; i < ARRAY_SIZE(words); i++) {
		if (!strcmp(word, words[i])) {
			r->method = i;
			return true;
		}
	}
	return false;
}

static void read_word(struct head *head, const char *word)
{
	struct http1_reading *r = &head->r;
	unsigned long long n;

	if (!strcmp(word, "1.0") || !strcmp(word, "1.1")) {
		r->minor = word[2] - '0';
	} else if (!strncmp(word, "target=", 7)) {
		word += 7;
		r->target_len = strlen(word);
		r->path_len = strcspn(word, "?");
		if (memcmp(head->data + r->target_off, word, r->target_len))
			wrong("the input has another target", word);
	} else if (sscanf(word, "content=%llu", &n) == 1) {
		r->content_length = n;
	} else if (sscanf(word, "status=%llu", &n) == 1) {
		r->status = n;
	} else if (!read_flag(r, word) && !read_method(r, word)) {
		wrong("word", word);
	}
}

/* What is not said: HTTP/1.1, a method like any other, the target "/". */
static void read_done(struct head *head, char *words)
{
	struct http1_reading *r = &head->r;
	const uint8_t *space = memchr(head->data, ' ', head->len);
	char *word, *rest = words;

	r->minor = 1;
	r->target_off = space ? space - head->data + 1 : 0;
	r->target_len = 1;
	r->path_len = 1;
	if (!r->head_len)
		r->head_len = head->len;
	if (head->marked[1]) {
		r->token_off = head->marked[1] - 1;
		r->token_len = head->marked[2] - head->marked[1];
	}
	while ((word = strsep(&rest, " ")))
		if (*word)
			read_word(head, word);
	if (!!head->marked[1] != !!(r->flags & HTTP1_BEARER))
		wrong("a marked token and the word bearer go together", words);
}

static void read_case(struct head *head, const struct head_case *c)
{
	char words[512];

	memset(head, 0, sizeof(*head));
	head->response = !strncmp(c->name, "response", 8);
	read_input(head, c->text);
	snprintf(words, sizeof(words), "%s", c->expected);
	if (!strncmp(words, "done", 4)) {
		head->r.result = HTTP1_DONE;
		read_done(head, words + 4);
	} else if (!strcmp(words, "bad") && head->marked[0]) {
		head->r.result = HTTP1_BAD;
		head->r.bad_at = head->marked[0] - 1;
	} else if (strcmp(words, "more")) {
		wrong("expectation (bad wants a \\! before the byte)", words);
	}
}

/* ---- running it ---- */

/* What n bytes of the input must come to. */
static enum http1_result result_at(const struct head *head, size_t n)
{
	if (head->r.result == HTTP1_DONE && n >= head->r.head_len)
		return HTTP1_DONE;
	if (head->r.result == HTTP1_BAD && n > head->r.bad_at)
		return HTTP1_BAD;
	return HTTP1_MORE;
}

static void assert_every_split(const struct head *head, const struct http1 *whole)
{
	size_t at;

	for (at = 0; at <= head->len; at++) {
		struct http1 part = http1_whole(head->data, at, head->response);
		struct http1 both = http1_split(head->data, head->len, at, head->response);

		if (part.result != result_at(head, at))
			fail_msg("the first %zu bytes give %d: %s", at, part.result, http1_shown(head->data, at));
		if (part.result == whole->result && part.result != HTTP1_MORE)
			http1_assert_same(whole, &part, head->data, at);
		http1_assert_same(whole, &both, head->data, head->len);
	}
}

static void assert_bytewise(const struct head *head, const struct http1 *whole)
{
	static const char *const junk[] = { "a", "\n", "\r", "\n\r\na:", ":", " ", "\xff" };
	size_t i, decided, expected;

	expected = head->r.result == HTTP1_DONE	 ? head->r.head_len
		   : head->r.result == HTTP1_BAD ? head->r.bad_at + 1
						 : 0;
	for (i = 0; i < ARRAY_SIZE(junk); i++) {
		struct http1 h = http1_bytewise(head->data, head->len, junk[i], head->response, &decided);

		http1_assert_same(whole, &h, head->data, head->len);
		assert_int_equal(decided, expected);
	}
}

/* The same head, read with other bytes behind it, and read on when they have come: nothing changes. */
static void assert_rest_is_ignored(struct head *head, const struct http1 *whole)
{
	static const char *const more[] = { "G", "\r\n\r\n", "GET / HTTP/1.1\r\n\r\n", "\n", "x\ny\rz\x80", ":" };
	size_t i, n;

	if (head->r.result == HTTP1_MORE)
		return;
	for (i = 0; i < ARRAY_SIZE(more); i++) {
		n = strlen(more[i]);
		memcpy(head->data + head->len, more[i], n);
		struct http1 longer = http1_whole(head->data, head->len + n, head->response);
		struct http1 later = http1_split(head->data, head->len + n, head->len, head->response);

		http1_assert_same(whole, &longer, head->data, head->len + n);
		http1_assert_same(whole, &later, head->data, head->len + n);
	}
}

static void head_case(void **state)
{
	struct http1_reading slow;
	struct head head;
	struct http1 whole, front;

	read_case(&head, *state);
	whole = http1_whole(head.data, head.len, head.response);
	http1_assert_facts(&whole, &head.r, head.data, head.len);
	http1_start(&front, head.response);
	http1_scan(http1_guarded(head.data, head.len, false), &front, head.len);
	http1_assert_same(&whole, &front, head.data, head.len);
	slow = http1_compare(head.data, head.len, head.len / 2, head.response);
	if (head.r.result != HTTP1_MORE)
		assert_int_equal(slow.result, head.r.result);
	assert_every_split(&head, &whole);
	assert_bytewise(&head, &whole);
	assert_rest_is_ignored(&head, &whole);
}

/* Cuts the table where it stands. Before the first name there is commentary; a line that fits nowhere later gives 0. */
static size_t read_cases(char *line, struct head_case *cases, size_t max)
{
	bool open = false;
	size_t n = 0;
	char *next;

	for (; n < max && (next = strchr(line, '\n')); line = next) {
		next++;
		if (!strncmp(line, "# ", 2)) {
			next[-1] = '\0';
			cases[n] = (struct head_case){ .name = line + 2, .text = next };
			open = true;
		} else if (open && !strncmp(line, "=> ", 3)) {
			next[-1] = '\0';
			line[0] = '\0';
			cases[n++].expected = line + 3;
			open = false;
		} else if (!open && n) {
			return 0;
		}
	}
	return open ? 0 : n;
}

static char *read_table(void)
{
	const char *path = getenv("MPBPF_HTTP1_CASES") ?: "tests/unit/http1_cases.txt";
	_cleanup_fclose_ FILE *f = fopen(path, "r");
	char *text = calloc(1, 1 << 20);

	if (!f || !text || !fread(text, 1, (1 << 20) - 1, f)) {
		fprintf(stderr, "cannot read %s\n", path);
		exit(1);
	}
	return text;
}

int main(void)
{
	static struct head_case cases[800];
	static struct CMUnitTest tests[ARRAY_SIZE(cases)];
	_cleanup_free_ char *table = read_table();
	size_t n = read_cases(table, cases, ARRAY_SIZE(cases)), i;

	if (n < CASES_MIN || n == ARRAY_SIZE(cases)) {
		fprintf(stderr, "http1_cases.txt: %zu cases can be read\n", n);
		return 1;
	}
	for (i = 0; i < n; i++)
		tests[i] = (struct CMUnitTest){ .name = cases[i].name,
						.test_func = head_case,
						.initial_state = &cases[i] };
	return _cmocka_run_group_tests("http1", tests, n, NULL, NULL);
}
