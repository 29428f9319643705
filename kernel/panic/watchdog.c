/* SPDX-License-Identifier: MIT */
/*
 * The watchdog: ends the system with a report when a hart or a thread does not go on.
 *
 * The guard, one of the online harts, beats twice a second. At each beat it asks every other one
 * for a sign, by a call that is taken with interrupts on. Each hart that gives it
 *
 *	looks at what it interrupted: the same thread with preemption off and no switch since the
 *	last time, again and again, is a thread that never lets go of its hart;
 *	puts off its dead-man timer. A hart whose dead-man timer fires has not been asked for long:
 *	it takes the guard's place, and watches the old guard like any other hart.
 *
 * So one online hart keeps the watch whatever happens to others, and a hart that idles without a
 * tick is not woken more often for it. With one hart online nobody can notice that it keeps
 * interrupts off.
 *
 * Interrupts on and off are told apart. A hart that gives signs, but whose own next timer event
 * stays overdue, takes interrupts and has lost its timer. One that gives none has them off: in the
 * queue of a lock, which shows in its lock_hart.wait, or elsewhere. A hart in such a queue is not
 * sent anything, because any interrupt would wake it and so heal a lost kick; it is looked at: the
 * same wait at beat after beat, for a lock that is free, or that nobody has, or whose holder does
 * not let go. (A circle is found at once, by who closes it: kernel/wait/chain.c.)
 *
 * The verdict is not by the clock: what counts are beats that the guard itself has executed without
 * any progress of the other one, more of them the more harts share the machine below. There is no
 * telling a hart that hangs from one that the machine below does not run, so there are many: half a
 * minute. "watchdog=N" asks for N beats instead (MISSES_MIN at least), 0 for no watch. Threads that
 * wait: stall.c.
 *
 * No locks but those of timers: each hart writes its own part, the guard the rest. Two that take
 * themselves for the guard for a moment do no harm: the older one sees it at its next beat.
 */
#include "kernel/panic/watchdog.h"

#include "kernel/hart/call.h"
#include "kernel/hart/hart.h"
#include "kernel/lock/check.h"
#include "kernel/lock/irqlock.h"
#include "kernel/lock/irqrwlock.h"
#include "kernel/log.h"
#include "kernel/panic/stall.h"
#include "kernel/sched/preempt.h"
#include "kernel/sched/thread.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"
#include "kernel/wait/cycle.h"
#include "lib/bootargs.h"
#include "lib/fdt.h"
#include "lib/options.h"
#include "lib/printf.h"

#define BEAT_NS (NS_PER_SEC / 2)
#define MISSES 60u
#define MISSES_MIN 16u
#define NOBODY UINT32_MAX

struct watched {
	/* Its own hart's. */
	struct timer beat, deadman;
	const void *thread; /* seen with preemption off at the last look */
	uint64_t switches;
	unsigned stuck;
	/* The guard's. */
	struct hart_call ping;
	unsigned missed; /* beats since the ping was posted */
	uint32_t wait;	 /* serial of the wait that it was in at the last beat, and since when */
	unsigned waited;
	uint64_t promised_ns; /* its next event at the last beat, and for how long overdue */
	unsigned overdue;
};

static struct watched watched[CONFIG_MAX_HARTS];
/* Relaxed, each a lone value. */
static atomic_u32 guard = {NOBODY};
static atomic_ulong beats;
static unsigned misses = MISSES; /* constant after watchdog_start */

static void guard_begins(void);
static void beat(struct timer *t);
static void deadman(struct timer *t);
static void answer(void *arg);
static bool watch(struct hart_meta *h);
static void watch_waiter(struct hart_meta *h, struct watched *w);
static void watch_promise(const struct hart_meta *h, struct watched *w);
static unsigned patience(void);

BOOT_NUMBER(watchdog, UINT64_MAX, "a number of beats, or 0");

void watchdog_start(void)
{
	uint64_t asked = MISSES;

	bootargs_get_u64(fdt_bootargs(arch_info.fdt), "watchdog", &asked);
	if (!asked) {
		log_info("watchdog: off");
		return;
	}
	misses = (unsigned)MAX(MIN(asked, (uint64_t)UINT16_MAX), (uint64_t)MISSES_MIN);
	for (unsigned i = 0; i < nr_harts; i++) {
		timer_init(&watched[i].beat, beat);
		timer_init(&watched[i].deadman, deadman);
		hart_call_init(&watched[i].ping, answer, NULL);
	}
	preempt_disable();
	guard_begins();
	preempt_enable();
}

void watchdog_info(struct watchdog_info *out)
{
	out->beats = atomic_load_ulong(&beats, relaxed);
	out->guard = atomic_load_u32(&guard, relaxed);
	out->running = out->guard != NOBODY;
}

unsigned watchdog_patience(void)
{
	return patience();
}

/* ---- The guard ------------------------------------------------------------------------------ */

/* This hart keeps the watch from now on. Preemption off, or a handler. */
static void guard_begins(void)
{
	struct watched *mine = &watched[this_hart()->index];

	unsigned hart;

	atomic_store_u32(&guard, this_hart()->index, relaxed);
	timer_cancel(&mine->deadman);
	timer_start(&mine->beat, clock_now_ns() + BEAT_NS);
	for_each_hart_in_mask(hart, &harts_online) {
		watched[hart].missed = 0;
		watched[hart].waited = 0;
		watched[hart].overdue = 0;
		/* At once, so that its dead-man timer runs. */
		if (&watched[hart] != mine && !wait_under_way(&harts[hart]->lock.wait))
			hart_call_post(harts[hart], &watched[hart].ping);
	}
}

