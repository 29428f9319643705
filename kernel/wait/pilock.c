/* SPDX-License-Identifier: MIT */
/*
 * The sleeping lock with an owner (pilock.h has the word's states and the rules of hand-off).
 *
 * Rules while wq.lock is free
 *   - the word has QUEUED  <=>  somebody is queued or work is pending
 *   - then, if it is owned by a thread that lives, that thread inherits (donee, pi.c)
 *   - if it was passed to nobody, posts are pending and nobody is queued
 *   - if it is free and somebody is queued, the first one has been woken since
 *
 * No lost wake-up: a waiter sets QUEUED by compare-and-swap on the owned word, under wq.lock,
 * before it queues. The owner's fast unlock is a compare-and-swap on the word without flags: it
 * comes before, and the waiter sees the lock free; or it fails, and the owner comes here and waits
 * for wq.lock.
 *
 * The last touch: while the word has QUEUED or ABANDONED it is had by way of wq.lock only, so the
 * release of that is the last touch of who gave the lock up. A word without flags is had by one
 * compare-and-swap: so an owner behind whom nobody is any more first clears QUEUED, then releases
 * wq.lock, and then gives the lock up by the compare-and-swap of an uncontended unlock, or begins
 * again if somebody has queued in between.
 */
#include "kernel/wait/pilock.h"

#include "kernel/lock/race.h"
#include "kernel/lock/relax.h"
#include "kernel/panic.h"
#include "kernel/sched/qs.h"
#include "kernel/sched/sched.h"
#include "kernel/wait/cycle.h"
#include "kernel/wait/pi.h"
#include "lib/errno.h"

/* Steps a newcomer spins at most while the owner runs: about a short hold. */
#define SPIN_STEPS 256

struct lock_class pilock_waitq_class = {
	.name = "lock.waitq",
	.file = __FILE__,
	.rank = RANK_WAITQ,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ,
	.max_hold_us = 30,
	.protects = "the waiters of a mutex, rwmutex or mixlock",
};
LINKSET_ADD(lock_class, struct lock_class, pilock_waitq_class);

void pilock_init(
	struct pilock *l, enum pilock_kind kind, struct lock_class *class) UNCHECKED_LOCKING
{
	/* Unchecked: nobody else knows the lock yet. */
	check_init(l);
	*l = (struct pilock){.kind = kind, .class = class};
	waitq_init(&l->wq, &pilock_waitq_class);
}

uint32_t pilock_owner(const struct pilock *l)
{
	/* Relaxed: a look; who needs more holds wq.lock or is the owner. */
	return atomic_load_u32(&l->word, relaxed) & ~PILOCK_FLAGS;
}

bool pilock_is_mine(const struct pilock *l)
{
	return pilock_owner(l) == lock_thread()->handle;
}

/* May be asked in a quiescent-state section only. */
static struct thread *owner_thread(uint32_t word)
{
	if (pilock_word_is_handler(word) || !(word & ~PILOCK_FLAGS))
		return NULL;
	return thread_of_handle(word);
}

/* Is it worth waiting awake for the owner of `word`? */
static bool owner_runs(uint32_t word)
{
	struct thread *owner;
	bool runs;

	if (pilock_word_is_handler(word))
		return (word & ~PILOCK_FLAGS) != PILOCK_PASSED;
	qs_read_begin();
	owner = owner_thread(word);
	runs = owner && owner != current_thread() && sched_thread_running(owner);
	qs_read_end();
	return runs;
}

/* Waits awake while the owner runs. True: got the lock, by the uncontended way. */
static bool spin(struct pilock *l)
{
	for (unsigned n = 0; n < SPIN_STEPS; n++) {
		uint32_t w = atomic_load_u32(&l->word, relaxed);

		if (!w) {
			if (pilock_try_fast(l))
				return true;
			continue;
		}
		if (!(w & ~PILOCK_FLAGS) || (w & PILOCK_ABANDONED) || !owner_runs(w))
			return false;
		LOCK_WAITING(pilock_spin);
		relax();
	}
	return false;
}

