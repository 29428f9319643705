/* SPDX-License-Identifier: MIT */
/* The table of sources, between the files of this folder: irq.c has handlers, route.c routes,
 * poll.c serves those that have none, controller.c numbers them. */
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
	struct irq_controller *controller; /* constant */
	unsigned source;		   /* constant */
	bool waits;	/* for a hart: it is masked, counts for none, and is polled (poll.c) */
	bool polled;	/* ... and was claimed so since then */
	bool in_poll;	/* ... and is not completed yet */
	unsigned hart;	/* index it is routed to; was, while it waits */
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

static inline const struct irq_ops *irq_ops(const struct irq_controller *c)
{
	return atomic_load_ptr(&c->ops, relaxed);
}

static inline unsigned irq_pin(const struct irq_slot *slot)
{
	return slot->source - slot->controller->base;
}

static inline void irq_mask(struct irq_slot *slot)
{
	irq_ops(slot->controller)->mask(slot->controller->chip, irq_pin(slot));
}

static inline void irq_unmask(struct irq_slot *slot)
{
	irq_ops(slot->controller)->unmask(slot->controller->chip, irq_pin(slot));
}

/* Before any other of these. Boot. */
void irq_route_init(void);
void irq_poll_init(void);
/* A source gets its first handler: routes it, with affinity to every hart of its controller. False:
 * none of them is online, and it waits. */
bool irq_route_first(struct irq_slot *slot) REQUIRES(&irq_lock);
/* It has lost its handler, and was masked. */
void irq_route_end(struct irq_slot *slot) REQUIRES(&irq_lock);
/* From now on it waits, masked; `hart` is routed to in the controller, and away. */
void irq_poll_begin(struct irq_slot *slot) REQUIRES(&irq_lock);
/* It waits no more; it is still masked, and routed to `hart`. */
void irq_poll_end(struct irq_slot *slot) REQUIRES(&irq_lock);

/* This hart is about to run the handler of a source that was claimed under irq_lock. */
void irq_serve_begin(unsigned source);
/* ... and runs it; false if there is none any more. */
bool irq_serve(struct hart_meta *h, unsigned source);

#endif
