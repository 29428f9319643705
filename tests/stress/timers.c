/* SPDX-License-Identifier: MIT */
/* Timers: started, moved, cancelled at random; each start fires once or is taken back, none too
 * early. */
#include "kernel/sched/sched.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"
#include "tests/stress/stress.h"

#define TIMERS 16 /* of each worker */

struct probe {
	struct timer timer;
	/* The worker changes these only while the timer is neither pending nor running. */
	uint64_t deadline_ns;
	atomic_ulong fired; /* release in the handler, acquire in the worker */
	unsigned long expected;
};

static struct probe probes[STRESS_WORKERS_MAX][TIMERS];
static struct stress_run run;

static void fire(struct timer *t)
{
	struct probe *p = container_of(t, struct probe, timer);
	uint64_t now = clock_now_ns();

	stress_check(&run, now >= p->deadline_ns, "a timer fires %lu ns early",
		(unsigned long)(p->deadline_ns - now));
	atomic_add_ulong(&p->fired, 1, release);
}

/* Takes it back, or knows that it fired; nothing is under way afterwards. */
static void settle(struct probe *p)
{
	if (timer_cancel_sync(&p->timer))
		p->expected--;
	stress_check(&run, atomic_load_ulong(&p->fired, acquire) == p->expected,
		"a timer fired %lu times, not %lu", atomic_load_ulong(&p->fired, relaxed),
		p->expected);
}

static void worker(unsigned i)
{
	struct rng rng;

	rng_seed(&rng, i + 4000);
	for (unsigned k = 0; k < TIMERS; k++) {
		struct probe *p = &probes[i][k];

		timer_init(&p->timer, fire);
		atomic_store_ulong(&p->fired, 0, relaxed);
		p->expected = 0;
	}
	while (stress_more(&run)) {
		struct probe *p = &probes[i][rng_below(&rng, TIMERS)];

		settle(p);
		p->deadline_ns = clock_now_ns() + rng_below(&rng, 2 * NS_PER_MS);
		p->expected++;
		timer_start(&p->timer, p->deadline_ns);
		if (rng_one_in(&rng, 8))
			sched_sleep_ns(rng_below(&rng, NS_PER_MS));
	}
	for (unsigned k = 0; k < TIMERS; k++)
		settle(&probes[i][k]);
}

static int stress_timer(unsigned seconds)
{
	stress_begin(&run, "timer", seconds);
	stress_threads(&run, stress_workers(), worker);
	return stress_end(&run);
}
STRESS(timer, "timers started, moved and cancelled", stress_timer);
