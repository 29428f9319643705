/* SPDX-License-Identifier: MIT */
/*
 * A controller that stands in front of the real one and watches one source, the alarm: it calls the
 * test at the moments of an interrupt and around each change of the route, and can be planted with
 * a bug, of those that lose an interrupt or hand it out twice when the route changes under it.
 *
 * The verdict is a count: raised and handled, when every hart has had every chance.
 */
#ifndef TESTS_KERNEL_IRQ_FRONT_H
#define TESTS_KERNEL_IRQ_FRONT_H

#include "kernel/lock/atomic.h"
#include "lib/types.h"

struct hart_meta;

/* Moments of an interrupt; the hart that has it is there, in its handler. */
enum irq_moment {
	IRQ_PENDING, /* interrupted, and about to ask the controller for the source */
	IRQ_CLAIMED,
	IRQ_IN_HANDLER, /* the test's handler says so: irq_front_moment */
	IRQ_HANDLED,	/* about to complete */
	IRQ_MOMENTS
};

enum irq_bug {
	IRQ_NO_BUG,
	/* The completion of a source that is not enabled on this hart any more has no effect, as
	 * the PLIC has it, and nobody minds that: the source is dead. */
	IRQ_BUG_COMPLETION,
	/* A hart that has claimed what is routed elsewhere by then leaves it to the other. */
	IRQ_BUG_NOT_MINE,
	/* A route that changes under an interrupt takes it along, although it is being handled. */
	IRQ_BUG_RESEND,
	IRQ_BUGS
};
extern const char *const irq_bug_names[IRQ_BUGS];

struct irq_watch {
	void (*at)(enum irq_moment moment); /* Handler */
	void (*moves)(unsigned from);	    /* before the route changes; irq_lock is held */
	void (*moved)(void);		    /* ... and after */
};

/* From now on the alarm (alarm.h: the source's number) is watched. Thread. */
void irq_front_open(unsigned source, enum irq_bug bug, const struct irq_watch *watch);
/* Undoes what the bug has left. Nothing is raised or moved meanwhile. Thread, may sleep. */
void irq_front_close(void);
void irq_front_moment(enum irq_moment moment);
/* Interrupts so far that were completed by a hart that had lost the route. */
unsigned irq_front_in_flight(void);

enum irq_verdict {
	IRQ_EXACT,
	IRQ_LOST,
	IRQ_DOUBLED
};
/* Compares when *handled has reached `raised`, or all harts have answered calls in many rounds
 * without that: who answers has taken what was pending there. `last`: none is raised after this, so
 * a few rounds more are waited for what comes twice. Thread, may sleep. */
enum irq_verdict irq_verdict(const atomic_u32 *handled, uint32_t raised, bool last);

#endif
