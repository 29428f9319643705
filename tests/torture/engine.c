/* SPDX-License-Identifier: MIT */
/*
 * One run of a torture: workers, their interrupts, and the supervisor that looks at them (see
 * torture.h). `torture` is the only one; the command runs one at a time.
 *
 * The end of a run: when each worker has made its steps and every kind of handler has had its turn,
 * or something was found, `over` is set; then every wait of the kind ends by itself or by its
 * unwind, workers and shuffler are joined, interrupts silenced, and the kind looks at what is left.
 * What is stuck without a planted defect cannot be unwound: that is the end of the system.
 */
#include "tests/torture/torture.h"

#include "kernel/hart/hart.h"
#include "kernel/lock/point.h"
#include "kernel/lock/race.h"
#include "kernel/lock/relax.h"
#include "kernel/log.h"
#include "kernel/mm/kmalloc.h"
#include "kernel/panic.h"
#include "kernel/panic/report.h"
#include "kernel/sched/sched.h"
#include "kernel/task/thread.h"
#include "kernel/time/clock.h"
#include "lib/string.h"

#define LOOK_NS NS_PER_MS
/* Looks without progress, in each of which every hart answered; a twin needs no patience. */
#define STUCK_LOOKS (torture.defect == LOST_WAKEUP ? 100u : 5000u)
/* The same for waits that should end by themselves after the run. */
#define UNWIND_LOOKS 30000u
/* The unfair twin finds nothing else by mistake, and needs no patience either. */
#define UNFAIR_PASSES (torture.defect == UNFAIR ? 30000u : 300000u)
#define UNFAIR_LOOKS (torture.defect == UNFAIR ? 10u : 100u)
#define STRANDED_NAP_NS NS_PER_MS
#define TIMER_STEP_NS (100 * NS_PER_US)
#define TIMER_FIRINGS 3
/* Handlers of each kind that a run must have seen. */
#define HANDLERS_MIN 10
#define WAY_MAX 12
#define SUPERVISOR_PRIO 60
#define SHUFFLER_PRIO 50
/* A twin goes on longer, if it has to. (What becomes of posts is counted at the end.) */
#define TWIN_BUDGETS 1000

struct torture_run torture;
bool torture_storm, torture_deaths, torture_harts_taken;
static struct rng alarm_rng;

static const struct {
	const char *name;
	unsigned findings; /* what a run of the twin may find */
} defects[DEFECTS] = {
	{"not_exclusive", 1 << FOUND_DATA},
	{"lost_wakeup", 1 << FOUND_STUCK},
	{"unfair", 1 << FOUND_UNFAIR},
	{"leaks_irq", 1 << FOUND_STATE},
	{"post_lost", 1 << FOUND_LOST},
	{"post_twice", 1 << FOUND_TWICE},
	{"too_early", 1 << FOUND_DATA},
};

const char *torture_defect_name(enum defect defect)
{
	for (unsigned i = 0; i < DEFECTS; i++)
		if (defect == 1u << i)
			return defects[i].name;
	return "whole";
}

void torture_found(enum found_kind what, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (finding_add(&torture.found, fmt, ap))
		torture.kind_found = what;
	va_end(ap);
}

static bool found(void)
{
	return finding_any(&torture.found);
}

void torture_work(unsigned n)
{
	while (n--)
		arch_pause();
}

uint64_t torture_deadline(struct rng *rng)
{
	return clock_now_ns() + rng_below(rng, 200) * NS_PER_US;
}

noreturn void torture_die(void)
{
	char *nowhere = NULL;

	/* The compiler is not to know what this is. */
	__asm__ volatile("" : "+r"(nowhere));
	*nowhere = 0;
	panic("a store to address 0 did not fault");
}

uint32_t torture_progress(void)
{
	/* What the shuffler sets off does not count: it goes on when all others are stuck. */
	uint32_t sum = atomic_load_u32(&torture.counts[COUNT_TIMER], relaxed) +
		atomic_load_u32(&torture.counts[COUNT_CALL], relaxed);

	for (unsigned i = 0; i < torture.nr_workers; i++)
		sum += atomic_load_u32(&torture.workers[i].steps, relaxed);
	return sum;
}

/* ---- Fairness ------------------------------------------------------------------------------- */

