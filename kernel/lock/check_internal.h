/* SPDX-License-Identifier: MIT */
/* Between check.c (the rules) and check_report.c (what happens when one is broken). */
#ifndef KERNEL_LOCK_CHECK_INTERNAL_H
#define KERNEL_LOCK_CHECK_INTERNAL_H

#include "kernel/lock/check.h"
#include "kernel/panic.h"

struct graph_path;

struct violation {
	enum report_kind kind;
	const char *what; /* one word */
	const void *lock;
	const struct lock_class *class;
	uintptr_t pc; /* where; 0: the caller's backtrace says */
};

/*
 * Returns only if a test expects it (or it is a stray of such a test). Any context; SIE as it is.
 */
void violated(const struct violation *v, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* The same with a cycle of the graph to show. */
void violated_cycle(const struct violation *v, const struct graph_path *path, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* lock_hart.simulated: a test holds SIE off, and this says what rules shall see (check_test.h). */
enum simulated_irqs {
	SIMULATED_NOT,
	SIMULATED_ON,
	SIMULATED_OFF
};

/* SIE, or what is simulated. With SIE on nothing is, and the hart may not be ours any more. */
static inline bool sie_on(const struct lock_hart *h)
{
	return arch_irq_enabled() || h->simulated == SIMULATED_ON;
}

/* A pinned lock in [base, end): its address, and its class; NULL: none. */
const void *check_pinned_in(uintptr_t base, uintptr_t end, struct lock_class **class);

static inline bool in_handler(const struct lock_hart *h)
{
	return !arch_irq_enabled() && h->in_irq != IRQ_NONE;
}

/* The newest record of the lock, NULL: none. */
struct held_lock *held_find(struct held_lock *held, unsigned nr, const void *lock);

#define checking_load(x) racy_read(x, "it may be the hart of a moment ago")

/*
 * False where nothing may be checked: a report is being printed here, or nothing runs here yet. Who
 * prints has SIE off. With it on, `h` may be the hart of a moment ago, which prints by now: what it
 * says is not for a thread that has left it, whose records would lack this lock then.
 */
static inline bool checking(const struct lock_hart *h)
{
	return h && checking_load(h->thread) &&
		(!checking_load(h->panicking) || arch_irq_enabled());
}

static inline void print_pc(uintptr_t pc)
{
	if (lockcheck_print_pc)
		lockcheck_print_pc(pc);
	else
		report("  %p\n", (void *)pc);
}

#endif
