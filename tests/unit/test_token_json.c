// SPDX-License-Identifier: MIT
/* Test: what the two JSON texts of a well-signed JWT must look like. */
#include <stdio.h>

#include "core/util.h"
#include "tests/unit/token_judge.h"

static void header_json(void **state)
{
	static const struct {
		const char *header;
		bool good;
	} cases[] = {
		{ "{\"alg\":\"HS256\"}", true },
		{ " {\t\"alg\" :\r\n\"HS256\" } ", true },
		{ "{\"alg\":\"HS256\",\"kid\":\"1\",\"typ\":\"jwt\",\"x\":{\"y\":[1,2]}}", true },
		{ "{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}", true },
		{ "{\"alg\":\"HS256\",\"typ\":\"application/AT+JWT\"}", true },
		{ "{\"alg\":\"HS256\",\"typ\":\"Application/jwt\"}", true },
		{ "{\"alg\":\"HS256\",\"typ\":\"application/application/jwt\"}", false },
		{ "{\"alg\":\"HS256\",\"typ\":\"logout+jwt\"}", false },
		{ "{\"alg\":\"HS256\",\"typ\":\"dpop+jwt\"}", false },
		{ "{\"alg\":\"HS256\",\"typ\":\"JWTx\"}", false },
		{ "{\"alg\":\"HS256\",\"typ\":\"\"}", false },
		{ "{\"alg\":\"HS256\",\"typ\":null}", false },
		{ "{\"alg\":\"HS256\",\"typ\":[\"JWT\"]}", false },
		{ "{\"alg\":\"HS256\",\"kid\":1}", false },
		{ "{\"alg\":\"HS256\",\"kid\":null}", false },
		{ "{\"alg\":\"HS256\",\"kid\":\"\"}", true },
		{ "{\"alg\":\"HS256\",\"alg\":\"HS256\"}", false },
		{ "{\"alg\":\"none\",\"alg\":\"HS256\"}", false },
		{ "{\"alg\":\"HS256\",\"alg\":\"none\"}", false },
		{ "{\"alg\":\"HS256\",\"kid\":\"1\",\"x\":1,\"kid\":\"2\"}", false },
		{ "{\"alg\":\"HS256\",\"\\u0061lg\":\"HS256\"}", false },
		{ "{\"alg\":\"HS256\",\"crit\":[\"exp\"],\"exp\":1}", false },
		{ "{\"alg\":\"HS256\",\"crit\":[]}", false },
		{ "{\"alg\":\"HS256\",\"crit\":null}", false },
		{ "{\"alg\":\"HS256\",\"\\u0063rit\":[\"b64\"],\"b64\":false}", false },
		{ "[\"alg\",\"HS256\"]", false },
		{ "\"HS256\"", false },
		{ "{\"alg\":\"HS256\"", false },
		{ "{\"alg\":\"HS256\"}x", false },
		{ "{\"alg\":\"HS256\"}{}", false },
		{ "{\"alg\":\"HS256\",}", false },
		{ "{'alg':'HS256'}", false },
		{ "{\"alg\\u0000\":\"HS256\"}", false },
		{ "{\"alg\":\"HS256\",\"a\":\"\xff\"}", false },
		{ "{\"alg\":\"HS256\",\"a\":\"\n\"}", false },
		{ "\xef\xbb\xbf{\"alg\":\"HS256\"}", false },
		{ "HS256", false },
		{ " ", false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++)
		if ((judge_json(cases[i].header, "{}") == REQUEST_ALLOWED) != cases[i].good)
			fail_msg("%s", cases[i].header);
}

static void payload_json(void **state)
{
	static const struct {
		const char *payload;
		bool good;
	} cases[] = {
		{ "{}", true },
		{ " {\"iat\":\"any\",\"aud\":[1],\"EXP\":\"x\",\"a\":{\"exp\":\"x\",\"exp\":1}} ", true },
		{ "{\"jti\":\"\\ud83d\\ude00\"}", true },
		{ "{\"a\":1,\"a\":1}", false },
		{ "{\"exp\":1700000100,\"exp\":1700000200}", false },
		{ "{\"exp\":1700000100,\"b\":1,\"\\u0065xp\":1700000200}", false },
		{ "{\"sub\":\"a\",\"b\":1,\"c\":2,\"sub\":\"b\"}", false },
		{ "[]", false },
		{ "[{}]", false },
		{ "\"x\"", false },
		{ "null", false },
		{ "1", false },
		{ "{} {}", false },
		{ "{}x", false },
		{ "{\"a\":1", false },
		{ "{\"a\"}", false },
		{ "{a:1}", false },
		{ "{\"a\":01}", false },
		{ "{\"a\":\"\\u0000\"}", false },
		{ "{\"a\\u0000\":1}", false },
		{ "{\"a\":\"\xc0\x80\"}", false },
		{ "{\"a\":\"\x01\"}", false },
		{ "\xef\xbb\xbf{}", false },
		{ "alice", false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(cases); i++)
		if ((judge_json(H256, cases[i].payload) == REQUEST_ALLOWED) != cases[i].good)
			fail_msg("%s", cases[i].payload);
}

/* Both pass for good JSON with a parser that stops at NUL. */
static void nul_inside(void **state)
{
	static const char header[] = "{\"alg\":\"HS256\"}\0junk", payload[] = "{\"sub\":\"a\"}\0,\"exp\":1}";
	size_t n;

	(void)state;
	n = jwt_make_raw(token, header, sizeof(header) - 1, "{}", 2, JWT_HS256, SECRET, strlen(SECRET));
	assert_int_equal(judge(token, n), REQUEST_BAD_TOKEN);
	n = jwt_make_raw(token, H256, strlen(H256), payload, sizeof(payload) - 1, JWT_HS256, SECRET, strlen(SECRET));
	assert_int_equal(judge(token, n), REQUEST_BAD_TOKEN);
	n = jwt_make_raw(token, H256, strlen(H256), "{}\0", 3, JWT_HS256, SECRET, strlen(SECRET));
	assert_int_equal(judge(token, n), REQUEST_BAD_TOKEN);
}

static void long_and_deep(void **state)
{
	char payload[JWT_TEXT_MAX];
	size_t n, fill;

	(void)state;
	for (fill = 6000;; fill++) {
		snprintf(payload, sizeof(payload), "{\"a\":\"%0*d\"}", (int)fill, 0);
		n = jwt_make(token, H256, payload, JWT_HS256, SECRET, strlen(SECRET));
		if (n > MPBPF_TOKEN_MAX)
			break;
		if (n >= MPBPF_TOKEN_MAX - 2)
			assert_int_equal(judge(token, n), REQUEST_ALLOWED);
	}
	assert_int_equal(judge(token, n), REQUEST_BAD_TOKEN);
	memset(token, 'A', MPBPF_TOKEN_MAX);
	assert_int_equal(judge(token, MPBPF_TOKEN_MAX), REQUEST_BAD_TOKEN);
	memset(token, '.', MPBPF_TOKEN_MAX);
	assert_int_equal(judge(token, MPBPF_TOKEN_MAX), REQUEST_BAD_TOKEN);
	memset(payload, '[', 5000);
	payload[5000] = '\0';
	assert_int_equal(judge_json(H256, payload), REQUEST_BAD_TOKEN);
	assert_int_equal(judge_json(payload, "{}"), REQUEST_BAD_TOKEN);
}

/* Duplicates are looked for by sorting: first and last of many are found as well. */
static void many_names(void **state)
{
	char header[JWT_TEXT_MAX];
	size_t n = 0;
	int i;

	(void)state;
	n += (size_t)sprintf(header + n, "{\"alg\":\"HS256\"");
	for (i = 0; i < 600; i++)
		n += (size_t)sprintf(header + n, ",\"%d\":1", i);
	strcpy(header + n, "}");
	assert_int_equal(judge_json(header, "{}"), REQUEST_ALLOWED);
	strcpy(header + n, ",\"0\":1}");
	assert_int_equal(judge_json(header, "{}"), REQUEST_BAD_TOKEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header_json),	 cmocka_unit_test(payload_json), cmocka_unit_test(nul_inside),
		cmocka_unit_test(long_and_deep), cmocka_unit_test(many_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
