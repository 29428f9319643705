/* SPDX-License-Identifier: MIT */
/*
 * What the locks keep per hart and per thread, and the answer to "what may I do here?".
 *
 * struct lock_hart is the first member of struct hart_meta and struct lock_thread the first member
 * of struct thread, so that this folder, the lowest of the kernel, needs to know neither.
 *
 * Interrupt nesting is counted: lock_hart.irq_depth counts irqlocks (and other interrupts-off
 * sections) of this hart; it is touched with SIE off only. The state before the outermost one is
 * the running thread's (lock_thread.irq_before) and travels with it. At a context switch the depth
 * is exactly 1 (the run queue's lock), at interrupt entry 0: an interrupt can only arrive with SIE
 * on, so the handler may use the interrupted thread's irq_before.
 *
 * Preemption depth is the thread's: it is changed through one load of the current pointer, which is
 * right on whatever hart it executes, so a preemption in the middle harms nothing.
 *
 * Plain fields below are written by their own hart (lock_hart, SIE off) or their own thread
 * (lock_thread); other harts read them for reports only.
 */
#ifndef KERNEL_LOCK_CONTEXT_H
#define KERNEL_LOCK_CONTEXT_H

#include "kernel/arch.h"
#include "kernel/lock/atomic.h"
#include "kernel/lock/race.h"
#include "kernel/lock/waiting.h"

#define HELD_MAX 16u /* locks that one hart or thread may hold at once; more is a report */

struct lock_class;

/* Addresses of the backtrace of an outermost irq_off; irqlocks have theirs on the record. */
#define LOCK_OFF_TRACE 4

/* Addresses of a short backtrace: where, its caller, and so on (trace.h). */
#define HELD_TRACE (CONFIG_LOCKCHECK ? 4u : 1u)

struct held_lock {
	const void *lock;
	struct lock_class *class;
	uint64_t since; /* arch_time() of the acquire; 0 without CONFIG_LOCKSTAT */
	uint32_t flags; /* enum check_flags it was acquired with */
	uint16_t node;	/* in the checker's graph */
	uint8_t nr_pcs;
	union {
		uintptr_t pc; /* who acquired it */
		uintptr_t pcs[HELD_TRACE];
	};
};

/*
 * What a run that others may wait for (posted work items, what waits for a grace period) has asked
 * for so far: nodes of the checker's graph. It is what must be had before this run signals.
 */
#define RUN_HISTORY 8u
struct lock_run {
	uint8_t depth; /* runs nested, 0: none, and nothing is noted */
	uint8_t nr;
	uint16_t nodes[RUN_HISTORY];
};

enum irq_kind {
	IRQ_NONE = 0,
	IRQ_TIMER,
	IRQ_IPI,
	IRQ_EXTERNAL,
};

/*
 * Node of a hart in the queue of the irqlock it waits for: one is enough, because from linking
 * until release interrupts are off and leaf calls take no locks. On a cache line of its own: the
 * waiter spins on it.
 */
struct irqlock_node {
	atomic_u32 state; /* enum node_state in irqlock.c */
	atomic_u32 next;  /* hart index + 1 of the next waiter, 0: none yet */
} __attribute__((aligned(64)));

/* What is measured of each hart: stat.h. */
enum lock_section {
	SECTION_IRQS_OFF,    /* irqlocks and irq_off, in threads and handlers, from the queue on */
	SECTION_PREEMPT_OFF, /* preempt_disable; interrupts-off sections are not counted again */
	SECTION_HANDLER,     /* an interrupt's handlers, from entry to exit */
	SECTIONS
};

struct lock_thread;

struct lock_hart {
	struct lock_thread *thread; /* the running thread; FIRST: arch_current() */
	unsigned irq_depth;	    /* interrupts-off sections nested */
	unsigned index;		    /* of the hart; constant once registered */
	uint8_t in_irq;	     /* enum irq_kind of the innermost handler, IRQ_NONE in a thread */
	uint8_t irq_nesting; /* handlers nested (a fault in a handler does not count) */
	bool need_resched;   /* set with SIE off by this hart's wake-ups, ticks, IPIs */
	bool panicking;	     /* checks are off on this hart: it prints a report */
	uint8_t nr_held;     /* irqlocks held by this hart, oldest first (CONFIG_LOCKCHECK) */
	uint8_t simulated;   /* a test simulates interrupts here: enum simulated_irqs */
	uint16_t run_node;   /* of the checker's graph: what its handler runs; 0: nothing known */
	uintptr_t irq_stack_top;      /* for backtraces, 0: unknown; constant once it starts */
	struct lock_class *posted_to; /* its handler runs work posted to a lock of this class */
	uintptr_t hartid;	      /* for the kick; constant once registered */
	unsigned uncounted_steals;    /* of irqlocks, since the last one that was counted */
	const void *gate; /* of an irqrwlock: the irqlock it holds, unrecorded, to wait there */
	struct lock_wait wait;	    /* for an irqlock, linked into its queue */
	uint64_t irqs_off_since;    /* for reports (CONFIG_LOCKSTAT) */
	uint64_t irqs_off_end;	    /* arch_time() of the last release or irq_on */
	uint64_t linked_since;	    /* its wait for an irqlock joined the queue; 0: it did not */
	uint64_t handler_since;	    /* the innermost handler began */
	uint64_t longest[SECTIONS]; /* of each so far (CONFIG_LOCKSTAT) */
	uintptr_t irqs_off_pcs[LOCK_OFF_TRACE]; /* the last irq_off that was outermost */
	uintptr_t irqs_off_pc; /* who turned them off; 0: they are on, or unknown */
	struct irqlock_node node;
	struct held_lock held[HELD_MAX];
};

