/* SPDX-License-Identifier: MIT */
/*
 * lib/lineedit.c and lib/termkeys.c: what the keys do to the line, and that an emulated terminal
 * shows at every moment what the editor believes.
 *
 * Sources: tests/host/harness.c tests/host/terminal.c lib/lineedit.c lib/termkeys.c
 * Sources: lib/printf.c lib/string.c lib/random.c
 */
#include <stdio.h>
#include <string.h>

#include "lib/lineedit.h"
#include "lib/random.h"
#include "tests/host/harness.h"
#include "tests/host/include/host/lib.h"
#include "tests/host/terminal.h"

#define PROMPT "il> "

static struct rng rng;
static struct lineedit le;

/* The terminal shows the prompt, a piece of the line around the cursor, and the cursor there. */
static void check_terminal(void)
{
	const char *s = le.line + le.view;
	unsigned column = 0;

	assert_int_equal(strlen(le.line), le.len);
	assert_true(le.cursor <= le.len && le.view <= le.cursor);
	assert_true((le.line[le.cursor] & 0xc0) != 0x80);
	for (; PROMPT[column]; column++)
		assert_int_equal(term.cells[column][0], PROMPT[column]);
	while (column < COLUMNS - 1 && *s) {
		size_t len = strlen(term.cells[column]);

		if (s == le.line + le.cursor)
			assert_int_equal(term.column, column);
		assert_memory_equal(term.cells[column++], s, len);
		s += len;
	}
	if (s == le.line + le.cursor)
		assert_int_equal(term.column, column);
	assert_true(s >= le.line + le.cursor);
	for (; column < COLUMNS; column++)
		assert_string_equal(term.cells[column], " ");
}

/* ---- Typing ------------------------------------------------------------------------------ */

static const char *const words[] = {"help", "harts", "hash", "halt", "k\xc3\xa4se", "k\xc3\xa5l",
	"\xc3\xa5ngstr", "poweroff", "bench", "xylophone-quartet", "xylophone-quintet"};
static const char *last_completed;

static const char *complete(
	void *ctx unused_arg, const char *line, size_t start, size_t end, unsigned i)
{
	last_completed = line;
	for (size_t w = 0; w < ARRAY_SIZE(words); w++) {
		if (!strncmp(words[w], line + start, end - start) && !i--)
			return words[w];
	}
	/* One that breaks the contract: must be passed over. */
	return i == 0 ? "zzz" : NULL;
}

static const struct lineedit_ops ops = {term_output, complete};

static int fresh(void **state unused_arg)
{
	term_reset();
	lineedit_init(&le, PROMPT, &ops, NULL);
	lineedit_set_columns(&le, COLUMNS);
	lineedit_start(&le);
	check_terminal();
	return 0;
}

static enum lineedit_event type(const char *keys)
{
	enum lineedit_event event = LINEEDIT_MORE;

	for (; *keys; keys++) {
		assert_int_equal(event, LINEEDIT_MORE);
		event = lineedit_key(&le, *keys);
		if (event == LINEEDIT_MORE)
			check_terminal();
	}
	return event;
}

/* As a line of the log does. */
static void empty_row(void)
{
	term_output(NULL, "\r\033[K", 4);
}

/* Types and compares line and cursor; '^' in `want` marks the cursor. */
static void gives(const char *keys, const char *want)
{
	char got[LINEEDIT_MAX + 1];

	assert_int_equal(type(keys), LINEEDIT_MORE);
	sprintf(got, "%.*s^%s", (int)le.cursor, le.line, le.line + le.cursor);
	assert_string_equal(got, want);
	empty_row();
	lineedit_start(&le);
	check_terminal();
}

static enum lineedit_event enter(const char *keys)
{
	enum lineedit_event event = type(keys);

	lineedit_start(&le);
	return event;
}

static void characters_are_inserted_at_the_cursor(void **state unused_arg)
{
	gives("abc", "abc^");
	gives("ac\033[Db", "ab^c");
	gives("bc\x01"
	      "a",
		"a^bc");
	gives("", "^");
}

static void keys_move_the_cursor(void **state unused_arg)
{
	gives("abcd\033[D\033OD\x02", "a^bcd");
	gives("abcd\x01\033[C\033OC\x06", "abc^d");
	gives("abcd\033[H", "^abcd");
	gives("abcd\033[1~", "^abcd");
	gives("abcd\033OH\033[F", "abcd^");
	gives("abcd\x01\033[4~", "abcd^");
	gives("abcd\x01\x05", "abcd^");
	gives("ab\x01\x02\033[D", "^ab");
	gives("ab\x06\033[C", "ab^");
	gives("one two;three\033b\033b", "one ^two;three");
	gives("one two\x01\033f\033f\033b", "one ^two");
	gives("one two\x01\033f", "one^ two");
}

