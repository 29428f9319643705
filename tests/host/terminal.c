/* SPDX-License-Identifier: MIT */
/* A terminal of one row: terminal.h. */
#include "tests/host/terminal.h"

#include <stdio.h>
#include <string.h>

#include "lib/types.h"
#include "tests/host/harness.h"

struct terminal term;

static void term_clear_from(unsigned column)
{
	for (; column < COLUMNS; column++)
		strcpy(term.cells[column], " ");
}

static void term_line_feed(void)
{
	char row[COLUMNS * 5 + 2] = "";

	for (unsigned i = 0; i < COLUMNS; i++)
		strcat(row, term.cells[i]);
	for (size_t n = strlen(row); n && row[n - 1] == ' '; n--)
		row[n - 1] = '\0';
	strcat(row, "\n");
	if (strlen(term.listing) + strlen(row) < sizeof(term.listing))
		strcat(term.listing, row);
	term_clear_from(0);
}

/* An escape sequence at s; returns its length. */
static size_t term_escape(const char *s)
{
	unsigned n = 0;
	int used = 0;

	if (!strncmp(s, "\033[K", 3)) {
		term_clear_from(term.column);
		return 3;
	}
	if (!strncmp(s, "\033[H\033[2J", 7)) {
		term_clear_from(0);
		term.column = 0;
		return 7;
	}
	if (sscanf(s, "\033[%uC%n", &n, &used) != 1 || !used)
		fail_msg("unknown escape sequence: %s", s + 1);
	term.column += n;
	assert_true(term.column < COLUMNS);
	return (size_t)used;
}

static size_t term_character(const char *s, size_t n)
{
	size_t len = 1;

	while (len < n && (s[len] & 0xc0) == 0x80)
		len++;
	assert_true(term.column < COLUMNS - 1); /* never wraps */
	assert_true(len < 5 && (unsigned char)*s >= ' ' && (*s & 0xc0) != 0x80);
	memcpy(term.cells[term.column], s, len);
	term.cells[term.column++][len] = '\0';
	return len;
}

void term_output(void *ctx unused_arg, const char *text, size_t n)
{
	static char copy[4096];

	assert_in_range(n, 1, sizeof(copy) - 1);
	memcpy(copy, text, n);
	copy[n] = '\0';
	for (size_t i = 0; i < n;) {
		char c = copy[i];

		if (c == '\033') {
			i += term_escape(copy + i);
			continue;
		}
		if (c == '\r')
			term.column = 0;
		else if (c == '\n')
			term_line_feed();
		else if (c == '\b')
			term.column -= term.column > 0;
		else if (c == '\a')
			term.bells++;
		else
			i += term_character(copy + i, n - i) - 1;
		i++;
	}
}

void term_reset(void)
{
	memset(&term, 0, sizeof(term));
	term_clear_from(0);
}
