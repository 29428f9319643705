/* SPDX-License-Identifier: MIT */
/* Boot arguments that nobody can make sense of: lib/options.h. */
#include "lib/options.h"

#include "lib/errno.h"
#include "lib/parse.h"
#include "lib/string.h"

bool option_is_number(const struct boot_option *option, const char *value)
{
	uint64_t n;

	return !parse_u64(value, &n) && n <= option->most;
}

bool option_in_words(const char *words, const char *value)
{
	size_t n = strlen(value);

	while (n && *words) {
		const char *end = strchr(words, ' ');
		size_t len = end ? (size_t)(end - words) : strlen(words);

		if (len == n && strncmp(words, value, n) == 0)
			return true;
		words += len + (end != NULL);
	}
	return false;
}

static bool is_valid(const struct boot_option *option, const struct bootarg *arg)
{
	char value[OPTION_VALUE_MAX];

	if (!option->valid)
		return true;
	return bootarg_value(arg, value, sizeof(value)) < sizeof(value) &&
		option->valid(option, value);
}

/* False: there is nothing wrong with it. */
static bool judge(const struct bootarg *arg, const struct boot_option *option, int err,
	enum option_fault *fault)
{
	if (err)
		*fault = OPTION_MALFORMED;
	else if (!option)
		*fault = OPTION_UNKNOWN;
	else
		*fault = OPTION_INVALID;
	return err || !option || !is_valid(option, arg);
}

unsigned options_check(const char *args, const struct boot_option *const *first,
	const struct boot_option *const *end, option_say *say)
{
	enum option_fault fault;
	struct bootarg arg;
	unsigned bad = 0;
	size_t pos = 0;
	int err;

	while ((err = bootargs_next(args, &pos, &arg)) != -ENOENT) {
		const struct boot_option *const *o = first;

		while (o < end && !bootarg_key_is(&arg, (*o)->key))
			o++;
		if (!judge(&arg, o < end ? *o : NULL, err, &fault))
			continue;
		bad++;
		if (say)
			say(&arg, fault, o < end ? (*o)->takes : NULL);
	}
	return bad;
}
