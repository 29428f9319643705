/* SPDX-License-Identifier: MIT */
/*
 * Which events are signalled by posted work of mixed locks.
 *
 * Work that is posted to a mixed lock runs, at the latest, when its holder gives the lock up. A
 * thread that holds the lock and waits for an event that such work signals therefore waits for
 * itself. The checker knows the pairs (class of the event, class of the mixed lock) from
 * event_declare, or has learned them from any earlier run of posted work that signalled an event of
 * that class (a handler that interrupts such a run, or a lock that it takes, makes no pair); a wait
 * with the lock held is then reported as the deadlock that it is, also if this time the event had
 * already happened.
 *
 * The pairs lie in a small static table without a lock: a slot is claimed by compare-and-swap and
 * never changes afterwards. Nothing of it is there without CONFIG_LOCKCHECK.
 */
#ifndef KERNEL_WAIT_EVENT_H
#define KERNEL_WAIT_EVENT_H

#include "kernel/lock/class.h"

void event_note_pair(const struct lock_class *event, const struct lock_class *mix);
void event_note_wake(const struct lock_class *event);
void event_note_wait(const void *what, const struct lock_class *event, uintptr_t pc);

/* Says that work posted to locks of `mix` signals events of class `event`. Either. */
static inline void event_declare(const struct lock_class *event, const struct lock_class *mix)
{
	if (CONFIG_LOCKCHECK)
		event_note_pair(event, mix);
}

/* An event of this class is signalled now. Either. */
static inline void event_signalled(const struct lock_class *event)
{
	if (CONFIG_LOCKCHECK)
		event_note_wake(event);
}

/* The running thread is about to wait for one. Thread. */
static inline void event_awaited(const void *what, const struct lock_class *event, uintptr_t pc)
{
	if (CONFIG_LOCKCHECK)
		event_note_wait(what, event, pc);
}

#endif
