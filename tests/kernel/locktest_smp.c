/* SPDX-License-Identifier: MIT */
/*
 * Self-test matrix: the checker's own tables. Every hart teaches it at once, and they may be full.
 *
 * Columns: irqlock, irqrwlock W, R (nested), q (plain), mutex, rwmutex W, R, mixlock.
 */
#include "tests/kernel/locktest.h"

#include "kernel/lock/check_test.h"
#include "kernel/mm/kmalloc.h"
#include "kernel/wait/completion.h"
#include "kernel/wait/work.h"
#include "tests/kernel/ktest.h"

#define ROUNDS 8
#define TURNS 20

static enum locktest_kind kind_now;
static struct locktest_lock *own; /* three a helper, of classes A, B, C: nobody waits for them */

static unsigned helpers(void)
{
	return MAX(2u, ktest_harts());
}

static void nest(unsigned i, unsigned outer, unsigned inner)
{
	struct locktest_lock *mine = &own[3 * i];

	locktest_acquire(&mine[outer], kind_now);
	locktest_acquire(&mine[inner], kind_now);
	locktest_release(&mine[inner], kind_now);
	locktest_release(&mine[outer], kind_now);
}

static void same_order(unsigned i, unused_arg void *arg)
{
	unsigned turns = ktest_each(TURNS);

	for (unsigned n = 0; n < turns; n++) {
		nest(i, 0, 1);
		nest(i, 1, 2);
		nest(i, 0, 2);
	}
}

static void two_orders(unsigned i, unused_arg void *arg)
{
	unsigned turns = ktest_each(TURNS);

	for (unsigned n = 0; n < turns; n++)
		nest(i, i % 2, 1 - i % 2);
}

/* Each a third of the ring: three at least. */
static void ring(unsigned i, unused_arg void *arg)
{
	unsigned turns = ktest_each(TURNS);

	for (unsigned n = 0; n < turns; n++)
		nest(i, i % 3, (i + 1) % 3);
}

/* One half uses a class in handlers, the other half holds it with interrupts on. */
static void unsafe(unsigned i, unused_arg void *arg)
{
	struct locktest_lock *mine = &own[3 * i];
	const void *lock = locktest_address(mine, kind_now);
	unsigned flags = locktest_flags(kind_now), turns = ktest_each(TURNS);

	locktest_sim_begin();
	for (unsigned n = 0; n < turns; n++) {
		if (i % 2)
			locktest_irq_enter(IRQ_TIMER);
		if (locktest_acquire_raw(lock, mine->class, flags))
			locktest_release_raw(lock, mine->class, flags & ~CHECK_RECURSIVE);
		if (i % 2)
			locktest_irq_exit();
	}
	locktest_sim_end();
}

/*
 * Several times from nothing; each must give reports, or none must. The last one is the case's.
 */
static void all_at_once(void (*fn)(unsigned i, void *arg), unsigned n, bool reports)
{
	own = kzalloc(3 * n * sizeof(*own), 0);
	if (!own) {
		locktest_broken("no memory");
		return;
	}
	for (unsigned round = 0; round < ROUNDS; round++) {
		locktest_locks_reset();
		for (unsigned i = 0; i < 3 * n; i++) {
			own[i].class = locktest_locks[LT_A + i % 3].class;
			locktest_new(&own[i]);
		}
		lockcheck_count_begin();
		if (!ktest_parallel(n, fn, NULL))
			locktest_broken("no helpers");
		if (!lockcheck_counted() == reports)
			break;
	}
	kfree(own);
}

static void learn_at_once(void)
{
	all_at_once(same_order, helpers(), false);
}

static void close_at_once(void)
{
	all_at_once(two_orders, helpers(), true);
}

static void silent_at_once(void)
{
	all_at_once(two_orders, helpers(), false);
}

static void ring_at_once(void)
{
	all_at_once(ring, MAX(3u, helpers()), true);
}

static void silent_ring_at_once(void)
{
	all_at_once(ring, MAX(3u, helpers()), false);
}

static void unsafe_at_once(void)
{
	all_at_once(unsafe, MIN((unsigned)LOCKTEST_SIMULATIONS, helpers()), true);
}

static void safe_at_once(void)
{
	all_at_once(unsafe, MIN((unsigned)LOCKTEST_SIMULATIONS, helpers()), false);
}

/* ---- Full tables ---------------------------------------------------------------------------- */

static void pair(enum locktest_name outer, enum locktest_name inner)
{
	locktest_acquire(&locktest_locks[outer], kind_now);
	locktest_acquire(&locktest_locks[inner], kind_now);
	locktest_release(&locktest_locks[inner], kind_now);
	locktest_release(&locktest_locks[outer], kind_now);
}

/* No more backtraces fit: that is said once, and a cycle is still one. */
static void nothing_fits(void)
{
	locktest_limit(0);
	for (unsigned i = 0; i < 3; i++) {
		pair(LT_A, LT_B);
		pair(LT_C, LT_D);
	}
	pair(LT_B, LT_A);
	if (locktest_overflow_said() != 1)
		locktest_broken("not said once");
	locktest_limit(UINT_MAX);
}

/* What was known before still finds what contradicts it. */
static void known_before(void)
{
	pair(LT_A, LT_B);
	locktest_limit(0);
	pair(LT_C, LT_D);
	pair(LT_B, LT_A);
	if (locktest_overflow_said() != 1)
		locktest_broken("not said once");
	locktest_limit(UINT_MAX);
}

