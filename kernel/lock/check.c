/* SPDX-License-Identifier: MIT */
/*
 * The lock checker's rules (check.h).
 *
 * Records: lock_hart.held of the hart that holds (irqlocks, and everything that a handler holds),
 * lock_thread.held of the thread that holds (sleeping and mixed locks taken in a thread). A record
 * is written by its own hart with SIE off, or by its own thread, and removed before the lock is
 * given up: whoever has the lock next finds no stale record of the owner before. Others look at
 * records for reports only, and never see one that is half written (held.h).
 *
 * The rank rule looks at everything that this hart and, in a thread, this thread holds: each must
 * have a smaller rank than what is asked for. In a handler the interrupted thread's sleeping locks
 * don't count: the handler never waits for that thread.
 *
 * With interrupts on the hart may change at any moment: then only the thread's own fields are
 * looked at, through lock_thread(), never through the lock_hart of a moment before.
 *
 * A sleeping lock's record may have to be found by address when memory is freed. check_filter
 * counts the records of threads per hashed 256-byte block, so that a free that concerns none
 * (nearly all) is told by one load a block.
 */
#include "kernel/arch.h"
#include "kernel/lock/check_order.h"
#include "kernel/lock/held.h"
#include "kernel/lock/irqlock.h"
#include "kernel/lock/trace.h"
#include "lib/assert.h"

atomic_u32 check_filter[CHECK_FILTER_SLOTS];

struct record {
	struct held_lock *held;
	uint8_t *nr;
};

static bool on_thread(const struct lock_hart *h, unsigned flags)
{
	return (flags & CHECK_THREAD) && !in_handler(h);
}

/* Where a lock acquired here with these flags is recorded. */
static struct record record_of(struct lock_hart *h, unsigned flags)
{
	struct lock_thread *t = lock_thread();

	if (on_thread(h, flags))
		return (struct record){t->held, &t->nr_held};
	return (struct record){h->held, &h->nr_held};
}

struct held_lock *held_find(struct held_lock *held, unsigned nr, const void *lock)
{
	for (unsigned i = nr; i-- > 0;)
		if (held[i].lock == lock)
			return &held[i];
	return NULL;
}

/* Why who wants to wait here for a handler of another hart may not; NULL if it may. */
static const char *why_deaf(const struct lock_hart *h)
{
	if (!sie_on(h)) {
		if (h->in_irq != IRQ_NONE)
			return "in an interrupt handler";
		return h->nr_held ? "holding an irqlock" : "with interrupts off";
	}
	return lock_thread()->posted_work ? "in posted work" : NULL;
}

/* Why a thread that wants to sleep here may not; NULL if it may. */
static const char *why_atomic(const struct lock_hart *h)
{
	const struct lock_thread *t = lock_thread();
	const char *deaf = why_deaf(h);

	if (deaf)
		return deaf;
	if (t->seq_writers)
		return "in a seqlock write section";
	return t->preempt_depth ? "with preemption off" : NULL;
}

bool might_sleep_at(const char *what, uintptr_t pc)
{
	struct lock_hart *h = lock_hart();
	const char *why;

	if (!checking(h))
		return true;
	why = why_atomic(h);
	if (!why)
		return true;
	violated(&(struct violation){KIND_CONTEXT, "sleep", NULL, NULL, pc},
		"%s may sleep, called %s", what, why);
	return false;
}

bool might_wait_at(const char *what, uintptr_t pc)
{
	struct lock_hart *h = lock_hart();
	const char *why = checking(h) ? why_deaf(h) : NULL;

	if (!why)
		return true;
	violated(&(struct violation){KIND_CONTEXT, "wait", NULL, NULL, pc},
		"%s waits for another hart's handler, called %s", what, why);
	return false;
}

/* Context rules of an irqlock; SIE is off now, flags say what it was. */
static bool irqlock_context_ok(const struct lock_hart *h, const struct violation *v, unsigned flags)
{
	bool in_irq = h->in_irq != IRQ_NONE || h->thread->posted_work;

	if ((flags & CHECK_SIE_WAS_ON) && (h->irq_depth || h->nr_held)) {
		violated(v, "interrupts were turned on under %s",
			h->nr_held ? h->held[h->nr_held - 1].class->name
				   : "an interrupts-off section");
		return false;
	}
	if ((flags & CHECK_IN_IRQ) && (flags & CHECK_SIE_WAS_ON)) {
		violated(
			v, "%s acquired by the _in_irq variant with interrupts on", v->class->name);
		return false;
	}
	if (!(v->class->contexts & (in_irq ? LOCK_IN_IRQ : LOCK_IN_THREAD))) {
		violated(v, "%s is not for %s", v->class->name,
			in_irq ? "interrupt context" : "threads");
		return false;
	}
	return true;
}

