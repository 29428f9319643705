/* SPDX-License-Identifier: MIT */
/*
 * Which boot arguments there are: whoever reads one declares it, and one place (kernel/main.c)
 * holds all the words of a boot against the declarations.
 *
 *	BOOT_NUMBER(hartwait, 3600000, "a number of milliseconds up to 3600000");
 *
 * A word that is unknown, malformed or invalid is said there; who reads it goes on with its
 * default, and says nothing.
 */
#ifndef LIB_OPTIONS_H
#define LIB_OPTIONS_H

#include "lib/bootargs.h"
#include "lib/linkset.h"

/* Longest value that is looked at; longer ones are invalid, unless any is valid. */
#define OPTION_VALUE_MAX 160

struct boot_option {
	const char *key;
	const char *takes; /* what a valid value is, for people */
	/* NULL: any value is valid. */
	bool (*valid)(const struct boot_option *option, const char *value);
	uint64_t most;
};

#define BOOT_OPTION_MOST(key_, takes_, valid_, most_) \
	static const struct boot_option boot_option_##key_ = {#key_, takes_, valid_, most_}; \
	LINKSET_ADD(boot_option, const struct boot_option, boot_option_##key_)
#define BOOT_OPTION(key_, takes_, valid_) BOOT_OPTION_MOST(key_, takes_, valid_, 0)
#define BOOT_NUMBER(key_, most_, takes_) BOOT_OPTION_MOST(key_, takes_, option_is_number, most_)
#define BOOT_TEXT(key_) BOOT_OPTION(key_, "anything", NULL)

/* The whole value is a number up to `most`. */
bool option_is_number(const struct boot_option *option, const char *value);
/* `value` stands in `words`, between blanks. */
bool option_in_words(const char *words, const char *value);

enum option_fault {
	OPTION_MALFORMED, /* a quote stands where none may, or is not closed */
	OPTION_UNKNOWN,
	OPTION_INVALID, /* its value; `takes` is the option's */
};
typedef void option_say(const struct bootarg *arg, enum option_fault fault, const char *takes);

/*
 * Holds every word of `args` (NULL: none) against the options from `first` to before `end`; calls
 * `say` (NULL: only counts) for each that is no good, in their order. Returns how many there are.
 */
unsigned options_check(const char *args, const struct boot_option *const *first,
	const struct boot_option *const *end, option_say *say);

#endif
