/* SPDX-License-Identifier: MIT */
/* The table of sources, between the files of this folder: irq.c has handlers, route.c routes. */
#ifndef KERNEL_IRQ_TABLE_H
#define KERNEL_IRQ_TABLE_H

#include "kernel/irq/irq.h"
#include "kernel/lock/irqlock.h"

#define IRQ_SLOTS 48
#define IRQ_NOBODY UINT_MAX

/* Its comment is at its definition in irq.c. */
extern struct irqlock irq_lock;

struct irq_slot {
	/* Set under irq_lock with everything else stored before (release), read by dispatch. */
	atomic_ptr handler; /* void (*)(void *) */
	void *arg;
	const char *name;
	unsigned source;
	unsigned hart;	/* index it is routed to */
	unsigned home;	/* hart that left and gets it back, or IRQ_NOBODY */
	uint32_t moves; /* times that it went to another hart */
	uint32_t rests; /* beats for which the balance leaves it alone */
	uint32_t since; /* counts[hart] at the last beat, or when it came to `hart` */
	struct hart_mask affinity;
	uint32_t counts[CONFIG_MAX_HARTS]; /* each hart its own */
};

extern struct irq_slot irq_slots[IRQ_SLOTS];
extern unsigned irq_nr_slots GUARDED_BY(&irq_lock);

/* The slot of a source that has a handler; NULL: there is none. */
struct irq_slot *irq_slot_find(unsigned source) REQUIRES(&irq_lock);

static inline bool irq_slot_used(const struct irq_slot *slot)
{
	return atomic_load_ptr(&slot->handler, relaxed) != NULL;
}

/* Set by its driver's probe, and exchanged by tests for one that stands in front of it. Relaxed:
 * what it points to never changes, and either will do. */
extern atomic_ptr irq_controller; /* const struct irq_controller */
static inline const struct irq_controller *irq_ctl(void)
{
	return atomic_load_ptr(&irq_controller, relaxed);
}

/* Before any other of these. Boot. */
void irq_route_init(void);
/* A source gets its first handler: routes it, with affinity to every hart. False: the controller
 * reaches no online hart. */
bool irq_route_first(struct irq_slot *slot) REQUIRES(&irq_lock);
/* It has lost its handler, and was masked. */
void irq_route_end(struct irq_slot *slot) REQUIRES(&irq_lock);

#endif