void pilock_bury_locked(struct pilock *l)
{
	uint32_t w = atomic_load_u32(&l->word, relaxed);
	bool queued = waitq_first(&l->wq) || l->posts_pending;

	LOCK_POINT(pilock_bury);
	pi_detach(l);
	l->dead_owner = w & ~PILOCK_FLAGS;
	/* Relaxed: nobody but us changes a word whose owner is dead; its stores were published when
	 * it ended (its last switch). */
	atomic_store_u32(&l->word, PILOCK_ABANDONED | (queued ? PILOCK_QUEUED : 0), relaxed);
}

/* e is the entry of whoever `me` names. Not "of the running thread": a handler that takes the lock
 * may have interrupted one that is queued for it. */
static bool entry_is_of(const struct wait_entry *e, uint32_t me)
{
	return e->thread->lock.handle == me;
}

/* Somebody other than `me`, who takes the lock now, is queued. */
static bool others_behind(struct pilock *l, uint32_t me) REQUIRES(&l->wq)
{
	struct wait_entry *first = waitq_first(&l->wq);

	if (l->posts_pending)
		return true;
	return first && (!entry_is_of(first, me) || rbtree_next(&first->node));
}

/* `first` is to have the free lock before `me`: real-time, and not of lower priority. Against a
 * fair first waiter every priority is high enough. */
static bool goes_before(const struct wait_entry *first, uint32_t me)
{
	return first && first->prio && !entry_is_of(first, me) &&
		first->prio >=
		racy_read(current_thread()->prio_effective, "who goes first; a wish");
}

/* The word's part of taking a free lock. */
static bool take_word(struct pilock *l, uint32_t me, bool past_rt) REQUIRES(&l->wq)
{
	uint32_t w = atomic_load_u32(&l->word, relaxed);
	struct wait_entry *first;
	uint32_t mine;

	do {
		if (w & ~PILOCK_FLAGS) {
			if (pilock_word_is_handler(w) || owner_thread(w))
				return false;
			pilock_bury_locked(l);
			w = atomic_load_u32(&l->word, relaxed);
		}
		first = waitq_first(&l->wq);
		if (!past_rt && goes_before(first, me)) {
			LOCK_POINT(pilock_rt_first);
			return false;
		}
		mine = me | (w & PILOCK_ABANDONED) | (others_behind(l, me) ? PILOCK_QUEUED : 0);
		LOCK_POINT(pilock_take);
		/* Acquire; partner: the release of the unlock before. It fails only against a
		 * newcomer's or the owner's fast way, on a word without flags. */
	} while (!atomic_cas_u32(&l->word, &w, mine, acquire));
	if (first && !entry_is_of(first, me)) {
		lock_stat_of(l->class, l, LOCK_STOLEN);
		LOCK_POINT(pilock_steal);
	}
	return true;
}

/* The owner by the word inherits from whoever is behind it, if anybody is. */
static bool attach_owner(struct pilock *l) REQUIRES(&l->wq)
{
	uint32_t w = atomic_load_u32(&l->word, relaxed);
	struct thread *owner = owner_thread(w);

	return !(w & PILOCK_QUEUED) || pilock_word_is_handler(w) || (owner && pi_attach(l, owner));
}

bool pilock_take_locked(struct pilock *l, uint32_t me, bool past_rt)
{
	if (!take_word(l, me, past_rt))
		return false;
	if (!attach_owner(l))
		panic("%s taken by a thread that has ended", l->class->name);
	return true;
}

bool pilock_take_passed(struct pilock *l, struct thread **changed)
{
	if (pilock_owner(l) != PILOCK_PASSED)
		return false;
	assert(l->posts_pending && !waitq_first(&l->wq));
	LOCK_POINT(pilock_take_passed);
	*changed = pi_detach(l);
	pilock_set_owner_locked(l, current_thread(), lock_thread()->handle);
	return true;
}

bool pilock_mark_queued(struct pilock *l)
{
	uint32_t w = atomic_load_u32(&l->word, relaxed);

	while (!(w & PILOCK_QUEUED)) {
		if (!(w & ~PILOCK_FLAGS))
			return false;
		LOCK_POINT(pilock_mark_queued);
		/* Relaxed: a flag for the owner's unlock, which then comes for wq.lock. */
		if (atomic_cas_u32(&l->word, &w, w | PILOCK_QUEUED, relaxed))
			return true;
	}
	return true;
}

