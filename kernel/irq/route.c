/* SPDX-License-Identifier: MIT */
/*
 * Which hart takes a source's interrupts.
 *
 * A source has an affinity, the harts that somebody wants it on (if nobody said: all that its
 * controller reaches), and is routed to one hart. Routes change
 *
 *	by			to
 *	irq_set_affinity	a hart of the new affinity; it stays if its own is one
 *	a hart that leaves	another hart of the affinity, or any if none is online. `home` keeps
 *				which one was left: the first of several in a row. If the controller
 *				reaches none that is online, the source waits: see poll.c
 *	a hart that enters	that hart: the sources whose home it is, those that are outside of
 *				their affinity while it is in it, and those that wait for a hart
 *	the balance		see irq.h: `spread` when something changes, `load` with its beat
 *
 * A move takes the lock for one source: the way of an interrupt (irq_dispatch) knows nothing of it.
 * Whatever moment of an interrupt a move meets, the handler runs once for it:
 *
 *	pending		the controller has it; it goes with the route. The hart that was interrupted
 *			for it may claim nothing then, which is counted as spurious
 *	claimed		the hart that claimed it handles it and completes it, though its route is
 *			elsewhere; until then the controller gives it to nobody
 *
 * A hart that starts has no source enabled: firmware clears its enable bits on the way, before the
 * hart is online, so before anything is routed to it.
 */
#include "kernel/hart/hart.h"
#include "kernel/irq/balance.h"
#include "kernel/irq/table.h"
#include "kernel/lock/race.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"
#include "lib/errno.h"
#include "lib/string.h"

#define BEAT_NS (NS_PER_SEC / 4)

static uint16_t nr_routed[CONFIG_MAX_HARTS] GUARDED_BY(&irq_lock);

/* Changed under irq_lock. Relaxed: a look without it is repeated under it. */
static atomic_u32 mode; /* enum irq_balance */

static void beat(struct timer *t);

/* ---- One source ------------------------------------------------------------------------------ */

/* Not one that is about to leave: its state changed before it let go of irq_lock in irq_leave_hart,
 * so either this sees it, or that routine sees the route. */
static bool takes_sources(const struct irq_controller *c, unsigned hart)
{
	return hart_mask_test(&c->harts, hart) && hart_is_online(harts[hart]);
}

/* The online hart of the mask with the fewest sources; NULL if the controller reaches none. */
static struct hart_meta *pick_hart(const struct irq_controller *c, const struct hart_mask *mask)
	REQUIRES(&irq_lock)
{
	struct hart_meta *best = NULL;
	unsigned i;

	for_each_hart_in_mask(i, mask)
		if (takes_sources(c, i) && (!best || nr_routed[i] < nr_routed[best->index]))
			best = harts[i];
	return best;
}

static void route(struct irq_slot *slot, struct hart_meta *h) REQUIRES(&irq_lock)
{
	slot->hart = h->index;
	slot->since = racy_read(slot->counts[h->index], "a statistic");
	nr_routed[h->index]++;
	irq_ops(slot->controller)->route(slot->controller->chip, irq_pin(slot), h);
}

/* Also to where it is, or was while it waits. */
static void move(struct irq_slot *slot, struct hart_meta *h) REQUIRES(&irq_lock)
{
	slot->moves += slot->hart != h->index;
	nr_routed[slot->hart] -= !slot->waits;
	route(slot, h);
	if (!slot->waits)
		return;
	irq_poll_end(slot);
	irq_unmask(slot);
}

/* A move that forgets where the source was before. */
static void settle(struct irq_slot *slot, struct hart_meta *h) REQUIRES(&irq_lock)
{
	slot->home = IRQ_NOBODY;
	if (slot->hart != h->index || slot->waits)
		move(slot, h);
}

/* The route stays: what was claimed is completed by it, and what comes is claimed by it. */
static void let_wait(struct irq_slot *slot) REQUIRES(&irq_lock)
{
	irq_mask(slot);
	nr_routed[slot->hart]--;
	irq_poll_begin(slot);
}

bool irq_route_first(struct irq_slot *slot)
{
	const struct irq_controller *c = slot->controller;
	struct hart_meta *h = pick_hart(c, &c->harts);

	hart_mask_copy(&slot->affinity, &c->harts);
	slot->home = IRQ_NOBODY;
	slot->rests = 0;
	route(slot, h ? h : harts[hart_mask_first(&c->harts)]);
	if (!h)
		let_wait(slot);
	return h;
}

void irq_route_end(struct irq_slot *slot)
{
	if (slot->waits)
		irq_poll_end(slot);
	else
		nr_routed[slot->hart]--;
}

