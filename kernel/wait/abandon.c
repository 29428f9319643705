/* SPDX-License-Identifier: MIT */
/*
 * Giving up the locks of a thread that ended (abandon.h).
 *
 * With CONFIG_LOCKCHECK there is a record of all that t holds: these are buried first, while t
 * still counts as their owner, so that nobody can have had one, and let its memory go, before us.
 * For the same reason a lock is off the record before it can be had. (Chaos takes some off and does
 * no more: then they are given up as if there were no record.)
 *
 * Locks with somebody behind them are in t.pi_waiters: each is taken from t, marked abandoned, and
 * passed on. (A mixed lock that was passed to nobody, and only lent t its posts' priority, is no
 * lock of t's.) The others are found when somebody comes for them: their word names a thread that
 * is gone (thread_of_handle: a handle holds the slot's generation), or that is marked as given up
 * by waiting_entry. The mark is set under t's PI lock when its tree is empty, so that whoever
 * queues behind t either is found here, or sees the mark (pi_attach) and buries the lock itself.
 *
 * A generation has 16 bits: a lock that was left alone while its dead owner's slot was used 65,536
 * times again could be taken for a living thread's.
 */
#include "kernel/wait/abandon.h"

#include "kernel/lock/check.h"
#include "kernel/lock/held.h"
#include "kernel/lock/relax.h"
#include "kernel/wait/mixlock.h"
#include "kernel/wait/pi.h"
#include "kernel/wait/rwmutex.h"

struct wait_entry wait_entry_dead;

/* l is on the record of t, dead, or donates to it. */
static void abandon(struct thread *t, struct pilock *l) RELEASES(&l->wq)
{
	bool mixed = l->kind == PILOCK_MIXLOCK;

	LOCK_POINT(abandon_lock);
	check_forget(&t->lock, l);
	if (pilock_owner(l) != t->lock.handle) {
		if (l->donee == t)
			pi_detach(l);
		waitq_unlock(&l->wq);
		return;
	}
	pilock_bury_locked(l);
	if (mixed)
		pilock_set_owner_locked(l, current_thread(), lock_thread()->handle);
	else
		pilock_pass_locked(l);
	waitq_unlock(&l->wq);
	if (mixed)
		mixlock_release_dead(container_of(l, struct mixlock, pi));
}

/* The first lock that donates to t, with its queue's lock held; NULL: none, and t is marked. Clang
 * cannot name that lock, hence unchecked. */
static struct pilock *lock_first_donor(struct thread *t) UNCHECKED_LOCKING
{
	struct irqlock *mine = pi_lock_of(t);
	struct relax wait = RELAX_INIT;

	for (;;) {
		struct pilock *l;
		bool got;

		irqlock_acquire(mine);
		l = pi_first_donor(t);
		if (!l)
			t->waiting_entry = &wait_entry_dead;
		got = l && !LOCK_CHAOS(abandon_try_fails) && irqlock_try(&l->wq.lock);
		irqlock_release(mine);
		if (!l || got)
			return l;
		LOCK_WAITING(abandon_again);
		relax_step(&wait);
	}
}

static void abandon_recorded(struct thread *t, const struct held_lock *held)
{
	void *lock = (void *)held->lock;
	unsigned flags = held->flags;

	if (flags & (CHECK_WRITE | CHECK_MIXED)) {
		struct pilock *l = lock;

		if (LOCK_CHAOS(abandon_forgets)) {
			check_forget(&t->lock, lock);
			return;
		}
		waitq_lock(&l->wq);
		abandon(t, l);
		return;
	}
	if (CONFIG_LOCKCHECK)
		check_forget(&t->lock, lock);
	else
		held_pop(t->lock.held, &t->lock.nr_held);
	if (flags & CHECK_READ)
		rwmutex_reader_died(lock);
}

/* Unchecked: lock_first_donor's lock has no name here. */
void wait_abandon_all(struct thread *t) UNCHECKED_LOCKING
{
	struct pilock *l;

	assert(t != current_thread());
	while (t->lock.nr_held)
		abandon_recorded(t, &t->lock.held[t->lock.nr_held - 1]);
	while ((l = lock_first_donor(t)))
		abandon(t, l);
	if (t->fn == work_thread)
		work_thread_died(t);
}
