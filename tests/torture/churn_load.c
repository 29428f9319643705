/* SPDX-License-Identifier: MIT */
/*
 * The load of churn (churn.h) besides the tokens: threads that call other harts, make and end
 * threads, take and give back memory, raise a device's interrupt, torture locks, run shell
 * commands. Each makes small rounds until the run is over, and now and then moves to another hart.
 */
#include "tests/torture/churn.h"

#include "kernel/hart/call.h"
#include "kernel/lock/relax.h"
#include "kernel/mm/kmalloc.h"
#include "kernel/mm/vmap.h"
#include "kernel/sched/sched.h"
#include "kernel/shell/command.h"
#include "kernel/task/thread.h"
#include "kernel/time/clock.h"
#include "kernel/wait/completion.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "tests/torture/torture.h"

#define CALLERS_MAX 4
#define NAP_NS (100 * NS_PER_US)
#define BLOCK_MAX (2 * PAGE_SIZE)
#define ORDER_MAX 3
#define LOCK_STEPS 20
#define LOCK_PAUSE_NS (20 * NS_PER_MS)
/* Between two commands of the shell, which write on the console. */
#define SHELL_NAP_NS (50 * NS_PER_MS)

DEFINE_LOCK_CLASS(churn_done_class, .name = "churn.done", .rank = RANK_WAITQ,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 100,
	.protects = "what threads of the load wait for");

LINKSET_DECLARE(torture, const struct torture_kind);
LINKSET_DECLARE(shell_command, const struct shell_command);

static void nap(struct rng *rng)
{
	if (rng_one_in(rng, 2))
		sched_sleep_ns(rng_below(rng, NAP_NS));
	else
		sched_yield();
}

/* A twin's: what it holds back until the ledgers are closed. */
static void hold_back(void)
{
	while (!atomic_load_bool(&churn.judged, acquire))
		sched_sleep_ns(NS_PER_MS);
}

/* ---- Calls ----------------------------------------------------------------------------------- */

static struct letter {
	struct hart_call call;
} letters[CALLERS_MAX];
static atomic_u32 nr_callers;

static void answer(void *arg unused_arg)
{
	churn_done(LEDGER_CALLS, churn_strikes(LEDGER_CALLS, true) ? 2 : 1);
}

static void call_one(struct hart_meta *h)
{
	if (churn_strikes(LEDGER_CALLS, false) || hart_call(h, answer, NULL) == 0)
		churn_issue(LEDGER_CALLS, 1);
}

static void call_some(struct rng *rng, struct letter *mine)
{
	struct hart_meta *h = churn_some_hart(rng);
	struct hart_mask all;

	hart_mask_fill(&all, nr_harts);
	switch (rng_below(rng, 8)) {
	case 0:
		churn_issue(LEDGER_CALLS, (unsigned long)hart_call_mask(&all, answer, NULL));
		break;
	case 1:
		leaf_call_mask(&all, rng_one_in(rng, 2) ? LEAF_TLB_FLUSH : LEAF_FENCE_I);
		break;
	case 2:
		hart_resched(h);
		break;
	case 3:
	case 4:
		if (hart_call_done(&mine->call) && hart_call_post(h, &mine->call) == 0)
			churn_issue(LEDGER_CALLS, 1);
		break;
	default:
		call_one(h);
	}
}

static void call_body(struct rng *rng)
{
	struct letter *mine = &letters[atomic_add_u32(&nr_callers, 1, relaxed) % CALLERS_MAX];

	hart_call_init(&mine->call, answer, NULL);
	while (!churn_over()) {
		/* A storm, then a pause. */
		for (unsigned n = (unsigned)rng_below(rng, 20); n; n--)
			call_some(rng, mine);
		nap(rng);
		if (rng_one_in(rng, 8))
			churn_move_self(rng);
	}
	while (!hart_call_done(&mine->call))
		relax();
}

/* ---- Threads --------------------------------------------------------------------------------- */

static void end_errand(bool lost)
{
	if (lost)
		hold_back();
	else
		churn_done(LEDGER_THREADS, 1);
}

