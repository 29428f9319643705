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
 * A sleeping lock's record may have to be found by address when memory is freed. thread_filter
 * counts the records of threads per hashed 256-byte block, so that a free that concerns none
 * (nearly all) is told by one load a block.
 */
#include "kernel/arch.h"
#include "kernel/lock/check_internal.h"
#include "kernel/lock/held.h"
#include "kernel/lock/irqlock.h"
#include "lib/assert.h"

#define FILTER_SLOTS 256
#define FILTER_BLOCK_SHIFT 8

static atomic_u32 thread_filter[FILTER_SLOTS];

struct record {
	struct held_lock *held;
	uint8_t *nr;
};

static atomic_u32 *filter_of(uintptr_t address)
{
	return &thread_filter[(address >> FILTER_BLOCK_SHIFT) % FILTER_SLOTS];
}

static bool in_handler(const struct lock_hart *h)
{
	return !arch_irq_enabled() && h->in_irq != IRQ_NONE;
}

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

static struct held_lock *find(struct held_lock *held, unsigned nr, const void *lock)
{
	for (unsigned i = nr; i-- > 0;)
		if (held[i].lock == lock)
			return &held[i];
	return NULL;
}

/* Why a thread that wants to sleep here may not; NULL if it may. */
static const char *why_atomic(const struct lock_hart *h)
{
	const struct lock_thread *t = lock_thread();

	if (!arch_irq_enabled()) {
		if (h->in_irq != IRQ_NONE)
			return "in an interrupt handler";
		return h->nr_held ? "holding an irqlock" : "with interrupts off";
	}
	if (t->posted_work)
		return "in posted work";
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

static void check_rank(struct lock_hart *h, const struct violation *v, unsigned flags)
{
	const struct lock_thread *t = lock_thread();
	const struct held_lock *blocker;

	if (v->class->rank == RANK_UNORDERED || (flags & CHECK_TRY))
		return;
	/* With interrupts on no irqlock is held, and the hart's record is not ours to read. */
	blocker = arch_irq_enabled() ? NULL : rank_blocker(h->held, h->nr_held, v->class, flags);
	if (!blocker && !in_handler(h))
		blocker = rank_blocker(t->held, t->nr_held, v->class, flags);
	if (blocker)
		violated(v, "%s (rank %d) acquired under %s (rank %d, acquired at %p)",
			v->class->name, (int)v->class->rank, blocker->class->name,
			(int)blocker->class->rank, (void *)blocker->pc);
}

static bool reads_again(const struct held_lock *mine, unsigned flags)
{
	return (mine->flags & CHECK_READ) && (flags & CHECK_READ) && (flags & CHECK_RECURSIVE);
}

bool check_acquire_slow(const void *lock, struct lock_class *class, unsigned flags, uintptr_t pc)
{
	struct lock_hart *h = lock_hart();
	struct violation v = {KIND_CONTEXT, "context", lock, class, pc};
	struct held_lock *mine;
	struct record r;

	if (!checking(h))
		return true;
	if (!(flags & CHECK_THREAD ? thread_lock_context_ok(h, &v, flags)
				   : irqlock_context_ok(h, &v, flags)))
		return false;
	r = record_of(h, flags);
	v.kind = KIND_OWNERSHIP;
	mine = find(r.held, *r.nr, lock);
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
	if (!mine) /* who reads again waits for nobody that waits for it */
		check_rank(h, &v, flags);
	return true;
}

void check_acquired_slow(const void *lock, struct lock_class *class, unsigned flags, uintptr_t pc)
{
	struct lock_hart *h = lock_hart();
	struct record r;
	uint64_t now;

	if (!checking(h))
		return;
	r = record_of(h, flags);
	assert(*r.nr < HELD_MAX);
	now = CONFIG_LOCKSTAT ? arch_time() : 0;
	held_push(r.held, r.nr, lock, class, pc, flags, now);
	if (on_thread(h, flags)) {
		/* Relaxed: whoever frees the memory has been told by the lock's user, in order. */
		atomic_add_u32(filter_of((uintptr_t)lock), 1, relaxed);
	} else if (CONFIG_LOCKSTAT && h->irq_depth == 1) {
		h->irqs_off_since = now;
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
	mine = find(r.held, *r.nr, lock);
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
	if (!(flags & CHECK_THREAD) && arch_irq_enabled()) {
		v.kind = KIND_CONTEXT;
		v.what = "interrupts-on";
		violated(&v, "interrupts were turned on under %s", class->name);
		arch_irq_disable(); /* for a test that expects it: the record below is the hart's */
	}
	if (CONFIG_LOCKSTAT)
		lock_stat_hold(class, arch_time() - mine->since, mine->pc);
	if (on_thread(h, flags))
		atomic_add_u32(filter_of((uintptr_t)lock), -1u, relaxed);
	held_remove(r.held, r.nr, mine);
	return true;
}

void check_forget_slow(struct lock_thread *t, const void *lock)
{
	struct held_lock *its = find(t->held, held_count(&t->nr_held), lock);

	if (!its)
		return;
	atomic_add_u32(filter_of((uintptr_t)lock), -1u, relaxed);
	held_remove(t->held, &t->nr_held, its);
}

struct range {
	uintptr_t base, end;
	struct held_lock found;
};

static bool holds_in_range(const struct held_lock *held, unsigned nr, struct range *range)
{
	for (unsigned i = 0; i < nr; i++) {
		struct held_lock look;

		if (!held_look(&held[i], &look) || (uintptr_t)look.lock < range->base ||
			(uintptr_t)look.lock >= range->end)
			continue;
		range->found = look;
		return true;
	}
	return false;
}

static bool thread_holds(const struct lock_thread *t, void *arg)
{
	return holds_in_range(t->held, held_count(&t->nr_held), arg);
}

/* Finds a record of a lock in the range, anywhere in the system. */
static bool held_in_range(struct range *range)
{
	uintptr_t step = (uintptr_t)1 << FILTER_BLOCK_SHIFT;
	uintptr_t at = align_down(range->base, step);

	for (unsigned i = 0; i < nr_lock_harts; i++) {
		const struct lock_hart *h = lock_harts[i];

		if (h && holds_in_range(h->held, held_count(&h->nr_held), range))
			return true;
	}
	for (unsigned n = 0; n < FILTER_SLOTS && at < range->end; n++, at += step) {
		if (!atomic_load_u32(filter_of(at), relaxed))
			continue;
		if (thread_holds(lock_thread(), range))
			return true;
		return lockcheck_find_thread && lockcheck_find_thread(thread_holds, range);
	}
	return false;
}

static void report_held_memory(const void *ptr, size_t size, const char *what, uintptr_t pc)
{
	struct range range = {.base = (uintptr_t)ptr, .end = (uintptr_t)ptr + size};
	struct lock_class *class;
	const void *pinned;

	if (!checking(lock_hart()))
		return;
	pinned = check_pinned_in(range.base, range.end, &class);
	if (pinned)
		violated(&(struct violation){KIND_OWNERSHIP, what, pinned, class, pc},
			"%s of memory with %s in it, which a queue still points to", what,
			class->name);
	if (pinned || !held_in_range(&range))
		return;
	violated(&(struct violation){KIND_OWNERSHIP, what, range.found.lock, range.found.class, pc},
		"%s of memory with %s in it, which is held (acquired at %p)", what,
		range.found.class->name, (void *)range.found.pc);
}

void check_init_slow(const void *lock)
{
	report_held_memory(lock, 1, "init", (uintptr_t)__builtin_return_address(0));
}

void check_memory_free_slow(const void *ptr, size_t size)
{
	report_held_memory(ptr, size, "free", (uintptr_t)__builtin_return_address(0));
}

/* Reports if more than `allowed` (NULL: nothing) is held. */
static void nothing_held(const struct held_lock *held, unsigned nr, const void *allowed,
	const char *what, uintptr_t pc)
{
	for (unsigned i = 0; i < nr; i++) {
		if (held[i].lock == allowed)
			continue;
		violated(&(struct violation){KIND_OWNERSHIP, what, held[i].lock, held[i].class, pc},
			"%s is held at %s (acquired at %p)", held[i].class->name, what,
			(void *)held[i].pc);
		return;
	}
}

void check_thread_exit_slow(void)
{
	const struct lock_thread *t = lock_thread();

	if (checking(lock_hart()))
		nothing_held(t->held, t->nr_held, NULL, "thread-exit",
			(uintptr_t)__builtin_return_address(0));
}

void check_idle_slow(void)
{
	const struct lock_hart *h = lock_hart();

	if (checking(h))
		nothing_held(
			h->held, h->nr_held, NULL, "idle", (uintptr_t)__builtin_return_address(0));
}

void check_hart_stop_slow(void)
{
	const struct lock_hart *h = lock_hart();

	if (checking(h))
		nothing_held(h->held, h->nr_held, NULL, "hart-stop",
			(uintptr_t)__builtin_return_address(0));
}

void check_switch_slow(const void *runq_lock)
{
	const struct lock_hart *h = lock_hart();

	if (checking(h))
		nothing_held(h->held, h->nr_held, runq_lock, "switch",
			(uintptr_t)__builtin_return_address(0));
}

void check_irq_entry_slow(void)
{
	const struct lock_hart *h = lock_hart();

	if (!checking(h) || h->irq_nesting > 1 || !h->irq_depth)
		return;
	violated(&(struct violation){KIND_CONTEXT, "interrupts-on",
			 h->nr_held ? h->held[h->nr_held - 1].lock : NULL,
			 h->nr_held ? h->held[h->nr_held - 1].class : NULL, h->irqs_off_pc},
		"an interrupt arrived in an interrupts-off section");
}

bool check_irq_on_slow(uintptr_t pc)
{
	const struct lock_hart *h = lock_hart();

	if (!checking(h) || (!arch_irq_enabled() && h->irq_depth))
		return true;
	violated(&(struct violation){KIND_CONTEXT, "irq-on", NULL, NULL, pc},
		"irq_on without its irq_off");
	return false;
}

bool check_held_slow(const void *lock)
{
	struct lock_hart *h = lock_hart();
	struct lock_thread *t = lock_thread();

	if (!checking(h))
		return true;
	if (!arch_irq_enabled() && find(h->held, h->nr_held, lock))
		return true;
	return !in_handler(h) && find(t->held, t->nr_held, lock);
}

void check_guarded_slow(const void *lock, const char *what)
{
	if (!check_held_slow(lock))
		violated(&(struct violation){KIND_OWNERSHIP, "guarded", lock, NULL,
				 (uintptr_t)__builtin_return_address(0)},
			"%s uses what a lock guards that is not held here", what);
}
