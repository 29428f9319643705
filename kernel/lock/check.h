/* SPDX-License-Identifier: MIT */
/*
 * The lock checker: context, ownership, rank, order and interrupt safety, at every acquire and
 * release (CONFIG_LOCKCHECK). Order and interrupt safety are told by a graph of what was asked for
 * while what was held (check_graph.h), in which waits that are no locks take part (run.h).
 *
 * Every flavour of lock calls, in this order:
 *
 *	check_acquire(lock, class, flags, pc)	before it tries: context, recursion, rank, order
 *	check_acquired(lock, class, flags, pc)	it has it: records it
 *	check_release(lock, class, flags, pc)	still has it: ownership, takes it off the record
 *
 * A seqlock's reader waits for a writer, but holds nothing:
 *
 *	check_look(lock, class, pc)		before it looks: context, recursion, rank, order
 *
 * Irqlocks are recorded on the hart, and so is what a handler holds; sleeping and mixed locks
 * (CHECK_THREAD) on the thread. A try calls check_acquire with CHECK_TRY: it has no order itself,
 * for it does not wait, but what is taken under it has.
 *
 * One violation gives one report, in the precedence context, ownership, rank, order, irq. A report
 * ends the system with EXIT_LOCKCHECK, unless a test expects it; then it is counted, and the
 * functions below return false where going on would deadlock or corrupt: the caller then returns at
 * once, having done nothing.
 *
 * The tables are static; the checker takes no lock, allocates nothing, and checks nothing while it
 * reports. All of it: either, SIE as it is.
 *
 * Without CONFIG_LOCKCHECK nothing of it is in the kernel, except lockcheck_report: whatever else
 * is called from outside is inline here and empty then, and configs/kernel.mk leaves the check*.c
 * out (tests/check sees to it).
 */
#ifndef KERNEL_LOCK_CHECK_H
#define KERNEL_LOCK_CHECK_H

#include "kernel/lock/class.h"
#include "kernel/lock/context.h"

enum report_kind {
	KIND_CONTEXT,	/* not here: would sleep while atomic; a class used where it does not say */
	KIND_OWNERSHIP, /* not this lock's holder; or held where nothing may be */
	KIND_RANK,	/* out of the order of rank.h */
	KIND_ORDER,	/* a cycle between classes (the graph) */
	KIND_IRQ,	/* interrupt-unsafe by the graph */
	KIND_DEADLOCK,	/* a deadlock that is there: the end is EXIT_DEADLOCK */
	KIND_LOCKUP,	/* a hart or thread without progress: the end is EXIT_LOCKUP */
	KIND_RACE,	/* conflicting accesses of plain data (race.h) */
	KIND_COUNT
};

enum check_flags {
	CHECK_TRY = 1 << 0,	   /* does not wait */
	CHECK_IN_IRQ = 1 << 1,	   /* the _in_irq variant */
	CHECK_READ = 1 << 2,	   /* shared */
	CHECK_WRITE = 1 << 3,	   /* exclusive side of a reader/writer lock */
	CHECK_SECOND = 1 << 4,	   /* the second of two locks of one rank, by a named helper */
	CHECK_THREAD = 1 << 5,	   /* a sleeping or mixed lock: recorded per thread */
	CHECK_MIXED = 1 << 6,	   /* with CHECK_THREAD: handlers may try it */
	CHECK_RECURSIVE = 1 << 7,  /* a reader that may already be one */
	CHECK_SIE_WAS_ON = 1 << 8, /* set by irqlocks: SIE before the acquire */
	CHECK_NESTED = 1 << 9, /* one of several of a class, which are taken under another lock */
	CHECK_RAW = 1 << 10,   /* a test's, which leaves interrupts as they are */
};
/* Who holds by these may be passed, or was not asked after all that was held: what is asked for
 * under such a lock comes after what is held outside of it, too. */
#define CHECK_TRANSPARENT (CHECK_TRY | CHECK_RECURSIVE | CHECK_SECOND | CHECK_NESTED)
/* What an acquire and its release must agree on. */
#define CHECK_VARIANT (CHECK_IN_IRQ | CHECK_READ | CHECK_WRITE | CHECK_THREAD)

