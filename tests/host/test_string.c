/* SPDX-License-Identifier: MIT */
/*
 * lib/string.c does what libc does, and touches nothing else: every buffer is a heap block of the
 * exact size, so the sanitizer sees a byte too many.
 *
 * Sources: tests/host/harness.c lib/string.c lib/random.c
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/random.h"
#include "lib/string.h"
#include "tests/host/harness.h"
#include "tests/host/include/host/lib.h"

#define SIZES 300
#define ALIGNS 9

static struct rng rng;

/* A heap block that ends where the data ends; the data begins `skew` bytes into it. */
static unsigned char *block(size_t skew, size_t n)
{
	unsigned char *p = malloc(skew + n + !(skew + n));

	for (size_t i = 0; i < skew + n; i++)
		p[i] = (unsigned char)rng_u64(&rng);
	return p;
}

static void memcpy_copies_exactly(void **state unused_arg)
{
	for (size_t n = 0; n < SIZES; n++) {
		for (size_t a = 0; a < ALIGNS * ALIGNS; a++) {
			size_t da = a % ALIGNS, sa = a / ALIGNS;
			unsigned char *d = block(da, n), *s = block(sa, n), before[ALIGNS];

			memcpy(before, d, da);
			assert_ptr_equal(lib_memcpy(d + da, s + sa, n), d + da);
			assert_memory_equal(d + da, s + sa, n);
			assert_memory_equal(d, before, da);
			free(d);
			free(s);
		}
	}
}

static void memmove_moves_overlapping_ranges(void **state unused_arg)
{
	for (int i = 0; i < 100000; i++) {
		size_t size = rng_between(&rng, 1, 400), n = rng_below(&rng, size + 1);
		size_t from = rng_below(&rng, size - n + 1), to = rng_below(&rng, size - n + 1);
		unsigned char *got = block(0, size), *want = malloc(size);

		memcpy(want, got, size);
		memmove(want + to, want + from, n);
		assert_ptr_equal(lib_memmove(got + to, got + from, n), got + to);
		assert_memory_equal(got, want, size);
		free(got);
		free(want);
	}
}

static void memset_fills_exactly(void **state unused_arg)
{
	for (size_t n = 0; n < SIZES; n++) {
		for (size_t skew = 0; skew < ALIGNS; skew++) {
			unsigned char *got = block(skew, n), *want = malloc(skew + n + 1);
			int c = (int)rng_u32(&rng);

			memcpy(want, got, skew + n);
			memset(want + skew, c, n);
			assert_ptr_equal(lib_memset(got + skew, c, n), got + skew);
			assert_memory_equal(got, want, skew + n);
			free(got);
			free(want);
		}
	}
}

/* A string of few different characters, so that searches find something. */
static char *text(size_t max)
{
	size_t n = rng_below(&rng, max + 1);
	char *s = malloc(n + 1);

	for (size_t i = 0; i < n; i++)
		s[i] = "abAB\xe9;"[rng_below(&rng, 6)];
	s[n] = '\0';
	return s;
}

static int sign(int x)
{
	return (x > 0) - (x < 0);
}

static void comparisons_agree_with_libc(void **state unused_arg)
{
	for (int i = 0; i < 100000; i++) {
		char *a = text(6), *b = text(6);
		size_t n = rng_below(&rng, 8), both = MIN(strlen(a), strlen(b)) + 1;

		assert_int_equal(sign(lib_strcmp(a, b)), sign(strcmp(a, b)));
		assert_int_equal(sign(lib_strncmp(a, b, n)), sign(strncmp(a, b, n)));
		assert_int_equal(sign(lib_strcasecmp(a, b)), sign(strcasecmp(a, b)));
		assert_int_equal(sign(lib_strncasecmp(a, b, n)), sign(strncasecmp(a, b, n)));
		assert_int_equal(sign(lib_memcmp(a, b, both)), sign(memcmp(a, b, both)));
		free(a);
		free(b);
	}
}

