/* SPDX-License-Identifier: MIT */
/*
 * A terminal of one row for tests of line editing. It understands what lib/lineedit.c may write and
 * fails the test on everything else, also on text that would run over the end of the row.
 */
#ifndef TESTS_HOST_TERMINAL_H
#define TESTS_HOST_TERMINAL_H

#include <stddef.h>

#define COLUMNS 40

struct terminal {
	char cells[COLUMNS][5]; /* one character each, terminated */
	unsigned column;
	unsigned bells;
	char listing[2000]; /* rows that scrolled away, each ended by \n */
};

extern struct terminal term;

void term_reset(void);
/* As lineedit_ops.output. */
void term_output(void *ctx, const char *text, size_t n);

#endif