struct thread *pilock_inherit_locked(struct pilock *l, bool *dead)
{
	*dead = false;
	if (l->donee)
		return pi_refresh(l) ? l->donee : NULL;
	if (!pilock_owner(l))
		return NULL;
	if (!attach_owner(l)) {
		*dead = true;
		pilock_bury_locked(l);
	}
	return l->donee;
}

/* Takes the lock or queues for it. True: taken. *owner: whom the caller waits for. */
static bool take_or_queue(struct pilock *l, struct wait_entry *e, struct thread **owner)
	REQUIRES(&l->wq)
{
	bool dead;

	for (;;) {
		if (pilock_take_locked(l, lock_thread()->handle, false))
			return true;
		LOCK_WINDOW(pilock_not_taken);
		if (!pilock_mark_queued(l)) {
			LOCK_POINT(pilock_freed_meanwhile);
			continue;
		}
		waitq_enqueue(&l->wq, e);
		pilock_inherit_locked(l, &dead);
		*owner = l->donee;
		if (!dead)
			return false;
		LOCK_POINT(pilock_owner_died);
		waitq_dequeue(&l->wq, e);
	}
}

/* A nudged waiter's attempt: it leaves the queue with the lock, or stays. */
static bool take_as_waiter(struct pilock *l, struct wait_entry *e) REQUIRES(&l->wq)
{
	if (!take_word(l, lock_thread()->handle, false)) {
		LOCK_POINT(pilock_stays_queued);
		return false;
	}
	waitq_dequeue(&l->wq, e);
	l->steals = 0;
	if (!attach_owner(l))
		panic("%s taken by a thread that has ended", l->class->name);
	return true;
}

/* The waiter has given up and left the queue. Returns from where pi_propagate goes on. */
static struct thread *gave_up(struct pilock *l) REQUIRES(&l->wq)
{
	struct wait_entry *first = waitq_first(&l->wq);
	struct thread *changed = NULL;

	LOCK_POINT(pilock_gave_up);
	/* If the lock is free, the first one is awake already: who has been woken does not give up
	 * before it has tried, so it was not the one that left. */
	if (first || l->posts_pending) {
		changed = pi_refresh(l);
	} else {
		changed = pi_detach(l);
		/* Relaxed: see pilock_mark_queued. */
		atomic_and_u32(&l->word, ~PILOCK_QUEUED, relaxed);
	}
	return changed;
}

/* Sleeps until the lock is the caller's (0), or not. */
static int sleep_for(struct pilock *l, struct wait_entry *e, const struct wait_limit *limit)
	REQUIRES(&l->wq)
{
	int rc;

	for (;;) {
		lock_stat_of(l->class, l, LOCK_PARKED);
		rc = waitq_sleep(&l->wq, e, limit);
		if (rc)
			return rc;
		if (!e->queued || take_as_waiter(l, e))
			return 0;
		/* Somebody was faster, and may wait for what this thread holds. */
		wait_goes_on(&lock_thread()->wait);
		cycle_closed();
	}
}

static int own_result(const struct pilock *l)
{
	return atomic_load_u32(&l->word, relaxed) & PILOCK_ABANDONED ? -EOWNERDEAD : 0;
}

/* Queued: from here to the lock, or to an error. Preemption off, and on at the end. */
static int wait_queued(struct pilock *l, struct wait_entry *e, struct thread *owner,
	const struct wait_limit *limit) RELEASES(&l->wq)
{
	bool limited = limit->interruptible || limit->deadline_ns != WAIT_FOREVER;
	struct thread *changed = NULL;
	int rc = 0;

	waitq_unlock(&l->wq);
	if (!pi_wait_begins(owner) && limited)
		rc = -EDEADLK;
	qs_read_end();
	waitq_lock(&l->wq);
	if (!rc || e->woken)
		rc = sleep_for(l, e, limit);
	waitq_dequeue(&l->wq, e);
	qs_read_begin();
	if (rc)
		changed = gave_up(l);
	if (rc == -ETIMEDOUT)
		lock_stat(l->class, LOCK_TIMED_OUT);
	waitq_unlock(&l->wq);
	pi_propagate(changed);
	qs_read_end();
	return rc ? rc : own_result(l);
}