static void judge_passes(const struct worker *w, uint32_t since)
{
	uint32_t passes = atomic_load_u32(&torture.entries, relaxed) - since;
	uint32_t looks = atomic_load_u32(&torture.looks, relaxed) -
		atomic_load_u32(&w->looks_since, relaxed);

	torture_check(passes < UNFAIR_PASSES || looks < UNFAIR_LOOKS || torture.kind->unfair,
		FOUND_UNFAIR, "worker %u waits while others got in %u times", w->i,
		(unsigned)passes);
}

void torture_wait_begin(struct worker *w)
{
	atomic_store_u32(&w->looks_since, atomic_load_u32(&torture.looks, relaxed), relaxed);
	atomic_store_u32(&w->waits_since, atomic_load_u32(&torture.entries, relaxed) + 1, relaxed);
}

void torture_wait_anew(struct worker *w)
{
	uint32_t since = atomic_load_u32(&w->waits_since, relaxed);

	/* If its wait ends meanwhile, that stays so. */
	atomic_store_u32(&w->looks_since, atomic_load_u32(&torture.looks, relaxed), relaxed);
	if (since)
		atomic_cas_u32(&w->waits_since, &since,
			atomic_load_u32(&torture.entries, relaxed) + 1, relaxed);
}

void torture_wait_end(struct worker *w)
{
	uint32_t since = atomic_xchg_u32(&w->waits_since, 0, relaxed);
	uint32_t passes = atomic_load_u32(&torture.entries, relaxed) - (since - 1);

	w->most_passes = MAX(w->most_passes, passes);
	judge_passes(w, since - 1);
}

bool torture_is_passed(struct worker *w)
{
	/* A wait with interrupts off is an inner one. */
	if (torture.defect != UNFAIR || w->i || !arch_irq_enabled())
		return false;
	torture_wait_begin(w);
	torture_strand();
	return true;
}

void torture_strand(void)
{
	while (!torture_over())
		sched_sleep_ns(STRANDED_NAP_NS);
}

/* ---- Interrupts ------------------------------------------------------------------------------ */

void torture_interrupt(enum torture_count source, struct rng *rng)
{
	if (torture_over() || atomic_load_bool(&torture.stutter, relaxed))
		return;
	if (torture.kind->handler)
		torture.kind->handler(rng);
	torture_check(!arch_irq_enabled(), FOUND_STATE, "interrupts are on in a handler");
	torture_count(source);
}

static void timer_fired(struct timer *t)
{
	struct worker *w = container_of(t, struct worker, timer);
	uint32_t left = atomic_load_u32(&w->timer_quota, relaxed);

	torture_interrupt(COUNT_TIMER, &w->timer_rng);
	/* Bounded until the worker's next step, so that interrupts never keep it from making it. */
	if (!left || torture_over())
		return;
	atomic_store_u32(&w->timer_quota, left - 1, relaxed);
	timer_start(t, clock_now_ns() + TIMER_STEP_NS);
}

static void called(void *arg)
{
	struct worker *w = arg;

	torture_interrupt(COUNT_CALL, &w->call_rng);
}

static void alarmed(void *arg unused_arg)
{
	torture_interrupt(COUNT_EXTERNAL, &alarm_rng);
}

static void interrupt_somebody(struct worker *w)
{
	unsigned hart = (unsigned)rng_below(&w->rng, nr_harts);

	if (harts[hart] && hart_call_done(&w->call))
		hart_call_post(harts[hart], &w->call);
}

/* ---- Workers -------------------------------------------------------------------------------- */

static void stop_with_the_others(void)
{
	if (!atomic_load_bool(&torture.stutter, acquire))
		return;
	atomic_add_u32(&torture.stopped, 1, relaxed);
	while (atomic_load_bool(&torture.stutter, acquire) && !torture_over())
		sched_sleep_ns(100 * NS_PER_US);
	atomic_add_u32(&torture.stopped, (uint32_t)-1, relaxed);
}

static void check_state(void)
{
	if (arch_irq_enabled())
		return;
	torture_found(FOUND_STATE, "interrupts stayed off");
	/* The hart cannot have changed since they went off. */
	arch_irq_enable();
}

/* Back to fair by its own steps, or others never end; also if its priority came after the steps. */
static void count_rt_step(struct worker *w)
{
	uint32_t rt = atomic_load_u32(&w->rt_steps, relaxed);

	if (rt)
		atomic_store_u32(&w->rt_steps, rt - 1, relaxed);
	if (rt <= 1 && racy_read(w->thread->prio, "seen a step later if missed") != PRIO_FAIR)
		sched_set_priority(w->thread, SCHED_FAIR, PRIO_FAIR);
}

