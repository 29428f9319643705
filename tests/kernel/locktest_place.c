/* SPDX-License-Identifier: MIT */
/*
 * Self-test matrix: who gives a lock up, what happens to it while it is held, and where it must not
 * be held any more.
 *
 * Columns: irqlock, irqrwlock W, R (nested), q (plain), mutex, rwmutex W, R, mixlock. What another
 * hart does needs one; alone these cells are empty.
 */
#include "tests/kernel/locktest.h"

#include "kernel/hart/call.h"
#include "kernel/lock/relax.h"
#include "kernel/mm/kmalloc.h"
#include "kernel/sched/sched.h"
#include "kernel/task/thread.h"
#include "kernel/time/clock.h"
#include "lib/assert.h"
#include "tests/kernel/ktest.h"

static struct locktest_lock *const lock_a = &locktest_locks[LT_A];
static struct locktest_lock *const lock_b = &locktest_locks[LT_B];

/* ---- Others give it up ---------------------------------------------------------------------- */

static atomic_u32 stage;

/* Helper 0 holds the lock while helper 1, on another hart, releases it. */
static void release_elsewhere(unsigned i, void *arg)
{
	enum locktest_kind kind = *(const enum locktest_kind *)arg;
	struct relax wait = RELAX_INIT;

	if (i == 0) {
		locktest_acquire(lock_a, kind);
		atomic_store_u32(&stage, 1, release);
	}
	while (atomic_load_u32(&stage, acquire) < 1 + (i == 0))
		relax_step(&wait);
	locktest_release(lock_a, kind);
	if (i == 1)
		atomic_store_u32(&stage, 2, release);
}

static void by_another_hart(enum locktest_kind kind)
{
	atomic_store_u32(&stage, 0, relaxed);
	if (!ktest_parallel(2, release_elsewhere, &kind))
		locktest_broken("no helpers");
}

static void release_a(void *kind)
{
	locktest_release(lock_a, *(const enum locktest_kind *)kind);
}

static void in_another_thread(void (*fn)(void *kind), enum locktest_kind kind)
{
	struct thread *t = thread_spawn("stranger", fn, &kind);

	if (t)
		thread_join(t, NULL);
	else
		locktest_broken("no memory");
}

static void by_another_thread(enum locktest_kind kind)
{
	locktest_acquire(lock_a, kind);
	in_another_thread(release_a, kind);
	locktest_release(lock_a, kind);
}

static void by_a_handler(enum locktest_kind kind)
{
	locktest_acquire(lock_a, kind);
	preempt_disable();
	hart_call(this_hart(), release_a, &kind);
	preempt_enable();
	locktest_release(lock_a, kind);
}

static void twice_in_a_handler(void *kind)
{
	struct locktest_lock *l = lock_a;

	locktest_acquire(l, *(const enum locktest_kind *)kind);
	locktest_acquire(l, *(const enum locktest_kind *)kind);
	locktest_release(l, *(const enum locktest_kind *)kind);
}

static void recursion_in_a_handler(enum locktest_kind kind)
{
	preempt_disable();
	hart_call(this_hart(), twice_in_a_handler, &kind);
	preempt_enable();
}

/* ---- Interrupt state ------------------------------------------------------------------------ */

static void must_be(bool on, const char *why)
{
	if (arch_irq_enabled() != on)
		locktest_broken(why);
}

static void irqs_out_of_order(enum locktest_kind kind)
{
	locktest_acquire(lock_a, kind);
	must_be(false, "on under a lock");
	locktest_acquire(lock_b, kind);
	locktest_release(lock_a, kind);
	must_be(false, "on too early");
	locktest_release(lock_b, kind);
	must_be(true, "not restored");
}

static void irqs_off_outside(enum locktest_kind kind)
{
	irq_off();
	locktest_acquire(lock_a, kind);
	irq_on();
	must_be(false, "on too early");
	irq_off();
	locktest_release(lock_a, kind);
	must_be(false, "on in a section");
	irq_on();
	must_be(true, "not restored");
}

static void irqs_after_refusal(enum locktest_kind kind)
{
	locktest_release(lock_a, kind);
	must_be(true, "not restored");
}