static void keys_erase(void **state unused_arg)
{
	gives("abc\x7f", "ab^");
	gives("abc\b\b\b\b", "^");
	gives("abc\033[D\x7f", "a^c");
	gives("abc\x01\033[3~", "^bc");
	gives("abc\x01\x04", "^bc");
	gives("abc\033[3~", "abc^");
	gives("abc\033[D\033[D\x0b", "a^");
	gives("abc\033[D\x15", "^c");
	gives("one two  \x17", "one ^");
	gives("one two\x17\x17\x17", "^");
	gives("one two\x01\033d", "^ two");
}

static void multibyte_characters_stay_whole(void **state unused_arg)
{
	gives("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80^");
	gives("\xc3\xa4\xe2\x82\xac\x7f", "\xc3\xa4^");
	gives("\xc3\xa4\xe2\x82\xac\033[D\033[Dx", "x^\xc3\xa4\xe2\x82\xac");
	gives("a\xe2\x82\xac"
	      "b\x01\x06\x04",
		"a^b");
	/* Malformed ones are dropped. */
	gives("a\x82"
	      "b\xff\xc0"
	      "c\xe2\x82"
	      "d\xe2\xc3\xa4",
		"abcd\xc3\xa4^");
	gives("\xe2\x82\033[Dx", "x^");
}

static void unknown_escape_sequences_are_swallowed_whole(void **state unused_arg)
{
	gives("a\033[15~b", "ab^");
	gives("a\033[1;5Sb", "ab^");
	gives("a\033[200~b\033[201~", "ab^");
	gives("a\033[?25lb", "ab^");
	gives("a\033[[Ab", "ab^");
	gives("a\033OPb", "ab^");
	gives("a\033zb", "ab^");
	gives("a\033\033[Db", "b^a");
	gives("a\033[999999999999999~b", "ab^");
	gives("a\033[\xc3\xa4", "a\xc3\xa4^");
	gives("ab\033[1;5D", "a^b");
	gives("a\x1f\x1c\x1e"
	      "b",
		"ab^");
	/* A control character breaks a sequence off, and counts. */
	gives("a\033[\x1f"
	      "b",
		"ab^");
	assert_int_equal(enter("ab\033[\r"), LINEEDIT_LINE);
	assert_int_equal(enter("ab\033\x03"), LINEEDIT_CANCEL);
}

static void enter_gives_the_line(void **state unused_arg)
{
	assert_int_equal(type("help\033[D\r"), LINEEDIT_LINE);
	assert_string_equal(le.line, "help");
	assert_string_equal(term.listing, "il> help\n");
	lineedit_start(&le);
	assert_int_equal(le.len, 0);
	assert_int_equal(enter("x\n"), LINEEDIT_LINE);
}

static void cr_lf_is_one_enter(void **state unused_arg)
{
	assert_int_equal(enter("a\r"), LINEEDIT_LINE);
	assert_int_equal(type("\n"), LINEEDIT_MORE);
	assert_int_equal(type("\n"), LINEEDIT_LINE);
	lineedit_start(&le);
	assert_int_equal(enter("\r"), LINEEDIT_LINE);
	assert_int_equal(enter("\r"), LINEEDIT_LINE);
}

static void control_c_throws_the_line_away(void **state unused_arg)
{
	assert_int_equal(type("some words\x03"), LINEEDIT_CANCEL);
	assert_string_equal(le.line, "");
	assert_string_equal(term.listing, "il> some words^C\n");
	assert_null(lineedit_history(&le, 1));
}

static void control_c_does_not_write_over_the_end_of_the_row(void **state unused_arg)
{
	while (term.column < COLUMNS - 2)
		type("x");
	assert_int_equal(lineedit_key(&le, 3), LINEEDIT_CANCEL);
	assert_null(strchr(term.listing, '^'));
}

static void control_d_ends_only_an_empty_line(void **state unused_arg)
{
	assert_int_equal(type("a\x04"), LINEEDIT_MORE);
	assert_string_equal(le.line, "a");
	assert_int_equal(type("\x7f\x04"), LINEEDIT_EOF);
}

static void control_l_clears_the_screen_and_keeps_the_line(void **state unused_arg)
{
	gives("abc\033[D\x0c", "ab^c");
}