/* Its hart is one of the new mask, and `h` is no better: the balance would not move it there. */
static bool stays(const struct irq_slot *slot, const struct hart_mask *wanted,
	const struct hart_meta *h) REQUIRES(&irq_lock)
{
	if (slot->waits || !takes_sources(slot->controller, slot->hart) ||
		!hart_mask_test(wanted, slot->hart))
		return false;
	return atomic_load_u32(&mode, relaxed) != IRQ_SPREAD ||
		nr_routed[slot->hart] <= nr_routed[h->index] + 1;
}

static int set_affinity(unsigned source, const struct hart_mask *mask) REQUIRES(&irq_lock)
{
	struct irq_slot *slot = irq_slot_find(source);
	const struct irq_controller *c;
	struct hart_meta *h;

	if (!slot)
		return -EINVAL;
	c = slot->controller;
	nr_routed[slot->hart] -= !slot->waits; /* it does not count against its own hart */
	h = pick_hart(c, mask);
	nr_routed[slot->hart] += !slot->waits;
	if (!h)
		return -ENODEV;
	hart_mask_and(&slot->affinity, mask, &c->harts);
	if (stays(slot, mask, h))
		h = harts[slot->hart];
	settle(slot, h);
	return 0;
}

int irq_set_affinity(unsigned source, const struct hart_mask *mask)
{
	int err;

	irqlock_acquire(&irq_lock);
	err = set_affinity(source, mask);
	irqlock_release(&irq_lock);
	if (!err)
		irq_spread();
	return err;
}

/* ---- Harts that come and go ------------------------------------------------------------------ */

static bool returns_to(const struct irq_slot *slot, const struct hart_meta *h)
{
	if (slot->controller != h->irqchip)
		return false;
	if (slot->home == h->index || slot->waits)
		return true;
	return !hart_mask_test(&slot->affinity, slot->hart) &&
		hart_mask_test(&slot->affinity, h->index);
}

void irq_enter_hart(struct hart_meta *h)
{
	if (!h->irqchip)
		return;
	irqlock_acquire(&irq_lock);
	irq_ops(h->irqchip)->hart_enter(h->irqchip->chip, h);
	for (unsigned i = 0; i < irq_nr_slots; i++) {
		struct irq_slot *slot = &irq_slots[i];

		if (!irq_slot_used(slot) || !returns_to(slot, h))
			continue;
		if (slot->home == h->index)
			slot->home = IRQ_NOBODY;
		move(slot, h);
	}
	irqlock_release(&irq_lock);
	irq_spread();
}

/* Where a source goes whose hart leaves; NULL: no other hart can be reached. */
static struct hart_meta *next_hart(const struct irq_slot *slot) REQUIRES(&irq_lock)
{
	struct hart_mask wanted;
	struct hart_meta *to;

	hart_mask_copy(&wanted, &slot->affinity);
	hart_mask_clear(&wanted, slot->hart);
	to = pick_hart(slot->controller, &wanted);
	if (to)
		return to;
	hart_mask_copy(&wanted, &slot->controller->harts);
	hart_mask_clear(&wanted, slot->hart);
	return pick_hart(slot->controller, &wanted);
}

static void leave_hart(struct hart_meta *h) REQUIRES(&irq_lock)
{
	for (unsigned i = 0; i < irq_nr_slots; i++) {
		struct irq_slot *slot = &irq_slots[i];
		struct hart_meta *to;

		if (slot->hart != h->index || !irq_slot_used(slot) || slot->waits)
			continue;
		if (slot->home == IRQ_NOBODY)
			slot->home = h->index;
		to = next_hart(slot);
		if (to)
			move(slot, to);
		else
			let_wait(slot);
	}
	irq_ops(h->irqchip)->hart_leave(h->irqchip->chip, h);
}

void irq_leave_hart(struct hart_meta *h)
{
	if (!h->irqchip)
		return;
	irqlock_acquire(&irq_lock);
	leave_hart(h);
	irqlock_release(&irq_lock);
	irq_spread();
}

/* ---- Spread ---------------------------------------------------------------------------------- */

/* To the hart of its affinity with the fewest, if that makes their numbers less different, or if it
 * is outside of its affinity. */
static bool spread_slot(struct irq_slot *slot) REQUIRES(&irq_lock)
{
	bool inside = hart_mask_test(&slot->affinity, slot->hart);
	struct hart_meta *to = pick_hart(slot->controller, &slot->affinity);

	if (!to || to->index == slot->hart)
		return false;
	if (inside && nr_routed[to->index] + 1 >= nr_routed[slot->hart])
		return false;
	settle(slot, to);
	return true;
}

