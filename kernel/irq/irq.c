/* SPDX-License-Identifier: MIT */
/*
 * The table of handlers.
 *
 * A source that is in use has a slot; slot_of[] finds it. Handlers are looked up and run without a
 * lock, so that they may register and unregister, themselves included. Taking one away therefore
 * waits until it runs nowhere:
 *
 *	dispatch	serving[hart].source = s; full fence; look up the handler; run it;
 *			source = 0; rounds++
 *	unregister	handler = NULL; full fence; wait until no hart has source == s, or its
 *			rounds moved
 *
 * Either the dispatcher sees the NULL, or the other one sees the source (both fences are full: each
 * side stores, then loads what the other stores). A hart that serves s again afterwards finds no
 * handler.
 *
 * Slots are never given to another source: a source that is registered again gets its own back,
 * with its counts.
 */
#include "kernel/irq/irq.h"

#include "kernel/hart/hart.h"
#include "kernel/lock/irqlock.h"
#include "kernel/lock/race.h"
#include "kernel/lock/relax.h"
#include "kernel/lock/run.h"
#include "kernel/log.h"
#include "lib/assert.h"
#include "lib/errno.h"

#define SLOTS 48
#define NOBODY UINT_MAX

DEFINE_LOCK_CLASS(irq_class, .name = "irq", .rank = RANK_IRQ,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 40,
	.protects = "the table of interrupt handlers and the routes of sources");

/*
 * irq_lock (irqlock, rank IRQ)
 *   Protects: the slots but for `handler` and `counts`; who is routed where.
 *   Taken by: registering, unregistering, affinity, harts that come and go; handlers may do those.
 *   Order:    before the controller's own lock (rank PLIC). Not held while a handler runs.
 * While it is free: every slot with a handler is unmasked and routed to `hart`, a hart that is
 * online or just about to call irq_leave_hart.
 */
static struct irqlock irq_lock = IRQLOCK_INIT(&irq_class);

struct irq_slot {
	/* Set under irq_lock with everything else stored before (release), read by dispatch. */
	atomic_ptr handler; /* void (*)(void *) */
	void *arg;
	const char *name;
	unsigned source;
	unsigned hart; /* index it is routed to */
	unsigned home; /* hart that left and gets it back, or NOBODY */
	struct hart_mask affinity;
	uint32_t counts[CONFIG_MAX_HARTS]; /* each hart its own */
};

static struct irq_slot slots[SLOTS];
static unsigned nr_slots GUARDED_BY(&irq_lock);
static uint8_t slot_of[IRQ_SOURCE_MAX]; /* index + 1; 0: none. Set once per source */
static uint16_t nr_routed[CONFIG_MAX_HARTS] GUARDED_BY(&irq_lock);

static const struct irq_controller *controller; /* constant after its driver's probe */

/* What a hart's dispatcher does: written by that hart only. */
struct irq_serving {
	atomic_u32 source;
	atomic_u32 rounds;
	uint64_t spurious, unhandled;
} __attribute__((aligned(64)));
static struct irq_serving serving[CONFIG_MAX_HARTS];

void irq_set_controller(const struct irq_controller *c)
{
	assert(!controller && c->nr_sources < IRQ_SOURCE_MAX);
	controller = c;
}

/* ---- Routes -------------------------------------------------------------------------------- */

/* The online hart of the mask with the fewest sources; NULL if the controller reaches none. */
static struct hart_meta *pick_hart(const struct hart_mask *mask) REQUIRES(&irq_lock)
{
	struct hart_meta *best = NULL;
	unsigned i;

	for_each_hart_in_mask(i, mask) {
		/* Not one that is about to leave: its state changed before it let go of irq_lock in
		 * irq_leave_hart, so either this sees it, or that routine sees the route. */
		if (i >= nr_harts || !harts[i] || !hart_is_online(harts[i]))
			continue;
		if (!controller->reaches(harts[i]))
			continue;
		if (!best || nr_routed[i] < nr_routed[best->index])
			best = harts[i];
	}
	return best;
}

static void route(struct irq_slot *slot, struct hart_meta *h) REQUIRES(&irq_lock)
{
	slot->hart = h->index;
	nr_routed[h->index]++;
	controller->route(slot->source, h);
}

static void unroute(struct irq_slot *slot) REQUIRES(&irq_lock)
{
	nr_routed[slot->hart]--;
}