/* Context rules of a sleeping or mixed lock. */
static bool thread_lock_context_ok(
	const struct lock_hart *h, const struct violation *v, unsigned flags)
{
	const char *why = flags & CHECK_TRY ? NULL : why_atomic(h);

	if (why) {
		violated(v, "%s may sleep, acquired %s", v->class->name, why);
		return false;
	}
	if (!in_interrupt())
		return true;
	if (!(flags & CHECK_MIXED) || !(v->class->contexts & LOCK_IN_IRQ)) {
		violated(v, "%s is not for interrupt context", v->class->name);
		return false;
	}
	return true;
}

/* The first record that forbids to wait for `class` now. */
static const struct held_lock *rank_blocker(
	const struct held_lock *held, unsigned nr, const struct lock_class *class, unsigned flags)
{
	for (unsigned i = 0; i < nr; i++) {
		unsigned rank = held[i].class->rank;

		if (rank < class->rank || (rank == class->rank && (flags & CHECK_SECOND)))
			continue;
		return &held[i];
	}
	return NULL;
}

static bool rank_ok(struct lock_hart *h, const struct violation *v, unsigned flags)
{
	const struct lock_thread *t = lock_thread();
	const struct held_lock *blocker;

	if (v->class->rank <= RANK_UNCHECKED || (flags & CHECK_TRY))
		return true;
	/* With interrupts on no irqlock is held, and the hart's record is not ours to read. */
	blocker = arch_irq_enabled() ? NULL : rank_blocker(h->held, h->nr_held, v->class, flags);
	if (!blocker && !in_handler(h))
		blocker = rank_blocker(t->held, t->nr_held, v->class, flags);
	if (blocker)
		violated(v, "%s (rank %d) acquired under %s (rank %d, acquired at %p)",
			v->class->name, (int)v->class->rank, blocker->class->name,
			(int)blocker->class->rank, (void *)blocker->pc);
	return !blocker;
}

static bool reads_again(const struct held_lock *mine, unsigned flags)
{
	return (mine->flags & CHECK_READ) && (flags & CHECK_READ) && (flags & CHECK_RECURSIVE);
}

/* Readers in a handler pass waiting writers. */
static unsigned passing_in(const struct lock_hart *h, unsigned flags)
{
	return (flags & CHECK_READ) && in_handler(h) ? CHECK_RECURSIVE : 0;
}

static void note_context(const struct lock_hart *h, struct lock_class *class)
{
	bool in_irq = in_handler(h) || lock_thread()->posted_work;
	uint32_t context = in_irq ? LOCK_IN_IRQ : LOCK_IN_THREAD;

	/* Relaxed: lone bits. */
	if (!(atomic_load_u32(&class->seen[0], relaxed) & context))
		atomic_or_u32(&class->seen[0], context, relaxed);
}

/* A search for cycles takes longer than all else under many a lock, but once only: it is taken off
 * what the holds and sections that are open here will have lasted. A handler's is part of what the
 * thread that it interrupts does, perhaps of such a search: nothing is taken off that one's. */
static void not_held_for(uint64_t ticks)
{
	struct lock_thread *t = lock_thread();
	struct lock_hart *h = lock_hart();

	for (unsigned i = 0; !in_interrupt() && i < t->nr_held; i++)
		t->held[i].since += ticks;
	if (arch_irq_enabled())
		return;
	for (unsigned i = 0; i < h->nr_held; i++)
		h->held[i].since += ticks;
	h->irqs_off_since += ticks;
}

static void ask_order(struct lock_hart *h, const struct violation *v, unsigned flags)
{
	uint64_t begin = CONFIG_LOCKSTAT ? arch_time() : 0;

	order_acquire(h, v, flags);
	if (CONFIG_LOCKSTAT)
		not_held_for(arch_time() - begin);
}

bool check_acquire_slow(const void *lock, struct lock_class *class, unsigned flags, uintptr_t pc)
{
	struct lock_hart *h = lock_hart();
	struct violation v = {KIND_CONTEXT, "context", lock, class, pc};
	struct held_lock *mine;
	struct record r;

	if (!checking(h))
		return true;
	flags |= passing_in(h, flags);
	if (!(flags & CHECK_THREAD ? thread_lock_context_ok(h, &v, flags)
				   : irqlock_context_ok(h, &v, flags)))
		return false;
	note_context(h, class);
	r = record_of(h, flags);
	v.kind = KIND_OWNERSHIP;
	mine = held_find(r.held, *r.nr, lock);
	if (mine && !(flags & CHECK_TRY) && !reads_again(mine, flags)) {
		v.what = "recursion";
		violated(&v, "%s acquired by its holder (first acquired at %p)", class->name,
			(void *)mine->pc);
		return false;
	}
	if (*r.nr == HELD_MAX) {
		v.what = "too-many";
		violated(&v, "%s would be lock number %d held here", class->name, HELD_MAX + 1);
		return false;
	}
	v.kind = KIND_RANK;
	v.what = "rank";
	/* Who reads again waits for nobody that waits for it. One violation, one report. */
	if (!mine && rank_ok(h, &v, flags))
		ask_order(h, &v, flags);
	return true;
}

