/* SPDX-License-Identifier: MIT */
/*
 * One run of churn (churn.h): the load, the two threads that make cycles, the one that looks at
 * them, and the end of it all. `churn` is the only one; the command runs one at a time.
 *
 * The end: `over` is set, everybody ends, all harts come back, and the ledgers are looked at until
 * they are even or nothing moves any more. What a twin held back is let go after that.
 */
#include "tests/torture/churn.h"

#include "kernel/hart/call.h"
#include "kernel/panic.h"
#include "kernel/panic/report.h"
#include "kernel/sched/sched.h"
#include "kernel/shell/command.h"
#include "kernel/task/hart_life.h"
#include "kernel/task/thread.h"
#include "kernel/time/clock.h"
#include "kernel/wait/work.h"
#include "lib/errno.h"
#include "lib/printf.h"
#include "lib/string.h"

#define CHURNERS 2
/* Below the supervisor of the torture (engine.c), above its workers. */
#define CHURNER_PRIO 40
#define LOOK_NS NS_PER_MS
/* Looks, in each of which every hart answered: without a cycle; without anything in any ledger. */
#define STUCK_LOOKS 120000u
#define QUIET_LOOKS 5000u
/* A twin has one thing open: it is seen to stay so. */
#define TWIN_QUIET_LOOKS 30u
/* A line in so many cycles. */
#define SAY_CYCLES 1000u

struct churn_run churn;

const struct churn_twin churn_twins[] = {
	{"timer_lost", LEDGER_TIMERS, false, 0},
	{"timer_twice", LEDGER_TIMERS, true, 0},
	{"post_lost", LEDGER_POSTS, false, 0},
	{"post_twice", LEDGER_POSTS, true, 0},
	{"work_lost", LEDGER_WORK, false, 0},
	{"work_twice", LEDGER_WORK, true, 0},
	{"call_lost", LEDGER_CALLS, false, 0},
	{"call_twice", LEDGER_CALLS, true, 0},
	{"interrupt_lost", LEDGER_INTERRUPTS, false, 0},
	{"interrupt_twice", LEDGER_INTERRUPTS, true, 0},
	{"thread_lost", LEDGER_THREADS, false, 1 << LEDGER_ALIVE | 1 << LEDGER_MEMORY},
	{"page_lost", LEDGER_PAGES, false, 1 << LEDGER_MEMORY},
	{"hart_lost", LEDGER_HARTS, false, 0},
	{"memory_lost", LEDGER_MEMORY, false, 0},
	{"alive_lost", LEDGER_ALIVE, false, 1 << LEDGER_MEMORY},
};
const unsigned nr_churn_twins = ARRAY_SIZE(churn_twins);

void churn_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	finding_add(&churn.found, fmt, ap);
	va_end(ap);
}

static bool failed(void)
{
	return finding_any(&churn.found);
}

bool churn_strikes(enum churn_ledger ledger, bool twice)
{
	uint32_t next = STRIKE_NEXT;

	return churn.twin && churn.twin->ledger == ledger && churn.twin->twice == twice &&
		atomic_cas_u32(&churn.strike, &next, STRIKE_DONE, acq_rel);
}

struct hart_meta *churn_some_hart(struct rng *rng)
{
	uint64_t n = rng_below(rng, churn.nr_harts);
	unsigned hart;

	for_each_hart_in_mask(hart, &churn.harts)
		if (n-- == 0)
			break;
	return harts[hart];
}

void churn_move_self(struct rng *rng)
{
	struct hart_mask mask;

	hart_mask_zero(&mask);
	hart_mask_set(&mask, churn_some_hart(rng)->index);
	if (rng_one_in(rng, 2) || sched_set_affinity(current_thread(), &mask)) {
		hart_mask_fill(&mask, nr_harts);
		sched_set_affinity(current_thread(), &mask);
	}
}

/* ---- Threads of the run ---------------------------------------------------------------------- */