struct lock_thread {
	bool irq_before;     /* SIE before the outermost interrupts-off section */
	bool posted_work;    /* runs posted work of a mixlock: checked as interrupt context */
	uint8_t seq_writers; /* seqlock write sections it is in */
	uint8_t nr_held;     /* sleeping and mixed locks held (CONFIG_LOCKCHECK) */
	unsigned preempt_depth;
	uint64_t preempt_off_since; /* arch_time() (CONFIG_LOCKSTAT) */
	uint16_t run_node;	    /* of the checker's graph: what it runs; 0: nothing known */
	struct lock_run run;	    /* CONFIG_LOCKCHECK */
	uintptr_t stack_top;	    /* for backtraces, 0: unknown; constant once it runs */
	uint32_t handle;      /* owner word of this thread: see kernel/sched/thread.h; never 0 */
	uint8_t stack_shared; /* objects in its frames that others reach */
	struct lock_wait wait;
	struct lock_class *posted_to; /* it runs work posted to a lock of this class */
	struct held_lock held[HELD_MAX];
};

static inline struct lock_hart *lock_hart(void)
{
	return (struct lock_hart *)arch_lock_hart();
}

static inline struct lock_thread *lock_thread(void)
{
	return (struct lock_thread *)arch_current();
}

/*
 * Between the two, something in the caller's frame can be reached by others: it is linked, or its
 * address was given away. A thread that faults there is not killed, because its stack would go: it
 * is a panic. (A wait entry says this by thread->waiting_entry.) They nest. Thread.
 */
static inline void stack_shared_begin(void)
{
	lock_thread()->stack_shared++;
}

static inline void stack_shared_end(void)
{
	lock_thread()->stack_shared--;
}

/* The hart that runs this; asserts that it cannot change under the caller's feet. */
struct lock_hart *lock_hart_stable(void);

/*
 * Harts by index. An entry is set once by lock_hart_register, before a second hart runs that could
 * wait for a lock together with the first, and stays for ever.
 */
extern struct lock_hart *lock_harts[CONFIG_MAX_HARTS];
extern unsigned nr_lock_harts; /* no entry at or above it is set; those below may be NULL */
/* Boot hart, no lock held by `h`. */
void lock_hart_register(struct lock_hart *h, unsigned index, uintptr_t hartid);

static inline uint64_t lock_longest(const struct lock_hart *h, enum lock_section what)
{
	return racy_read(h->longest[what], "lock_stat_reset comes at any moment");
}

/* A section that may be the longest of its hart ends here; it began at `since` (arch_time()). */
void lock_section_long(enum lock_section what, uint64_t since, uintptr_t begin);
/* The rest of irq_section_end for such a one. */
void irq_section_end_long(struct lock_hart *h);

/*
 * The two halves of every interrupts-off section: `before` is SIE before it was cleared. SIE off at
 * both calls; the second turns it on if the outermost section began with it on.
 */
static inline void irq_section_begin(struct lock_hart *h, bool before)
{
	if (h->irq_depth++ == 0)
		h->thread->irq_before = before;
}

static inline void irq_section_leave(struct lock_hart *h)
{
	if (CONFIG_LOCKSTAT) {
		h->irqs_off_pc = 0;
		h->linked_since = 0;
	}
	arch_irq_restore(h->thread->irq_before);
}

static inline void irq_section_end(struct lock_hart *h)
{
	if (--h->irq_depth)
		return;
	/* The last thing its callers do: so they need no frame for that call. */
	if (CONFIG_LOCKSTAT &&
		unlikely(h->irqs_off_end - h->irqs_off_since > lock_longest(h, SECTION_IRQS_OFF)))
		irq_section_end_long(h);
	else
		irq_section_leave(h);
}

/*
 * Interrupts off without a lock, counted like an irqlock. Only with the reason stated at the call.
 * Either; they nest with irqlocks and among themselves, in any order of release.
 */
void irq_off(void);
void irq_on(void);

/* Either. In a hard or IPI handler, or running posted work. */
bool in_interrupt(void);
/* Thread context, SIE on, no irqlock, preemption on, no seqlock write section. Either. */
bool may_sleep(void);
/*
 * First line of every function that may sleep, also when it would not this time: reports
 * KIND_CONTEXT with the function's name if it may not; true if it may. (Functions that call
 * check_acquire for a sleeping lock leave it out: that makes the same check.)
 */
bool might_sleep_at(const char *what, uintptr_t pc);
static inline bool might_sleep_here(const char *what, uintptr_t pc)
{
	return !CONFIG_LOCKCHECK || might_sleep_at(what, pc);
}
#define might_sleep() might_sleep_here(__func__, (uintptr_t)__builtin_return_address(0))

/*
 * The same for what waits, awake, for the handlers of other harts: in a handler, or with interrupts
 * off, it could wait for its own hart. Preemption may be off. Only with CONFIG_LOCKCHECK.
 */
bool might_wait_at(const char *what, uintptr_t pc);

#endif
