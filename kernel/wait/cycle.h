/* SPDX-License-Identifier: MIT */
/* Deadlocks of threads that wait for each other's locks: found by pi.c, confirmed and shown here.
 */
#ifndef KERNEL_WAIT_CYCLE_H
#define KERNEL_WAIT_CYCLE_H

#include "kernel/wait/pi.h"

/*
 * The chain of waits that begins with `me`, the running thread, came back to it. Walks it again;
 * false: it is no deadlock. Otherwise reports (kind deadlock), which ends the system unless a test
 * expects it: true. Preemption off, no lock held.
 */
bool cycle_confirmed(struct thread *me);

/*
 * The same where a member may be a writer that waits for the readers of an rwmutex: looks for a way
 * from `me`, which has published its wait, back to it. Looks at most at SEARCH_MAX links (cycle.c).
 */
bool cycle_through_readers(struct thread *me);

/* The lock, just acquired in its plain form, has lost a holder. Reports, likewise. */
void abandoned_report(const struct pilock *l, uint32_t dead_owner);

#endif
