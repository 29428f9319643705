/* SPDX-License-Identifier: MIT */
/*
 * The table of handlers.
 *
 * A source that is in use has a slot; slot_of[] finds it. Handlers are looked up and run without a
 * lock, so that they may register and unregister, themselves included. Taking one away therefore
 * waits until it runs nowhere:
 *
 *	dispatch	serving[hart].source = CLAIMING; full fence; claim; source = what was
 *			claimed; look up the handler; run it; source = 0; rounds++
 *	unregister	mask; handler = NULL; full fence; wait until no hart has source == s or
 *			CLAIMING, or its rounds moved
 *
 * Either the dispatcher sees the mask and the NULL, or the other one sees that it serves (both
 * fences are full: each side stores, then loads what the other stores). A hart that serves s again
 * afterwards finds no handler; and none has claimed it before and comes to look for one only when
 * there is a new one: that would get an interrupt of the time before it.
 *
 * Slots are never given to another source: a source that is registered again gets its own back,
 * with its counts.
 *
 * Which hart takes a source's interrupts is route.c's; which controller has it, controller.c's.
 */
#include "kernel/irq/irq.h"

#include "kernel/hart/hart.h"
#include "kernel/irq/table.h"
#include "kernel/lock/race.h"
#include "kernel/lock/relax.h"
#include "kernel/lock/run.h"
#include "kernel/log.h"
#include "lib/assert.h"
#include "lib/errno.h"

DEFINE_LOCK_CLASS(irq_class, .name = "irq", .rank = RANK_IRQ,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 20,
	.protects = "the table of interrupt handlers and the routes of sources");

/*
 * irq_lock (irqlock, rank IRQ)
 *   Protects: the slots but for `handler` and `counts`; who is routed where, and how that is
 *             balanced.
 *   Taken by: registering, unregistering, affinity, harts that come and go, the balance's timer;
 *             handlers may do those.
 *   Order:    before the controller's own lock (rank PLIC) and timers (rank TIMER). Not held while
 *             a handler runs.
 * While it is free: every slot with a handler is unmasked and routed to `hart`, a hart that is
 * online or just about to call irq_leave_hart; or it waits, masked, and each online hart of its
 * controller is about to call irq_enter_hart.
 */
struct irqlock irq_lock = IRQLOCK_INIT(&irq_class);

struct irq_slot irq_slots[IRQ_SLOTS];
unsigned irq_nr_slots;
static uint8_t slot_of[IRQ_SOURCE_MAX]; /* index + 1; 0: none. Set once per source */

#define CLAIMING UINT32_MAX

/* What a hart's dispatcher does: written by that hart only. */
struct irq_serving {
	atomic_u32 source; /* 0: none; CLAIMING: one that the controller will say */
	atomic_u32 rounds;
	uint64_t spurious, unhandled;
} __attribute__((aligned(64)));
static struct irq_serving serving[CONFIG_MAX_HARTS];

/* ---- Registering --------------------------------------------------------------------------- */

/* The slot of `source`, a new one if it never had any; NULL if there is none left. */
static struct irq_slot *slot_get(unsigned source) REQUIRES(&irq_lock)
{
	if (!slot_of[source]) {
		if (irq_nr_slots == IRQ_SLOTS)
			return NULL;
		irq_slots[irq_nr_slots].source = source;
		irq_slots[irq_nr_slots].controller = irq_controller_of(source);
		slot_of[source] = (uint8_t)++irq_nr_slots;
	}
	return &irq_slots[slot_of[source] - 1];
}

struct irq_slot *irq_slot_find(unsigned source)
{
	struct irq_slot *slot;

	if (!source || source >= IRQ_SOURCE_MAX || !slot_of[source])
		return NULL;
	slot = &irq_slots[slot_of[source] - 1];
	return irq_slot_used(slot) ? slot : NULL;
}

int irq_register(unsigned source, const char *name, void (*fn)(void *arg), void *arg)
{
	struct irq_slot *slot;
	int err;

	if (!irq_controller(0))
		return -ENODEV;
	if (!irq_controller_of(source))
		return -EINVAL;
	irqlock_acquire(&irq_lock);
	err = -ENOSPC;
	slot = slot_get(source);
	if (!slot)
		goto out;
	err = -EBUSY;
	if (irq_slot_used(slot))
		goto out;
	slot->name = name;
	slot->arg = arg;
	/* Release: name and arg. Partner: the load in run_handler. */
	atomic_store_ptr(&slot->handler, (void *)fn, release);
	if (irq_route_first(slot))
		irq_unmask(slot);
	err = 0;
out:
	irqlock_release(&irq_lock);
	return err;
}

static bool may_serve(const struct irq_serving *s, unsigned source)
{
	/* Acquire: what the handler did. Partner: the releases in served. */
	uint32_t now = atomic_load_u32(&s->source, acquire);

	return now == source || now == CLAIMING;
}

/* Returns when no hart but perhaps this one has an interrupt of `source` that it claimed before. */
static void wait_until_unserved(unsigned source)
{
	const struct hart_meta *self = in_interrupt() ? this_hart() : NULL;

	/* The mask and the NULL handler before the looks at `source`. Partner: claim. */
	fence_io();
	for_each_hart(h) {
		const struct irq_serving *s = &serving[h->index];
		/* Acquire: as in may_serve. */
		uint32_t rounds = atomic_load_u32(&s->rounds, acquire);
		struct relax wait = RELAX_INIT;

		while (h != self && may_serve(s, source) &&
			atomic_load_u32(&s->rounds, acquire) == rounds)
			relax_step(&wait);
	}
}

