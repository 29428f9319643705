/* SPDX-License-Identifier: MIT */
/*
 * Log lines: each goes into the ring, and to the console if its level is printed there.
 *
 * log_lock (irqlock, rank LOG)
 *   Protects: the ring and what was printed of it.
 *   Taken by: log_line and readers, in any context.
 *   Order:    before the console's lock, after every other lock of the kernel.
 *
 * A line is printed under the lock, so the console shows lines in the ring's order. Lines from
 * before there is any console are printed when one is set.
 */
#include "kernel/log.h"

#include "kernel/arch.h"
#include "kernel/lock/irqlock.h"
#include "kernel/log/console.h"
#include "kernel/log/ring.h"
#include "kernel/time/clock.h"
#include "lib/bootargs.h"
#include "lib/fdt.h"
#include "lib/options.h"
#include "lib/printf.h"
#include "lib/string.h"

#define RING_SIZE 65536
/* A line as printed: prefix, colours, text. */
#define LINE_MAX (LOG_TEXT_MAX + 64)

/* max_hold_us: a line on the console, see there. */
DEFINE_LOCK_CLASS(log_class, .name = "log", .rank = RANK_LOG,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 50, .protects = "the log ring");
static struct irqlock log_lock = IRQLOCK_INIT(&log_class);

static char ring_bytes[RING_SIZE];
static struct log_ring ring GUARDED_BY(&log_lock) = {.bytes = ring_bytes, .size = RING_SIZE};
static struct log_reader printed GUARDED_BY(&log_lock);

/* Constant after log_init. */
static bool use_color;
static unsigned console_level = LOG_INFO;

void console_publish(const struct console *con);
static void print_pending(void) REQUIRES(&log_lock);

BOOT_NUMBER(color, 1, "0 or 1");
BOOT_NUMBER(loglevel, LOG_DEBUG, "a number from 0, errors, to 3, everything");

void log_init(void)
{
	const char *args = fdt_bootargs(arch_info.fdt);
	uint64_t number;

	if (!bootargs_get_u64(args, "color", &number))
		use_color = number == 1;
	if (!bootargs_get_u64(args, "loglevel", &number) && number <= LOG_DEBUG)
		console_level = (unsigned)number;
}

/* What others said (the tree, the firmware, a user) is in lines, too, and must not break them. */
static void make_plain(char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			text[i] = '?';
	}
}

void log_line(enum log_level level, const char *fmt, ...)
{
	char text[LOG_TEXT_MAX + 1];
	struct log_record rec = {.level = (uint8_t)level};
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (len > LOG_TEXT_MAX)
		memcpy(text + LOG_TEXT_MAX - 3, "...", 3);
	rec.len = (uint8_t)MIN(MAX(len, 0), LOG_TEXT_MAX);
	make_plain(text, rec.len);

	irqlock_acquire(&log_lock);
	rec.time_ns = clock_now_ns();
	rec.hart = (uint16_t)lock_hart()->index;
	log_ring_add(&ring, &rec, text);
	print_pending();
	irqlock_release(&log_lock);
}

void log_console_set(const struct console *con)
{
	irqlock_acquire(&log_lock);
	console_publish(con);
	print_pending();
	irqlock_release(&log_lock);
}

bool log_read(struct log_reader *reader, struct log_entry *out)
{
	bool more;

	irqlock_acquire(&log_lock);
	more = log_ring_read(&ring, &reader->pos, out, &reader->next_seq, &reader->missed);
	irqlock_release(&log_lock);
	return more;
}

size_t log_format(const struct log_entry *e, bool color, char *out, size_t n)
{
	static const unsigned char colors[] = {36, 32, 33, 35, 34, 96, 92, 95};
	uint64_t us = e->rec.time_ns / 1000;
	const char *mark = e->rec.level == LOG_ERROR ? "error: "
		: e->rec.level == LOG_WARN	     ? "warning: "
						     : "";
	int len;

	if (color)
		len = snprintf(out, n, "\033[%um[%4lu.%06lu] hart %u: %s%s\033[0m\n",
			colors[e->rec.hart % sizeof(colors)], (unsigned long)(us / 1000000),
			(unsigned long)(us % 1000000), e->rec.hart, mark, e->text);
	else
		len = snprintf(out, n, "[%4lu.%06lu] hart %u: %s%s\n",
			(unsigned long)(us / 1000000), (unsigned long)(us % 1000000), e->rec.hart,
			mark, e->text);
	return MIN((size_t)MAX(len, 0), n - 1);
}

const char *log_level_name(unsigned level)
{
	static const char *const names[] = {
		[LOG_ERROR] = "error",
		[LOG_WARN] = "warn",
		[LOG_INFO] = "info",
		[LOG_DEBUG] = "debug",
	};

	return level < ARRAY_SIZE(names) ? names[level] : "?";
}

/* Prints what the ring has and the console has not seen. Nothing before there is a console, unless
 * the firmware prints. */
static void print_pending(void)
{
	struct log_entry e;
	char line[LINE_MAX];

	if (!log_console() && !arch_console_write("", 0))
		return;
	while (log_ring_read(&ring, &printed.pos, &e, &printed.next_seq, &printed.missed)) {
		if (e.rec.level > console_level)
			continue;
		console_write_line(line, log_format(&e, use_color, line, sizeof(line)));
	}
}
