/* SPDX-License-Identifier: MIT */
/*
 * What must hold of boot arguments: each word is told once and in order, what is found by a key is
 * the last one of it, and nothing outside of the text is read (it is a heap block of its size).
 */
#include <stdlib.h>
#include <string.h>

#include "lib/bootargs.h"
#include "lib/errno.h"
#include "lib/parse.h"
#include "tests/fuzz/fuzz.h"

/* A value cut to a few bytes, and whole, with its number, if it is one. */
static void ask_value(const struct bootarg *arg)
{
	size_t len = bootarg_value(arg, NULL, 0);
	char cut[4], *whole = malloc(len + 1);
	uint64_t n = 7, again;
	bool b;

	must(whole, "no memory");
	must(len <= arg->raw_len, "a value longer than it was written");
	must(bootarg_value(arg, whole, len + 1) == len && strlen(whole) == len,
		"a value of another length");
	must(bootarg_value(arg, cut, sizeof(cut)) == len && !strncmp(cut, whole, sizeof(cut) - 1) &&
			strlen(cut) < sizeof(cut),
		"a value that is cut to something else");
	if (parse_u64(whole, &n))
		must(n == 7, "what is no number was stored");
	else
		must(!parse_size(whole, &again) && again == n, "a number that is no size");
	parse_bool(whole, &b);
	free(whole);
}

/* Of the words before `behind`, the last with its key is this very one. */
static void ask_key(char *args, size_t behind, const struct bootarg *arg)
{
	char kept = args[behind], key[16];
	struct bootarg found;

	if (arg->key_len >= sizeof(key))
		return;
	memcpy(key, arg->key, arg->key_len);
	key[arg->key_len] = '\0';
	args[behind] = '\0';
	must(bootargs_find(args, key, &found) && found.key == arg->key &&
			found.raw_len == arg->raw_len,
		"another word than the last of its key");
	args[behind] = kept;
}

void ask_words(const char *text)
{
	size_t n = strlen(text) + 1, pos = 0, before = 0, bad = 0;
	bool malformed = false;
	char *args = malloc(n);
	struct bootarg arg;
	int err;

	must(args, "no memory");
	memcpy(args, text, n);
	while ((err = bootargs_next(args, &pos, &arg)) != -ENOENT) {
		must(pos > before && pos < n, "a word that does not move on");
		must(arg.key >= args + before && arg.raw + arg.raw_len <= args + pos,
			"a word outside of the text");
		before = pos;
		if (!err) {
			ask_value(&arg);
			ask_key(args, pos, &arg);
		} else if (!malformed) {
			malformed = true;
			bad = (size_t)(arg.key - args);
		}
	}
	must(!bootargs_check(args, &pos) == !malformed && (!malformed || pos == bad),
		"the first malformed word is not the first one");
	free(args);
}