int irq_unregister(unsigned source)
{
	struct irq_slot *slot;
	void *fn;

	irqlock_acquire(&irq_lock);
	slot = irq_slot_find(source);
	if (!slot) {
		irqlock_release(&irq_lock);
		return -ENOENT;
	}
	fn = atomic_load_ptr(&slot->handler, relaxed);
	irq_mask(slot);
	irq_route_end(slot);
	atomic_store_ptr(&slot->handler, NULL, relaxed);
	irqlock_release(&irq_lock);
	/* From its own handler there is nothing to wait for. */
	if (!in_interrupt() ||
		atomic_load_u32(&serving[this_hart()->index].source, relaxed) != source)
		run_awaited(NODE_IRQ, fn);
	wait_until_unserved(source);
	irq_spread();
	return 0;
}

/* ---- Dispatch ------------------------------------------------------------------------------ */

/* Nobody wants it: it must not come again and again. A source whose handler was just taken away may
 * come once more; one that never had any is said, once, because masked sources don't come again. */
static void unhandled(const struct irq_controller *c, unsigned pin, unsigned source)
{
	bool stray = !slot_of[source];

	irqlock_acquire_in_irq(&irq_lock);
	if (!irq_slot_find(source))
		irq_ops(c)->mask(c->chip, pin);
	irqlock_release_in_irq(&irq_lock);
	if (stray)
		log_warn("interrupt %u of %s has no handler: masked", pin, c->name);
}

static void served(struct irq_serving *s)
{
	/* Releases: what the handler did. Partner: wait_until_unserved. */
	atomic_store_u32(&s->source, 0, release);
	atomic_store_u32(&s->rounds, atomic_load_u32(&s->rounds, relaxed) + 1, release);
}

/* The source of a pin that was claimed; 0, which never has a handler: the tree knows no such pin.
 */
static inline unsigned source_of(const struct irq_controller *c, unsigned pin)
{
	return likely(pin <= c->nr_sources) ? c->base + pin : 0;
}

/* The pin of the next source to serve; 0: there is none. */
static inline unsigned claim(const struct irq_controller *c, const struct irq_ops *ops,
	struct hart_meta *h, struct irq_serving *s)
{
	unsigned pin;

	atomic_store_u32(&s->source, CLAIMING, relaxed);
	/* CLAIMING before the claim and the look at the handler. Partner: wait_until_unserved. */
	fence_io();
	pin = ops->claim(c->chip, h);
	if (!pin)
		served(s);
	return pin;
}

/* Runs the handler of a claimed source; false if there is none. */
static inline bool run_handler(struct hart_meta *h, unsigned source)
{
	void (*fn)(void *arg) = NULL;

	if (slot_of[source]) {
		struct irq_slot *slot = &irq_slots[slot_of[source] - 1];
		uint16_t before;

		/* Acquire: its argument. Partner: irq_register. */
		fn = (void (*)(void *))atomic_load_ptr(&slot->handler, acquire);
		if (fn) {
			slot->counts[h->index]++;
			before = run_begin(NODE_IRQ, (const void *)fn);
			fn(slot->arg);
			run_end(before);
		}
	}
	served(&serving[h->index]);
	return fn != NULL;
}

void irq_serve_begin(unsigned source)
{
	/* Relaxed: irq_lock. Partner: irq_unregister, wait_until_unserved. */
	atomic_store_u32(&serving[this_hart()->index].source, source, relaxed);
}

bool irq_serve(struct hart_meta *h, unsigned source)
{
	return run_handler(h, source);
}

void irq_dispatch(void)
{
	struct hart_meta *h = this_hart();
	const struct irq_controller *c = h->irqchip;
	const struct irq_ops *ops = c ? irq_ops(c) : NULL;
	struct irq_serving *s = &serving[h->index];
	unsigned pin = c ? claim(c, ops, h, s) : 0;

	if (!pin)
		s->spurious++;
	while (pin) {
		unsigned source = source_of(c, pin);

		atomic_store_u32(&s->source, source, relaxed);
		if (!run_handler(h, source)) {
			s->unhandled++;
			unhandled(c, pin, source);
		}
		ops->complete(c->chip, h, pin);
		pin = claim(c, ops, h, s);
	}
}

/* ---- Looks --------------------------------------------------------------------------------- */

bool irq_info(unsigned n, struct irq_info *out)
{
	bool there;

	irqlock_acquire(&irq_lock);
	there = n < irq_nr_slots;
	if (there) {
		const struct irq_slot *slot = &irq_slots[n];

		*out = (struct irq_info){.source = slot->source,
			.name = slot->name,
			.controller = slot->controller,
			.used = irq_slot_used(slot),
			.waits = slot->waits,
			.hart = slot->hart,
			.away = slot->home != IRQ_NOBODY,
			.home = slot->home,
			.moves = slot->moves,
			.counts = slot->counts};
		hart_mask_copy(&out->affinity, &slot->affinity);
	}
	irqlock_release(&irq_lock);
	return there;
}

uint64_t irq_count_spurious(void)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < nr_harts; i++)
		n += racy_read(serving[i].spurious, "a statistic");
	return n;
}

uint64_t irq_count_unhandled(void)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < nr_harts; i++)
		n += racy_read(serving[i].unhandled, "a statistic");
	return n;
}
