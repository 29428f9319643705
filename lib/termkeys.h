/* SPDX-License-Identifier: MIT */
/*
 * Keys out of a terminal's bytes: control characters, escape sequences (ECMA-48 CSI, SS3, alt as
 * ESC prefix, the Linux console's ESC [ [ x) and UTF-8, however they are split over calls. What is
 * unknown or malformed is swallowed; a control character breaks off whatever was not finished.
 */
#ifndef LIB_TERMKEYS_H
#define LIB_TERMKEYS_H

#include "lib/types.h"

enum term_key {
	KEY_NONE,  /* nothing yet, or nothing known */
	KEY_TEXT,  /* one character: termkeys.text, termkeys.text_len */
	KEY_ENTER, /* \r, \n, or \r\n as one */
	KEY_TAB,
	KEY_BACKSPACE,
	KEY_DELETE,
	KEY_LEFT,
	KEY_RIGHT,
	KEY_UP,
	KEY_DOWN,
	KEY_HOME,
	KEY_END,
	KEY_WORD_LEFT,
	KEY_WORD_RIGHT,
	KEY_KILL_WORD,
	KEY_KILL_WORD_AFTER,
	KEY_KILL_START,
	KEY_KILL_END,
	KEY_CLEAR_SCREEN,
	KEY_CANCEL, /* ctrl-c */
	KEY_EOF,    /* ctrl-d */
};

/* All zero: at the start. */
struct termkeys {
	uint8_t state;
	uint8_t param; /* first number of an escape sequence */
	bool was_cr;
	unsigned text_len;
	char text[4];
};

enum term_key termkeys_feed(struct termkeys *t, char byte);

#endif