/* One source under one hold: the controller's registers are slow. */
static bool spread_one(unsigned i)
{
	bool moved;

	irqlock_acquire(&irq_lock);
	moved = atomic_load_u32(&mode, relaxed) == IRQ_SPREAD && i < irq_nr_slots &&
		irq_slot_used(&irq_slots[i]) && spread_slot(&irq_slots[i]);
	irqlock_release(&irq_lock);
	return moved;
}

void irq_spread(void)
{
	bool moved = atomic_load_u32(&mode, relaxed) == IRQ_SPREAD;

	/* Each move lowers the sum of the squares of the harts' numbers; the bound is for others
	 * who may change routes meanwhile. */
	for (unsigned rounds = 0; moved && rounds < IRQ_SLOTS; rounds++) {
		moved = false;
		for (unsigned i = 0; i < IRQ_SLOTS; i++)
			moved |= spread_one(i);
	}
}

/* ---- Load ------------------------------------------------------------------------------------ */

static struct timer beat_timer;

void irq_route_init(void)
{
	timer_init(&beat_timer, beat);
}

/* What the last look worked on; large for a handler's stack. */
static struct {
	struct irq_balance_source sources[IRQ_SLOTS];
	struct hart_mask online;
	uint32_t load[CONFIG_MAX_HARTS];
} last_look GUARDED_BY(&irq_lock);

static void measure(struct irq_slot *slot, struct irq_balance_source *out) REQUIRES(&irq_lock)
{
	uint32_t count = racy_read(slot->counts[slot->hart], "a statistic");

	*out = (struct irq_balance_source){.events = irq_slot_used(slot) ? count - slot->since : 0,
		.hart = slot->hart,
		.rests = slot->rests > 0,
		.harts = &slot->affinity};
	slot->since = count;
	slot->rests -= slot->rests > 0;
}

static bool look(void) REQUIRES(&irq_lock)
{
	unsigned source, hart;

	hart_mask_zero(&last_look.online);
	for_each_hart(h)
		if (h->irqchip && takes_sources(h->irqchip, h->index))
			hart_mask_set(&last_look.online, h->index);
	for (unsigned i = 0; i < irq_nr_slots; i++)
		measure(&irq_slots[i], &last_look.sources[i]);
	if (!irq_balance_pick(last_look.sources, irq_nr_slots, &last_look.online, last_look.load,
		    &source, &hart))
		return false;
	settle(&irq_slots[source], harts[hart]);
	irq_slots[source].rests = IRQ_RESTS;
	return true;
}

bool irq_balance_look(void)
{
	bool moved;

	irqlock_acquire(&irq_lock);
	moved = atomic_load_u32(&mode, relaxed) == IRQ_LOAD && look();
	irqlock_release(&irq_lock);
	return moved;
}

static void beat(struct timer *t)
{
	irqlock_acquire_in_irq(&irq_lock);
	if (atomic_load_u32(&mode, relaxed) == IRQ_LOAD) {
		look();
		timer_start(t, clock_now_ns() + BEAT_NS);
	}
	irqlock_release_in_irq(&irq_lock);
}

/* ---- Modes ----------------------------------------------------------------------------------- */

static const char *const mode_names[] = {
	[IRQ_FIXED] = "fixed", [IRQ_SPREAD] = "spread", [IRQ_LOAD] = "load"};

const char *irq_balance_name(enum irq_balance m)
{
	return mode_names[m];
}

int irq_balance_named(const char *name, enum irq_balance *out)
{
	for (unsigned i = 0; i < ARRAY_SIZE(mode_names); i++) {
		if (strcmp(name, mode_names[i]) != 0)
			continue;
		*out = (enum irq_balance)i;
		return 0;
	}
	return -EINVAL;
}

enum irq_balance irq_balance(void)
{
	return atomic_load_u32(&mode, relaxed);
}

void irq_balance_set(enum irq_balance m)
{
	irqlock_acquire(&irq_lock);
	atomic_store_u32(&mode, m, relaxed);
	if (m == IRQ_LOAD && irq_controller(0))
		timer_start(&beat_timer, clock_now_ns() + BEAT_NS);
	else if (irq_controller(0))
		timer_cancel(&beat_timer);
	for (unsigned i = 0; i < irq_nr_slots; i++) {
		irq_slots[i].rests = 0;
		irq_slots[i].since = racy_read(
			irq_slots[i].counts[irq_slots[i].hart], "a statistic");
	}
	irqlock_release(&irq_lock);
	irq_spread();
}