static void one_step(struct worker *w)
{
	atomic_store_u32(&w->timer_quota, TIMER_FIRINGS, relaxed);
	if (rng_one_in(&w->rng, 8) && !timer_pending(&w->timer))
		timer_start(&w->timer, clock_now_ns() + rng_below(&w->rng, TIMER_STEP_NS));
	if (rng_one_in(&w->rng, 16))
		interrupt_somebody(w);
	torture.kind->step(w);
	/* Whatever the kind is, it turns interrupts off on its way, and this time not on again. */
	if (torture_strikes(LEAKS_IRQ, &w->rng, 64))
		arch_irq_disable();
	check_state();
	count_rt_step(w);
	if (atomic_add_u32(&w->steps, 1, relaxed) + 1 == torture.budget)
		atomic_add_u32(&torture.done, 1, relaxed);
	if (rng_one_in(&w->rng, 16))
		sched_yield();
}

static void worker_body(void *arg)
{
	struct worker *w = arg;

	while (!torture_over()) {
		one_step(w);
		stop_with_the_others();
	}
	atomic_add_u32(&torture.running, (uint32_t)-1, release);
}

static void prepare_worker(unsigned i, struct rng *rng)
{
	struct worker *w = &torture.workers[i];

	w->i = i;
	rng_seed(&w->rng, rng_u64(rng));
	rng_seed(&w->timer_rng, rng_u64(rng));
	rng_seed(&w->call_rng, rng_u64(rng));
	timer_init(&w->timer, timer_fired);
	hart_call_init(&w->call, called, w);
}

/* All are made before the first one runs. */
static bool start_workers(void)
{
	char name[THREAD_NAME_MAX];

	for (unsigned i = 0; i < torture.nr_workers; i++) {
		snprintf(name, sizeof(name), "torture/%u", i);
		torture.workers[i].thread = thread_create(name, worker_body, &torture.workers[i]);
		if (torture.workers[i].thread)
			continue;
		while (i-- > 0)
			thread_discard(torture.workers[i].thread);
		return false;
	}
	atomic_store_u32(&torture.running, torture.nr_workers, relaxed);
	for (unsigned i = 0; i < torture.nr_workers; i++)
		thread_run(torture.workers[i].thread);
	return true;
}

/* ---- The supervisor ------------------------------------------------------------------------- */

static void answer(void *arg unused_arg)
{
}

/* Sleeps, then has every hart answer: one that the host runs late makes the look a long one. */
static void look(uint64_t ns)
{
	sched_sleep_ns(ns);
	hart_call_mask(&harts_online, answer, NULL);
	atomic_add_u32(&torture.looks, 1, relaxed);
}

static bool handlers_had_their_turn(void)
{
	for (unsigned i = COUNT_TIMER; i <= COUNT_EXTERNAL; i++)
		if (atomic_load_u32(&torture.counts[i], relaxed) < HANDLERS_MIN &&
			(i != COUNT_EXTERNAL || torture.external))
			return false;
	return true;
}

/* The way to where it waits. */
static void print_way(const struct thread *t)
{
	uintptr_t pcs[WAY_MAX];

	report_backtrace(pcs, arch_backtrace_thread(t, pcs, WAY_MAX), false);
}

static void print_state(void)
{
	report("torture %s: %u of %u workers run\n", torture.kind->name,
		(unsigned)atomic_load_u32(&torture.running, relaxed), torture.nr_workers);
	for (unsigned i = 0; i < torture.nr_workers; i++) {
		const struct worker *w = &torture.workers[i];

		report("  worker %u: %u steps, %s, on hart %u%s\n", i,
			(unsigned)atomic_load_u32(&w->steps, relaxed),
			thread_state_name(atomic_load_u32(&w->thread->state, relaxed)),
			sched_hart_of(w->thread),
			atomic_load_u32(&w->waits_since, relaxed) ? ", waits" : "");
		if (atomic_load_u32(&w->thread->state, relaxed) == THREAD_SLEEPING)
			print_way(w->thread);
	}
}

static noreturn void end_stuck(const char *what)
{
	print_state();
	panic_as(EXIT_LOCKUP, "torture %s is stuck %s, seed=%lu chaos=%lu", torture.kind->name,
		what, (unsigned long)torture.seed,
		CONFIG_LOCKPOINTS ? (unsigned long)lock_chaos_seed() : 0);
}