static void brief(void *arg)
{
	bool lost = churn_strikes(LEDGER_THREADS, false);
	struct rng rng;

	rng_seed(&rng, (uintptr_t)arg);
	for (unsigned n = (unsigned)rng_below(&rng, 4); n; n--)
		nap(&rng);
	if (rng_one_in(&rng, 2))
		churn_move_self(&rng);
	if (churn_strikes(LEDGER_ALIVE, false)) {
		/* It ends as far as anybody has counted. */
		churn_done(LEDGER_THREADS, 1);
		hold_back();
		return;
	}
	end_errand(lost);
}

static void wanted(void *arg)
{
	complete(arg);
	end_errand(false);
}

static void asleep(void *arg unused_arg)
{
	sched_sleep_until(UINT64_MAX, true);
	end_errand(false);
}

static struct thread *make(const char *name, void (*fn)(void *arg), void *arg)
{
	struct thread *t = thread_spawn(name, fn, arg);

	if (t)
		churn_issue(LEDGER_THREADS, 1);
	return t;
}

static void make_one(struct rng *rng)
{
	struct completion done = COMPLETION_INIT(&churn_done_class);
	struct thread *t;

	switch (rng_below(rng, 4)) {
	case 0:
		stack_shared_begin();
		t = make("wanted", wanted, &done);
		if (t)
			wait_for_completion(&done);
		stack_shared_end();
		break;
	case 1:
		t = make("asleep", asleep, NULL);
		nap(rng);
		if (t)
			thread_kill(t);
		break;
	default:
		t = make("brief", brief, (void *)(uintptr_t)rng_u32(rng));
		/* A twin's thread must not be waited for. */
		if (t && (churn.twin || rng_one_in(rng, 2))) {
			thread_detach(t);
			t = NULL;
		}
	}
	if (t)
		thread_join(t, NULL);
}

static void make_body(struct rng *rng)
{
	while (!churn_over()) {
		make_one(rng);
		if (rng_one_in(rng, 16))
			churn_move_self(rng);
	}
}

/* ---- Memory ---------------------------------------------------------------------------------- */

static void check_filled(const unsigned char *at, size_t size, unsigned char fill)
{
	for (size_t i = 0; i < size; i++)
		churn_check(at[i] == fill, "byte %zu of %zu was overwritten", i, size);
}

/* Filled here, looked at wherever the thread is by then. */
static void use(struct rng *rng, unsigned char *at, size_t size)
{
	unsigned char fill = (unsigned char)rng_u32(rng);

	memset(at, fill, size);
	nap(rng);
	check_filled(at, size, fill);
}

/* A twin's, until the ledgers are closed. */
static struct page *kept;

static void take_pages(struct rng *rng)
{
	unsigned order = (unsigned)rng_below(rng, ORDER_MAX + 1);
	struct page *page = page_alloc(order, 0);
	bool lost;

	if (!page)
		return;
	churn_issue(LEDGER_PAGES, 1ul << order);
	use(rng, page_virt(page), PAGE_SIZE << order);
	lost = churn_strikes(LEDGER_PAGES, false);
	if (!lost)
		churn_done(LEDGER_PAGES, 1ul << order);
	if (lost || churn_strikes(LEDGER_MEMORY, false))
		kept = page;
	else
		page_free(page);
}

static void take_object(struct rng *rng)
{
	size_t size = 1 + rng_below(rng, BLOCK_MAX);
	unsigned char *at = rng_one_in(rng, 8) ? vmap_alloc(BLOCK_MAX) : NULL;

	if (at) {
		use(rng, at, size);
		vunmap(at);
		return;
	}
	at = kmalloc(size, 0);
	if (!at)
		return;
	use(rng, at, size);
	kfree(at);
}

static void memory_body(struct rng *rng)
{
	while (!churn_over()) {
		if (rng_one_in(rng, 2))
			take_pages(rng);
		else
			take_object(rng);
		if (rng_one_in(rng, 500))
			mm_trim();
		if (rng_one_in(rng, 16))
			churn_move_self(rng);
	}
}

