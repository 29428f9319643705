/* SPDX-License-Identifier: MIT */
/*
 * lib/parse.c takes numbers and words, and nothing that merely resembles them.
 *
 * Sources: tests/host/harness.c lib/parse.c lib/errno.c lib/random.c
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/errno.h"
#include "lib/parse.h"
#include "lib/random.h"
#include "tests/host/harness.h"

static struct rng rng;

static void takes_decimal_and_hexadecimal_numbers(void **state unused_arg)
{
	uint64_t v;

	for (int i = 0; i < 50000; i++) {
		uint64_t want = rng_u64(&rng) >> rng_below(&rng, 64);
		static const char *const formats[] = {
			"%" PRIu64, "0x%" PRIx64, "0X%" PRIX64, "000%" PRIu64};
		char s[40];

		snprintf(s, sizeof(s), formats[rng_below(&rng, ARRAY_SIZE(formats))], want);
		assert_int_equal(parse_u64(s, &v), 0);
		assert_int_equal(v, want);
	}
}

static void refuses_what_is_no_number(void **state unused_arg)
{
	static const char *const bad[] = {"", " ", "x", "0x", "0xg", "1 ", " 1", "+1", "-1", "1x",
		"1.5", "0b1", "12a", "0x0x1", "99999999999999999999999x"};
	uint64_t v = 42;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(parse_u64(bad[i], &v), -EINVAL);
	assert_int_equal(v, 42);
}

static void refuses_what_does_not_fit(void **state unused_arg)
{
	uint64_t v = 42;
	uint32_t w = 43;
	int64_t i = 44;

	assert_int_equal(parse_u64("18446744073709551615", &v), 0);
	assert_int_equal(v, UINT64_MAX);
	v = 42;
	assert_int_equal(parse_u64("18446744073709551616", &v), -ERANGE);
	assert_int_equal(parse_u64("184467440737095516150", &v), -ERANGE);
	assert_int_equal(parse_u64("0x10000000000000000", &v), -ERANGE);
	assert_int_equal(v, 42);
	assert_int_equal(parse_u32("4294967295", &w), 0);
	assert_int_equal(w, UINT32_MAX);
	assert_int_equal(parse_u32("4294967296", &w), -ERANGE);
	assert_int_equal(parse_unsigned("7", &w), 0);
	assert_int_equal(w, 7);
	assert_int_equal(parse_i64("9223372036854775807", &i), 0);
	assert_int_equal(i, INT64_MAX);
	assert_int_equal(parse_i64("-9223372036854775808", &i), 0);
	assert_int_equal(i, INT64_MIN);
	assert_int_equal(parse_i64("9223372036854775808", &i), -ERANGE);
	assert_int_equal(parse_i64("-9223372036854775809", &i), -ERANGE);
	assert_int_equal(parse_i64("--1", &i), -EINVAL);
	assert_int_equal(parse_i64("-", &i), -EINVAL);
	assert_int_equal(i, INT64_MIN);
}

static void sizes_have_units(void **state unused_arg)
{
	uint64_t v = 42;

	assert_int_equal(parse_size("12", &v), 0);
	assert_int_equal(v, 12);
	assert_int_equal(parse_size("64M", &v), 0);
	assert_int_equal(v, 64 << 20);
	assert_int_equal(parse_size("0x10k", &v), 0);
	assert_int_equal(v, 16 << 10);
	assert_int_equal(parse_size("3g", &v), 0);
	assert_int_equal(v, 3ull << 30);
	assert_int_equal(parse_size("16777215T", &v), 0);
	assert_int_equal(v, 16777215ull << 40);
	v = 42;
	assert_int_equal(parse_size("16777216T", &v), -ERANGE);
	assert_int_equal(parse_size("99999999999999999999M", &v), -ERANGE);
	assert_int_equal(parse_size("1MB", &v), -EINVAL);
	assert_int_equal(parse_size("1 M", &v), -EINVAL);
	assert_int_equal(parse_size("M", &v), -EINVAL);
	assert_int_equal(parse_size("1P", &v), -EINVAL);
	assert_int_equal(v, 42);
}

static void booleans_have_words(void **state unused_arg)
{
	bool b = false;

	assert_int_equal(parse_bool("yes", &b), 0);
	assert_true(b);
	assert_int_equal(parse_bool("off", &b), 0);
	assert_false(b);
	assert_int_equal(parse_bool("1", &b), 0);
	assert_true(b);
	assert_int_equal(parse_bool("0", &b), 0);
	assert_false(b);
	assert_int_equal(parse_bool("", &b), -EINVAL);
	assert_int_equal(parse_bool("yes ", &b), -EINVAL);
}

static void prefix_tells_where_the_number_ends(void **state unused_arg)
{
	const char *end;
	uint64_t v;

	assert_int_equal(parse_u64_prefix("12..34", &v, &end), 0);
	assert_int_equal(v, 12);
	assert_string_equal(end, "..34");
	assert_int_equal(parse_u64_prefix("..", &v, &end), -EINVAL);
}

/* The words that `line` splits into, joined by '|'. */
static const char *split(const char *line)
{
	static char copy[100], joined[200];
	char *argv[8];
	int n;

	strcpy(copy, line);
	n = parse_words(copy, argv, 8);
	if (n < 0)
		return errno_name(n);
	joined[0] = '\0';
	for (int i = 0; i < n; i++) {
		strcat(joined, argv[i]);
		strcat(joined, "|");
	}
	return joined;
}

static void words_split_at_white_space_outside_of_quotes(void **state unused_arg)
{
	assert_string_equal(split(""), "");
	assert_string_equal(split("  \t "), "");
	assert_string_equal(split("one"), "one|");
	assert_string_equal(split(" one  two\tthree "), "one|two|three|");
	assert_string_equal(split("a \"b c\" 'd \"e' f"), "a|b c|d \"e|f|");
	assert_string_equal(split("x\"y z\"w"), "xy zw|");
	assert_string_equal(split("a\\ b \"c\\\"d\" '\\'"), "a b|c\"d|\\|");
	assert_string_equal(split("\"\" ''"), "||");
	assert_string_equal(split("end\\"), "end\\|");
	assert_string_equal(split("a 'b"), "EINVAL");
	assert_string_equal(split("a \"b"), "EINVAL");
	assert_string_equal(split("1 2 3 4 5 6 7 8"), "1|2|3|4|5|6|7|8|");
	assert_string_equal(split("1 2 3 4 5 6 7 8 9"), "E2BIG");
}

static void error_numbers_have_names(void **state unused_arg)
{
	assert_string_equal(errno_name(EINVAL), "EINVAL");
	assert_string_equal(errno_name(-EOWNERDEAD), "EOWNERDEAD");
	assert_string_equal(errno_name(-ETIMEDOUT), "ETIMEDOUT");
	assert_string_equal(errno_name(0), "E?");
	assert_string_equal(errno_name(41), "E?");
	assert_string_equal(errno_name(1000), "E?");
	assert_string_equal(errno_name(INT_MIN), "E?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_decimal_and_hexadecimal_numbers),
		cmocka_unit_test(refuses_what_is_no_number),
		cmocka_unit_test(refuses_what_does_not_fit),
		cmocka_unit_test(sizes_have_units),
		cmocka_unit_test(booleans_have_words),
		cmocka_unit_test(prefix_tells_where_the_number_ends),
		cmocka_unit_test(words_split_at_white_space_outside_of_quotes),
		cmocka_unit_test(error_numbers_have_names),
	};

	rng_seed(&rng, host_seed());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