static void look_at_waits(void)
{
	for (unsigned i = 0; i < torture.nr_workers; i++) {
		const struct worker *w = &torture.workers[i];
		uint32_t since = atomic_load_u32(&w->waits_since, relaxed);

		if (since)
			judge_passes(w, since - 1);
	}
}

static void supervise(void)
{
	uint32_t seen = torture_progress();
	unsigned quiet = 0;

	while (!found()) {
		uint32_t now;

		if (atomic_load_u32(&torture.done, relaxed) == torture.nr_workers &&
			handlers_had_their_turn())
			break;
		look(LOOK_NS);
		now = torture_progress();
		quiet = now == seen ? quiet + 1 : 0;
		seen = now;
		look_at_waits();
		if (quiet < STUCK_LOOKS)
			continue;
		if (!torture.defect)
			end_stuck("in a run");
		torture_found(FOUND_STUCK, "nobody gets any further after %u", (unsigned)now);
	}
	atomic_store_bool(&torture.over, true, release);
}

static void unwind(struct thread *shuffler)
{
	uint32_t seen = atomic_load_u32(&torture.running, acquire), now;
	unsigned quiet = 0;

	while ((now = atomic_load_u32(&torture.running, acquire)) > 0) {
		quiet = now == seen ? quiet + 1 : 0;
		seen = now;
		if (torture.kind->unwind)
			torture.kind->unwind();
		if (quiet == UNWIND_LOOKS)
			end_stuck("at its end");
		look(LOOK_NS / 4);
	}
	thread_join(shuffler, NULL);
	for (unsigned i = 0; i < torture.nr_workers; i++) {
		struct worker *w = &torture.workers[i];

		thread_join(w->thread, NULL);
		timer_cancel_sync(&w->timer);
		while (!hart_call_done(&w->call))
			relax();
		torture.most_passes = MAX(torture.most_passes, w->most_passes);
	}
}

/* Something random of this run, the same for each run of kind, twin and seed. */
static uint64_t mixed_seed(void)
{
	uint64_t state = torture.seed + torture.defect;

	for (const char *s = torture.kind->name; *s; s++)
		state = splitmix64(&state) + (uint8_t)*s;
	return state;
}

static bool prepare(const struct torture_kind *kind, enum defect defect, uint64_t seed)
{
	unsigned harts = hart_mask_weight(&harts_online), most = kind->workers ?: WORKERS_MAX;
	struct rng rng;

	memset(&torture, 0, sizeof(torture));
	torture.kind = kind;
	torture.defect = defect;
	torture.seed = seed;
	torture.nr_workers = MAX(4u, MIN(harts + harts / 2, most)) & ~1u;
	torture.workers = kzalloc(torture.nr_workers * sizeof(*torture.workers), 0);
	if (!torture.workers)
		return false;
	rng_seed(&rng, mixed_seed());
	rng_seed(&alarm_rng, rng_u64(&rng));
	for (unsigned i = 0; i < torture.nr_workers; i++)
		prepare_worker(i, &rng);
	return true;
}

static bool was_expected(void)
{
	if (!torture.defect)
		return !found();
	for (unsigned i = 0; i < DEFECTS; i++)
		if (torture.defect == 1u << i)
			return found() && (defects[i].findings & 1u << torture.kind_found);
	return false;
}

bool torture_run_once(
	const struct torture_kind *kind, enum defect defect, uint32_t budget, uint64_t seed)
{
	struct thread *shuffler;

	if (!prepare(kind, defect, seed)) {
		log_error("torture: no memory for workers");
		return false;
	}
	torture.budget = defect & ~(POST_LOST | POST_TWICE) ? budget * TWIN_BUDGETS : budget;
	torture.external = alarm_open(alarmed);
	kind->begin();
	shuffler = thread_create("shuffler", torture_shuffle, NULL);
	if (shuffler && start_workers()) {
		/* Above the workers' highest, so that none of them keeps these two from looking. */
		sched_set_priority(current_thread(), SCHED_FIFO, SUPERVISOR_PRIO);
		sched_set_priority(shuffler, SCHED_FIFO, SHUFFLER_PRIO);
		thread_run(shuffler);
		supervise();
		unwind(shuffler);
		sched_set_priority(current_thread(), SCHED_FAIR, PRIO_FAIR);
	} else {
		torture_found(FOUND_STUCK, "no memory for threads");
		if (shuffler)
			thread_discard(shuffler);
	}
	if (torture.external)
		alarm_close();
	kind->end();
	kfree(torture.workers);
	return was_expected();
}
