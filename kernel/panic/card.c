/* SPDX-License-Identifier: MIT */
/*
 * The deadlock card.
 *
 * Members that run on a hart were asked to stop and have left their backtrace (hart_trace_of); one
 * that did not answer is shown by what lies in memory, and marked: its last trap frame and the
 * place where its interrupts went off. A thread that sleeps is unwound from where it was switched
 * away. What is held comes from the checker's records. All of it is read without a lock.
 */
#include "kernel/panic/card.h"

#include "kernel/hart/call.h"
#include "kernel/lock/check.h"
#include "kernel/lock/held.h"
#include "kernel/panic/report.h"
#include "kernel/sched/sched.h"
#include "kernel/sched/thread.h"
#include "kernel/time/clock.h"
#include "lib/printf.h"

#define TRACE_MAX 16

static const struct hart_meta *hart_of(const struct chain_member *m);
static void print_member(const struct chain *c, unsigned i);
static const char *off_hart(const struct thread *t, char *out, size_t n);
static void print_interrupts(const struct hart_meta *h);
static void print_waits(const struct chain *c, unsigned i);
static void print_where(const struct hart_meta *h, const struct lock_thread *t, const void *at);
static void print_held(const struct held_lock *held, unsigned nr);

void card_print(const struct chain *c)
{
	report("deadlock card: %u %s\n", c->nr,
		c->closed ? "in a circle, each waits for the next one"
			  : "in a row, each waits for the next one");
	for (unsigned i = 0; i < c->nr; i++)
		print_member(c, i);
}

const char *card_context(const struct lock_hart *h)
{
	switch (h->in_irq) {
	case IRQ_TIMER:
		return "the timer interrupt";
	case IRQ_IPI:
		return "a software interrupt";
	case IRQ_EXTERNAL:
		return "a device interrupt";
	default:
		return "a thread";
	}
}

/* The hart that the member is on; NULL: it sleeps, or waits to run. */
static const struct hart_meta *hart_of(const struct chain_member *m)
{
	for_each_hart(h)
		if (&h->lock == m->hart || (!m->hart && h->lock.thread == m->thread))
			return h;
	return NULL;
}

static void print_member(const struct chain *c, unsigned i)
{
	const struct chain_member *m = &c->m[i];
	const struct thread *t = (const struct thread *)m->thread;
	const struct hart_meta *h = hart_of(m);
	char where[THREAD_NAME_MAX + 64];

	if (m->hart)
		report(" %u of %u: hart %u, thread %s\n", i + 1, c->nr, m->hart->index,
			t ? t->name : "none");
	else
		report(" %u of %u: thread %s (handle 0x%lx), %s\n", i + 1, c->nr, t->name,
			(unsigned long)t->lock.handle,
			h ? "on a hart" : off_hart(t, where, sizeof(where)));
	if (h)
		print_interrupts(h);
	print_waits(c, i);
	print_where(h, m->thread, c->at);
	if (m->hart)
		print_held(m->hart->held, held_count(&m->hart->nr_held));
	if (m->thread)
		print_held(m->thread->held, held_count(&m->thread->nr_held));
}

/* What it waits behind, if it is ready: who has the hart, and by what right. */
static const char *off_hart(const struct thread *t, char *out, size_t n)
{
	const struct thread *runs;
	unsigned hart = sched_hart_of(t);

	/* Relaxed: harts have stopped, or it is out of date anyway. */
	if (atomic_load_u32(&t->state, relaxed) != THREAD_READY)
		return "asleep, interrupts on";
	runs = sched_hart_thread(harts[hart]);
	snprintf(out, n, "ready on hart %u, behind %s (%s, priority %u)", hart,
		runs ? runs->name : "none", runs ? sched_policy_name(runs->policy) : "-",
		runs ? runs->prio_effective : 0);
	return out;
}

static void print_interrupts(const struct hart_meta *h)
{
	const struct hart_trace *trace = hart_trace_of(h);
	bool here = &h->lock == lock_hart();
	bool off = here ? h->lock.irq_depth || h->lock.in_irq : !trace->from_handler;

	report("  hart %u: interrupts %s, %u deep, in %s\n", h->index,
		!here && !trace->stopped ? "unknown"
			: off		 ? "off"
					 : "on",
		h->lock.irq_depth, card_context(&h->lock));
}

