/* SPDX-License-Identifier: MIT */
/*
 * One text, as a user types it: boot arguments (args.c) held against options that there are, and a
 * line of the shell split into words.
 *
 * Sources: tests/fuzz/args.c lib/bootargs.c lib/options.c lib/parse.c lib/string.c
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/errno.h"
#include "lib/options.h"
#include "lib/parse.h"
#include "tests/fuzz/fuzz.h"

#define WORDS_MAX 8

static bool is_mode(const struct boot_option *option unused_arg, const char *value)
{
	return option_in_words("pause turn", value);
}

static const struct boot_option number = {"n", "a number up to 100", option_is_number, 100},
				mode = {"relax", "pause or turn", is_mode, 0},
				text = {"run", "anything", NULL, 0};
static const struct boot_option *const options[] = {&number, &mode, &text};

/* What the last word that was complained of is; how many were. */
static const char *complained;
static unsigned complaints;

noreturn void broken(const char *fmt, ...)
{
	va_list ap;

	fputs("broken: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputs("\n", stderr);
	abort();
}

/* A word of no use is just that, by what it takes to know it without the options' own parser. */
static void complain(const struct bootarg *arg, enum option_fault fault, const char *takes)
{
	must(!complained || arg->key > complained, "words in another order than they stand");
	complained = arg->key;
	complaints++;
	if (fault == OPTION_MALFORMED)
		return;
	must((fault == OPTION_UNKNOWN) == !takes, "a fault without what would be right");
	must(fault != OPTION_UNKNOWN || !bootarg_key_is(arg, "run"), "an option unknown to itself");
	must(fault != OPTION_INVALID || !bootarg_key_is(arg, "run"), "any text is right");
	if (fault == OPTION_INVALID && bootarg_key_is(arg, "relax"))
		must(arg->raw_len != 4 || strncmp(arg->raw, "turn", 4), "a right word is wrong");
	if (fault == OPTION_INVALID && bootarg_key_is(arg, "n"))
		must(arg->raw_len != 1 || *arg->raw < '0' || *arg->raw > '9', "a digit is wrong");
}

/* Said or not, there are as many; without any option, no word is of use. */
static void check(const char *args)
{
	const struct boot_option *const *end = options + ARRAY_SIZE(options);
	struct bootarg arg;
	unsigned all = 0;
	size_t pos = 0;

	for (; bootargs_next(args, &pos, &arg) != -ENOENT; all++) {
		char value[16];

		bootarg_value(&arg, value, sizeof(value));
		must(option_in_words("pause turn", value) ==
				(!strcmp(value, "pause") || !strcmp(value, "turn")),
			"%s is taken for another word", value);
	}
	complained = NULL;
	complaints = 0;
	must(options_check(args, options, end, complain) == complaints && complaints <= all,
		"another number of words than was said");
	must(options_check(args, options, end, NULL) == complaints, "fewer if nobody listens");
	must(options_check(args, options, options, NULL) == all, "a word without its option");
}

static void split(const char *text)
{
	size_t n = strlen(text) + 1, sum = 0;
	char *line = malloc(n), *argv[WORDS_MAX];
	int words;

	must(line, "no memory");
	memcpy(line, text, n);
	words = parse_words(line, argv, WORDS_MAX);
	must(words <= WORDS_MAX && (words >= 0 || words == -E2BIG || words == -EINVAL), "%d words",
		words);
	for (int i = 0; i < words; i++) {
		must(argv[i] >= line && argv[i] + strlen(argv[i]) < line + n,
			"a word outside of the line");
		sum += strlen(argv[i]) + 1;
	}
	must(sum <= n, "words longer than their line");
	free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *typed = malloc(size + 1);

	must(typed, "no memory");
	memcpy(typed, data, size);
	typed[size] = '\0';
	ask_words(typed);
	check(typed);
	split(typed);
	free(typed);
	return 0;
}
