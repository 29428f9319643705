/* SPDX-License-Identifier: MIT */
/*
 * Timers: a function at a time, from the timer interrupt. Protocol: kernel/time/timer.c.
 *
 * A timer fires on the hart that started it, never before its deadline; equal deadlines fire in the
 * order of their starts. One timer's function never runs twice at once: a start while it runs on
 * another hart queues it there.
 */
#ifndef KERNEL_TIME_TIMER_H
#define KERNEL_TIME_TIMER_H

#include "kernel/lock/atomic.h"
#include "kernel/time/timerq.h"
#include "lib/types.h"

struct hart_meta;
struct timerq;

struct timer {
	struct timerq_node node; /* deadline; guarded by the lock of `queue` */
	atomic_ptr queue;	 /* struct timerq: changed under its own lock and the new one's */
	void (*fn)(struct timer *t); /* handler context; may free t, start it, start others */
};

/* Before any other use; not while pending. Either. */
void timer_init(struct timer *t, void (*fn)(struct timer *t));
/* Sets the deadline (clock_now_ns), pending or not. A deadline in the past fires at once, from the
 * next timer interrupt. Either; takes timerq.lock (rank TIMER). */
void timer_start(struct timer *t, uint64_t deadline_ns);
/* It fires no more, unless it is firing now. Returns whether it was pending. Either. */
bool timer_cancel(struct timer *t);
/* The same, and its function runs nowhere when this returns. Not from that function; with no lock
 * held that it takes. Either. */
bool timer_cancel_sync(struct timer *t);
/* Pending at this moment. Either; for tests and reports. */
bool timer_pending(struct timer *t);

/* Of what is pending on `from`, whose timers do not fire now, the first so many go to this hart:
 * bounded, for interrupts are off meanwhile. Returns whether there are more. Thread or handler, SIE
 * either. */
#define TIMER_MOVES_MAX 32
bool timer_migrate(struct hart_meta *from);

/*
 * The scheduler's tick on this hart: the hook runs in the first timer interrupt at or after
 * `deadline_ns`, before the due timers. UINT64_MAX: none (tickless). One shot. SIE off. Changing it
 * to a later time may leave an early interrupt, which does nothing.
 */
void timer_set_tick(uint64_t deadline_ns);
void timer_set_tick_hook(void (*fn)(uint64_t now_ns));

/* The timer of this hart was silenced by a start, or by a stop that failed: tells it anew what it
 * is to do. SIE off. */
void timer_hart_forget(void);
/* Gives `h` its queue, before it is started; the boot hart's before any other use. */
void timer_init_hart(struct hart_meta *h);
/* The timer interrupt. Handler. */
void timers_interrupt(void);

/* When the hart's hardware was told to interrupt it next, UINT64_MAX: never. No lock: for who
 * watches it. */
uint64_t timer_promised_ns(const struct hart_meta *h);

/* For the `timers` command and tests: what a hart has. Takes timerq.lock. Either. */
struct timerq_info {
	unsigned nr_pending;
	uint64_t next_ns; /* UINT64_MAX: none */
	uint64_t tick_ns;
	uint64_t programmed_ns; /* what the hardware was told last */
	uint64_t fired;
	uint64_t early; /* interrupts before what was programmed */
};
void timer_info(const struct hart_meta *h, struct timerq_info *out);

#endif
