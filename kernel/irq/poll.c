/* SPDX-License-Identifier: MIT */
/*
 * Sources that wait: no hart that their controller reaches is online.
 *
 * What a controller keeps for a hart, any hart can get at. So while a source waits, a timer looks
 * for it POLLS_PER_SEC times a second, wherever that timer is: it claims for the hart that the
 * source was routed to last, runs the handler, and completes for that hart. Nothing is lost, and
 * nothing comes twice; it comes later.
 *
 * Meanwhile such a hart may start, and take the source over:
 *	- The source has been claimed, so the controller gives it to nobody before it is completed.
 *	  The handler still runs on one hart at a time.
 *	- Firmware clears the hart's enable bits on the way, perhaps just before the completion,
 *	  which then has no effect (drivers/irqchip/plic.c). So what was polled is completed once
 *	  more when it gets a hart (irq_poll_end): a completion too many harms nothing.
 */
#include "kernel/hart/hart.h"
#include "kernel/irq/table.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"

#define POLLS_PER_SEC 100

static struct timer poll_timer;
static unsigned nr_waiting GUARDED_BY(&irq_lock);

static const struct irq_ops *ops_of(const struct irq_slot *slot)
{
	return irq_ops(slot->controller);
}

/* For the hart that it is routed to, whose enable bit a start may have cleared. */
static void complete(const struct irq_slot *slot) REQUIRES(&irq_lock)
{
	ops_of(slot)->route(slot->controller->chip, irq_pin(slot), harts[slot->hart]);
	ops_of(slot)->complete(slot->controller->chip, harts[slot->hart], irq_pin(slot));
}

void irq_poll_begin(struct irq_slot *slot)
{
	slot->waits = true;
	/* An earlier poll may still be in the handler. */
	slot->polled = slot->in_poll;
	if (!nr_waiting++)
		timer_start(&poll_timer, clock_now_ns() + NS_PER_SEC / POLLS_PER_SEC);
}

void irq_poll_end(struct irq_slot *slot)
{
	if (slot->polled && !slot->in_poll)
		complete(slot);
	slot->waits = false;
	nr_waiting--;
}

/* True: it has been claimed, and the handler is to run here. */
static bool take(struct irq_slot *slot) REQUIRES(&irq_lock)
{
	if (!irq_slot_used(slot) || !slot->waits || slot->in_poll ||
		!ops_of(slot)->take(slot->controller->chip, harts[slot->hart], irq_pin(slot)))
		return false;
	slot->in_poll = slot->polled = true;
	irq_serve_begin(slot->source);
	return true;
}

/* False past the end. */
static bool poll_one(unsigned i)
{
	struct irq_slot *slot = &irq_slots[i];
	bool there, taken;

	irqlock_acquire_in_irq(&irq_lock);
	there = i < irq_nr_slots;
	taken = there && take(slot);
	irqlock_release_in_irq(&irq_lock);
	if (!taken)
		return there;
	irq_serve(this_hart(), slot->source);
	irqlock_acquire_in_irq(&irq_lock);
	slot->in_poll = false;
	complete(slot); /* whoever has it by now */
	irqlock_release_in_irq(&irq_lock);
	return true;
}

static void poll(struct timer *t)
{
	unsigned i = 0;

	while (poll_one(i))
		i++;
	irqlock_acquire_in_irq(&irq_lock);
	if (nr_waiting)
		timer_start(t, clock_now_ns() + NS_PER_SEC / POLLS_PER_SEC);
	irqlock_release_in_irq(&irq_lock);
}

void irq_poll_init(void)
{
	timer_init(&poll_timer, poll);
}
