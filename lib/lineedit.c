/* SPDX-License-Identifier: MIT */
/*
 * Line editing: lib/lineedit.h.
 *
 * What is on the terminal: the prompt and line[view, ...), as much of it as fits; the terminal's
 * cursor stands at `cursor`. A change of the line repairs the terminal: by the few bytes that do
 * when typing at the end, otherwise by writing the row anew.
 *
 * Every character counts one column, whatever its width.
 */
#include "lib/lineedit.h"
#include "lib/assert.h"
#include "lib/printf.h"
#include "lib/string.h"

#define BELL "\a"
#define MIN_ROOM 8u /* columns for the line, however long the prompt is */

/* ---- Output ------------------------------------------------------------------------------ */

static void out(struct lineedit *le, const char *s, size_t n)
{
	if (n)
		le->ops->output(le->ctx, s, n);
}

static void out_str(struct lineedit *le, const char *s)
{
	out(le, s, strlen(s));
}

static bool is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

static unsigned count_columns(const char *s, size_t bytes)
{
	unsigned n = 0;

	while (bytes--)
		n += !is_continuation(*s++);
	return n;
}

/* Of [from, to) of the line. */
static unsigned columns_of(const struct lineedit *le, unsigned from, unsigned to)
{
	return count_columns(le->line + from, to - from);
}

static unsigned next_char(const struct lineedit *le, unsigned at)
{
	if (at < le->len)
		at++;
	while (at < le->len && is_continuation(le->line[at]))
		at++;
	return at;
}

static unsigned previous_char(const struct lineedit *le, unsigned at)
{
	if (at)
		at--;
	while (at && is_continuation(le->line[at]))
		at--;
	return at;
}

static unsigned room(const struct lineedit *le)
{
	if (le->columns < le->prompt_columns + 1 + MIN_ROOM)
		return MIN_ROOM;
	return le->columns - le->prompt_columns - 1;
}

/* Moves the view so that it shows the cursor and wastes no room; returns whether it moved. */
static bool adjust_view(struct lineedit *le)
{
	unsigned old = le->view, width = room(le);

	if (le->view > le->len)
		le->view = le->len;
	if (le->cursor < le->view) {
		le->view = le->cursor;
		for (unsigned i = 0; i < width / 2; i++)
			le->view = previous_char(le, le->view);
	}
	while (columns_of(le, le->view, le->cursor) > width)
		le->view = next_char(le, le->view);
	while (le->view && columns_of(le, previous_char(le, le->view), le->len) <= width)
		le->view = previous_char(le, le->view);
	return le->view != old;
}

static void place_cursor(struct lineedit *le)
{
	unsigned column = le->prompt_columns + columns_of(le, le->view, le->cursor);
	char text[24];

	out_str(le, "\r");
	if (column)
		out(le, text, scnprintf(text, sizeof(text), "\033[%uC", column));
}

static void redraw(struct lineedit *le)
{
	unsigned end, shown = 0;

	adjust_view(le);
	for (end = le->view; end < le->len && shown < room(le); shown++)
		end = next_char(le, end);
	out_str(le, "\r");
	out_str(le, le->prompt);
	out(le, le->line + le->view, end - le->view);
	out_str(le, "\033[K");
	if (le->cursor != end)
		place_cursor(le);
}

/* ---- Changing the line ------------------------------------------------------------------- */

static void move_to(struct lineedit *le, unsigned at)
{
	if (at == le->cursor)
		return;
	le->cursor = at;
	if (adjust_view(le))
		redraw(le);
	else
		place_cursor(le);
}

/* All n bytes, or none of them and a bell. */
static bool insert(struct lineedit *le, const char *s, unsigned n)
{
	bool at_end = le->cursor == le->len;

	if (n >= sizeof(le->line) - le->len) {
		out_str(le, BELL);
		return false;
	}
	memmove(le->line + le->cursor + n, le->line + le->cursor, le->len - le->cursor + 1);
	memcpy(le->line + le->cursor, s, n);
	le->len += n;
	le->cursor += n;
	if (!adjust_view(le) && at_end)
		out(le, s, n);
	else
		redraw(le);
	return true;
}

/* Takes out [from, to), which the cursor touches. */
static void erase(struct lineedit *le, unsigned from, unsigned to)
{
	bool last_char = to == le->len && le->cursor == to && next_char(le, from) == to;

	if (from == to)
		return;
	memmove(le->line + from, le->line + to, le->len - to + 1);
	le->len -= to - from;
	le->cursor = from;
	if (!adjust_view(le) && last_char)
		out_str(le, "\b \b");
	else
		redraw(le);
}

