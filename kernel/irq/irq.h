/* SPDX-License-Identifier: MIT */
/*
 * Interrupts of devices: sources, handlers, and the drivers of the controllers behind them.
 *
 * A machine may have several controllers, each for harts of its own (a PLIC for each NUMA node of
 * `virt`): which one a device is wired to says the tree, and no other hart can take its interrupts.
 * Sources are numbered through: those of the first controller as it numbers them itself, from 1,
 * those of the next one behind them. 0 is none.
 *
 * A handler runs on one hart at a time, with SIE off, and no lock of this folder held: it may
 * register and unregister, itself included.
 */
#ifndef KERNEL_IRQ_IRQ_H
#define KERNEL_IRQ_IRQ_H

#include "kernel/hart/mask.h"
#include "kernel/lock/atomic.h"
#include "lib/types.h"

#define IRQ_CONTROLLERS 8
/* All numbers are below. A PLIC has at most 1023 sources (PLIC specification 1.0, chapter 1). */
#define IRQ_SOURCE_MAX 4096

struct hart_meta;

/*
 * What a controller's driver offers. `chip` is the controller's, `pin` its own number of a source,
 * `h` one of its harts. All are called with SIE off; claim and complete without locks, the others
 * under irq.lock (rank IRQ).
 */
struct irq_ops {
	/* The next pending source of `h`, which is this hart; 0: none. */
	unsigned (*claim)(void *chip, struct hart_meta *h);
	/* For the hart that claimed it. Without effect if it was completed before. */
	void (*complete)(void *chip, struct hart_meta *h, unsigned pin);
	/* Claims a masked source for `h`, which it is routed to and which is away; false: it is not
	 * pending. Under irq.lock. */
	bool (*take)(void *chip, struct hart_meta *h, unsigned pin);
	void (*mask)(void *chip, unsigned pin);
	void (*unmask)(void *chip, unsigned pin);
	/* From now on to this hart only. */
	void (*route)(void *chip, unsigned pin, struct hart_meta *h);
	void (*hart_enter)(void *chip, struct hart_meta *h); /* it comes online */
	void (*hart_leave)(void *chip, struct hart_meta *h);
};

/* Constant once it is added, but for the operations. */
struct irq_controller {
	const char *name;	/* the tree's */
	int node;		/* the tree's */
	unsigned nr_sources;	/* pins are 1..nr_sources */
	struct hart_mask harts; /* that it can interrupt: no other controller does */
	void *chip;
	unsigned base;	/* the source of a pin is base + pin. Set by irq_add_controller */
	atomic_ptr ops; /* const struct irq_ops; relaxed: exchanged by tests, and either will do */
};

/* By the controller's driver, which keeps it for ever. The harts are its own from now on
 * (hart_meta.irqchip). 0, -ENOSPC: there are too many, or too many sources. Boot. */
int irq_add_controller(struct irq_controller *c, const struct irq_ops *ops);
/* Warns of harts that none interrupts, if there is any controller. Boot, after all their drivers.
 */
void irq_check_reach(void);
/* The source of a pin of the controller with that node; 0: there is none. Either. */
unsigned irq_source(int node, unsigned pin);
/* The controller of a source; NULL: no such source. Either. */
struct irq_controller *irq_controller_of(unsigned source);
/* The n-th one; NULL past the end. Either. */
struct irq_controller *irq_controller(unsigned n);
/* For tests: from now on these operations, which call the ones that this returns. An interrupt that
 * was claimed by the old ones is completed by them. Either. */
const struct irq_ops *irq_exchange_ops(struct irq_controller *c, const struct irq_ops *ops);

/*
 * From now on fn(arg) runs for each interrupt of `source`. The source starts unmasked, with
 * affinity to every hart of its controller. 0, -ENODEV (no controller), -EINVAL (no such source),
 * -EBUSY (taken), -ENOSPC. Either.
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
 * is completed where it was, one that is pending is taken there.
 *
 * A source whose controller reaches no hart that is online waits until one enters; meanwhile a
 * timer polls the controller for it on another hart. So it comes later, but it comes, and once.
 *
 * For a hart that leaves, once its state says so. Either.
 */
void irq_leave_hart(struct hart_meta *h);
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
/* The looks of the modes, now: for this folder, for a hart that stays after all, and tests. Either.
 */
void irq_spread(void);
/* True: it moved a source. */
bool irq_balance_look(void);

/* For the commands `irq` and `irqs`: sources that are or were in use, in order of registration. */
struct irq_info {
	unsigned source;
	const char *name;
	const struct irq_controller *controller;
	bool used;     /* it has a handler; if not, it has no route */
	bool waits;    /* no hart that its controller reaches is online: it is polled */
	unsigned hart; /* index it is routed to, or was */
	bool away;     /* from `home`, which has left and gets it back */
	unsigned home;
	uint32_t moves;		   /* from one hart to another, so far */
	struct hart_mask affinity; /* of the controller's harts */
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