static void history_walks_both_ways(void **state unused_arg)
{
	enter("first\r");
	enter("second\r");
	gives("\033[A", "second^");
	gives("\033[A\033[A", "first^");
	gives("\033[A\x10\033[A\033[A\033[A", "first^");
	gives("new\033[A\033[A\033[B", "second^");
	gives("new\033[A\033[A\033[B\033[B", "new^");
	gives("new\033[B\x0e", "new^");
	/* What was recalled can be edited; the old line stays. */
	assert_int_equal(enter("\033[A!\r"), LINEEDIT_LINE);
	assert_string_equal(lineedit_history(&le, 1), "second!");
	assert_string_equal(lineedit_history(&le, 2), "second");
}

static void history_leaves_out_empty_and_repeated_lines(void **state unused_arg)
{
	enter("same\r");
	enter("same\r");
	enter("\r");
	enter("  \r");
	assert_string_equal(lineedit_history(&le, 1), "same");
	assert_null(lineedit_history(&le, 2));
	assert_null(lineedit_history(&le, 0));
}

static void history_forgets_the_oldest(void **state unused_arg)
{
	char line[32];

	for (int i = 0; i < LINEEDIT_HISTORY + 5; i++) {
		sprintf(line, "line %d\r", i);
		enter(line);
	}
	sprintf(line, "line %d", 5);
	assert_string_equal(lineedit_history(&le, LINEEDIT_HISTORY), line);
	assert_null(lineedit_history(&le, LINEEDIT_HISTORY + 1));
	assert_string_equal(lineedit_history(&le, 1), "line 20");
	for (int i = 0; i < 40; i++)
		type("\033[A");
	assert_string_equal(le.line, line);
}

static void tab_completes_one_candidate(void **state unused_arg)
{
	gives("po\t", "poweroff ^");
	gives("bench po\t", "bench poweroff ^");
	gives("help;po\t", "help;poweroff ^");
	gives("po x\033[D\033[D\t", "poweroff^ x");
	gives("poweroff\t", "poweroff ^");
	assert_int_equal(term.bells, 0);
	gives("q\t", "q^");
	assert_int_equal(term.bells, 1);
}

static void tab_completes_the_common_prefix(void **state unused_arg)
{
	gives("xy\t", "xylophone-qu^");
	gives("help \xc3\xa5\t", "help \xc3\xa5ngstr ^");
	assert_string_equal(term.listing, "");
	/* Different characters whose first bytes agree have nothing in common. */
	gives("k\t", "k^");
	assert_string_equal(term.listing, "il> k\nk\xc3\xa4se  k\xc3\xa5l\n");
}

static void tab_lists_what_remains(void **state unused_arg)
{
	gives("h\t", "h^");
	assert_string_equal(term.listing, "il> h\nhelp   harts  hash   halt\n");
	type("xylophone-qu\t");
	assert_non_null(strstr(term.listing, "\nxylophone-quartet  xylophone-quintet\n"));
	check_terminal();
}

static void no_completion_rings_the_bell(void **state unused_arg)
{
	static const struct lineedit_ops none = {term_output, NULL};

	le.ops = &none;
	gives("he\t", "he^");
	assert_int_equal(term.bells, 1);
}

static void lines_that_do_not_fit_are_refused(void **state unused_arg)
{
	for (unsigned i = 0; i < LINEEDIT_MAX - 1; i++)
		type("x");
	assert_int_equal(le.len, LINEEDIT_MAX - 1);
	assert_int_equal(term.bells, 0);
	type("y\033[Dy");
	assert_int_equal(le.len, LINEEDIT_MAX - 1);
	assert_int_equal(term.bells, 2);
	assert_null(strchr(le.line, 'y'));
	/* No half character, and no half completion. */
	type("\x7f\xc3\xa4 \x05");
	assert_int_equal(le.line[LINEEDIT_MAX - 2], 'x');
	type("\x7f\x7f\x7f\x7f po\t");
	assert_string_equal(le.line + strlen(le.line) - 3, " po");
	assert_int_equal(type("\r"), LINEEDIT_LINE);
}

static void long_lines_scroll_sideways(void **state unused_arg)
{
	for (int i = 0; i < 100; i++)
		type(i % 7 ? "abc" : "\xe2\x82\xac");
	for (int i = 0; i < 150; i++)
		type("\033[D");
	type("insert\x7f\x01\x05\x0b\033b\x17\x05");
	for (int i = 0; i < 260; i++)
		type("\x7f");
	assert_int_equal(le.len, 0);
}

static void output_of_others_fits_in_between(void **state unused_arg)
{
	type("abc\033[D");
	empty_row();
	term_output(NULL, "log line\r\n", 10);
	lineedit_show(&le);
	check_terminal();
	assert_string_equal(term.listing, "log line\n");
	type("\r");
	lineedit_show(&le);
	assert_string_equal(term.cells[0], " ");
}