static struct {
	atomic_u32 n; /* made so far: each takes the next seed */
} load;

static void load_body(void *arg)
{
	void (*fn)(struct rng *rng) = (void (*)(struct rng *))(uintptr_t)arg;
	uint32_t i = atomic_add_u32(&load.n, 1, relaxed);
	struct rng rng;

	rng_seed(&rng, churn.seed * 1000 + i);
	fn(&rng);
	/* Release: what it counted. Partner: wait_for_load. */
	atomic_add_u32(&churn.running, (uint32_t)-1, release);
}

bool churn_start(const char *name, void (*fn)(struct rng *rng))
{
	struct thread *t;

	atomic_add_u32(&churn.running, 1, relaxed);
	t = thread_spawn(name, load_body, (void *)(uintptr_t)fn);
	if (t) {
		thread_detach(t);
		return true;
	}
	atomic_add_u32(&churn.running, (uint32_t)-1, relaxed);
	churn_fail("no memory for the thread %s", name);
	return false;
}

static void until_over(struct rng *rng, void (*fn)(struct rng *rng))
{
	while (!churn_over()) {
		fn(rng);
		if (rng_one_in(rng, 16))
			churn_move_self(rng);
	}
}

static void meddle_body(struct rng *rng)
{
	until_over(rng, churn_meddle);
}

static void hold_body(struct rng *rng)
{
	until_over(rng, churn_hold);
}

static void churner_body(struct rng *rng)
{
	/* The rest is there for the cycles, and busy enough. */
	sched_set_priority(current_thread(), SCHED_FIFO, CHURNER_PRIO);
	while (!churn_over())
		churn_change(rng);
}

/* ---- Every hart takes part ------------------------------------------------------------------- */

struct part {
	struct work work;
	unsigned hart;
	bool is_there;
};

static bool is_here(unsigned hart)
{
	return this_hart_unstable()->index == hart;
}

static void part_work(struct work *w)
{
	struct part *p = container_of(w, struct part, work);

	p->is_there = p->is_there && is_here(p->hart);
}

/* Bound to the hart: runs there, sleeps there (its timer fires), has work done there. */
static void part_body(void *arg)
{
	struct part *p = arg;

	p->is_there = is_here(p->hart);
	sched_sleep_ns(NS_PER_US);
	work_queue(&p->work);
	work_flush(&p->work);
}

static void check_takes_part(const struct hart_meta *h)
{
	static struct part p;
	struct hart_mask only;
	struct thread *t;

	hart_mask_zero(&only);
	hart_mask_set(&only, h->index);
	work_init(&p.work, part_work);
	p.hart = h->index;
	p.is_there = false;
	t = thread_create("part", part_body, &p);
	if (!t || sched_set_affinity(t, &only)) {
		churn_fail("hart %u takes no thread", h->index);
		if (t)
			thread_discard(t);
		return;
	}
	thread_run(t);
	thread_join(t, NULL);
	churn_check(p.is_there, "hart %u: its thread or its work ran elsewhere", h->index);
}

/* ---- The run --------------------------------------------------------------------------------- */

static void answer(void *arg unused_arg)
{
}

static void look(void)
{
	sched_sleep_ns(LOOK_NS);
	hart_call_mask(&harts_online, answer, NULL);
}

static noreturn void end_stuck(const char *what)
{
	report("churn: %u cycles, %u threads of the load run\n",
		(unsigned)atomic_load_u32(&churn.cycles, relaxed),
		(unsigned)atomic_load_u32(&churn.running, relaxed));
	for_each_hart(h)
		report("  hart %u: %s\n", h->index,
			hart_state_name(atomic_load_u32(&h->state, relaxed)));
	panic_as(EXIT_LOCKUP, "churn is stuck %s, seed=%lu", what, (unsigned long)churn.seed);
}