static void beat(struct timer *t)
{
	unsigned me = this_hart()->index, hart;
	struct watched *w = container_of(t, struct watched, beat);
	bool all_answer = true;

	/* A hart that stopped has left its timers to this one. */
	if (w != &watched[me]) {
		guard_begins();
		return;
	}
	if (atomic_load_u32(&guard, relaxed) != me)
		return; /* another one does it */
	atomic_add_ulong(&beats, 1, relaxed);
	answer(NULL);
	timer_cancel(&w->deadman);
	for_each_hart_in_mask(hart, &harts_online)
		if (hart != me)
			all_answer &= watch(harts[hart]);
	stall_beat(all_answer);
	timer_start(t, clock_now_ns() + BEAT_NS);
}

/* Not asked for long: the guard does not go on, or not in this hart's time. */
static void deadman(struct timer *t)
{
	if (container_of(t, struct watched, deadman) == &watched[this_hart()->index])
		guard_begins();
}

/* In a handler of the hart that is asked. */
static void answer(void *arg unused_arg)
{
	struct hart_meta *h = this_hart();
	struct watched *w = &watched[h->index];
	const struct thread *t = (const struct thread *)h->lock.thread;

	timer_start(&w->deadman, clock_now_ns() + 2 * patience() * BEAT_NS);
	if (t->lock.preempt_depth == 0 || t->is_idle || w->thread != t ||
		w->switches != h->stats.switches) {
		w->thread = t;
		w->switches = h->stats.switches;
		w->stuck = 0;
		return;
	}
	if (++w->stuck > patience())
		lockcheck_report(KIND_LOCKUP, "preemption-off", NULL, NULL,
			"thread %s has kept preemption off on hart %u for %u beats", t->name,
			h->index, w->stuck);
}

/* Looks at a hart, and asks it for a sign. True: it is well, as far as can be seen. */
static bool watch(struct hart_meta *h)
{
	struct watched *w = &watched[h->index];
	bool waits = wait_under_way(&h->lock.wait);

	if (waits)
		watch_waiter(h, w);
	else
		w->waited = 0;
	if (!hart_call_done(&w->ping)) {
		if (++w->missed > patience() && !w->waited)
			lockcheck_report(KIND_LOCKUP, "interrupts-off", NULL, NULL,
				"hart %u has not answered for %u beats: interrupts are off "
				"there and it does not wait for one lock, or it is dead",
				h->index, w->missed);
		return false;
	}
	w->missed = 0;
	if (waits) {
		w->overdue = 0;
		return false;
	}
	watch_promise(h, w);
	/* A closed mailbox: it is on its way out and will not be in the mask. */
	hart_call_post(h, &w->ping);
	return true;
}

/* ---- Waiters -------------------------------------------------------------------------------- */

static bool is_free(const struct wait_seen *wait)
{
	if (wait_kind_of(wait) == WAIT_IRQRWLOCK)
		return irqrwlock_is_free(wait->what);
	return !irqlock_is_locked(wait->what);
}

/* The same wait for so long; `c` begins with it. */
static void report_waiter(const struct chain *c, unsigned hart, unsigned n)
{
	const struct wait_seen *wait = &c->m[0].wait;
	const char *what = chain_what(wait);

	cycle_report_is_about(c);
	if (is_free(wait))
		lockcheck_report(KIND_DEADLOCK, "lost-kick", wait->what, wait->class,
			"hart %u has slept for %u beats for %s, which is free: it was not woken",
			hart, n, what);
	else if (c->nr == 1 && CONFIG_LOCKCHECK)
		lockcheck_report(KIND_DEADLOCK, "no-holder", wait->what, wait->class,
			"hart %u has waited for %u beats for %s, which nobody holds by the records",
			hart, n, what);
	else
		lockcheck_report(KIND_LOCKUP, "spinner", wait->what, wait->class,
			"hart %u has waited for %u beats for %s, which is not given up", hart, n,
			what);
	cycle_report_is_about(NULL);
}

static void watch_waiter(struct hart_meta *h, struct watched *w)
{
	uint32_t serial = atomic_load_u32(&h->lock.wait.serial, relaxed);
	struct chain c;

	if (w->wait != serial) {
		w->wait = serial;
		w->waited = 0;
		return;
	}
	/* Later than others: a holder that is stuck itself is reported for that. */
	if (++w->waited <= patience() + MISSES_MIN / 4)
		return;
	if (chain_follow(&c, &h->lock, NULL) && c.m[0].wait.serial == serial)
		report_waiter(&c, h->index, w->waited);
}

/* ---- Promises ------------------------------------------------------------------------------- */

/* A hart that answers: is its own timer alive? */
static void watch_promise(const struct hart_meta *h, struct watched *w)
{
	uint64_t promised_ns = timer_promised_ns(h);

	if (promised_ns != w->promised_ns || promised_ns > clock_now_ns()) {
		w->promised_ns = promised_ns;
		w->overdue = 0;
		return;
	}
	if (++w->overdue > patience())
		lockcheck_report(KIND_LOCKUP, "missed-event", NULL, NULL,
			"hart %u takes interrupts, but its next timer event, %lu ms after boot, is "
			"overdue for %u beats",
			h->index, (unsigned long)(promised_ns / NS_PER_MS), w->overdue);
}

static unsigned patience(void)
{
	return misses + hart_mask_weight(&harts_online);
}