static void irqs_after_failed_try(enum locktest_kind kind)
{
	locktest_acquire(lock_a, kind);
	if (locktest_try(lock_a, kind))
		locktest_broken("try succeeded");
	must_be(false, "on too early");
	locktest_release(lock_a, kind);
	must_be(true, "not restored");
}

/* ---- While it is held ----------------------------------------------------------------------- */

static void memory_freed(enum locktest_kind kind)
{
	locktest_acquire(lock_a, kind);
	check_memory_free(lock_a, sizeof(*lock_a));
	locktest_release(lock_a, kind);
}

static void memory_beside_freed(enum locktest_kind kind)
{
	locktest_acquire(lock_a, kind);
	check_memory_free(lock_b, sizeof(*lock_b));
	locktest_release(lock_a, kind);
}

static void free_after_release(enum locktest_kind kind)
{
	locktest_acquire(lock_a, kind);
	locktest_release(lock_a, kind);
	check_memory_free(lock_a, sizeof(*lock_a));
}

static void free_a(unused_arg void *kind)
{
	check_memory_free(lock_a, sizeof(*lock_a));
}

static void init_a(void *kind)
{
	locktest_init(lock_a, *(const enum locktest_kind *)kind);
}

static void freed_by_another(enum locktest_kind kind)
{
	locktest_acquire(lock_a, kind);
	in_another_thread(free_a, kind);
	locktest_release(lock_a, kind);
}

static void initialised_by_another(enum locktest_kind kind)
{
	locktest_acquire(lock_a, kind);
	in_another_thread(init_a, kind);
	locktest_release(lock_a, kind);
}

static int field; /* of nobody; "guarded" by the lock that is asked about */

static void guarded_by_held(enum locktest_kind kind)
{
	locktest_acquire(lock_a, kind);
	guarded(locktest_address(lock_a, kind), field)++;
	locktest_release(lock_a, kind);
}

static void guarded_by_other(enum locktest_kind kind)
{
	struct locktest_lock *x1 = &locktest_locks[LT_X1], *x2 = &locktest_locks[LT_X2];

	locktest_acquire(x1, kind);
	guarded(locktest_address(x2, kind), field)++;
	locktest_release(x1, kind);
}

static void hold_for_a_while(void *kind)
{
	locktest_acquire(lock_a, *(const enum locktest_kind *)kind);
	atomic_store_u32(&stage, 1, release);
	ktest_eventually(atomic_load_u32(&stage, acquire) == 2);
	locktest_release(lock_a, *(const enum locktest_kind *)kind);
}

/* Another thread writes it; the wait is over at once, and nothing of it is left. */
static void timed_out(enum locktest_kind kind)
{
	enum locktest_kind other = kind == LT_SLEEP_READ ? LT_SLEEP_WRITE : kind;
	struct thread *t;

	atomic_store_u32(&stage, 0, relaxed);
	t = thread_spawn("holder", hold_for_a_while, &other);
	if (!t) {
		locktest_broken("no memory");
		return;
	}
	if (!ktest_eventually(atomic_load_u32(&stage, acquire) == 1))
		locktest_broken("not held");
	if (locktest_until(lock_a, kind, 0))
		locktest_broken("not refused");
	if (locktest_held(lock_a, kind))
		locktest_broken("on the record");
	atomic_store_u32(&stage, 2, release);
	thread_join(t, NULL);
}

/* One more than fit. By tries: what they lead to is not the point. */
static void too_many(enum locktest_kind kind)
{
	struct locktest_lock *many = kzalloc((HELD_MAX + 1) * sizeof(*many), 0);
	unsigned n = 0;

	if (!many) {
		locktest_broken("no memory");
		return;
	}
	for (unsigned i = 0; i <= HELD_MAX; i++) {
		many[i].class = lock_a->class;
		locktest_new(&many[i]);
	}
	while (n <= HELD_MAX && locktest_try(&many[n], kind))
		n++;
	if (n != HELD_MAX)
		locktest_broken("not at the limit");
	while (n > 0)
		locktest_release(&many[--n], kind);
	kfree(many);
}

/* ---- Where nothing may be held -------------------------------------------------------------- */

static void at_switch(enum locktest_kind kind)
{
	locktest_acquire(lock_a, kind);
	irq_off();
	check_switch(NULL);
	irq_on();
	locktest_release(lock_a, kind);
}

