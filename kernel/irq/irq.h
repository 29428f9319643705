/* SPDX-License-Identifier: MIT */
/*
 * Interrupts of devices: sources, handlers, and the controller's driver behind them. A source is
 * the controller's number for it; 0 is none.
 *
 * A handler runs on one hart at a time, with SIE off, and no lock of this folder held: it may
 * register and unregister, itself included.
 */
#ifndef KERNEL_IRQ_IRQ_H
#define KERNEL_IRQ_IRQ_H

#include "kernel/hart/mask.h"
#include "lib/types.h"

#define IRQ_SOURCE_MAX 1024 /* PLIC specification 1.0, chapter 1 */

struct hart_meta;

/*
 * What a controller's driver offers. All are called with SIE off; claim and complete without locks,
 * the others under irq.lock (rank IRQ).
 */
struct irq_controller {
	const char *name;
	unsigned nr_sources;		   /* sources are 1..nr_sources */
	unsigned (*claim)(void);	   /* the next pending source of this hart, 0: none */
	void (*complete)(unsigned source); /* on the hart that claimed it */
	void (*mask)(unsigned source);
	void (*unmask)(unsigned source);
	void (*route)(unsigned source, struct hart_meta *h); /* from now on to this hart only */
	bool (*reaches)(const struct hart_meta *h);	     /* can it interrupt that hart? */
	void (*hart_enter)(struct hart_meta *h);	     /* a hart comes online, on it */
	void (*hart_leave)(struct hart_meta *h);
};

/* Once, by the controller's driver. Boot. */
void irq_set_controller(const struct irq_controller *controller);
/* For tests: from now on these operations, which call the ones that this returns. An interrupt that
 * was claimed by the old ones is completed by them. Either. */
const struct irq_controller *irq_exchange_controller(const struct irq_controller *controller);

/*
 * From now on fn(arg) runs for each interrupt of `source`. The source starts unmasked, with
 * affinity to every hart. 0, -ENODEV (no controller), -EINVAL (no such source), -EBUSY (taken),
 * -ENOSPC. Either.
 */
int irq_register(unsigned source, const char *name, void (*fn)(void *arg), void *arg);
/*
 * Masks the source and takes the handler away; returns when it runs nowhere any more (on this hart
 * it may be the caller). The caller holds no lock that the handler takes. 0, -ENOENT. Either.
 */
int irq_unregister(unsigned source);
/*
 * From now on `source` goes to online harts of the mask only, whichever of its harts come and go:
 * it stays if its hart is one, otherwise it moves to the one with the fewest sources. -EINVAL: no
 * such source in use, -ENODEV: the mask has no online hart that the controller reaches (nothing
 * changed). Either.
 */
int irq_set_affinity(unsigned source, const struct hart_mask *mask);

/*
 * Moves every source that is routed to `h` to other harts of its affinity, or to any online one if
 * there is none, until `h` or another of its affinity enters again. An interrupt that was claimed
 * is completed where it was, one that is pending is taken there. -ENODEV: some source has no other
 * hart that the controller reaches (nothing changed). For a hart that leaves, once its state says
 * so. Either.
 */
int irq_leave_hart(struct hart_meta *h);
/* `h` can take external interrupts from now on, and gets back what it had before it left, and what
 * is to be on it and could not. Either. */
void irq_enter_hart(struct hart_meta *h);

/*
 * Who decides which hart of its affinity a source goes to.
 *
 *	fixed	nobody: it stays where it is, until it is told or its hart leaves
 *	spread	by number: no two harts differ by more than one source, as far as affinities let
 *		them; kept when harts or sources come or go, and when affinities change
 *	load	by count: four times a second the busiest source of the busiest hart moves to the
 *		least busy one, if it is worth it (balance.h)
 */
enum irq_balance {
	IRQ_FIXED,
	IRQ_SPREAD,
	IRQ_LOAD
};
#define IRQ_BALANCE_NAMES "fixed, spread, load"
enum irq_balance irq_balance(void);
/* From now on. Either. */
void irq_balance_set(enum irq_balance mode);
/* 0, -EINVAL. */
int irq_balance_named(const char *name, enum irq_balance *out);
const char *irq_balance_name(enum irq_balance mode);
/* The looks of the modes, now: for this folder and tests. Either. */
void irq_spread(void);
/* True: it moved a source. */
bool irq_balance_look(void);

/* For the commands `irq` and `irqs`: sources that are or were in use, in order of registration. */
struct irq_info {
	unsigned source;
	const char *name;
	bool used;     /* it has a handler; if not, it has no route */
	unsigned hart; /* index it is routed to */
	bool away;     /* from `home`, which has left and gets it back */
	unsigned home;
	uint32_t moves;		   /* from one hart to another, so far */
	struct hart_mask affinity; /* may name harts that do not exist */
	const uint32_t *counts;	   /* per hart index, CONFIG_MAX_HARTS of them */
};
/* Fills `out` for the n-th used slot; false past the end. Either. */
bool irq_info(unsigned n, struct irq_info *out);
/* Claims that found nothing, and interrupts of sources without a handler. */
uint64_t irq_count_spurious(void);
uint64_t irq_count_unhandled(void);

/* Called on the interrupted thread's stack, SIE off, when it is to be preempted. By sched, at init.
 */
void irq_set_preempt_hook(void (*fn)(void));

/* External interrupt of this hart: claims and runs handlers until nothing is left. Handler. */
void irq_dispatch(void);

#endif
