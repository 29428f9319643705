/* SPDX-License-Identifier: MIT */
/*
 * Waiting for input: the tty's ring (kernel/log/tty.h) with a wait queue over it. The handler
 * stores the byte, then wakes; the reader looks at the ring with the queue's lock held, so no byte
 * is slept through.
 */
#include "kernel/shell/command.h"
#include "kernel/shell/shell.h"

#include "kernel/log/tty.h"
#include "kernel/wait/waitq.h"

DEFINE_LOCK_CLASS(input_class, .name = "tty_input", .rank = RANK_WAITQ,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 10,
	.protects = "who waits for input");
static struct waitq input_wq = WAITQ_INIT(&input_class);

static void wake_reader(void)
{
	waitq_wake_all(&input_wq);
}

void input_init(void)
{
	tty_set_waker(wake_reader);
}

int tty_read(char *buf, size_t n)
{
	wait_event(&input_wq, tty_ready());
	return (int)tty_take(buf, n);
}

bool tty_wait_until(uint64_t deadline_ns)
{
	return wait_event_timeout(&input_wq, tty_ready() || tty_break(), deadline_ns) == 0;
}

bool shell_interrupted(void)
{
	return tty_break();
}
