/* SPDX-License-Identifier: MIT */
/*
 * irq_reentry: a thread holds a spinning lock with interrupts on, and a handler takes it.
 *
 * What is wrong
 *   The simplest of all deadlocks between a lock and an interrupt. A thread takes the lock of a
 *   device's counters; the device interrupts the same hart; the handler wants the same lock and
 *   spins. The thread that could give it up is what the handler interrupted, so it never runs
 *   again. One hart is enough. Most small kernels have this bug on their first day, as their first
 *   spin lock is an exchange in a loop and nothing else.
 *
 * How it shows
 *   A hart is gone: it answers nothing, and the interrupt that it is in is the last one. It
 *   happens the more often the longer the section is and the more interrupts there are, so it
 *   shows under load, at customers.
 *
 * How it is found
 *   By the lock checker. A class has an edge to the interrupt contexts once one of its locks was
 *   held with interrupts on ("who waits for it may have to wait for a handler to end"), and an
 *   edge from them once a handler asked for it. Both together are a cycle, whoever comes first, on
 *   whatever harts and however far apart in time:
 *
 *	lockcheck: kind=irq what=irq class=gallery.reentry ...
 *
 *   An irqlock cannot be held so: it turns interrupts off itself. The entry therefore tells the
 *   checker about its own spin lock, which does not, by the acquires that the checker has for
 *   tests (check_test.h), and plays the handler.
 *
 * The fix
 *   Interrupts off before the lock is taken and back after it is given up: an irqlock does both,
 *   in this order. Where the section is too long for that, a mixed lock keeps interrupts on and
 *   has handlers post their work instead of waiting.
 */
#include "kernel/lock/check_test.h"
#include "tests/gallery/gallery.h"

GALLERY_CLASS(reentry_class, "reentry");

static struct spin {
	bool taken;
} counters_lock; /* Protects: nr_packets */
static unsigned nr_packets;

static void spin_lock(struct spin *s)
{
	if (locktest_acquire_raw(s, &reentry_class, 0))
		s->taken = true;
}

static void spin_unlock(struct spin *s)
{
	s->taken = false;
	locktest_release_raw(s, &reentry_class, 0);
}

static void read_counters(bool fixed)
{
	if (fixed)
		locktest_irq_disable();
	spin_lock(&counters_lock);
	nr_packets = 0;
	spin_unlock(&counters_lock);
	if (fixed)
		locktest_irq_enable();
}

static void packet_arrives(void)
{
	locktest_irq_enter(IRQ_EXTERNAL);
	spin_lock(&counters_lock);
	nr_packets++;
	spin_unlock(&counters_lock);
	locktest_irq_exit();
}

GALLERY_CHECKED(irq_reentry, "a handler takes what its thread holds", KIND_IRQ, "irq", 1)
{
	locktest_sim_begin();
	read_counters(fixed);
	packet_arrives(); /* later, and harmlessly: the lock is free */
	locktest_sim_end();
}
