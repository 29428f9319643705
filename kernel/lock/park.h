/* SPDX-License-Identifier: MIT */
/*
 * Parking on a lock word: shared by irqlock.c and irqrwlock.c.
 *
 * Bits 20-31 of a lock word, the kick field, hold the index + 1 of the one parked hart that the
 * next giver-up has to wake; 0: nobody. Who parks sets it by the same compare-and-swap that saw the
 * reason to wait; who removes the reason takes it by the same atomic access that does so. There is
 * one location, so its coherence alone decides who came first: no full fence is needed between "I
 * am parked" and "is it free?", one park gets at most one kick, and none is lost.
 *
 * A kick may arrive late (its receiver woke for another reason and went on) or never matter: it is
 * then a software interrupt without a message, which its handler or the next park ignores.
 */
#ifndef KERNEL_LOCK_PARK_H
#define KERNEL_LOCK_PARK_H

#include "kernel/lock/atomic.h"
#include "kernel/lock/context.h"

#define KICK_SHIFT 20
#define KICK_MASK (0xfffu << KICK_SHIFT)
#define KICK_OF(index) (((index) + 1u) << KICK_SHIFT)

static_assert(CONFIG_MAX_HARTS < 0xfff, "a hart's index + 1 fits the kick field");

/*
 * Before a waiter sleeps: whoever waits for long comes here, and looks whether it waits for itself.
 * The last one of a circle finds it (waiting.h). Without the checker's records nobody knows who
 * holds an irqlock, and there is nothing to look at.
 */
static inline void park_looks(void)
{
	if (CONFIG_LOCKCHECK && wait_closes_cycle_hart)
		wait_closes_cycle_hart();
}

/* Sleeps until the word's kick field no longer names this hart. SIE off. */
void park_while_named(const atomic_u32 *word, const struct lock_hart *h);
/* Sleeps while `state` has the value `parked`. SIE off. */
void park_while_state(const atomic_u32 *state, uint32_t parked);
/* Sends the kick that the old value of a word asks for, if it does. */
void park_kick(uint32_t old_word);

#endif
