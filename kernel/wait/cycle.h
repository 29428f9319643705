/* SPDX-License-Identifier: MIT */
/* Deadlocks that are there: found by who closes the cycle (chain.c), said here. */
#ifndef KERNEL_WAIT_CYCLE_H
#define KERNEL_WAIT_CYCLE_H

#include "kernel/wait/chain.h"
#include "kernel/wait/pilock.h"

/* Registers with the locks that know no threads. Once, before the second hart. */
void cycle_init(void);

/*
 * The running thread has begun its wait (kernel/lock/waiting.h): if that closes a cycle, reports
 * it (kind deadlock), which ends the system with the card unless a test expects it: then true.
 * Preemption or interrupts off; takes no lock.
 */
bool cycle_closed(void);
/* The same for who has them on. Thread. */
void cycle_look(void);
/* Nobody goes on: the same for a circle anywhere. For who watches; in none himself, perhaps. */
bool cycle_find(void);
/* The running thread asks for a lock that it owns. Reports, likewise. */
void cycle_of_one(void);

/* The cycle, or the chain of waits, that the report of this hart is about; NULL: another matter. */
const struct chain *cycle_reported(void);
void cycle_report_is_about(const struct chain *c);

/* The lock, just acquired in its plain form, has lost a holder. Reports, likewise. */
void abandoned_report(const struct pilock *l, uint32_t dead_owner);

#endif