/* Room again: as if nothing had been. */
static void room_again(void)
{
	locktest_limit(0);
	pair(LT_A, LT_B);
	locktest_limit(UINT_MAX);
	pair(LT_A, LT_B);
	pair(LT_B, LT_A);
}

/* The other rules need no table. */
static void recursion_when_full(void)
{
	locktest_limit(0);
	locktest_acquire(&locktest_locks[LT_A], kind_now);
	locktest_acquire(&locktest_locks[LT_A], kind_now);
	locktest_release(&locktest_locks[LT_A], kind_now);
	locktest_limit(UINT_MAX);
}

static void ranks_when_full(void)
{
	locktest_set_ranks(kind_now);
	locktest_limit(0);
	pair(LT_B, LT_A);
	locktest_limit(UINT_MAX);
}

/* A class that is not in the graph. What is held outside of it counts, it does not. */
static void without_node(void)
{
	locktest_without_node(&locktest_locks[LT_B]);
	pair(LT_A, LT_B);
	pair(LT_B, LT_A);
}

static void over_one_without_node(void)
{
	locktest_without_node(&locktest_locks[LT_B]);
	locktest_acquire(&locktest_locks[LT_A], kind_now);
	pair(LT_B, LT_C);
	locktest_release(&locktest_locks[LT_A], kind_now);
	pair(LT_C, LT_A);
}

static void recursion_without_node(void)
{
	locktest_without_node(&locktest_locks[LT_A]);
	locktest_acquire(&locktest_locks[LT_A], kind_now);
	locktest_acquire(&locktest_locks[LT_A], kind_now);
	locktest_release(&locktest_locks[LT_A], kind_now);
}

static struct work item;
static atomic_bool item_done;
static struct completion waited[2], done; /* of classes D, Z and B */

/* More than is noted of one run, and then what is waited for. */
static void item_asks_for_much(unused_arg struct work *w)
{
	static const enum locktest_name asked[] = {LT_A, LT_B, LT_C, LT_D, LT_X1, LT_Y1, LT_Z1};

	for (unsigned i = 0; i < ARRAY_SIZE(asked); i++) {
		locktest_acquire(&locktest_locks[asked[i]], kind_now);
		locktest_release(&locktest_locks[asked[i]], kind_now);
	}
	static_assert(ARRAY_SIZE(asked) + ARRAY_SIZE(waited) > RUN_HISTORY, "more than fits");
	wait_for_completion(&waited[0]);
	wait_for_completion(&waited[1]);
	complete(&done);
	/* Release; partner: history_full. */
	atomic_store_bool(&item_done, true, release);
}

static void history_full(void)
{
	completion_init(&waited[0], locktest_locks[LT_D].class);
	completion_init(&waited[1], locktest_locks[LT_Z1].class);
	completion_init(&done, locktest_locks[LT_B].class);
	complete(&waited[0]);
	complete(&waited[1]);
	atomic_store_bool(&item_done, false, relaxed);
	locktest_limit(UINT_MAX);
	work_init(&item, item_asks_for_much);
	if (!work_queue(&item) || !ktest_eventually(atomic_load_bool(&item_done, acquire)))
		locktest_broken("no work");
	work_flush(&item);
	if (locktest_overflow_said() != 1)
		locktest_broken("not said once");
	locktest_acquire(&locktest_locks[LT_A], kind_now);
	wait_for_completion(&done);
	locktest_release(&locktest_locks[LT_A], kind_now);
}

static const struct table_row {
	const char *name;
	void (*fn)(void);
	const char *want;
} rows[] = {
	{"all harts learn at once", learn_at_once, "........"},
	{"all harts close a cycle at once", close_at_once, "oo ooooo"},
	{"all harts read in two orders", silent_at_once, "  .     "},
	{"all harts close a ring at once", ring_at_once, "oo ooooo"},
	{"all harts read in a ring", silent_ring_at_once, "  .     "},
	{"all harts learn it is unsafe", unsafe_at_once, "ii      "},
	{"all harts read it in handlers", safe_at_once, "  ..    "},
	{"full: nothing fits", nothing_fits, "OO.OOOOO"},
	{"full: what was known before", known_before, "OO.OOOOO"},
	{"full: room again", room_again, "OO.OOOOO"},
	{"full: recursion", recursion_when_full, "HH HHHHH"},
	{"full: a class without a node", without_node, "........"},
	{"full: over one without a node", over_one_without_node, "OO.OOOOO"},
	{"full: recursion without a node", recursion_without_node, "HH HHHHH"},
	{"full: what a run has asked for", history_full, "    OOOO"},
	{"full: ranks", ranks_when_full, "RRRRRRRR"},
};

struct table_case {
	const struct table_row *row;
	enum locktest_kind kind;
};

static void table_body(const void *arg)
{
	const struct table_case *c = arg;

	kind_now = c->kind;
	c->row->fn();
}

void locktest_smp_rows(void)
{
	locktest_table("the checker's tables", locktest_kind_names, LT_KINDS);
	for (unsigned r = 0; r < ARRAY_SIZE(rows); r++) {
		locktest_row("%s", rows[r].name);
		for (unsigned k = 0; k < LT_KINDS; k++)
			locktest_cell(rows[r].want[k], table_body,
				&(struct table_case){&rows[r], (enum locktest_kind)k});
		locktest_row_end();
	}
}
