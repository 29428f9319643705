/* SPDX-License-Identifier: MIT */
/*
 * What tests of the lock checker need and nobody else may use: forgetting, simulated interrupts,
 * and acquires that are nothing but the checker's part. Only with CONFIG_LOCKCHECK.
 *
 * A simulation is one thread's: it stays on its hart with SIE off, so that nothing comes between,
 * and the rules see what is simulated. Real locks may be used in it; for them interrupts are off.
 */
#ifndef KERNEL_LOCK_CHECK_TEST_H
#define KERNEL_LOCK_CHECK_TEST_H

#include "kernel/lock/check.h"

/* Forgets every edge to or from these classes (also as events, also from interrupts). Nobody uses
 * them meanwhile. Either. */
void locktest_forget(struct lock_class *const *classes, unsigned n);
/* The same for the classes of all tests: of no rank or of RANK_TEST_*,
 * or with a name that begins with "test.". */
void locktest_forget_all(void);

/* Thread. Begins in thread context, with simulated interrupts on; ends with nothing raw held. Few
 * at once on the whole system (LOCKTEST_SIMULATIONS). */
#define LOCKTEST_SIMULATIONS 8
void locktest_sim_begin(void);
void locktest_sim_end(void);
/* Within a simulation. Enabling finds what is held raw in use by handlers: KIND_IRQ. */
void locktest_irq_disable(void);
void locktest_irq_enable(void);
/* A handler arrives, over what is held; with simulated interrupts off, until exit. Not nested. */
void locktest_irq_enter(enum irq_kind kind);
void locktest_irq_exit(void);

/*
 * The checker's part of an acquire, and of a release, of `lock`, an address: no lock word, no SIE.
 * `flags` as the real lock gives them. False: the checker forbids it, nothing is recorded. Within a
 * simulation.
 */
bool locktest_acquire_raw(const void *lock, struct lock_class *class, unsigned flags);
void locktest_release_raw(const void *lock, struct lock_class *class, unsigned flags);
/* One of several of a class, which are taken under `outer`: that not being held is a report. */
bool locktest_acquire_nested_raw(
	const void *lock, struct lock_class *class, unsigned flags, const void *outer);

/* As if the backtraces of only so many more edges had room (UINT_MAX: as many as have), and what
 * is full will be said again. */
void locktest_limit(unsigned edges);
/* How many tables were said to be full since. */
unsigned locktest_overflow_said(void);

/* Is there an edge of any kind? */
bool locktest_edge(const struct lock_class *from, const struct lock_class *to);

#endif
