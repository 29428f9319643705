/* SPDX-License-Identifier: MIT */
/* Keys out of a terminal's bytes: lib/termkeys.h. */
#include "lib/termkeys.h"

#define CTRL(c) ((c) & 0x1f)
#define ESC 0x1b
#define DELETE 0x7f
#define PARAM_MAX 100 /* no sequence has a number as large */

enum state {
	PLAIN,
	ESCAPE,	 /* after ESC */
	NUMBER,	 /* after ESC [, in the first number */
	REST,	 /* behind the first number */
	SS3,	 /* after ESC O */
	SWALLOW, /* after ESC [ [ */
};

static enum term_key control_key(char c)
{
	static const uint8_t keys[32] = {
		[CTRL('a')] = KEY_HOME,
		[CTRL('b')] = KEY_LEFT,
		[CTRL('c')] = KEY_CANCEL,
		[CTRL('d')] = KEY_EOF,
		[CTRL('e')] = KEY_END,
		[CTRL('f')] = KEY_RIGHT,
		['\b'] = KEY_BACKSPACE,
		['\t'] = KEY_TAB,
		['\n'] = KEY_ENTER,
		[CTRL('k')] = KEY_KILL_END,
		[CTRL('l')] = KEY_CLEAR_SCREEN,
		['\r'] = KEY_ENTER,
		[CTRL('n')] = KEY_DOWN,
		[CTRL('p')] = KEY_UP,
		[CTRL('u')] = KEY_KILL_START,
		[CTRL('w')] = KEY_KILL_WORD,
	};

	return c == DELETE ? KEY_BACKSPACE : (enum term_key)keys[(unsigned char)c];
}

/* ESC c */
static enum term_key alt_key(char c)
{
	switch (c) {
	case 'b':
		return KEY_WORD_LEFT;
	case 'f':
		return KEY_WORD_RIGHT;
	case 'd':
		return KEY_KILL_WORD_AFTER;
	default:
		return KEY_NONE;
	}
}

/* ESC [ c and ESC O c */
static enum term_key letter_key(char c)
{
	switch (c) {
	case 'A':
		return KEY_UP;
	case 'B':
		return KEY_DOWN;
	case 'C':
		return KEY_RIGHT;
	case 'D':
		return KEY_LEFT;
	case 'H':
		return KEY_HOME;
	case 'F':
		return KEY_END;
	default:
		return KEY_NONE;
	}
}

/* ESC [ number ~ */
static enum term_key tilde_key(unsigned number)
{
	switch (number) {
	case 1:
	case 7:
		return KEY_HOME;
	case 4:
	case 8:
		return KEY_END;
	case 3:
		return KEY_DELETE;
	default:
		return KEY_NONE;
	}
}

/* A byte behind ESC [: numbers, separators, then one final byte. */
static enum term_key sequence_byte(struct termkeys *t, char c)
{
	if (t->state == NUMBER && c >= '0' && c <= '9') {
		t->param = (uint8_t)MIN(t->param * 10 + (c - '0'), PARAM_MAX);
		return KEY_NONE;
	}
	if (c >= ' ' && c <= '?') {
		t->state = REST;
		return KEY_NONE;
	}
	if (c == '[' && t->state == NUMBER) {
		t->state = SWALLOW;
		return KEY_NONE;
	}
	t->state = PLAIN;
	return c == '~' ? tilde_key(t->param) : letter_key(c);
}

static enum term_key escape_byte(struct termkeys *t, char c)
{
	enum state state = t->state;

	if (state == NUMBER || state == REST)
		return sequence_byte(t, c);
	t->state = PLAIN;
	if (state == SS3)
		return letter_key(c);
	if (state == SWALLOW)
		return KEY_NONE;
	if (c == '[' || c == 'O') {
		t->state = c == '[' ? NUMBER : SS3;
		t->param = 0;
		return KEY_NONE;
	}
	return alt_key(c);
}

/* Length of the UTF-8 character that c begins; 0 if c begins none. */
static unsigned utf8_length(unsigned char c)
{
	if (c < 0x80)
		return 1;
	if (c < 0xc2 || c > 0xf4)
		return 0;
	return c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

static enum term_key text_byte(struct termkeys *t, char c)
{
	bool continues = ((unsigned char)c & 0xc0) == 0x80;
	unsigned want = t->text_len ? utf8_length((unsigned char)t->text[0]) : 0;

	/* A whole character, or one that was broken off, makes room for the next. */
	if (t->text_len >= want || !continues) {
		t->text_len = 0;
		want = utf8_length((unsigned char)c);
	}
	if (!want)
		return KEY_NONE;
	t->text[t->text_len++] = c;
	return t->text_len == want ? KEY_TEXT : KEY_NONE;
}

enum term_key termkeys_feed(struct termkeys *t, char byte)
{
	unsigned char c = (unsigned char)byte;
	bool after_cr = t->was_cr;

	t->was_cr = byte == '\r';
	if (c < ' ' || c == DELETE) {
		t->state = c == ESC ? ESCAPE : PLAIN;
		t->text_len = 0;
		return byte == '\n' && after_cr ? KEY_NONE : control_key(byte);
	}
	if (t->state != PLAIN && c < 0x80)
		return escape_byte(t, byte);
	t->state = PLAIN;
	return text_byte(t, byte);
}