static void searches_agree_with_libc(void **state unused_arg)
{
	for (int i = 0; i < 100000; i++) {
		char *s = text(12), *what = text(3);
		int c = rng_one_in(&rng, 5) ? 0 : "abAB\xe9;z"[rng_below(&rng, 7)];
		size_t len = strlen(s), n = rng_below(&rng, len + 2);

		assert_int_equal(lib_strlen(s), len);
		assert_int_equal(lib_strnlen(s, n), strnlen(s, n));
		assert_ptr_equal(lib_strchr(s, c), strchr(s, c));
		assert_ptr_equal(lib_strrchr(s, c), strrchr(s, c));
		assert_ptr_equal(lib_strchrnul(s, c), strchr(s, c) ? strchr(s, c) : s + len);
		assert_ptr_equal(lib_memchr(s, c, n), memchr(s, c, n));
		assert_ptr_equal(lib_strstr(s, what), strstr(s, what));
		assert_int_equal(lib_strspn(s, what), strspn(s, what));
		assert_int_equal(lib_strcspn(s, what), strcspn(s, what));
		assert_int_equal(str_starts_with(s, what), strstr(s, what) == s);
		free(s);
		free(what);
	}
}

static void strnlen_reads_no_further_than_it_may(void **state unused_arg)
{
	char *s = malloc(3);

	memset(s, 'x', 3);
	assert_int_equal(lib_strnlen(s, 3), 3);
	assert_null(lib_memchr(s, 'y', 3));
	free(s);
}

static void strlcpy_and_strlcat_cut_and_terminate(void **state unused_arg)
{
	for (int i = 0; i < 20000; i++) {
		char *s = text(10), *old = text(10);
		size_t size = rng_below(&rng, 14), len = strlen(s), kept = strlen(old);
		char *buf = malloc(size + 1);

		memset(buf, '#', size + 1);
		assert_int_equal(strlcpy(buf, s, size), len);
		if (size) {
			assert_int_equal(strlen(buf), MIN(len, size - 1));
			assert_memory_equal(buf, s, strlen(buf));
		}
		assert_int_equal(buf[size], '#');

		if (kept < size) {
			strcpy(buf, old);
			assert_int_equal(strlcat(buf, s, size), kept + len);
			assert_int_equal(strlen(buf), MIN(kept + len, size - 1));
			assert_memory_equal(buf, old, kept);
			assert_memory_equal(buf + kept, s, strlen(buf) - kept);
		}
		free(buf);
		free(s);
		free(old);
	}
	/* No terminator within size: nothing is written. */
	char full[3] = "abc";

	assert_int_equal(strlcat(full, "def", 3), 6);
	assert_memory_equal(full, "abc", 3);
}

static void strtoul_agrees_with_libc(void **state unused_arg)
{
	static const char alphabet[] = "0017 9aAfFxXzZ+-\t_";
	static const int bases[] = {0, 2, 8, 10, 16, 36};

	static const char *const limits[] = {"18446744073709551615", "18446744073709551616",
		"18446744073709551625", "-18446744073709551615", "0xffffffffffffffff",
		"0x10000000000000000"};

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		char *end;

		assert_int_equal(lib_strtoul(limits[i], &end, 0), strtoul(limits[i], NULL, 0));
		assert_int_equal(*end, '\0');
	}
	for (int i = 0; i < 300000; i++) {
		char s[30], *end, *want_end;
		size_t n = rng_below(&rng, sizeof(s));
		int base = bases[rng_below(&rng, ARRAY_SIZE(bases))];
		unsigned long want;

		for (size_t k = 0; k < n; k++)
			s[k] = alphabet[rng_below(&rng, sizeof(alphabet) - 1)];
		s[n] = '\0';
		want = strtoul(s, &want_end, base);
		assert_int_equal(lib_strtoul(s, &end, base), want);
		assert_ptr_equal(end, want_end);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memcpy_copies_exactly),
		cmocka_unit_test(memmove_moves_overlapping_ranges),
		cmocka_unit_test(memset_fills_exactly),
		cmocka_unit_test(comparisons_agree_with_libc),
		cmocka_unit_test(searches_agree_with_libc),
		cmocka_unit_test(strnlen_reads_no_further_than_it_may),
		cmocka_unit_test(strlcpy_and_strlcat_cut_and_terminate),
		cmocka_unit_test(strtoul_agrees_with_libc),
	};

	rng_seed(&rng, host_seed());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