bool check_acquire_slow(const void *lock, struct lock_class *class, unsigned flags, uintptr_t pc);
void check_acquired_slow(const void *lock, struct lock_class *class, unsigned flags, uintptr_t pc);
bool check_release_slow(const void *lock, struct lock_class *class, unsigned flags, uintptr_t pc);
bool check_look_slow(const void *lock, struct lock_class *class, uintptr_t pc);
void check_init_slow(const void *lock);
void check_memory_free_slow(const void *ptr, size_t size);
void check_thread_exit_slow(void);
void check_idle_slow(void);
void check_hart_stop_slow(void);
void check_switch_slow(const void *runq_lock);
bool check_irq_on_slow(uintptr_t pc);
void check_forget_slow(struct lock_thread *t, const void *lock);
void check_irq_entry_slow(void);
bool check_held_slow(const void *lock);
void check_guarded_slow(const void *lock, const char *what);
void check_user_return_slow(void);
unsigned check_node_slow(struct lock_class *class, enum lock_class_node which);
void check_pin_slow(const void *obj, struct lock_class *class);
void check_unpin_slow(const void *obj);
void lockcheck_print_held_slow(const struct lock_hart *h);

/* Records of threads per hashed block of memory (check.c). */
#define CHECK_FILTER_SLOTS 256
#define CHECK_FILTER_SHIFT 8
extern atomic_u32 check_filter[CHECK_FILTER_SLOTS];

static inline atomic_u32 *check_filter_of(uintptr_t address)
{
	return &check_filter[(address >> CHECK_FILTER_SHIFT) % CHECK_FILTER_SLOTS];
}

static inline void check_filter_add(const void *lock, uint32_t n)
{
	/* Relaxed: whoever frees the memory has been told by the lock's user, in order. */
	atomic_add_u32(check_filter_of((uintptr_t)lock), n, relaxed);
}

static inline bool check_acquire(
	const void *lock, struct lock_class *class, unsigned flags, uintptr_t pc)
{
	return !CONFIG_LOCKCHECK || check_acquire_slow(lock, class, flags, pc);
}

static inline void check_acquired(
	const void *lock, struct lock_class *class, unsigned flags, uintptr_t pc)
{
	if (CONFIG_LOCKCHECK)
		check_acquired_slow(lock, class, flags, pc);
}

static inline bool check_release(
	const void *lock, struct lock_class *class, unsigned flags, uintptr_t pc)
{
	return !CONFIG_LOCKCHECK || check_release_slow(lock, class, flags, pc);
}

/* The class's node in the checker's graph; with CONFIG_LOCKCHECK only. */
static inline unsigned check_node(struct lock_class *class, enum lock_class_node which)
{
	/* Relaxed: a lone number. */
	unsigned node = atomic_load_u32(&class->nodes[which], relaxed);

	return likely(node) ? node : check_node_slow(class, which);
}

/* Initialising a lock that is held is a report: every *_init calls this first. */
static inline void check_init(const void *lock)
{
	if (CONFIG_LOCKCHECK)
		check_init_slow(lock);
}

/* Memory about to be freed that contains a held lock is a report. */
static inline void check_memory_free(const void *ptr, size_t size)
{
	if (CONFIG_LOCKCHECK)
		check_memory_free_slow(ptr, size);
}

/* Something that is queued points to this lock, though nobody holds it: until the unpin, freeing
 * its memory, or initialising it, is a report. As often unpinned as pinned. Either. */
static inline void check_pin(const void *lock, struct lock_class *class)
{
	if (CONFIG_LOCKCHECK)
		check_pin_slow(lock, class);
}

static inline void check_unpin(const void *lock)
{
	if (CONFIG_LOCKCHECK)
		check_unpin_slow(lock);
}

/* Nothing may be held here: at thread exit, before idling, before a hart stops. */
static inline void check_thread_exit(void)
{
	if (CONFIG_LOCKCHECK)
		check_thread_exit_slow();
}

static inline void check_idle(void)
{
	if (CONFIG_LOCKCHECK)
		check_idle_slow();
}

static inline void check_hart_stop(void)
{
	if (CONFIG_LOCKCHECK)
		check_hart_stop_slow();
}

/* Before a return to user mode, SIE off. */
static inline void check_user_return(void)
{
	if (CONFIG_LOCKCHECK)
		check_user_return_slow();
}

/* At every context switch, SIE off, with the run queue's lock held: it alone. */
static inline void check_switch(const void *runq_lock)
{
	if (CONFIG_LOCKCHECK)
		check_switch_slow(runq_lock);
}