static void prompts_may_be_coloured(void **state unused_arg)
{
	lineedit_init(&le, "\033[1;32mil\033[0m> ", &ops, NULL);
	assert_int_equal(le.prompt_columns, 4);
	lineedit_init(&le, "\xe2\x82\xac ", &ops, NULL);
	assert_int_equal(le.prompt_columns, 2);
}

static void keys_without_a_prompt_are_asserted(void **state unused_arg)
{
	type("a\r");
	expect_assert(lineedit_key(&le, 'x'));
}

/* ---- Against a model --------------------------------------------------------------------- */

/* The line as a naive editor would have it: printable ASCII, moves and erasures. */
static void model_key(char *line, size_t *cursor, const char *key)
{
	size_t len = strlen(line);

	if (key[0] >= ' ' && key[0] < 0x7f && len < LINEEDIT_MAX - 1) {
		memmove(line + *cursor + 1, line + *cursor, len - *cursor + 1);
		line[(*cursor)++] = key[0];
	} else if (!strcmp(key, "\033[D")) {
		*cursor -= *cursor > 0;
	} else if (!strcmp(key, "\033[C")) {
		*cursor += *cursor < len;
	} else if (!strcmp(key, "\x7f") && *cursor) {
		memmove(line + *cursor - 1, line + *cursor, len - *cursor + 1);
		--*cursor;
	} else if (!strcmp(key, "\033[3~") && *cursor < len) {
		memmove(line + *cursor, line + *cursor + 1, len - *cursor);
	} else if (!strcmp(key, "\x01")) {
		*cursor = 0;
	} else if (!strcmp(key, "\x05")) {
		*cursor = len;
	} else if (!strcmp(key, "\x0b")) {
		line[*cursor] = '\0';
	} else if (!strcmp(key, "\x15")) {
		memmove(line, line + *cursor, len - *cursor + 1);
		*cursor = 0;
	}
}

static void edits_like_a_naive_editor(void **state unused_arg)
{
	static const char *const keys[] = {
		"\033[D", "\033[C", "\x7f", "\033[3~", "\x01", "\x05", "\x0b", "\x15"};
	char line[LINEEDIT_MAX] = "";
	size_t cursor = 0;

	for (int i = 0; i < 60000; i++) {
		char text[2] = {(char)rng_between(&rng, ' ', '~'), '\0'};
		/* Erasing everything comes seldom, so that lines get long. */
		size_t k = rng_below(&rng, rng_one_in(&rng, 30) ? 8 : 4);
		const char *key = rng_one_in(&rng, 3) ? keys[k] : text;

		model_key(line, &cursor, key);
		type(key);
		assert_string_equal(le.line, line);
		assert_int_equal(le.cursor, cursor);
	}
}

static void survives_any_bytes(void **state unused_arg)
{
	static const char nasty[] =
		"\033[O;~ABCDHF123\t\r\n\x7f\b\x01\x0b\x10\x17\xc3\xa4\xe2\x82\xac";

	for (int i = 0; i < 200000; i++) {
		char key = rng_one_in(&rng, 2) ? nasty[rng_below(&rng, sizeof(nasty))]
					       : (char)rng_u64(&rng);

		if (lineedit_key(&le, key) != LINEEDIT_MORE)
			lineedit_start(&le);
		check_terminal();
	}
}

#define TEST(fn) cmocka_unit_test_setup(fn, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(characters_are_inserted_at_the_cursor),
		TEST(keys_move_the_cursor),
		TEST(keys_erase),
		TEST(multibyte_characters_stay_whole),
		TEST(unknown_escape_sequences_are_swallowed_whole),
		TEST(enter_gives_the_line),
		TEST(cr_lf_is_one_enter),
		TEST(control_c_throws_the_line_away),
		TEST(control_c_does_not_write_over_the_end_of_the_row),
		TEST(control_d_ends_only_an_empty_line),
		TEST(control_l_clears_the_screen_and_keeps_the_line),
		TEST(history_walks_both_ways),
		TEST(history_leaves_out_empty_and_repeated_lines),
		TEST(history_forgets_the_oldest),
		TEST(tab_completes_one_candidate),
		TEST(tab_completes_the_common_prefix),
		TEST(tab_lists_what_remains),
		TEST(no_completion_rings_the_bell),
		TEST(lines_that_do_not_fit_are_refused),
		TEST(long_lines_scroll_sideways),
		TEST(output_of_others_fits_in_between),
		TEST(prompts_may_be_coloured),
		TEST(keys_without_a_prompt_are_asserted),
		TEST(edits_like_a_naive_editor),
		TEST(survives_any_bytes),
	};

	rng_seed(&rng, host_seed());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