static void print_waits(const struct chain *c, unsigned i)
{
	const struct wait_seen *w = &c->m[i].wait;

	if (wait_kind_of(w) == WAIT_NONE) {
		report("  waits for nothing that is known\n");
		return;
	}
	if (i + 1 < c->nr || c->closed)
		report("  waits for %s (%p), which %u of %u has; waits at\n", chain_what(w),
			w->what, (i + 1) % c->nr + 1, c->nr);
	else
		report("  waits for %s (%p), of which nobody is known to have it; waits at\n",
			chain_what(w), w->what);
}

static void print_where(const struct hart_meta *h, const struct lock_thread *t, const void *at)
{
	uintptr_t pcs[TRACE_MAX];

	if (h && &h->lock == lock_hart())
		report_backtrace(pcs, arch_backtrace(at, pcs, TRACE_MAX), false);
	else if (h)
		card_print_hart(h);
	else
		report_backtrace(pcs,
			arch_backtrace_thread((const struct thread *)t, pcs, TRACE_MAX), false);
}

/* A thread's first function was called by nobody. */
static unsigned trace_length(const struct held_lock *held)
{
	unsigned n = MAX(MIN(held->nr_pcs, HELD_TRACE), 1u);

	while (n > 1 && !held->pcs[n - 1])
		n--;
	return n;
}

static void print_held(const struct held_lock *held, unsigned nr)
{
	struct held_lock look;
	uint64_t ticks;

	for (unsigned i = 0; i < nr; i++) {
		if (!held_look(&held[i], &look))
			continue;
		ticks = CONFIG_LOCKSTAT ? arch_time() - look.since : 0;
		report("  holds %s (%p), acquired %lu us ago at\n", look.class->name, look.lock,
			(unsigned long)(ticks_to_ns(ticks) / NS_PER_US));
		report_backtrace(look.pcs, trace_length(&look), false);
	}
}

/* The backtrace of where the interrupts of a hart went off: by irq_off, or by a lock it holds. */
static void print_where_off(const struct lock_hart *h)
{
	struct held_lock look;
	unsigned n = 1;

	if (h->irqs_off_pc == h->irqs_off_pcs[0]) {
		while (n < LOCK_OFF_TRACE && h->irqs_off_pcs[n])
			n++;
		report_backtrace(h->irqs_off_pcs, n, false);
		return;
	}
	for (unsigned i = 0; i < held_count(&h->nr_held); i++) {
		if (!held_look(&h->held[i], &look) || look.pc != h->irqs_off_pc)
			continue;
		report_backtrace(look.pcs, trace_length(&look), false);
		return;
	}
	report_backtrace(&h->irqs_off_pc, 1, false);
}

/* What can be seen of a hart that does not answer: marked, because it may be out of date. */
static void print_silent(const struct hart_meta *h)
{
	const struct trap_frame *frame = arch_hart_frame(h);
	const struct thread *t = (const struct thread *)h->lock.thread;

	report("  hart %u DID NOT ANSWER; what it left behind, in %s, thread %s:\n", h->index,
		card_context(&h->lock), t ? t->name : "none");
	if (h->lock.irqs_off_pc && h->lock.irq_depth > 0) {
		report("   interrupts went off %lu us ago at\n",
			(unsigned long)(ticks_to_ns(arch_time() - h->lock.irqs_off_since) /
				NS_PER_US));
		print_where_off(&h->lock);
	}
	report("   last trap frame:%s\n", frame ? "" : " none");
	if (frame)
		report_backtrace_of(frame);
}

void card_print_hart(const struct hart_meta *h)
{
	const struct hart_trace *trace = hart_trace_of(h);
	const struct thread *t = trace->thread;
	enum hart_state state = atomic_load_u32(&h->state, relaxed);

	if (trace->stopped) {
		report("  hart %u, thread %s, %s:\n", h->index, t ? t->name : "none",
			trace->from_handler ? "interrupted" : "waiting with interrupts off");
		report_backtrace(trace->pcs, trace->nr_pcs, trace->from_handler);
	} else if (state == HART_ONLINE || state == HART_STOPPING) {
		print_silent(h);
	} else {
		report("  hart %u: %s\n", h->index, hart_state_name(state));
	}
}