/* irq_on, before it acts: false if there is no interrupts-off section to end. */
static inline bool check_irq_on(uintptr_t pc)
{
	return !CONFIG_LOCKCHECK || check_irq_on_slow(pc);
}

/* The record of a dead thread's lock, by who takes the lock away from it. */
static inline void check_forget(struct lock_thread *t, const void *lock)
{
	if (CONFIG_LOCKCHECK)
		check_forget_slow(t, lock);
}

/* At interrupt entry: interrupts cannot have been on under an irqlock. */
static inline void check_irq_entry(void)
{
	if (CONFIG_LOCKCHECK)
		check_irq_entry_slow();
}

/* Is the lock on the caller's record (this hart's or this thread's)? For asserts; without
 * CONFIG_LOCKCHECK always true. */
static inline bool check_held(const void *lock)
{
	return !CONFIG_LOCKCHECK || check_held_slow(lock);
}

/* What `what` uses is guarded by that very lock, which the caller holds. */
static inline void check_guarded(const void *lock, const char *what)
{
	if (CONFIG_LOCKCHECK)
		check_guarded_slow(lock, what);
}

/* Asserts that the caller holds that very lock instance, then names the field. */
#define guarded(lock, field) \
	(*({ \
		check_guarded((lock), __func__); \
		&(field); \
	}))

/*
 * A report of another part that watches locks (priority inheritance found a cycle...): the first
 * line, the text, the backtrace, then the end, or the count if a test expects it. `what` is one
 * word for the machine-readable line. Works without CONFIG_LOCKCHECK, too.
 */
void lockcheck_report(enum report_kind kind, const char *what, const void *lock,
	const struct lock_class *class, const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* The same with more keys for the first line: " key=value ...". */
void lockcheck_report_keys(enum report_kind kind, const char *what, const char *keys,
	const void *lock, const struct lock_class *class, const char *fmt, ...)
	__attribute__((format(printf, 6, 7)));
const char *report_kind_name(enum report_kind kind);

/* Prints by report() what this hart and its thread hold and wait for; for panics. */
static inline void lockcheck_print_held(const struct lock_hart *h)
{
	if (CONFIG_LOCKCHECK)
		lockcheck_print_held_slow(h);
}

/* With CONFIG_LOCKCHECK only: calls fn for every irqlock that some hart holds now. A look without
 * locks: for commands. */
void lock_held_for_each(
	void (*fn)(const struct lock_hart *h, const struct held_lock *held, void *arg), void *arg);

/*
 * Reports of these kinds (bits of enum report_kind) are dropped from now on: for runs that look for
 * what happens, not for what could. Either.
 */
void lockcheck_ignore(unsigned kinds);
/*
 * For tests. Between begin and end, on the whole system, reports of `kind` are counted instead of
 * ending it; one of another kind is counted as a stray and printed.
 */
void lockcheck_expect_begin(enum report_kind kind);
unsigned lockcheck_expect_end(unsigned *strays);
/* Between these, reports of every kind are counted, by kind, and nothing is printed. `last`, which
 * may be NULL: the `what` of the last one. */
void lockcheck_count_begin(void);
void lockcheck_count_end(unsigned by_kind[KIND_COUNT], const char **last);
/* So far, of any kind. */
unsigned lockcheck_counted(void);
/* Between any of those. */
bool lockcheck_is_tested(void);

/*
 * Hooks, filled at boot.
 *
 * lockcheck_thread_name   kernel/task: name of a thread, for reports. No locks.
 * lockcheck_find_thread   kernel/task: the first thread for which match(t, arg) is true, or NULL.
 *                         No locks, no exactness: threads are type-stable.
 * lockcheck_print_pc      kernel/panic: prints one line of a backtrace, symbolised.
 * lockcheck_symbol        kernel/panic: writes the name of an address, returns name.
 */
extern const char *(*lockcheck_thread_name)(const struct lock_thread *t);
extern struct lock_thread *(*lockcheck_find_thread)(
	bool (*match)(const struct lock_thread *t, void *arg), void *arg);
extern void (*lockcheck_print_pc)(uintptr_t pc);
extern const char *(*lockcheck_symbol)(uintptr_t pc, char *name, size_t size);

#endif
