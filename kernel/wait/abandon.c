/* SPDX-License-Identifier: MIT */
/*
 * Giving up the locks of a thread that ended (abandon.h).
 *
 * Locks with somebody behind them are in t.pi_waiters: each is taken from t, marked abandoned, and
 * passed on. The others are found when somebody comes for them: their word names a thread that is
 * gone (thread_of_handle: a handle holds the slot's generation), or that is marked as given up by
 * waiting_entry. The mark is set under t's PI lock when its tree is empty, so that whoever queues
 * behind t either is found here, or sees the mark (pi_attach) and buries the lock itself.
 *
 * A generation has 16 bits: a lock that was left alone while its dead owner's slot was used 65,536
 * times again could be taken for a living thread's. With CONFIG_LOCKCHECK the record of held locks
 * is there, and these are buried here as well.
 */
#include "kernel/wait/abandon.h"

#include "kernel/lock/check.h"
#include "kernel/lock/relax.h"
#include "kernel/wait/mixlock.h"
#include "kernel/wait/pi.h"
#include "kernel/wait/rwmutex.h"

struct wait_entry wait_entry_dead;

/* Somebody is behind l, which t, dead, owned. */
static void abandon_contended(struct pilock *l) RELEASES(&l->wq)
{
	bool mixed = l->kind == PILOCK_MIXLOCK;

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

	for (;;) {
		struct pilock *l;
		bool got;

		irqlock_acquire(mine);
		l = pi_first_donor(t);
		if (!l)
			t->waiting_entry = &wait_entry_dead;
		got = l && irqlock_try(&l->wq.lock);
		irqlock_release(mine);
		if (!l || got)
			return l;
		relax();
	}
}

/* A sleeping lock on t's record that nobody waits for. */
static void abandon_recorded(struct thread *t, struct pilock *l)
{
	waitq_lock(&l->wq);
	if (pilock_owner(l) == t->lock.handle)
		pilock_bury_locked(l);
	waitq_unlock(&l->wq);
}

static void forget_record(struct thread *t, const struct held_lock *held)
{
	void *lock = (void *)held->lock;
	unsigned flags = held->flags;

	if (CONFIG_LOCKCHECK)
		check_forget(&t->lock, lock);
	else
		t->lock.nr_held--;
	if (flags & CHECK_READ)
		rwmutex_reader_died(lock);
	else if (flags & CHECK_WRITE || flags & CHECK_MIXED)
		abandon_recorded(t, lock);
}

/* Unchecked: lock_first_donor's lock has no name here. */
void wait_abandon_all(struct thread *t) UNCHECKED_LOCKING
{
	struct pilock *l;

	assert(t != current_thread());
	while ((l = lock_first_donor(t)))
		abandon_contended(l);
	while (t->lock.nr_held)
		forget_record(t, &t->lock.held[t->lock.nr_held - 1]);
	if (t->fn == work_thread)
		work_thread_died(t);
}
