/* SPDX-License-Identifier: MIT */
/* Lines of the log and the line that is being edited: a console of the test's own sees the bytes,
 * and hands them on. */
#include "kernel/log.h"
#include "kernel/log/console.h"
#include "lib/string.h"
#include "tests/kernel/ktest.h"

#define FRONT "\r> front"
#define FRONT_LEN (sizeof(FRONT) - 1)

static const struct console *real;
static char seen[2048]; /* console.lock; read when the console is the real one again */
static size_t nr_seen;

static void see(const char *s, size_t n)
{
	size_t kept = MIN(n, sizeof(seen) - 1 - nr_seen);

	memcpy(seen + nr_seen, s, kept);
	nr_seen += kept;
	real->write_polled(s, n);
}

static const struct console observer = {"observer", see};

static void observe(void)
{
	real = log_console();
	nr_seen = 0;
	log_console_set(&observer);
}

static void observe_no_more(void)
{
	log_console_set(real);
	console_set_front("", 0);
	/* Results begin a row. */
	console_write("\n", 1);
	seen[nr_seen] = '\0';
}

KTEST(console, what_is_being_edited_makes_room_for_a_line_and_stands_below_it)
{
	const char *off, *line, *below;

	if (!log_console())
		return ktest_skip("there is no console");
	console_set_front(FRONT, FRONT_LEN);
	observe();
	log_error("a line of a test, no error");
	observe_no_more();
	off = strstr(seen, "\r\033[K");
	line = off ? strstr(off, "a line of a test") : NULL;
	below = line ? strstr(line, "\r\n" FRONT) : NULL;
	ktest_check(below, "seen: %s", seen);
}

KTEST(console, what_a_line_came_upon_is_drawn_anew)
{
	const char *line;

	if (!log_console())
		return ktest_skip("there is no console");
	console_set_front("", 0);
	observe();
	log_error("a line of a test, no error");
	console_set_front(FRONT, FRONT_LEN);
	observe_no_more();
	line = strstr(seen, "a line of a test");
	ktest_check(line && strstr(line, FRONT), "seen: %s", seen);
}

KTEST(console, what_is_too_long_to_be_put_back_stands_nowhere)
{
	static const char text[CONSOLE_FRONT_MAX + 1] = "front";

	if (!log_console())
		return ktest_skip("there is no console");
	console_set_front(text, sizeof(text));
	observe();
	log_error("a line of a test, no error");
	observe_no_more();
	ktest_check(strstr(seen, "a line of a test") && !strstr(seen, "front"), "seen: %s", seen);
}