bool check_look_slow(const void *lock, struct lock_class *class, uintptr_t pc)
{
	struct lock_hart *h = lock_hart();
	struct violation v = {KIND_CONTEXT, "context", lock, class, pc};

	if (!checking(h))
		return true;
	if (!(class->contexts & (in_interrupt() ? LOCK_IN_IRQ : LOCK_IN_THREAD))) {
		violated(&v, "%s is not for %s", class->name,
			in_interrupt() ? "interrupt context" : "threads");
		return false;
	}
	note_context(h, class);
	/* With interrupts on nothing is written here, and the hart's record is not ours to read. */
	if (!arch_irq_enabled() && held_find(h->held, h->nr_held, lock)) {
		v.kind = KIND_OWNERSHIP;
		v.what = "recursion";
		violated(&v, "%s read by its writer, for whom it waits", class->name);
		return false;
	}
	v.kind = KIND_RANK;
	v.what = "rank";
	/* It waits for who writes, not for who waits to write. */
	if (rank_ok(h, &v, 0))
		ask_order(h, &v, CHECK_READ | CHECK_RECURSIVE);
	return true;
}

void check_acquired_slow(const void *lock, struct lock_class *class, unsigned flags, uintptr_t pc)
{
	struct lock_hart *h = lock_hart();
	struct held_lock *next;
	struct record r;
	uint64_t now;

	if (!checking(h))
		return;
	r = record_of(h, flags);
	assert(*r.nr < HELD_MAX);
	now = CONFIG_LOCKSTAT ? arch_time() : 0;
	next = &r.held[*r.nr];
	next->node = (uint16_t)check_node(class, CLASS_NODE_LOCK);
	next->nr_pcs = (uint8_t)trace_from(in_handler(h), pc, next->pcs, HELD_TRACE);
	held_push(r.held, r.nr, lock, class, pc, flags | passing_in(h, flags), now);
	if (on_thread(h, flags)) {
		check_filter_add(lock, 1);
	} else if (CONFIG_LOCKSTAT && h->irq_depth == 1) {
		/* In the queue they were off already. */
		h->irqs_off_since = h->linked_since ? h->linked_since : now;
		h->irqs_off_pc = pc;
	}
}

/* `find` for a record of somebody else. */
static bool seen(const struct held_lock *held, unsigned nr, const void *lock)
{
	struct held_lock look;

	for (unsigned i = 0; i < nr; i++)
		if (held_look(&held[i], &look) && look.lock == lock)
			return true;
	return false;
}

/* The lock isn't on the record here: says who has it, as far as harts know. */
static void released_by_stranger(const struct violation *v)
{
	for (unsigned i = 0; i < nr_lock_harts; i++) {
		struct lock_hart *h = lock_harts[i];

		if (h && seen(h->held, held_count(&h->nr_held), v->lock)) {
			violated(v, "%s released, but hart %u holds it", v->class->name, i);
			return;
		}
	}
	violated(v, "%s released, but not held here", v->class->name);
}

bool check_release_slow(const void *lock, struct lock_class *class, unsigned flags, uintptr_t pc)
{
	struct lock_hart *h = lock_hart();
	struct violation v = {KIND_OWNERSHIP, "release", lock, class, pc};
	struct held_lock *mine;
	struct record r;

	if (!checking(h))
		return true;
	r = record_of(h, flags);
	mine = held_find(r.held, *r.nr, lock);
	if (!mine) {
		released_by_stranger(&v);
		return false;
	}
	if ((mine->flags ^ flags) & CHECK_VARIANT) {
		v.what = "variant";
		violated(&v, "%s released by another variant than it was acquired by (at %p)",
			class->name, (void *)mine->pc);
		return false;
	}
	if (!(flags & (CHECK_THREAD | CHECK_RAW)) && arch_irq_enabled()) {
		v.kind = KIND_CONTEXT;
		v.what = "interrupts-on";
		violated(&v, "interrupts were turned on under %s", class->name);
		arch_irq_disable(); /* for a test that expects it: the record below is the hart's */
	}
	if (CONFIG_LOCKSTAT) {
		uint64_t now = arch_time();

		if (!on_thread(h, flags))
			h->irqs_off_end = now;
		lock_stat_held(class, lock, now - mine->since, mine);
	}
	if (on_thread(h, flags))
		check_filter_add(lock, -1u);
	held_remove(r.held, r.nr, mine);
	return true;
}

void check_forget_slow(struct lock_thread *t, const void *lock)
{
	struct held_lock *its = held_find(t->held, held_count(&t->nr_held), lock);

	if (!its)
		return;
	check_filter_add(lock, -1u);
	held_remove(t->held, &t->nr_held, its);
}
