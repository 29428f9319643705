/* SPDX-License-Identifier: MIT */
/*
 * One text, as a user types it: boot arguments (args.c), and a line of the shell split into words.
 *
 * Sources: tests/fuzz/args.c lib/bootargs.c lib/parse.c lib/string.c
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/errno.h"
#include "lib/parse.h"
#include "tests/fuzz/fuzz.h"

#define WORDS_MAX 8

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
	char *text = malloc(size + 1);

	must(text, "no memory");
	memcpy(text, data, size);
	text[size] = '\0';
	ask_words(text);
	split(text);
	free(text);
	return 0;
}