int irq_set_affinity(unsigned source, const struct hart_mask *mask)
{
	struct hart_meta *h;
	struct irq_slot *slot;
	int err = -EINVAL;

	if (!source || source >= IRQ_SOURCE_MAX || !slot_of[source])
		return err;
	slot = &slots[slot_of[source] - 1];
	irqlock_acquire(&irq_lock);
	if (!atomic_load_ptr(&slot->handler, relaxed))
		goto out;
	err = -ENODEV;
	unroute(slot); /* it does not count against its own hart */
	h = pick_hart(mask);
	if (h) {
		hart_mask_copy(&slot->affinity, mask);
		slot->home = NOBODY;
		route(slot, h);
		err = 0;
	} else {
		nr_routed[slot->hart]++;
	}
out:
	irqlock_release(&irq_lock);
	return err;
}

static bool in_use(const struct irq_slot *slot)
{
	return atomic_load_ptr(&slot->handler, relaxed) != NULL;
}

void irq_enter_hart(struct hart_meta *h)
{
	if (!controller || !controller->reaches(h))
		return;
	irqlock_acquire(&irq_lock);
	controller->hart_enter(h);
	for (unsigned i = 0; i < nr_slots; i++) {
		struct irq_slot *slot = &slots[i];

		if (slot->home != h->index)
			continue;
		slot->home = NOBODY;
		if (!in_use(slot))
			continue;
		unroute(slot);
		route(slot, h);
	}
	irqlock_release(&irq_lock);
}

/* Where a source goes whose hart leaves; NULL: no other hart can be reached. */
static struct hart_meta *next_hart(const struct irq_slot *slot) REQUIRES(&irq_lock)
{
	struct hart_mask wanted;
	struct hart_meta *to;

	hart_mask_copy(&wanted, &slot->affinity);
	hart_mask_clear(&wanted, slot->hart);
	to = pick_hart(&wanted);
	if (to)
		return to;
	hart_mask_copy(&wanted, &harts_online);
	hart_mask_clear(&wanted, slot->hart);
	return pick_hart(&wanted);
}

static void leave_hart(struct hart_meta *h) REQUIRES(&irq_lock)
{
	for (unsigned i = 0; i < nr_slots; i++) {
		struct irq_slot *slot = &slots[i];
		struct hart_meta *to;

		if (slot->hart != h->index || !in_use(slot))
			continue;
		to = next_hart(slot);
		unroute(slot);
		/* The first of several that leave one after the other. */
		if (slot->home == NOBODY)
			slot->home = h->index;
		route(slot, to);
	}
	controller->hart_leave(h);
}

int irq_leave_hart(struct hart_meta *h)
{
	int err = 0;

	if (!controller || !controller->reaches(h))
		return 0;
	irqlock_acquire(&irq_lock);
	for (unsigned i = 0; i < nr_slots; i++)
		if (slots[i].hart == h->index && in_use(&slots[i]) && !next_hart(&slots[i]))
			err = -ENODEV;
	if (!err)
		leave_hart(h);
	irqlock_release(&irq_lock);
	return err;
}

/* ---- Registering --------------------------------------------------------------------------- */

/* The slot of `source`, a new one if it never had any; NULL if there is none left. */
static struct irq_slot *slot_get(unsigned source) REQUIRES(&irq_lock)
{
	if (!slot_of[source]) {
		if (nr_slots == SLOTS)
			return NULL;
		slots[nr_slots].source = source;
		slot_of[source] = (uint8_t)++nr_slots;
	}
	return &slots[slot_of[source] - 1];
}

int irq_register(unsigned source, const char *name, void (*fn)(void *arg), void *arg)
{
	struct hart_meta *h;
	struct irq_slot *slot;
	int err;

	if (!controller)
		return -ENODEV;
	if (!source || source > controller->nr_sources)
		return -EINVAL;
	irqlock_acquire(&irq_lock);
	err = -ENODEV;
	h = pick_hart(&harts_online);
	if (!h)
		goto out;
	err = -ENOSPC;
	slot = slot_get(source);
	if (!slot)
		goto out;
	err = -EBUSY;
	if (atomic_load_ptr(&slot->handler, relaxed))
		goto out;
	slot->name = name;
	slot->arg = arg;
	hart_mask_fill(&slot->affinity, CONFIG_MAX_HARTS);
	slot->home = NOBODY;
	/* Release: name and arg. Partner: the load in run_handler. */
	atomic_store_ptr(&slot->handler, (void *)fn, release);
	route(slot, h);
	controller->unmask(source);
	err = 0;
out:
	irqlock_release(&irq_lock);
	return err;
}

