/* SPDX-License-Identifier: MIT */
/*
 * The deadlock card of locks that a program has made itself.
 *
 * The kernel's card (kernel/panic/card.c) knows the kernel's locks. Of a program's own this file
 * keeps who said that he has one (hunt_holds, hunt_gave) or waits for one (hunt_waits, hunt_got),
 * with backtraces; and says, when everybody stands still, why who has it does not go on. That is
 * where circles close that no table of waits shows: by an interrupt, whose handler the thread below
 * it waits for, and by the scheduler, which runs the one that waits in place of the one that has.
 *
 * The harts run one at a time, but a turn may end between any two instructions: a place is claimed
 * by compare-and-swap of its text. Relaxed.
 */
#include "kernel/arch.h"
#include "kernel/lock/trace.h"
#include "kernel/panic/report.h"
#include "kernel/sched/thread.h"
#include "kernel/time/clock.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "tests/hunt/engine.h"

#define TOYS_MAX 16
#define TOY_TRACE 6

struct toy {
	atomic_ptr text; /* const char *; NULL: the place is free */
	const struct thread *thread;
	unsigned hart;
	bool in_irq, irqs_on;
	uint64_t since;
	unsigned nr_pcs;
	uintptr_t pcs[TOY_TRACE];
};

static struct toy held[TOYS_MAX], awaited[TOYS_MAX];

static const char *text_of(const struct toy *t)
{
	return atomic_load_ptr(&t->text, relaxed);
}

static bool is_mine(const struct toy *t, const char *text)
{
	const struct lock_hart *h = lock_hart();

	return text_of(t) && !strcmp(text_of(t), text) &&
		t->thread == (const struct thread *)h->thread &&
		t->in_irq == (h->in_irq != IRQ_NONE);
}

/* One that finds all places taken is not shown. */
static struct toy *claim(struct toy *toys, const char *text)
{
	for (unsigned i = 0; i < TOYS_MAX; i++) {
		void *none = NULL;

		if (atomic_cas_ptr(&toys[i].text, &none, (void *)text, relaxed))
			return &toys[i];
	}
	return NULL;
}

static void note(struct toy *t, bool irqs_on)
{
	const struct lock_hart *h = lock_hart();

	t->thread = (const struct thread *)h->thread;
	t->hart = h->index;
	t->in_irq = h->in_irq != IRQ_NONE;
	t->irqs_on = irqs_on;
	t->since = arch_time();
}

static void forget(struct toy *toys, const char *text)
{
	for (unsigned i = 0; i < TOYS_MAX; i++)
		if (is_mine(&toys[i], text))
			atomic_store_ptr(&toys[i].text, NULL, relaxed);
}

void hunt_holds(const char *text)
{
	bool before = arch_irq_save();
	struct toy *t = claim(held, text);

	if (t) {
		note(t, before);
		t->nr_pcs = lock_trace(t->pcs, TOY_TRACE);
	}
	arch_irq_restore(before);
}

void toys_note(const struct lock_point *p, const char *text, bool irqs_on)
{
	uintptr_t pcs[TOY_TRACE + 1];
	struct toy *t;

	if (p == &hunt_points[HUNT_GOT])
		forget(awaited, text);
	if (p == &hunt_points[HUNT_GAVE])
		forget(held, text);
	if (p != &hunt_points[HUNT_WAITS])
		return;
	t = claim(awaited, text);
	if (!t)
		return;
	note(t, irqs_on);
	/* It begins in the engine. */
	t->nr_pcs = lock_trace(pcs, ARRAY_SIZE(pcs)) - 1;
	for (unsigned i = 0; i < t->nr_pcs; i++)
		t->pcs[i] = pcs[i + 1];
}

void toys_forget(void)
{
	for (unsigned i = 0; i < TOYS_MAX; i++) {
		atomic_store_ptr(&held[i].text, NULL, relaxed);
		atomic_store_ptr(&awaited[i].text, NULL, relaxed);
	}
}

/* ---- The card -------------------------------------------------------------------------------- */

static unsigned long us_since(const struct toy *t)
{
	return (unsigned long)(ticks_to_ns(arch_time() - t->since) / NS_PER_US);
}

#define WHO_MAX 64

/* "thread abba/0 (0x10034)"; names of threads are cut, handles are not. */
static const char *who(const struct toy *t, char text[WHO_MAX])
{
	snprintf(text, WHO_MAX, "%sthread %s (0x%x)", t->in_irq ? "the handler over " : "",
		t->thread->name, (unsigned)t->thread->lock.handle);
	return text;
}

/* A thread's first function was called by nobody. */
static void report_trace(const struct toy *t)
{
	unsigned n = t->nr_pcs;

	while (n > 1 && !t->pcs[n - 1])
		n--;
	report_backtrace(t->pcs, n, false);
}

/* Why `h`, who has it, does not go on while `w` waits awake. */
static void report_why(const struct toy *w, const struct toy *h)
{
	enum thread_state state = atomic_load_u32(&h->thread->state, relaxed);

	if (w->in_irq && !h->in_irq && h->thread == w->thread)
		report("   a circle of one hart: that thread goes on when the handler that "
		       "interrupted it ends\n");
	else if (!h->in_irq && h->thread != w->thread && state == THREAD_READY &&
		h->hart == w->hart)
		report("   a circle by the scheduler: it is ready on hart %u, which runs who "
		       "waits, of priority %u against %u\n",
			h->hart, w->thread->prio_effective, h->thread->prio_effective);
	else
		report("   no circle: it is %s\n",
			state == THREAD_READY		  ? "ready"
				: state == THREAD_RUNNING ? "on a hart"
							  : "asleep");
}

static void report_holders(const struct toy *w)
{
	char text[WHO_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < TOYS_MAX; i++) {
		const struct toy *h = &held[i];

		if (!text_of(h) || strcmp(text_of(h), text_of(w)) != 0)
			continue;
		n++;
		report("  %s has it, acquired on hart %u %lu us ago at\n", who(h, text), h->hart,
			us_since(h));
		report_trace(h);
		report_why(w, h);
	}
	if (!n)
		report("   no circle: nobody has it\n");
}

void toys_report(void)
{
	char text[WHO_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < TOYS_MAX; i++) {
		const struct toy *w = &awaited[i];

		if (!text_of(w))
			continue;
		if (n++ == 0)
			report("deadlock card of the program's own waits:\n");
		report(" hart %u, %s, interrupts %s\n", w->hart, who(w, text),
			w->irqs_on ? "on" : "off");
		report("  waits for %s for %lu us; waits at\n", text_of(w), us_since(w));
		report_trace(w);
		report_holders(w);
	}
}