static void replace_line(struct lineedit *le, const char *s)
{
	le->len = (unsigned)strlcpy(le->line, s, sizeof(le->line));
	assert(le->len < sizeof(le->line));
	le->cursor = le->len;
	le->view = 0;
	redraw(le);
}

static bool ends_word(char c)
{
	return char_is_space((unsigned char)c) || c == ';';
}

static unsigned word_before(const struct lineedit *le, unsigned at)
{
	while (at && ends_word(le->line[at - 1]))
		at--;
	while (at && !ends_word(le->line[at - 1]))
		at--;
	return at;
}

static unsigned word_after(const struct lineedit *le, unsigned at)
{
	while (at < le->len && ends_word(le->line[at]))
		at++;
	while (at < le->len && !ends_word(le->line[at]))
		at++;
	return at;
}

/* ---- History ----------------------------------------------------------------------------- */

const char *lineedit_history(const struct lineedit *le, unsigned n)
{
	if (!n || n > le->nr_history || n > LINEEDIT_HISTORY)
		return NULL;
	return le->history[(le->nr_history - n) % LINEEDIT_HISTORY];
}

void lineedit_history_add(struct lineedit *le, const char *line)
{
	const char *last = lineedit_history(le, 1);

	if (!line[strspn(line, " \t")] || (last && !strcmp(last, line)))
		return;
	strlcpy(le->history[le->nr_history % LINEEDIT_HISTORY], line, LINEEDIT_MAX);
	le->nr_history++;
}

static void recall(struct lineedit *le, unsigned n)
{
	const char *line = n ? lineedit_history(le, n) : le->saved;

	if (!line) {
		out_str(le, BELL);
		return;
	}
	if (!le->recalled)
		strlcpy(le->saved, le->line, sizeof(le->saved));
	le->recalled = n;
	replace_line(le, line);
}

/* ---- Completion -------------------------------------------------------------------------- */

struct candidates {
	unsigned start; /* of the word */
	unsigned count;
	unsigned widest; /* columns */
	size_t common;	 /* bytes that all of them begin with */
	const char *first;
};

/* The next candidate that begins with the word, from *i on; NULL at the end. */
static const char *next_candidate(const struct lineedit *le, unsigned start, unsigned *i)
{
	unsigned n = le->cursor - start;
	const char *c;

	while ((c = le->ops->complete(le->ctx, le->line, start, le->cursor, (*i)++))) {
		if (!strncmp(c, le->line + start, n))
			return c;
	}
	return NULL;
}

static size_t common_length(const char *a, const char *b, size_t max)
{
	size_t n = 0;

	while (n < max && a[n] == b[n] && a[n])
		n++;
	while (n && is_continuation(a[n]))
		n--;
	return n;
}

static void survey(const struct lineedit *le, struct candidates *all)
{
	unsigned i = 0;
	const char *c;

	all->start = le->cursor;
	while (all->start && !ends_word(le->line[all->start - 1]))
		all->start--;
	while ((c = next_candidate(le, all->start, &i))) {
		if (!all->count++) {
			all->first = c;
			all->common = strlen(c);
		}
		all->common = common_length(all->first, c, all->common);
		all->widest = MAX(all->widest, count_columns(c, strlen(c)));
	}
}

static void list_candidates(struct lineedit *le, const struct candidates *all)
{
	unsigned width = all->widest + 2, per_row = MAX(le->columns / width, 1u);
	unsigned i = 0, n = 0;
	const char *c;

	while ((c = next_candidate(le, all->start, &i))) {
		unsigned gap = width - count_columns(c, strlen(c));

		if (n++ % per_row == 0)
			out_str(le, "\r\n");
		out_str(le, c);
		for (; gap && n % per_row; gap--)
			out_str(le, " ");
	}
	out_str(le, "\r\n");
	redraw(le);
}

static void complete(struct lineedit *le)
{
	struct candidates all = {0};
	size_t typed;

	if (le->ops->complete)
		survey(le, &all);
	typed = le->cursor - all.start;
	if (!all.count) {
		out_str(le, BELL);
	} else if (all.count == 1) {
		if (insert(le, all.first + typed, (unsigned)(all.common - typed)) &&
			le->cursor == le->len)
			insert(le, " ", 1);
	} else if (all.common > typed) {
		insert(le, all.first + typed, (unsigned)(all.common - typed));
	} else {
		list_candidates(le, &all);
	}
}

/* ---- Keys -------------------------------------------------------------------------------- */

