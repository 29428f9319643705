/* SPDX-License-Identifier: MIT */
/*
 * Boot arguments: words between white space, each `key` or `key=value`. A part of the value in
 * double quotes may hold white space; inside quotes \" and \\ stand for " and \. Of two equal keys
 * the last one counts. A word is malformed if its key is empty or holds a quote, or if a quote is
 * not closed; it is passed over, and bootargs_check tells where it stands.
 */
#ifndef LIB_BOOTARGS_H
#define LIB_BOOTARGS_H

#include "lib/types.h"

struct bootarg {
	const char *key; /* points into the text, not terminated */
	size_t key_len;
	const char *raw; /* value as written, with its quotes; not terminated */
	size_t raw_len;
	bool has_value; /* there was a '=' */
};

/*
 * The next word at or after *pos (start with 0); *pos is behind it then. 0, -ENOENT at the end,
 * -EINVAL for a malformed word (out->key is where it stands). Always moves on. args may be NULL:
 * empty.
 */
int bootargs_next(const char *args, size_t *pos, struct bootarg *out);
/* The value without quotes, cut to n bytes with the terminator; returns its whole length. */
size_t bootarg_value(const struct bootarg *arg, char *out, size_t n);
bool bootarg_key_is(const struct bootarg *arg, const char *key);

/* The last word with this key, as it stands in the text. */
bool bootargs_find(const char *args, const char *key, struct bootarg *out);
/* Its value; "" for a key without one. Cut to n bytes (bootargs_find + bootarg_value tell the
 * length). False, and out = "", if the key is not there. */
bool bootargs_get(const char *args, const char *key, char *out, size_t n);
/* The value as a number (lib/parse.h); -ENOENT if the key is not there, -EINVAL, -ERANGE: *out is
 * as it was. */
int bootargs_get_u64(const char *args, const char *key, uint64_t *out);

/* 0, or -EINVAL with the position of the first malformed word. */
int bootargs_check(const char *args, size_t *pos);

#endif
