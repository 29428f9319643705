/* SPDX-License-Identifier: MIT */
/*
 * lib/options.c: every word that is no good is told, in order, and no other.
 *
 * Sources: tests/host/harness.c lib/options.c lib/bootargs.c lib/parse.c lib/random.c
 */
#include <stdio.h>
#include <string.h>

#include "lib/options.h"
#include "lib/random.h"
#include "tests/host/harness.h"

static bool is_colour(const struct boot_option *option, const char *value)
{
	(void)option;
	return option_in_words("red green", value);
}

static const struct boot_option wait = {"wait", "a number up to 100", option_is_number, 100};
static const struct boot_option colour = {"colour", "red or green", is_colour, 0};
static const struct boot_option run = {"run", "anything", NULL, 0};
static const struct boot_option *const options[] = {&wait, &colour, &run};

static char told[4096];

static void tell(const struct bootarg *arg, enum option_fault fault, const char *takes)
{
	size_t used = strlen(told);

	snprintf(told + used, sizeof(told) - used, "%.*s/%d/%s;", (int)arg->key_len, arg->key,
		fault, takes ? takes : "-");
}

static unsigned check(const char *args)
{
	unsigned bad;

	told[0] = '\0';
	bad = options_check(args, options, options + ARRAY_SIZE(options), tell);
	assert_int_equal(options_check(args, options, options + ARRAY_SIZE(options), NULL), bad);
	return bad;
}

static void good_words_are_silent(void **state unused_arg)
{
	assert_int_equal(check(NULL), 0);
	assert_int_equal(check(""), 0);
	assert_int_equal(check("wait=0 wait=0x64 colour=red run=\"a b\" run run="), 0);
	assert_string_equal(told, "");
}

static void every_bad_word_is_told_in_order(void **state unused_arg)
{
	assert_int_equal(check("what wait=101 colour= run=x wait= colour=re wait=-1 a\"b=1"), 7);
	assert_string_equal(told,
		"what/1/-;wait/2/a number up to 100;colour/2/red or green;"
		"wait/2/a number up to 100;colour/2/red or green;wait/2/a number up to 100;"
		"a\"b/0/-;");
}

static void a_part_of_a_key_is_no_key(void **state unused_arg)
{
	assert_int_equal(check("wai=1 waits=1 =1"), 3);
	assert_string_equal(told, "wai/1/-;waits/1/-;/0/-;");
}

static void a_value_that_is_too_long_is_invalid_unless_any_is_valid(void **state unused_arg)
{
	char args[2 * OPTION_VALUE_MAX];

	memset(args, '0', sizeof(args));
	memcpy(args, "wait=", 5);
	args[sizeof(args) - 1] = '\0';
	assert_int_equal(check(args), 1);
	memcpy(args, "run=0", 5);
	assert_int_equal(check(args), 0);
}

static void words_of_a_list_are_whole(void **state unused_arg)
{
	assert_true(
		option_in_words("stop start", "stop") && option_in_words("stop start", "start"));
	assert_false(option_in_words("stop start", "star") || option_in_words("stop start", "") ||
		option_in_words("stop start", "op") || option_in_words("", "stop"));
}

/* Whatever the text is: no crash, and as many are told as are counted. */
static void any_text_is_survived(void **state unused_arg)
{
	static const char letters[] = "waitrun=\" \\x0123,col";
	struct rng rng;
	char text[64];

	rng_seed(&rng, 7);
	for (unsigned round = 0; round < 20000; round++) {
		size_t n = (size_t)rng_below(&rng, sizeof(text));
		unsigned semicolons = 0, bad;

		for (size_t i = 0; i < n; i++)
			text[i] = letters[rng_below(&rng, sizeof(letters) - 1)];
		text[n] = '\0';
		bad = check(text);
		for (const char *s = told; *s; s++)
			semicolons += *s == ';';
		assert_int_equal(semicolons, bad);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_words_are_silent),
		cmocka_unit_test(every_bad_word_is_told_in_order),
		cmocka_unit_test(a_part_of_a_key_is_no_key),
		cmocka_unit_test(a_value_that_is_too_long_is_invalid_unless_any_is_valid),
		cmocka_unit_test(words_of_a_list_are_whole),
		cmocka_unit_test(any_text_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
