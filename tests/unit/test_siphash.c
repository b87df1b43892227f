// SPDX-License-Identifier: MIT
/* Test: SipHash-2-4-128 against its published vectors and, at every length, against OpenSSL. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "siphash.h"

static EVP_MAC *mac;
static uint8_t raw_key[16];
static __u64 key[2];

static int setup(void **state)
{
	int i;

	(void)state;
	mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
	for (i = 0; i < 16; i++) {
		raw_key[i] = (uint8_t)i;
		key[i / 8] |= (__u64)i << (8 * (i % 8));
	}
	return mac ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	EVP_MAC_free(mac);
	return 0;
}

static void openssl_siphash(const uint8_t *data, size_t len, uint8_t out[16])
{
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);
	size_t n = 16;
	OSSL_PARAM params[] = { OSSL_PARAM_size_t(OSSL_MAC_PARAM_SIZE, &n), OSSL_PARAM_END };

	assert_true(EVP_MAC_init(ctx, raw_key, sizeof(raw_key), params));
	assert_true(EVP_MAC_update(ctx, data, len));
	assert_true(EVP_MAC_final(ctx, out, &n, 16));
	assert_int_equal(n, 16);
	EVP_MAC_CTX_free(ctx);
}

static void to_bytes(const __u64 words[2], uint8_t out[16])
{
	int i;

	for (i = 0; i < 16; i++)
		out[i] = (uint8_t)(words[i / 8] >> (8 * (i % 8)));
}

/* Key 00 01 … 0f, input 00 01 … of length 0 to 63: vectors_sip128 of the reference implementation. */
static void published_vectors(void **state)
{
	static const char *const vectors[] = {
		"a3817f04ba25a8e66df67214c7550293", "da87c1d86b99af44347659119b22fc45",
		"8177228da4a45dc7fca38bdef60affe4", "9c70b60c5267a94e5f33b6b02985ed51",
		"f88164c12d9c8faf7d0f6e7c7bcd5579", "1368875980776f8854527a07690e9627",
		"14eeca338b208613485ea0308fd7a15e", "a1f1ebbed8dbc153c0b84aa61ff08239",
		"3b62a9ba6258f5610f83e264f31497b4", "264499060ad9baabc47f8b02bb6d71ed",
		"00110dc378146956c95447d3f3d0fbba", "0151c568386b6677a2b4dc6f81e5dc18",
		"d626b266905ef35882634df68532c125", "9869e247e9c08b10d029934fc4b952f7",
		"31fcefac66d7de9c7ec7485fe4494902", "5493e99933b0a8117e08ec0f97cfc3d9",
		"6ee2a4ca67b054bbfd3315bf85230577", "473d06e8738db89854c066c47ae47740",
		"a426e5e423bf4885294da481feaef723", "78017731cf65fab074d5208952512eb1",
		"9e25fc833f2290733e9344a5e83839eb", "568e495abe525a218a2214cd3e071d12",
		"4a29b54552d16b9a469c10528eff0aae", "c9d184ddd5a9f5e0cf8ce29a9abf691c",
		"2db479ae78bd50d8882a8a178a6132ad", "8ece5f042d5e447b5051b9eacb8d8f6f",
		"9c0b53b4b3c307e87eaee08678141f66", "abf248af69a6eae4bfd3eb2f129eeb94",
		"0664da1668574b88b935f3027358aef4", "aa4b9dc4bf337de90cd4fd3c467c6ab7",
		"ea5c7f471faf6bde2b1ad7d4686d2287", "2939b0183223fafc1723de4f52c43d35",
		"7c3956ca5eeafc3e363e9d556546eb68", "77c6077146f01c32b6b69d5f4ea9ffcf",
		"37a6986cb8847edf0925f0f1309b54de", "a705f0e69da9a8f907241a2e923c8cc8",
		"3dc47d1f29c448461e9e76ed904f6711", "0d62bf01e6fc0e1a0d3c4751c5d3692b",
		"8c03468bca7c669ee4fd5e084bbee7b5", "528a5bb93baf2c9c4473cce5d0d22bd9",
		"df6a301e95c95dad97ae0cc8c6913bd8", "801189902c857f39e73591285e70b6db",
		"e617346ac9c231bb3650ae34ccca0c5b", "27d93437efb721aa401821dcec5adf89",
		"89237d9ded9c5e78d8b1c9b166cc7342", "4a6d8091bf5e7d651189fa94a250b14c",
		"0e33f96055e7ae893ffc0e3dcf492902", "e61c432b720b19d18ec8d84bdc63151b",
		"f7e5aef549f782cf379055a608269b16", "438d030fd0b7a54fa837f2ad201a6403",
		"a590d3ee4fbf04e3247e0d27f286423f", "5fe2c1a172fe93c4b15cd37caef9f538",
		"2c97325cbd06b36eb2133dd08b3a017c", "92c814227a6bca949ff0659f002ad39e",
		"dce850110bd8328cfbd50841d6911d87", "67f14984c7da791248e32bb5922583da",
		"1938f2cf72d54ee97e94166fa91d2a36", "74481e9646ed49fe0f6224301604698e",
		"57fca5de98a9d6d8006438d0583d8a1d", "9fecde1cefdc1cbed4763674d9575359",
		"e3040c00eb28f15366ca73cbd872e740", "7697009a6a831dfecca91c5993670f7a",
		"5853542321f567a005d547a4f04759bd", "5150d1772f50834a503e069a973fbd7c",
	};
	uint8_t data[64], got[16];
	char hex[33];
	__u64 out[2];
	__u32 len;
	int i;

	(void)state;
	for (i = 0; i < 64; i++)
		data[i] = (uint8_t)i;
	for (len = 0; len < 64; len++) {
		siphash128(key, data, len, out);
		to_bytes(out, got);
		for (i = 0; i < 16; i++)
			sprintf(hex + 2 * i, "%02x", got[i]);
		assert_string_equal(hex, vectors[len]);
	}
}

