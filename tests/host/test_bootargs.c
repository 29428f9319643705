/* SPDX-License-Identifier: MIT */
/*
 * lib/bootargs.c: the grammar of its header, and no crash on any text.
 *
 * Sources: tests/host/harness.c lib/bootargs.c lib/parse.c lib/random.c
 */
#include <stdlib.h>
#include <string.h>

#include "lib/bootargs.h"
#include "lib/errno.h"
#include "lib/random.h"
#include "tests/host/harness.h"

static struct rng rng;

static void expect(const char *args, const char *key, const char *want)
{
	char value[64];
	bool found = bootargs_get(args, key, value, sizeof(value));

	if (found != (want != NULL))
		fail_msg("%s in <%s>: found %d", key, args, found);
	assert_string_equal(value, want ? want : "");
}

static void finds_values_by_key(void **state unused_arg)
{
	expect("shell=kernel run=help", "shell", "kernel");
	expect("shell=kernel run=help", "run", "help");
	expect("  a=1\tb=2\n", "b", "2");
	expect("", "a", NULL);
	expect(NULL, "a", NULL);
	expect("a=b=c", "a", "b=c");
}

static void quotes_hold_white_space_together(void **state unused_arg)
{
	expect("shell=kernel run=\"harts; mem\" x=1", "run", "harts; mem");
	expect("shell=kernel run=\"harts; mem\" x=1", "x", "1");
	expect("run=a\" b\"c\" d\"", "run", "a bc d");
	expect("run=\"say \\\"hi\\\" \\\\ \\n\"", "run", "say \"hi\" \\ \\n");
	expect("run=\"x=5 y\"", "x", NULL);
	expect("run=\"\"", "run", "");
}

static void keys_without_a_value_are_empty(void **state unused_arg)
{
	struct bootarg arg;

	expect("quiet run=x", "quiet", "");
	expect("quiet= run=x", "quiet", "");
	assert_true(bootargs_find("quiet", "quiet", &arg));
	assert_false(arg.has_value);
	assert_true(bootargs_find("quiet=", "quiet", &arg));
	assert_true(arg.has_value);
}

static void the_last_of_equal_keys_counts(void **state unused_arg)
{
	expect("a=1 a=2 b=3 a=4 c", "a", "4");
	expect("a=1 a", "a", "");
}

static void keys_are_compared_whole(void **state unused_arg)
{
	expect("xfoo=1 foo=2 foobar=3", "foo", "2");
	expect("xfoo=1 foobar=3", "foo", NULL);
	expect("foo=1", "fo", NULL);
	expect("foo=1", "fooo", NULL);
	expect("foo=1", "", NULL);
	expect("a=foo=1", "foo", NULL);
}

static void malformed(const char *args, size_t want)
{
	size_t pos = 999;

	assert_int_equal(bootargs_check(args, &pos), -EINVAL);
	assert_int_equal(pos, want);
}

static void malformed_words_are_reported_by_position(void **state unused_arg)
{
	size_t pos = 7;

	assert_int_equal(bootargs_check("a=1 b=\"x y\" c", &pos), 0);
	assert_int_equal(bootargs_check("", &pos), 0);
	assert_int_equal(bootargs_check(NULL, &pos), 0);
	assert_int_equal(pos, 7);
	malformed("a=1 =2 b=3", 4);
	malformed("a=1  b=\"2 c=3", 5);
	malformed("a\"x\"=1", 0);
	malformed("ok \"a b\"", 3);
	malformed("a=\"\\\"", 0);
	/* The rest is still understood. */
	expect("a=1 =2 b=3", "b", "3");
	expect("x\"y\"=1 a=2", "a", "2");
}

static void long_values_are_cut_and_their_length_told(void **state unused_arg)
{
	struct bootarg arg;
	char value[4];

	assert_true(bootargs_get("k=abcdef", "k", value, sizeof(value)));
	assert_string_equal(value, "abc");
	assert_true(bootargs_find("k=\"ab cd\"", "k", &arg));
	assert_int_equal(bootarg_value(&arg, value, sizeof(value)), 5);
	assert_int_equal(bootarg_value(&arg, NULL, 0), 5);
}

static void numbers_are_parsed_strictly(void **state unused_arg)
{
	uint64_t v = 42;

	assert_int_equal(bootargs_get_u64("n=0x10", "n", &v), 0);
	assert_int_equal(v, 16);
	assert_int_equal(bootargs_get_u64("m=1", "n", &v), -ENOENT);
	assert_int_equal(bootargs_get_u64("n", "n", &v), -EINVAL);
	assert_int_equal(bootargs_get_u64("n=1k", "n", &v), -EINVAL);
	assert_int_equal(
		bootargs_get_u64("n=000000000000000000000000000000000000001", "n", &v), -EINVAL);
	assert_int_equal(bootargs_get_u64("n=99999999999999999999", "n", &v), -ERANGE);
	assert_int_equal(v, 16);
}

/* A heap copy, so that the sanitizer sees a read behind the end. */
static void survives_any_text(void **state unused_arg)
{
	for (int i = 0; i < 200000; i++) {
		size_t n = rng_below(&rng, 20), pos = 0, last = 0;
		char *s = malloc(n + 1), value[8];
		struct bootarg arg;
		int words = 0, err;

		for (size_t k = 0; k < n; k++)
			s[k] = "a= \"\\\xff"[rng_below(&rng, 6)];
		s[n] = '\0';
		while ((err = bootargs_next(s, &pos, &arg)) != -ENOENT) {
			assert_true(pos > last && pos <= n);
			last = pos;
			assert_true(++words <= 10);
			assert_true(arg.raw >= s && arg.raw + arg.raw_len == s + pos);
			assert_true(bootarg_value(&arg, value, sizeof(value)) <= arg.raw_len);
		}
		bootargs_get(s, "a", value, sizeof(value));
		free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_values_by_key),
		cmocka_unit_test(quotes_hold_white_space_together),
		cmocka_unit_test(keys_without_a_value_are_empty),
		cmocka_unit_test(the_last_of_equal_keys_counts),
		cmocka_unit_test(keys_are_compared_whole),
		cmocka_unit_test(malformed_words_are_reported_by_position),
		cmocka_unit_test(long_values_are_cut_and_their_length_told),
		cmocka_unit_test(numbers_are_parsed_strictly),
		cmocka_unit_test(survives_any_text),
	};

	rng_seed(&rng, host_seed());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
