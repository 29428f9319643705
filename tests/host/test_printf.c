/* SPDX-License-Identifier: MIT */
/*
 * lib/printf.c prints what libc prints, for random formats and values, and never writes past its
 * buffer.
 *
 * Sources: tests/host/harness.c lib/printf.c lib/string.c lib/random.c
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/printf.h"
#include "lib/random.h"
#include "tests/host/harness.h"
#include "tests/host/include/host/lib.h"

#define OUT 400

static struct rng rng;

/* Formats with both into heap blocks of exactly `size` bytes and compares. */
static void compare(size_t size, const char *fmt, ...)
{
	char *got = malloc(size + !size), *want = malloc(size + !size);
	va_list args, again;
	int n, m;

	memset(got, '#', size);
	memset(want, '#', size);
	va_start(args, fmt);
	va_copy(again, args);
	n = lib_vsnprintf(got, size, fmt, args);
	m = vsnprintf(want, size, fmt, again);
	va_end(again);
	va_end(args);
	if (n != m || memcmp(got, want, size))
		fail_msg("\"%s\": %d \"%s\", libc: %d \"%s\"", fmt, n, size ? got : "", m,
			size ? want : "");
	free(got);
	free(want);
}

/* "%", flags, width, precision of a random conversion; the caller adds length and letter. */
static size_t random_start(char *fmt, const char *flags)
{
	size_t n = 0;

	fmt[n++] = '%';
	while (*flags && !rng_one_in(&rng, 3))
		fmt[n++] = flags[rng_below(&rng, strlen(flags))];
	if (rng_one_in(&rng, 2))
		n += (size_t)sprintf(fmt + n, "%d", (int)rng_between(&rng, 1, 40));
	if (rng_one_in(&rng, 2))
		n += (size_t)sprintf(fmt + n, ".%d", (int)rng_below(&rng, 30));
	return n;
}

static uint64_t random_value(void)
{
	uint64_t v = rng_u64(&rng) >> rng_below(&rng, 64);

	return rng_one_in(&rng, 8) ? 0 : rng_one_in(&rng, 2) ? v : -v;
}

static void integers_look_as_in_libc(void **state unused_arg)
{
	for (int i = 0; i < 400000; i++) {
		static const char *const lengths[] = {"", "h", "hh", "l", "ll", "z", "t", "j"};
		char fmt[64] = "<";
		size_t n = 1 + random_start(fmt + 1, "-+ #0");
		const char *length = lengths[rng_below(&rng, ARRAY_SIZE(lengths))];
		uint64_t v = random_value();
		size_t size = rng_one_in(&rng, 4) ? rng_below(&rng, 30) : OUT;

		sprintf(fmt + n, "%s%c>", length, "diuoxX"[rng_below(&rng, 6)]);
		if (*length && *length != 'h')
			compare(size, fmt, v);
		else
			compare(size, fmt, (int)v);
	}
}

static void strings_and_characters_look_as_in_libc(void **state unused_arg)
{
	for (int i = 0; i < 50000; i++) {
		char fmt[64], s[32] = "";
		size_t n = random_start(fmt, "-");
		size_t size = rng_one_in(&rng, 4) ? rng_below(&rng, 30) : OUT;

		memset(s, 'a' + (int)rng_below(&rng, 26), rng_below(&rng, sizeof(s)));
		strcpy(fmt + n, "s|");
		compare(size, fmt, s);
		n = (size_t)sprintf(fmt, "%%%s%dc%%%%", rng_one_in(&rng, 2) ? "-" : "",
			(int)rng_between(&rng, 1, 9));
		compare(size, fmt, (int)rng_below(&rng, 256));
	}
}

static void widths_and_precisions_come_as_arguments(void **state unused_arg)
{
	for (int i = 0; i < 50000; i++) {
		int width = (int)rng_below(&rng, 60) - 30,
		    precision = (int)rng_below(&rng, 40) - 10;

		compare(OUT, "%*d|%.*d|%0*.*x", width, width, precision, -precision, width,
			precision, 77);
		compare(OUT, "%-*.*s|%s", width, precision, "some words", "end");
	}
}

