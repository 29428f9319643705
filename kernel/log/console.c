/* SPDX-License-Identifier: MIT */
/*
 * Output to the console device, or to the firmware's until there is a device.
 *
 * console_lock (irqlock, rank CONSOLE)
 *   Protects: the order of bytes on the line (not the device: writing by polling needs no lock);
 *             front, what stands on the terminal's last row, and front_disturbed.
 *   Taken by: log_line and the shell's output, in any context. Reports don't take it.
 *   Order:    innermost of all.
 */
#include "kernel/log/console.h"

#include "kernel/arch.h"
#include "kernel/lock/irqlock.h"
#include "lib/string.h"

/* Bytes written under one hold: a line. */
#define PIECE_MAX 256
/* Empties the row. */
#define TAKE_OFF "\r\033[K"

/* max_hold_us: PIECE_MAX characters and a front, each polled for and written. */
DEFINE_LOCK_CLASS(console_class, .name = "console", .rank = RANK_CONSOLE,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 30,
	.protects = "the order of bytes on the console line");
static struct irqlock console_lock = IRQLOCK_INIT(&console_class);

static char front[CONSOLE_FRONT_MAX] GUARDED_BY(&console_lock);
static size_t front_len GUARDED_BY(&console_lock);
/* A line of the log has come since it was set. */
static bool front_disturbed GUARDED_BY(&console_lock);

/* The device; published by a release store, read by acquire loads below. */
static atomic_ptr console_now;

static void write_raw(const char *s, size_t n);

void console_publish(const struct console *con);

void console_publish(const struct console *con)
{
	/* release: the struct's contents are there before its address; partner: log_console. */
	atomic_store_ptr(&console_now, (void *)con, release);
}

const struct console *log_console(void)
{
	/* acquire: pairs with console_publish. */
	return atomic_load_ptr(&console_now, acquire);
}

void console_write(const char *s, size_t n)
{
	while (n > 0) {
		size_t piece = MIN(n, (size_t)PIECE_MAX);

		irqlock_acquire(&console_lock);
		console_write_unlocked(s, piece);
		irqlock_release(&console_lock);
		s += piece;
		n -= piece;
	}
}

void console_write_line(const char *s, size_t n)
{
	irqlock_acquire(&console_lock);
	if (front_len)
		write_raw(TAKE_OFF, sizeof(TAKE_OFF) - 1);
	console_write_unlocked(s, n);
	write_raw(front, front_len);
	front_disturbed = true;
	irqlock_release(&console_lock);
}

void console_set_front(const char *text, size_t n)
{
	irqlock_acquire(&console_lock);
	front_len = n <= CONSOLE_FRONT_MAX ? n : 0;
	memcpy(front, text, front_len);
	if (front_disturbed)
		write_raw(front, front_len);
	front_disturbed = false;
	irqlock_release(&console_lock);
}

void console_write_unlocked(const char *s, size_t n)
{
	while (n > 0) {
		const char *nl = memchr(s, '\n', n);
		size_t run = nl ? (size_t)(nl - s) : n;

		if (run > 0)
			write_raw(s, run);
		if (nl) {
			/* Line editing writes its carriage returns itself. */
			if (run > 0 && s[run - 1] == '\r')
				write_raw("\n", 1);
			else
				write_raw("\r\n", 2);
			run++;
		}
		s += run;
		n -= run;
	}
}

static void write_raw(const char *s, size_t n)
{
	const struct console *con = log_console();

	if (con)
		con->write_polled(s, n);
	else
		arch_console_write(s, n);
}