/* ---- Interrupts of a device ------------------------------------------------------------------ */

static atomic_u32 handled;

static void alarmed(void *arg unused_arg)
{
	churn_done(LEDGER_INTERRUPTS, churn_strikes(LEDGER_INTERRUPTS, true) ? 2 : 1);
	/* Release: the count before. Partner: alarm_body. */
	atomic_add_u32(&handled, 1, release);
}

/* One at a time: two that are pending together would be one. If one never comes, that is the last:
 * the ledger stays open. */
static void alarm_body(struct rng *rng)
{
	uint32_t before;

	while (!churn_over()) {
		if (rng_one_in(rng, 2))
			alarm_route(churn_some_hart(rng)->index);
		before = atomic_load_u32(&handled, relaxed);
		churn_issue(LEDGER_INTERRUPTS, 1);
		if (!churn_strikes(LEDGER_INTERRUPTS, false))
			alarm_raise();
		while (atomic_load_u32(&handled, acquire) == before && !churn_over())
			sched_sleep_ns(NAP_NS / 4);
		nap(rng);
	}
}

/* ---- Locks, and the shell -------------------------------------------------------------------- */

static const struct torture_kind *some_kind(struct rng *rng)
{
	uint64_t n = rng_below(rng, linkset_size(torture));

	linkset_for_each(torture, const struct torture_kind, k)
		if (n-- == 0)
			return k;
	return NULL;
}

static void lock_body(struct rng *rng)
{
	while (!churn_over()) {
		const struct torture_kind *kind = some_kind(rng);
		uint64_t seed = rng_u32(rng);

		churn_check(torture_run_once(kind, WHOLE, LOCK_STEPS, seed),
			"torture.%s found: %s, seed=%llu", kind->name, torture.found.text,
			(unsigned long long)seed);
		atomic_add_u32(&churn.tortured, 1, relaxed);
		/* Cycles without it are quicker. */
		sched_sleep_ns(LOCK_PAUSE_NS);
	}
}

static void run_command(const char *name)
{
	char copy[24];
	char *argv[] = {copy, NULL};

	strlcpy(copy, name, sizeof(copy));
	linkset_for_each(shell_command, const struct shell_command, c)
		if (strcmp(c->name, name) == 0)
			churn_check(c->fn(1, argv) == 0, "the command %s failed", name);
}

/* The commands themselves: lines of the shell run one at a time, and this run is one. */
static void shell_body(struct rng *rng)
{
	static const char *const commands[] = {"harts", "timers", "irqs", "ps"};

	while (!churn_over()) {
		run_command(commands[rng_below(rng, ARRAY_SIZE(commands))]);
		atomic_add_u32(&churn.commands, 1, relaxed);
		for (unsigned n = 0; n < 20 && !churn_over(); n++)
			sched_sleep_ns(SHELL_NAP_NS / 20);
	}
}

/* ---- Begin and end --------------------------------------------------------------------------- */

void churn_load_begin(void)
{
	atomic_store_u32(&nr_callers, 0, relaxed);
	atomic_store_u32(&handled, 0, relaxed);
	churn.external = alarm_open(alarmed);
	torture_harts_taken = true;
}

void churn_load_end(void)
{
	torture_harts_taken = false;
	if (churn.external)
		alarm_close();
}

void churn_load_release(void)
{
	if (kept)
		page_free(kept);
	kept = NULL;
}

bool churn_load_start(unsigned harts)
{
	unsigned few = MAX(2u, MIN(harts / 4, (unsigned)CALLERS_MAX));
	bool ok = true;

	for (unsigned i = 0; i < few; i++)
		ok = ok && churn_start("call", call_body) && churn_start("make", make_body) &&
			churn_start("memory", memory_body);
	if (churn.external)
		ok = ok && churn_start("alarm", alarm_body);
	/* A twin has other worries. */
	if (!churn.twin)
		ok = ok && churn_start("locks", lock_body) && churn_start("console", shell_body);
	return ok;
}
