/* SPDX-License-Identifier: MIT */
/*
 * Input of the serial line: from the device's interrupt handler to one reader.
 *
 * A ring with one producer (the handler of the one input device; a source is claimed by one hart at
 * a time) and one consumer (the shell's thread), so it needs no lock. Waiting for input is built
 * over it in kernel/shell/input.c, through the hook below.
 */
#ifndef KERNEL_LOG_TTY_H
#define KERNEL_LOG_TTY_H

#include "lib/types.h"

/* One byte came in; dropped (and counted) when the ring is full. The device's interrupt handler. */
void tty_input(char c);
/*
 * For a device that can keep bytes back: without room it turns its interrupt off, then calls this
 * and reads no further. True: `resume` is called as soon as the reader has made room, by the
 * reader's thread or earlier. False: there is room already, `resume` is not called. The handler.
 */
bool tty_room(void);
bool tty_hold(void (*resume)(void));
/* Takes up to n bytes that are there; does not wait. The one reader. */
size_t tty_take(char *buf, size_t n);
/* Whether tty_take would give something. Either. */
bool tty_ready(void);
/* Called after bytes came in, in the context of tty_input. Set once. */
void tty_set_waker(void (*fn)(void));
/* Whether Ctrl-C came in since the last tty_clear_break. Either. */
bool tty_break(void);
void tty_clear_break(void);
/* Input bytes so far, and those that were dropped; both modulo 2^32. */
uint64_t tty_count(void);
uint64_t tty_dropped(void);

#endif
