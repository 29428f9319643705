/* SPDX-License-Identifier: MIT */
/*
 * Priority inheritance: a thread runs at the highest of its own priority and those of the first
 * waiters of all locks that it owns (and of work posted to them). Theory: pi.c.
 */
#ifndef KERNEL_WAIT_PI_H
#define KERNEL_WAIT_PI_H

#include "kernel/wait/pilock.h"

/* Registers with the scheduler. Once, after sched_init, before the second thread. */
void pi_init(void);

/* Publishes where the running thread is about to sleep, and that it no longer is. Stores what the
 * entry is queued by. */
void pi_publish_wait(struct waitq *wq, struct wait_entry *e) REQUIRES(wq);
void pi_retract_wait(struct waitq *wq, struct wait_entry *e) REQUIRES(wq);

/*
 * The lock has an owner, `owner`, and waiters or posts: from now on they count for it. False: that
 * thread's locks were given up already (abandon.c); nothing changed.
 */
bool pi_attach(struct pilock *l, struct thread *owner) REQUIRES(&l->wq);
/* They no longer count for it. Returns it if its priority changed, otherwise NULL. */
struct thread *pi_detach(struct pilock *l) REQUIRES(&l->wq);
/* The first waiter or the posts may have changed. Returns who inherits if its priority changed;
 * then pi_propagate goes on from there. */
struct thread *pi_refresh(struct pilock *l) REQUIRES(&l->wq);

/*
 * The priority of `t` (NULL: of nobody) changed: carries it on along the locks that it and their
 * owners wait for. With interrupts off only over PI_HANDLER_LINKS of them; then a work thread does
 * the rest. Either, no lock of rank WORK or later held; preemption off since `t` was known.
 */
#define PI_HANDLER_LINKS 4
void pi_propagate(struct thread *t);
/*
 * The running thread has queued for a lock of `owner`: carries its priority on, and finds out
 * whether its wait closes a cycle. Returns false if it does and a test expects the report.
 * Preemption off.
 */
bool pi_wait_begins(struct thread *owner);

/* ---- For cycle.c and abandon.c ----------------------------------------------------------- */

/* One link of a chain, as it was at one moment. */
struct pi_link {
	struct thread *thread;
	struct pilock *lock;  /* that it waits for, NULL: none */
	struct thread *owner; /* of that, NULL: none that inherits */
	uint64_t serial;      /* of the wait */
	bool timed;
	bool changed; /* the owner's priority, by this look */
};
/* Brings the link from `t` on up to date and describes it; returns its owner. Preemption off. */
struct thread *pi_link(struct thread *t, struct pi_link *link);
struct irqlock *pi_lock_of(const struct thread *t);
/* The first of the locks that donate to t; t's PI lock held. */
struct pilock *pi_first_donor(const struct thread *t);

#endif
