/* SPDX-License-Identifier: MIT */
/*
 * Torture of an interrupt-disabling lock: a thread on every hart, a timer handler on every hart and
 * calls from hart to hart all take the same lock and change the same data, which shows whether two
 * of them were ever inside together.
 *
 * Beside tests/torture, which has more of everything, this is the trial that is a test like others:
 * at any number of harts from one on, in the configurations without that engine (race: each access
 * watched, a run a seed), a pinned thread and handlers on each hart, and for locks that a test
 * makes up: the broken ones of lock_irq.c, of each of which it must see the damage.
 */
#ifndef TESTS_KERNEL_LOCK_TORTURE_H
#define TESTS_KERNEL_LOCK_TORTURE_H

#include "lib/types.h"

/* What is tortured: `acquire` may be called in threads and handlers. try may be NULL. */
struct torture_lock {
	void (*acquire)(void);
	void (*release)(void);
	bool (*try)(void);
};

struct torture_result {
	unsigned long violations; /* somebody else was inside, or interrupts were on */
	unsigned long by_threads, by_timers, by_calls; /* times inside */
	unsigned long lost;			       /* updates that are missing at the end */
};

/*
 * Every thread goes inside `rounds` times and every kind of handler at least once a hart; with
 * `until_violation` it goes on until something was seen to be wrong (bounded by a last resort).
 */
void torture_run(const struct torture_lock *lock, unsigned rounds, bool until_violation,
	struct torture_result *result);

#endif
