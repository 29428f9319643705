/* SPDX-License-Identifier: MIT */
/* Boot arguments: lib/bootargs.h. */
#include "lib/bootargs.h"
#include "lib/errno.h"
#include "lib/parse.h"
#include "lib/string.h"

static bool is_blank(char c)
{
	return char_is_space((unsigned char)c);
}

/* End of the word at s: white space outside of quotes, or the end of the text (*open: in quotes).
 */
static const char *word_end(const char *s, bool *open)
{
	bool quoted = false;

	for (; *s && (quoted || !is_blank(*s)); s++) {
		if (*s == '"')
			quoted = !quoted;
		else if (quoted && *s == '\\' && (s[1] == '"' || s[1] == '\\'))
			s++;
	}
	*open = quoted;
	return s;
}

int bootargs_next(const char *args, size_t *pos, struct bootarg *out)
{
	const char *s, *end, *equals;
	bool open;

	if (!args)
		return -ENOENT;
	for (s = args + *pos; is_blank(*s); s++)
		;
	*pos = (size_t)(s - args);
	if (!*s)
		return -ENOENT;

	end = word_end(s, &open);
	*pos = (size_t)(end - args);
	equals = memchr(s, '=', (size_t)(end - s));
	*out = (struct bootarg){.key = s,
		.key_len = (size_t)((equals ? equals : end) - s),
		.raw = equals ? equals + 1 : end,
		.has_value = equals};
	out->raw_len = (size_t)(end - out->raw);
	if (open || !out->key_len || memchr(s, '"', out->key_len))
		return -EINVAL;
	return 0;
}

size_t bootarg_value(const struct bootarg *arg, char *out, size_t n)
{
	size_t len = 0;
	bool quoted = false;

	for (size_t i = 0; i < arg->raw_len; i++) {
		char c = arg->raw[i];

		if (c == '"') {
			quoted = !quoted;
			continue;
		}
		if (quoted && c == '\\' && i + 1 < arg->raw_len &&
			(arg->raw[i + 1] == '"' || arg->raw[i + 1] == '\\'))
			c = arg->raw[++i];
		if (len + 1 < n)
			out[len] = c;
		len++;
	}
	if (n)
		out[MIN(len, n - 1)] = '\0';
	return len;
}

bool bootarg_key_is(const struct bootarg *arg, const char *key)
{
	return strlen(key) == arg->key_len && !memcmp(arg->key, key, arg->key_len);
}

bool bootargs_find(const char *args, const char *key, struct bootarg *out)
{
	struct bootarg arg;
	bool found = false;
	size_t pos = 0;
	int err;

	while ((err = bootargs_next(args, &pos, &arg)) != -ENOENT) {
		if (err || !bootarg_key_is(&arg, key))
			continue;
		*out = arg;
		found = true;
	}
	return found;
}

bool bootargs_get(const char *args, const char *key, char *out, size_t n)
{
	struct bootarg arg;

	if (bootargs_find(args, key, &arg)) {
		bootarg_value(&arg, out, n);
		return true;
	}
	if (n)
		out[0] = '\0';
	return false;
}

int bootargs_get_u64(const char *args, const char *key, uint64_t *out)
{
	struct bootarg arg;
	char text[32];

	if (!bootargs_find(args, key, &arg))
		return -ENOENT;
	if (bootarg_value(&arg, text, sizeof(text)) >= sizeof(text))
		return -EINVAL;
	return parse_u64(text, out);
}

int bootargs_check(const char *args, size_t *pos)
{
	struct bootarg arg;
	size_t at = 0;
	int err;

	while ((err = bootargs_next(args, &at, &arg)) != -ENOENT) {
		if (!err)
			continue;
		*pos = (size_t)(arg.key - args);
		return err;
	}
	return 0;
}
