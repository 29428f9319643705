/* SPDX-License-Identifier: MIT */
/*
 * Mixed locks: threads hold them, sleep in them; timer handlers post work or try them. Each true
 * post runs exactly once, in order, and never beside a holder. (Load; their trial is
 * tests/torture/mix_kind.c.)
 */
#include "kernel/wait/mixlock.h"
#include "kernel/sched/sched.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"
#include "tests/stress/stress.h"

#define POSTERS 8

DEFINE_LOCK_CLASS(line_class, .name = "stress_line", .rank = RANK_TEST_MIX,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 100000,
	.protects = "the pair of counters");

/*
 * line
 *   Protects: first, second, runs[].
 *   Taken by: the workers; posted to and tried by the handlers.
 *   Order:    alone.
 * While it is free: first == second.
 */
static struct mixlock line;
static uint64_t first GUARDED_BY(&line), second GUARDED_BY(&line);

struct poster {
	struct timer timer;
	struct mixwork work;
	unsigned long posted; /* its handler's, which never runs twice at once */
	unsigned long runs;   /* under the lock */
};
static struct poster posters[POSTERS];
static struct stress_run run;

static void change(void) REQUIRES(&line)
{
	stress_check(&run, first == second, "work runs beside a holder");
	first++;
	second++;
}

/* Under the lock, wherever it runs: clang cannot know. */
static void posted_work(struct mixwork *w) UNCHECKED_LOCKING
{
	struct poster *p = container_of(w, struct poster, work);

	p->runs++;
	change();
}

static void handler(struct timer *t) UNCHECKED_LOCKING
{
	struct poster *p = container_of(t, struct poster, timer);

	if (mixlock_post(&line, &p->work))
		p->posted++;
	if (mixlock_try(&line)) {
		change();
		mixlock_unlock(&line);
	}
	if (stress_more(&run))
		timer_start(t, clock_now_ns() + 150 * NS_PER_US);
}

static void worker(unsigned i)
{
	struct rng rng;

	rng_seed(&rng, i + 2000);
	if (i < POSTERS)
		timer_start(&posters[i].timer, clock_now_ns());
	while (stress_more(&run)) {
		mixlock_lock(&line);
		first++;
		if (rng_one_in(&rng, 8))
			sched_sleep_ns(100 * NS_PER_US);
		second++;
		mixlock_unlock(&line);
		if (rng_one_in(&rng, 16))
			sched_yield();
	}
}

static int stress_mixlock(unsigned seconds) UNCHECKED_LOCKING
{
	stress_begin(&run, "mixlock", seconds);
	mixlock_init(&line, &line_class);
	first = second = 0;
	for (unsigned i = 0; i < POSTERS; i++) {
		timer_init(&posters[i].timer, handler);
		mixwork_init(&posters[i].work, posted_work);
		posters[i].posted = posters[i].runs = 0;
	}
	stress_threads(&run, stress_workers(), worker);
	for (unsigned i = 0; i < POSTERS; i++)
		timer_cancel_sync(&posters[i].timer);
	/* What is queued runs at the unlock of whoever has it: this one's, if nobody came before.
	 */
	mixlock_lock(&line);
	mixlock_unlock(&line);
	mixlock_lock(&line);
	stress_check(
		&run, first == second, "%lu and %lu", (unsigned long)first, (unsigned long)second);
	for (unsigned i = 0; i < POSTERS; i++)
		stress_check(&run, posters[i].posted == posters[i].runs,
			"%lu posts of %u ran %lu times", posters[i].posted, i, posters[i].runs);
	mixlock_unlock(&line);
	mixlock_destroy(&line);
	return stress_end(&run);
}
STRESS(mixlock, "mixed locks, with work posted by handlers", stress_mixlock);