static void at_switch_as_runq(enum locktest_kind kind)
{
	locktest_acquire(lock_a, kind);
	irq_off();
	check_switch(locktest_address(lock_a, kind));
	irq_on();
	locktest_release(lock_a, kind);
}

static void over_a_switch(enum locktest_kind kind)
{
	locktest_acquire(lock_a, kind);
	sched_sleep_ns(NS_PER_MS / 10);
	sched_yield();
	locktest_release(lock_a, kind);
}

static void at_idle(enum locktest_kind kind)
{
	locktest_acquire(lock_a, kind);
	irq_off();
	check_idle();
	irq_on();
	locktest_release(lock_a, kind);
}

static void at_hart_stop(enum locktest_kind kind)
{
	locktest_acquire(lock_a, kind);
	irq_off();
	check_hart_stop();
	irq_on();
	locktest_release(lock_a, kind);
}

static void at_user_return(enum locktest_kind kind)
{
	locktest_acquire(lock_a, kind);
	check_user_return();
	locktest_release(lock_a, kind);
}

static void at_none(enum locktest_kind kind)
{
	locktest_acquire(lock_a, kind);
	locktest_release(lock_a, kind);
	check_thread_exit();
	check_user_return();
	irq_off();
	check_idle();
	check_hart_stop();
	check_switch(NULL);
	irq_on();
}

static void take_and_end(void *kind)
{
	locktest_acquire(lock_a, *(const enum locktest_kind *)kind);
}

/* For real: the reaper gives the lock up. It is made new for the next case. */
static void at_exit(enum locktest_kind kind)
{
	in_another_thread(take_and_end, kind);
	thread_settle();
}

/* ---- The table ------------------------------------------------------------------------------ */

static const struct place {
	const char *name;
	void (*fn)(enum locktest_kind kind);
	const char *want;
	bool two_harts;
} places[] = {
	{"released by another hart", by_another_hart, "HHHHHHHH", true},
	{"released by another thread", by_another_thread, "    HHHH", false},
	{"released by a handler", by_a_handler, "    HHHH", false},
	{"recursion in a handler", recursion_in_a_handler, "HH      ", false},
	{"irqs: released out of order", irqs_out_of_order, "....    ", false},
	{"irqs: off before", irqs_off_outside, "....    ", false},
	{"irqs: after a refused release", irqs_after_refusal, "HHHH    ", false},
	{"irqs: after a failed try", irqs_after_failed_try, "..      ", false},
	{"its memory freed", memory_freed, "HHHHHHHH", false},
	{"memory beside it freed", memory_beside_freed, "........", false},
	{"its memory freed after release", free_after_release, "........", false},
	{"its memory freed by another", freed_by_another, "    HHHH", false},
	{"initialised by another", initialised_by_another, "    HHHH", false},
	{"guarded by it", guarded_by_held, "........", false},
	{"guarded by another of its class", guarded_by_other, "HHHHHHHH", false},
	{"timed out", timed_out, "    ....", false},
	{"one more than the record holds", too_many, "HHHHHHHH", false},
	{"held at a switch", at_switch, "HHHH....", false},
	{"held at a switch, as run queue's", at_switch_as_runq, "........", false},
	{"held over sleep and yield", over_a_switch, "    ....", false},
	{"held at idle", at_idle, "HHHH....", false},
	{"held at hart stop", at_hart_stop, "HHHH....", false},
	{"held at return to user", at_user_return, "HHHHHHHH", false},
	{"held at thread exit", at_exit, "    HHHH", false},
	{"held no more, anywhere", at_none, "........", false},
};

struct place_case {
	const struct place *place;
	enum locktest_kind kind;
};

static void place_body(const void *arg)
{
	const struct place_case *c = arg;

	c->place->fn(c->kind);
}

void locktest_place_rows(void)
{
	locktest_table("holders and places", locktest_kind_names, LT_KINDS);
	for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
		const struct place *p = &places[i];
		bool can = !p->two_harts || ktest_harts() > 1;

		locktest_row("%s", p->name);
		for (unsigned k = 0; k < LT_KINDS; k++)
			locktest_cell(can ? p->want[k] : NO_CASE, place_body,
				&(struct place_case){p, (enum locktest_kind)k});
		locktest_row_end();
	}
}