static bool enough(uint32_t cycles)
{
	if (shell_interrupted() || failed())
		return true;
	if (cycles < churn.target)
		return false;
	return !churn.twin || churn.twin->ledger == LEDGER_HARTS ||
		atomic_load_u32(&churn.strike, acquire) == STRIKE_DONE;
}

static void wait_for_cycles(void)
{
	uint32_t cycles = 0, said = SAY_CYCLES;
	unsigned quiet = 0;

	while (!enough(cycles)) {
		uint32_t now;

		look();
		now = atomic_load_u32(&churn.cycles, relaxed);
		quiet = now == cycles ? quiet + 1 : 0;
		cycles = now;
		if (quiet == STUCK_LOOKS)
			end_stuck("in a run");
		if (cycles < said)
			continue;
		shell_printf("churn: %u cycles\n", (unsigned)cycles);
		said = (cycles / SAY_CYCLES + 1) * SAY_CYCLES;
	}
}

static void wait_for_load(void)
{
	uint32_t before = 0, now;
	unsigned quiet = 0;

	while ((now = atomic_load_u32(&churn.running, acquire)) > 0) {
		quiet = now == before ? quiet + 1 : 0;
		before = now;
		if (quiet == STUCK_LOOKS)
			end_stuck("at its end");
		look();
	}
}

/* Until the ledgers are even, or nothing moves any more. */
static void wait_for_ledgers(void)
{
	unsigned open = churn.twin && churn.twin->ledger < LEDGER_MEMORY;
	unsigned long moved = churn_motion();
	unsigned quiet = 0;

	while (quiet < QUIET_LOOKS) {
		unsigned long now;

		if (churn_open() == open && quiet >= (open ? TWIN_QUIET_LOOKS : 0))
			return;
		look();
		now = churn_motion();
		quiet = now == moved ? quiet + 1 : 0;
		moved = now;
	}
}

static bool start(unsigned online)
{
	bool ok = true;

	churn_tokens_begin(3 * online);
	for (unsigned i = 0; ok && i < CHURNERS; i++)
		ok = churn_start("meddle", meddle_body) && churn_start("hold", hold_body) &&
			churn_start("churn", churner_body);
	return ok && churn_load_start(online);
}

/* Everybody ends, whatever can still come comes, all is counted. */
static bool close_ledgers(void)
{
	char text[sizeof(churn.found.text)];
	unsigned hart;
	bool right;

	churn_bring_all_back();
	churn_check_load();
	for_each_hart_in_mask(hart, &churn.harts)
		check_takes_part(harts[hart]);
	churn_lose_hart();
	wait_for_ledgers();
	churn_tokens_end();
	churn_load_end();
	churn_level_after();
	right = churn_balanced(churn.twin, text, sizeof(text));
	/* A failed check came first, and says more. */
	if (!failed())
		strlcpy(churn.found.text, text, sizeof(churn.found.text));
	return right;
}

/* What a twin has held back comes after all; nothing else is missing. */
static void release_twin(void)
{
	char text[sizeof(churn.found.text)];

	atomic_store_bool(&churn.judged, true, release);
	if (!churn.twin)
		return;
	churn_bring_all_back();
	churn_load_release();
	churn_level_after();
	if (churn_level_is_right(text, sizeof(text)))
		return;
	churn_fail("afterwards: %s", text);
}

bool churn_run_once(const struct churn_twin *twin, uint32_t cycles, uint64_t seed)
{
	bool right;

	memset(&churn, 0, sizeof(churn));
	churn.twin = twin;
	churn.seed = seed;
	churn.target = cycles;
	hart_mask_copy(&churn.harts, &harts_online);
	churn.nr_harts = hart_mask_weight(&churn.harts);
	atomic_store_u32(&load.n, 0, relaxed);
	churn_ledgers_reset();
	churn_level_before();
	churn_load_begin();
	start(churn.nr_harts);
	wait_for_cycles();
	atomic_store_bool(&churn.over, true, release);
	wait_for_load();
	right = close_ledgers();
	release_twin();
	return right && !failed();
}
