/* SPDX-License-Identifier: MIT */
/*
 * Line editing as a state machine: bytes of a terminal go in one by one, bytes for it come out
 * through a callback. No locks, no allocation, no waiting: its user has the one lock and does the
 * reading.
 *
 * Keys: printable characters and UTF-8, arrows, home, end, delete, backspace (8 and 127), ctrl-a b
 * c d e f h k l n p u w, alt-b alt-f alt-d, tab, enter (\r, \n, or both as one). Unknown escape
 * sequences are swallowed whole. A line longer than the terminal scrolls sideways; a character that
 * does not fit into LINEEDIT_MAX is refused with a bell. Words end at white space and at ;.
 */
#ifndef LIB_LINEEDIT_H
#define LIB_LINEEDIT_H

#include "lib/termkeys.h"
#include "lib/types.h"

#define LINEEDIT_MAX 256 /* with the terminator */
#define LINEEDIT_HISTORY 16
#define LINEEDIT_COLUMNS 80 /* until lineedit_set_columns */

enum lineedit_event {
	LINEEDIT_MORE,	 /* go on feeding */
	LINEEDIT_LINE,	 /* enter: le->line holds the line, terminated */
	LINEEDIT_CANCEL, /* ctrl-c: the line was thrown away */
	LINEEDIT_EOF,	 /* ctrl-d on an empty line */
};

struct lineedit_ops {
	void (*output)(void *ctx, const char *text, size_t n);
	/*
	 * Candidate i (0, 1, ...) for the word line[start, end), the cursor standing at `end`; NULL
	 * after the last one. Each begins with that word. May be NULL: no completion. The answers
	 * must not change while one key is handled.
	 */
	const char *(*complete)(void *ctx, const char *line, size_t start, size_t end, unsigned i);
};

struct lineedit {
	char line[LINEEDIT_MAX]; /* always terminated */
	const struct lineedit_ops *ops;
	void *ctx;
	const char *prompt;
	unsigned prompt_columns;
	unsigned columns;
	unsigned len, cursor; /* bytes; cursor <= len, never inside a character */
	unsigned view;	      /* first byte shown */
	struct termkeys keys;
	bool active; /* a prompt is on the terminal */

	char history[LINEEDIT_HISTORY][LINEEDIT_MAX];
	unsigned nr_history;	  /* lines ever added */
	unsigned recalled;	  /* 0: the new line; n: the n-th last one of the history */
	char saved[LINEEDIT_MAX]; /* the new line while an old one is shown */
};

/* ops, ctx and prompt (escape sequences in it take no column) must outlive le. */
void lineedit_init(
	struct lineedit *le, const char *prompt, const struct lineedit_ops *ops, void *ctx);
void lineedit_set_columns(struct lineedit *le, unsigned columns);
/* Empties the line and shows the prompt. After init and after every event but LINEEDIT_MORE. */
void lineedit_start(struct lineedit *le);
enum lineedit_event lineedit_key(struct lineedit *le, char byte);
/* Draws the line anew, from any column of its row: after output of others. */
void lineedit_show(struct lineedit *le);

/* LINEEDIT_LINE adds its line by itself; empty lines and repetitions are left out. */
void lineedit_history_add(struct lineedit *le, const char *line);
/* The n-th last line (n >= 1), NULL if there is none. */
const char *lineedit_history(const struct lineedit *le, unsigned n);

#endif