static int lock_slow(struct pilock *l, const struct wait_limit *limit)
{
	struct lock_thread *me = lock_thread();
	struct thread *owner = NULL, *changed = NULL;
	struct wait_entry e;
	int rc;

	if (!LOCK_CHAOS(pilock_no_spin) && spin(l))
		return 0;
	wait_entry_init(&e, &l->wq, l, true);
	e.timed = limit->deadline_ns != WAIT_FOREVER;
	qs_read_begin();
	waitq_lock(&l->wq);
	if (pilock_take_passed(l, &changed) || take_or_queue(l, &e, &owner)) {
		waitq_unlock(&l->wq);
		pi_propagate(changed);
		qs_read_end();
		return own_result(l);
	}
	wait_begins(&me->wait, waitq_how(WAIT_PILOCK, limit), l, l->class, 0);
	rc = wait_queued(l, &e, owner, limit);
	wait_ends(&me->wait);
	return rc;
}

int pilock_lock_slow(struct pilock *l, const struct wait_limit *limit)
{
	uint64_t since = lock_stat_wait_begins();
	int rc;

	lock_stat_of(l->class, l, LOCK_CONTENDED);
	LOCK_EVENT(pilock_contended, l, l->class);
	rc = lock_slow(l, limit);
	lock_stat_waited(l->class, l, since);
	return rc;
}

void pilock_set_owner_locked(struct pilock *l, struct thread *t, uint32_t w)
{
	uint32_t old = atomic_load_u32(&l->word, relaxed);
	bool queued = waitq_first(&l->wq) || l->posts_pending;

	pi_detach(l);
	/* Release; partner: the new owner's acquire of wq.lock, or of the word. */
	atomic_store_u32(
		&l->word, w | (old & PILOCK_ABANDONED) | (queued ? PILOCK_QUEUED : 0), release);
	if (queued && t && !pi_attach(l, t))
		panic("%s given to a thread that has ended", l->class->name);
}

void pilock_grant_locked(struct pilock *l, struct wait_entry *e)
{
	lock_stat(l->class, LOCK_HANDED_OFF);
	LOCK_POINT(pilock_grant);
	waitq_unlink(&l->wq, e);
	l->steals = 0;
	pilock_set_owner_locked(l, e->thread, e->thread->lock.handle);
	waitq_nudge(&l->wq, e);
}

void pilock_pass_locked(struct pilock *l)
{
	struct wait_entry *first = waitq_first(&l->wq);

	if (first &&
		(first->prio || l->steals >= PILOCK_MAX_STEALS || LOCK_CHAOS(pilock_hand_off))) {
		pilock_grant_locked(l, first);
		return;
	}
	pilock_set_owner_locked(l, NULL, 0);
	LOCK_POINT(pilock_give_up);
	if (first) {
		l->steals++;
		waitq_nudge(&l->wq, first);
	}
}

bool pilock_pass_or_clear(struct pilock *l)
{
	uint32_t w = atomic_load_u32(&l->word, relaxed);

	if (waitq_first(&l->wq) || l->posts_pending || (w & PILOCK_ABANDONED)) {
		pilock_pass_locked(l);
		return true;
	}
	pi_detach(l);
	/* Relaxed: the lock stays the owner's. */
	atomic_and_u32(&l->word, ~PILOCK_QUEUED, relaxed);
	return false;
}

void pilock_unlock_slow(struct pilock *l)
{
	uint32_t mine = lock_thread()->handle;
	bool passed;

	if (!pilock_is_mine(l))
		panic("%s released by a thread that does not hold it", l->class->name);
	do {
		waitq_lock(&l->wq);
		passed = pilock_pass_or_clear(l);
		waitq_unlock(&l->wq);
	} while (!passed && !pilock_give_up(l, mine));
}

void pilock_recover(struct pilock *l)
{
	assert(pilock_is_mine(l));
	waitq_lock(&l->wq);
	/* Relaxed: the owner is the caller, which sees it in its own order. */
	atomic_and_u32(&l->word, ~PILOCK_ABANDONED, relaxed);
	waitq_unlock(&l->wq);
}

void pilock_not_robust(struct pilock *l)
{
	uint32_t dead;

	waitq_lock(&l->wq);
	dead = l->dead_owner;
	waitq_unlock(&l->wq);
	abandoned_report(l, dead);
}