static void several_arguments_stay_in_step(void **state unused_arg)
{
	compare(OUT, "%d %s %llx %c%c %zu %hhd %ld%%", -1, "two", 0x123456789abcdefull, 'x', 'y',
		sizeof(int), 300, LONG_MIN);
	compare(OUT, "%lld %" PRIu64 " %jd %td %i", LLONG_MIN, UINT64_MAX, INTMAX_MIN,
		(ptrdiff_t)-5, INT_MIN);
	compare(OUT, "no conversion");
	compare(OUT, "%s", "");
	compare(0, "%s", "counted only");
	compare(1, "%s", "terminated only");
}

static void pointers_are_hexadecimal(void **state unused_arg)
{
	char buf[64];

	assert_int_equal(lib_snprintf(buf, sizeof(buf), "%p", (void *)0x1234), 6);
	assert_string_equal(buf, "0x1234");
	lib_snprintf(buf, sizeof(buf), "[%12p][%-8p]", (void *)0xabc, (void *)1);
	assert_string_equal(buf, "[       0xabc][0x1     ]");
	lib_snprintf(buf, sizeof(buf), "%p", (void *)NULL);
	assert_string_equal(buf, "0x0");
	lib_snprintf(buf, sizeof(buf), "%s|%.3s|%8s", (char *)NULL, (char *)NULL, (char *)NULL);
	assert_string_equal(buf, "(null)|(nu|  (null)");
}

static void precision_bounds_what_is_read_of_a_string(void **state unused_arg)
{
	char *s = malloc(3), buf[16];

	memcpy(s, "abc", 3);
	assert_int_equal(lib_snprintf(buf, sizeof(buf), "%.3s", s), 3);
	assert_string_equal(buf, "abc");
	free(s);
}

static void unknown_conversions_end_the_formatting(void **state unused_arg)
{
	char buf[64];

	lib_snprintf(buf, sizeof(buf), "%d %f %s", 1, 2.0, "x");
	assert_string_equal(buf, "1 %f %s");
	lib_snprintf(buf, sizeof(buf), "%d %y %d", 1, 2, 3);
	assert_string_equal(buf, "1 %y %d");
	lib_snprintf(buf, sizeof(buf), "ends in %");
	assert_string_equal(buf, "ends in %");
	lib_snprintf(buf, sizeof(buf), "%-08.3l");
	assert_string_equal(buf, "%-08.3l");
}

static void count_pieces(void *ctx, const char *s unused_arg, size_t n)
{
	assert_true(n > 0);
	*(unsigned long *)ctx += n;
}

static int format_counting(unsigned long *total, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vformat(count_pieces, total, fmt, args);
	va_end(args);
	return n;
}

static void output_goes_piecewise_without_a_buffer(void **state unused_arg)
{
	unsigned long total = 0;

	assert_int_equal(format_counting(&total, "%100000d%s%s", 1, "abc", ""), 100003);
	assert_int_equal(total, 100003);
}

static void lengths_do_not_wrap_around(void **state unused_arg)
{
	char buf[8];

	/* A field of 2^31 - 1, and more behind it: 2^27 pieces are put out, but only counted. */
	assert_int_equal(lib_snprintf(buf, sizeof(buf), "%99999999999d%s", 5, "more"), INT_MAX);
	assert_string_equal(buf, "       ");
}

static void scnprintf_returns_what_was_stored(void **state unused_arg)
{
	char buf[8] = "";

	assert_int_equal(scnprintf(buf, sizeof(buf), "%s", "abc"), 3);
	assert_int_equal(scnprintf(buf, sizeof(buf), "%s", "much too long"), 7);
	assert_string_equal(buf, "much to");
	assert_int_equal(scnprintf(buf, 0, "%s", "abc"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers_look_as_in_libc),
		cmocka_unit_test(strings_and_characters_look_as_in_libc),
		cmocka_unit_test(widths_and_precisions_come_as_arguments),
		cmocka_unit_test(several_arguments_stay_in_step),
		cmocka_unit_test(pointers_are_hexadecimal),
		cmocka_unit_test(precision_bounds_what_is_read_of_a_string),
		cmocka_unit_test(unknown_conversions_end_the_formatting),
		cmocka_unit_test(output_goes_piecewise_without_a_buffer),
		cmocka_unit_test(lengths_do_not_wrap_around),
		cmocka_unit_test(scnprintf_returns_what_was_stored),
	};

	rng_seed(&rng, host_seed());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
