/* SPDX-License-Identifier: MIT */
/* Numbers and words from text: lib/parse.h. */
#include "lib/parse.h"
#include "lib/errno.h"
#include "lib/string.h"

int parse_u64_prefix(const char *s, uint64_t *out, const char **end)
{
	unsigned base = 10;
	uint64_t value = 0;
	bool overflow = false;
	const char *digits;

	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
		base = 16;
		s += 2;
	}
	for (digits = s;; s++) {
		int v = char_digit_value((unsigned char)*s);

		if (v < 0 || v >= (int)base)
			break;
		overflow |= __builtin_mul_overflow(value, (uint64_t)base, &value);
		overflow |= __builtin_add_overflow(value, (uint64_t)v, &value);
	}
	if (s == digits)
		return -EINVAL;
	*end = s;
	if (overflow)
		return -ERANGE;
	*out = value;
	return 0;
}

int parse_u64(const char *s, uint64_t *out)
{
	const char *end = s;
	uint64_t value = 0;
	int err = parse_u64_prefix(s, &value, &end);

	if (err == -EINVAL || *end)
		return -EINVAL;
	if (!err)
		*out = value;
	return err;
}

int parse_u32(const char *s, uint32_t *out)
{
	uint64_t value;
	int err = parse_u64(s, &value);

	if (err)
		return err;
	if (value > UINT32_MAX)
		return -ERANGE;
	*out = (uint32_t)value;
	return 0;
}

int parse_unsigned(const char *s, unsigned *out)
{
	uint32_t value;
	int err = parse_u32(s, &value);

	if (!err)
		*out = value;
	return err;
}

int parse_i64(const char *s, int64_t *out)
{
	bool minus = *s == '-';
	uint64_t value, limit = (uint64_t)INT64_MAX + minus;
	int err = parse_u64(s + minus, &value);

	if (err)
		return err;
	if (value > limit)
		return -ERANGE;
	*out = minus ? (int64_t)-value : (int64_t)value;
	return 0;
}

int parse_size(const char *s, uint64_t *out)
{
	static const char units[] = "kmgt";
	const char *end = s, *unit;
	uint64_t value = 0;
	unsigned shift = 0;
	int err = parse_u64_prefix(s, &value, &end);

	if (err == -EINVAL)
		return err;
	if (*end) {
		unit = strchr(units, char_to_lower((unsigned char)*end));
		if (!unit || end[1])
			return -EINVAL;
		shift = 10 * (unsigned)(unit - units + 1);
	}
	if (err || value << shift >> shift != value)
		return -ERANGE;
	*out = value << shift;
	return 0;
}

int parse_bool(const char *s, bool *out)
{
	static const char *const yes[] = {"1", "y", "yes", "on", "true"};
	static const char *const no[] = {"0", "n", "no", "off", "false"};

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++) {
		if (!strcmp(s, yes[i]) || !strcmp(s, no[i])) {
			*out = !strcmp(s, yes[i]);
			return 0;
		}
	}
	return -EINVAL;
}

/* Reads one word at *in, which is no white space, and writes it, shorter or equal, to *out. */
static int read_word(char **in, char **out)
{
	char *from = *in, *to = *out;
	char quote = '\0';

	for (; *from && (quote || !char_is_space((unsigned char)*from)); from++) {
		if (quote ? *from == quote : *from == '"' || *from == '\'')
			quote = quote ? '\0' : *from;
		else if (*from == '\\' && quote != '\'' && from[1])
			*to++ = *++from;
		else
			*to++ = *from;
	}
	*in = from;
	*out = to;
	return quote ? -EINVAL : 0;
}

int parse_words(char *line, char **argv, int max)
{
	int argc = 0;

	for (;;) {
		char *out;
		bool last;

		while (char_is_space((unsigned char)*line))
			line++;
		if (!*line)
			return argc;
		if (argc == max)
			return -E2BIG;
		argv[argc++] = out = line;
		if (read_word(&line, &out))
			return -EINVAL;
		/* The terminator may fall onto the white space that ends the word. */
		last = !*line;
		*out = '\0';
		if (last)
			return argc;
		line++;
	}
}