/* Returns when no hart but perhaps this one runs a handler of `source` that began before. */
static void wait_until_unserved(unsigned source)
{
	const struct hart_meta *self = in_interrupt() ? this_hart() : NULL;

	/* The NULL handler before the looks at `source`. Partner: the fence in run_handler. */
	fence_full();
	for_each_hart(h) {
		/* Acquire: what the handler did. Partner: the releases in run_handler. */
		uint32_t rounds = atomic_load_u32(&serving[h->index].rounds, acquire);
		struct relax wait = RELAX_INIT;

		while (h != self && atomic_load_u32(&serving[h->index].source, acquire) == source &&
			atomic_load_u32(&serving[h->index].rounds, acquire) == rounds)
			relax_step(&wait);
	}
}

int irq_unregister(unsigned source)
{
	struct irq_slot *slot;
	void *fn;

	if (!source || source >= IRQ_SOURCE_MAX || !slot_of[source])
		return -ENOENT;
	slot = &slots[slot_of[source] - 1];
	irqlock_acquire(&irq_lock);
	fn = atomic_load_ptr(&slot->handler, relaxed);
	if (!fn) {
		irqlock_release(&irq_lock);
		return -ENOENT;
	}
	controller->mask(source);
	unroute(slot);
	atomic_store_ptr(&slot->handler, NULL, relaxed);
	irqlock_release(&irq_lock);
	/* From its own handler there is nothing to wait for. */
	if (!in_interrupt() ||
		atomic_load_u32(&serving[this_hart()->index].source, relaxed) != source)
		run_awaited(NODE_IRQ, fn);
	wait_until_unserved(source);
	return 0;
}

/* ---- Dispatch ------------------------------------------------------------------------------ */

/* Nobody wants it: it must not come again and again. A source whose handler was just taken away may
 * come once more; one that never had any is said, once, because masked sources don't come again. */
static void unhandled(unsigned source)
{
	bool stray = !slot_of[source];

	irqlock_acquire_in_irq(&irq_lock);
	if (stray || !atomic_load_ptr(&slots[slot_of[source] - 1].handler, relaxed))
		controller->mask(source);
	irqlock_release_in_irq(&irq_lock);
	if (stray)
		log_warn("interrupt source %u has no handler: masked", source);
}

/* Runs the handler of a claimed source; false if there is none. */
static bool run_handler(struct hart_meta *h, unsigned source)
{
	struct irq_serving *s = &serving[h->index];
	void (*fn)(void *arg) = NULL;

	atomic_store_u32(&s->source, source, relaxed);
	/* `source` before the look at the handler. Partner: wait_until_unserved. */
	fence_full();
	if (slot_of[source]) {
		struct irq_slot *slot = &slots[slot_of[source] - 1];

		/* Acquire: its argument. Partner: irq_register. */
		uint16_t before;

		fn = (void (*)(void *))atomic_load_ptr(&slot->handler, acquire);
		if (fn) {
			slot->counts[h->index]++;
			before = run_begin(NODE_IRQ, (const void *)fn);
			fn(slot->arg);
			run_end(before);
		}
	}
	/* Releases: what the handler did. Partner: wait_until_unserved. */
	atomic_store_u32(&s->source, 0, release);
	atomic_store_u32(&s->rounds, atomic_load_u32(&s->rounds, relaxed) + 1, release);
	return fn != NULL;
}

void irq_dispatch(void)
{
	struct hart_meta *h = this_hart();
	unsigned source = controller ? controller->claim() : 0; /* <= nr_sources */

	if (!source)
		serving[h->index].spurious++;
	while (source) {
		if (!run_handler(h, source)) {
			serving[h->index].unhandled++;
			unhandled(source);
		}
		controller->complete(source);
		source = controller->claim();
	}
}

/* ---- Looks --------------------------------------------------------------------------------- */

bool irq_info(unsigned n, struct irq_info *out)
{
	bool there;

	irqlock_acquire(&irq_lock);
	there = n < nr_slots;
	if (there) {
		out->source = slots[n].source;
		out->name = slots[n].name;
		out->hart = slots[n].hart;
		out->counts = slots[n].counts;
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