static enum lineedit_event finish(struct lineedit *le, enum lineedit_event event)
{
	if (event == LINEEDIT_LINE) {
		move_to(le, le->len);
		lineedit_history_add(le, le->line);
	} else if (event == LINEEDIT_CANCEL) {
		if (columns_of(le, le->view, le->cursor) + 2 <= room(le))
			out_str(le, "^C");
		le->len = le->cursor = 0;
		le->line[0] = '\0';
	}
	out_str(le, "\r\n");
	le->active = false;
	return event;
}

static void move_key(struct lineedit *le, enum term_key key)
{
	unsigned at = le->cursor;

	if (key == KEY_LEFT)
		at = previous_char(le, at);
	else if (key == KEY_RIGHT)
		at = next_char(le, at);
	else if (key == KEY_WORD_LEFT)
		at = word_before(le, at);
	else if (key == KEY_WORD_RIGHT)
		at = word_after(le, at);
	else
		at = key == KEY_HOME ? 0 : le->len;
	move_to(le, at);
}

static void erase_key(struct lineedit *le, enum term_key key)
{
	unsigned from = le->cursor, to = le->cursor;

	if (key == KEY_BACKSPACE)
		from = previous_char(le, from);
	else if (key == KEY_KILL_WORD)
		from = word_before(le, from);
	else if (key == KEY_KILL_START)
		from = 0;
	else if (key == KEY_KILL_WORD_AFTER)
		to = word_after(le, to);
	else if (key == KEY_KILL_END)
		to = le->len;
	else
		to = next_char(le, to);
	erase(le, from, to);
}

static void other_key(struct lineedit *le, enum term_key key)
{
	switch (key) {
	case KEY_TEXT:
		insert(le, le->keys.text, le->keys.text_len);
		break;
	case KEY_TAB:
		complete(le);
		break;
	case KEY_UP:
		recall(le, le->recalled + 1);
		break;
	case KEY_DOWN:
		if (le->recalled)
			recall(le, le->recalled - 1);
		break;
	case KEY_CLEAR_SCREEN:
		out_str(le, "\033[H\033[2J");
		redraw(le);
		break;
	default:
		break;
	}
}

enum lineedit_event lineedit_key(struct lineedit *le, char byte)
{
	enum term_key key;

	assert(le->active);
	key = termkeys_feed(&le->keys, byte);
	switch (key) {
	case KEY_ENTER:
		return finish(le, LINEEDIT_LINE);
	case KEY_CANCEL:
		return finish(le, LINEEDIT_CANCEL);
	case KEY_EOF:
		if (!le->len)
			return finish(le, LINEEDIT_EOF);
		erase_key(le, KEY_DELETE);
		break;
	case KEY_LEFT:
	case KEY_RIGHT:
	case KEY_HOME:
	case KEY_END:
	case KEY_WORD_LEFT:
	case KEY_WORD_RIGHT:
		move_key(le, key);
		break;
	case KEY_BACKSPACE:
	case KEY_DELETE:
	case KEY_KILL_WORD:
	case KEY_KILL_WORD_AFTER:
	case KEY_KILL_START:
	case KEY_KILL_END:
		erase_key(le, key);
		break;
	default:
		other_key(le, key);
		break;
	}
	return LINEEDIT_MORE;
}

/* ---- Beginning, hiding, showing ---------------------------------------------------------- */

/* Columns of a prompt: without escape sequences ESC [ ... letter. */
static unsigned prompt_columns(const char *s)
{
	unsigned n = 0;

	for (; *s; s++) {
		bool escape = s[0] == '\033' && s[1] == '[';

		while (escape && s[1] && !char_is_alpha((unsigned char)*s))
			s++;
		n += !escape && !is_continuation(*s);
	}
	return n;
}

void lineedit_init(
	struct lineedit *le, const char *prompt, const struct lineedit_ops *ops, void *ctx)
{
	memset(le, 0, sizeof(*le));
	le->ops = ops;
	le->ctx = ctx;
	le->prompt = prompt;
	le->prompt_columns = prompt_columns(prompt);
	le->columns = LINEEDIT_COLUMNS;
}

void lineedit_set_columns(struct lineedit *le, unsigned columns)
{
	le->columns = columns;
}

void lineedit_start(struct lineedit *le)
{
	le->line[0] = '\0';
	le->len = le->cursor = le->view = 0;
	le->recalled = 0;
	le->active = true;
	out_str(le, le->prompt);
}

void lineedit_show(struct lineedit *le)
{
	if (le->active)
		redraw(le);
}
