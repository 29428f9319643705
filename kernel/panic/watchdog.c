/* SPDX-License-Identifier: MIT */
/*
 * The progress watchdog: ends the system with EXIT_LOCKUP when a hart does not go on.
 *
 * A timer on one hart, the guard, beats twice a second. At each beat the guard posts a call to
 * every other online hart; whoever takes calls makes progress. A hart whose call is still there at
 * later beats has interrupts off all the time. A second hart, the second guard, beats as well and
 * does nothing but watch the guard. With one hart online nobody can notice that it keeps interrupts
 * off.
 *
 * Each hart, in its call (the guard in its own beat), also looks at what it interrupted: the same
 * thread with preemption off and no switch since the last time, again and again, is a thread that
 * never lets go of its hart.
 *
 * The verdict is not by the clock: what counts are beats that the guard itself has executed without
 * any sign of the other one, more of them the more harts share the machine below.
 *
 * No locks: each hart writes its own part; a guard's part is written in its own timer's function,
 * and a timer's function never runs twice at once.
 */
#include "kernel/panic/watchdog.h"

#include "kernel/hart/call.h"
#include "kernel/hart/hart.h"
#include "kernel/log.h"
#include "kernel/panic.h"
#include "kernel/sched/preempt.h"
#include "kernel/sched/thread.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"
#include "lib/bootargs.h"
#include "lib/fdt.h"

#define BEAT_NS (NS_PER_SEC / 2)
#define MISSES_MIN 16

struct watched {
	struct hart_call ping;
	unsigned missed; /* beats of the guard since the ping was posted */
	/* Its own hart's. */
	const void *thread; /* seen with preemption off at the last look */
	uint64_t switches;
	unsigned stuck;
};

static struct watched watched[CONFIG_MAX_HARTS];
static struct timer guard_timer, second_timer;
static struct hart_call second_call;
/* Beats of each, and where they were made last: relaxed, each a lone value. */
static atomic_ulong guard_beats;
static atomic_u32 guard_hart = {UINT32_MAX}, second_hart = {UINT32_MAX};
/* The second guard's own: what it saw, and for how many of its beats. */
static unsigned long seen_beats;
static unsigned unseen;

static void guard_beat(struct timer *t);
static void second_beat(struct timer *t);
static void second_begin(void *arg);
static void look_at_self(void *arg);
static void watch(unsigned hart);
static void choose_second(unsigned me);
static unsigned patience(void);

void watchdog_start(void)
{
	uint64_t on = 1;

	bootargs_get_u64(fdt_bootargs(arch_info.fdt), "watchdog", &on);
	if (!on) {
		log_info("watchdog: off");
		return;
	}
	timer_init(&guard_timer, guard_beat);
	timer_init(&second_timer, second_beat);
	hart_call_init(&second_call, second_begin, NULL);
	for (unsigned i = 0; i < nr_harts; i++)
		hart_call_init(&watched[i].ping, look_at_self, NULL);
	/* Both at once: the guard's own hart is watched from the beginning. */
	preempt_disable();
	timer_start(&guard_timer, clock_now_ns() + BEAT_NS);
	atomic_store_u32(&guard_hart, this_hart()->index, relaxed);
	choose_second(this_hart()->index);
	preempt_enable();
}

void watchdog_info(struct watchdog_info *out)
{
	out->beats = atomic_load_ulong(&guard_beats, relaxed);
	out->guard = atomic_load_u32(&guard_hart, relaxed);
	out->second = atomic_load_u32(&second_hart, relaxed);
	out->running = out->guard != UINT32_MAX;
}

static void guard_beat(struct timer *t)
{
	unsigned me = this_hart()->index, hart;

	atomic_store_u32(&guard_hart, me, relaxed);
	atomic_add_ulong(&guard_beats, 1, relaxed);
	look_at_self(NULL);
	for_each_hart_in_mask(hart, &harts_online)
		if (hart != me)
			watch(hart);
	choose_second(me);
	timer_start(t, clock_now_ns() + BEAT_NS);
}

/* Asks a hart for a sign; ends the system if it has owed one for too long. */
static void watch(unsigned hart)
{
	struct watched *w = &watched[hart];

	if (hart_call_done(&w->ping)) {
		w->missed = 0;
		/* A closed mailbox: it is on its way out and will not be in the mask. */
		hart_call_post(harts[hart], &w->ping);
		return;
	}
	if (++w->missed > patience())
		panic_as(EXIT_LOCKUP,
			"hart %u has not answered for %u beats: interrupts are off "
			"there and it does not wait for a lock, or it is dead",
			hart, w->missed);
}

/* The second guard is another hart than the guard; a hart that stopped took the timer with it. */
static void choose_second(unsigned me)
{
	unsigned hart, second = atomic_load_u32(&second_hart, relaxed);

	if (second != me && second < nr_harts && hart_mask_test(&harts_online, second))
		return;
	for_each_hart_in_mask(hart, &harts_online)
		if (hart != me)
			break;
	if (hart >= nr_harts)
		return;
	timer_cancel(&second_timer);
	hart_call_post(harts[hart], &second_call);
}

static void second_begin(void *arg unused_arg)
{
	unseen = 0;
	atomic_store_u32(&second_hart, this_hart()->index, relaxed);
	timer_start(&second_timer, clock_now_ns() + BEAT_NS);
}

static void second_beat(struct timer *t)
{
	unsigned long beats = atomic_load_ulong(&guard_beats, relaxed);

	/* On the guard itself (its hart took this timer over) it would see nothing: choose_second
	 * starts it elsewhere. */
	atomic_store_u32(&second_hart, this_hart()->index, relaxed);
	if (beats != seen_beats) {
		seen_beats = beats;
		unseen = 0;
	} else if (++unseen > patience()) {
		panic_as(EXIT_LOCKUP, "hart %u, which keeps the watch, has not moved for %u beats",
			(unsigned)atomic_load_u32(&guard_hart, relaxed), unseen);
	}
	timer_start(t, clock_now_ns() + BEAT_NS);
}

/* In a handler of the hart that is looked at. */
static void look_at_self(void *arg unused_arg)
{
	struct hart_meta *h = this_hart();
	struct watched *w = &watched[h->index];
	const struct thread *t = (const struct thread *)h->lock.thread;

	if (t->lock.preempt_depth == 0 || t->is_idle || w->thread != t ||
		w->switches != h->stats.switches) {
		w->thread = t;
		w->switches = h->stats.switches;
		w->stuck = 0;
		return;
	}
	if (++w->stuck > patience())
		panic_as(EXIT_LOCKUP, "thread %s has kept preemption off on hart %u for %u beats",
			t->name, h->index, w->stuck);
}

static unsigned patience(void)
{
	return MISSES_MIN + hart_mask_weight(&harts_online);
}