static void every_length_as_openssl(void **state)
{
	static uint8_t buf[SIPHASH_BUF];
	uint8_t want[16], got[16];
	__u32 len, off, i;
	__u64 out[2];

	(void)state;
	for (i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)random();
	for (len = 0; len <= MPBPF_HEAD_MAX; len++) {
		off = (__u32)random() % (MPBPF_HEAD_MAX - len + 1);
		openssl_siphash(buf + off, len, want);
		siphash128(key, buf + off, len, out);
		to_bytes(out, got);
		assert_memory_equal(got, want, sizeof(got));
		siphash128_at(buf, off, len, key, out);
		to_bytes(out, got);
		assert_memory_equal(got, want, sizeof(got));
	}
}

/* The kernel's variant at every offset up to the very end of the head, where words reach into the slack. */
static void every_offset_as_openssl(void **state)
{
	static uint8_t buf[SIPHASH_BUF];
	uint8_t want[16], got[16];
	__u32 len, off, i;
	__u64 out[2];

	(void)state;
	for (i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)random();
	for (off = 0; off <= MPBPF_HEAD_MAX; off++) {
		len = off < MPBPF_HEAD_MAX - 80 ? (__u32)random() % 80 : MPBPF_HEAD_MAX - off;
		openssl_siphash(buf + off, len, want);
		siphash128_at(buf, off, len, key, out);
		to_bytes(out, got);
		assert_memory_equal(got, want, sizeof(got));
	}
}

/* Data ends at a page that cannot be read, the head's buffer at its eighth slack byte: neither is passed. */
static void reads_stay_inside(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), room = (SIPHASH_BUF + page - 1) / page * page;
	uint8_t *map, *end, *buf;
	__u64 out[2], again[2];
	__u32 len;

	(void)state;
	map = mmap(NULL, room + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(map != MAP_FAILED);
	end = map + room;
	assert_int_equal(mprotect(end, page, PROT_NONE), 0);
	buf = end - SIPHASH_BUF;
	memset(buf, 0x5a, SIPHASH_BUF);
	for (len = 0; len <= 256; len++) {
		siphash128(key, end - len, len, out);
		siphash128_at(buf, MPBPF_HEAD_MAX - len, len, key, again);
		assert_memory_equal(out, again, sizeof(out));
	}
	munmap(map, room + page);
}

static void the_key_counts(void **state)
{
	const uint8_t data[] = "token";
	__u64 out[2], other[2], changed[2];
	int bit;

	(void)state;
	siphash128(key, data, sizeof(data), out);
	for (bit = 0; bit < 128; bit++) {
		memcpy(changed, key, sizeof(changed));
		changed[bit / 64] ^= 1ULL << (bit % 64);
		siphash128(changed, data, sizeof(data), other);
		assert_true(out[0] != other[0] && out[1] != other[1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_vectors),	   cmocka_unit_test(every_length_as_openssl),
		cmocka_unit_test(every_offset_as_openssl), cmocka_unit_test(reads_stay_inside),
		cmocka_unit_test(the_key_counts),
	};

	srandom(1);
	return cmocka_run_group_tests(tests, setup, teardown);
}
