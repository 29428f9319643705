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
 * Moves `source` to an online hart of the mask: the one with the fewest sources. -EINVAL: no
 * such source, -ENODEV: the mask has no online hart that the controller reaches (nothing changed).
 */
int irq_set_affinity(unsigned source, const struct hart_mask *mask);

/*
 * Moves every source that is routed to `h` to other harts of its mask, or to any online one if
 * there is none, until `h` enters again or the source gets another affinity. An interrupt that was
 * claimed is completed where it was, one that is pending is taken there. -ENODEV: some source has
 * no other hart that the controller reaches (nothing changed). For a hart that leaves, once its
 * state says so. Either.
 */
int irq_leave_hart(struct hart_meta *h);
/* `h` can take external interrupts from now on, and gets back what it had before it left. Either.
 */
void irq_enter_hart(struct hart_meta *h);

/* For the `irqs` command: sources in use, in order of registration. */
struct irq_info {
	unsigned source;
	const char *name;
	unsigned hart;		/* index it is routed to */
	const uint32_t *counts; /* per hart index, CONFIG_MAX_HARTS of them */
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
