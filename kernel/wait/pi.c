/* SPDX-License-Identifier: MIT */
/*
 * Priority inheritance.
 *
 * A lock with an owner and somebody behind it (a waiter, or posted work) donates: it is filed in
 * owner->pi_waiters by the highest priority behind it. So for every thread t and lock l
 *
 *	l is filed with t   <=>  l.donee == t   <=>  t owns l and l's word has PILOCK_QUEUED, or l
 *						     was passed, and t is the work thread asked
 *	t.prio_effective == max(t.prio, first of t.pi_waiters)
 *
 * whenever l.wq.lock and t's PI lock are free. An owner that is no thread (a handler) or that is
 * gone inherits nothing.
 *
 * The first rule is kept by whoever changes word, queue or posts, under l.wq.lock: pi_attach,
 * pi_detach, pi_refresh. The second is kept by recompute(), under t's PI lock, in each of these
 * and after a change of t.prio. Undoing needs nothing of its own: release, timeout, kill and
 * death take the waiter or the lock out of the trees, and recompute() finds what is left.
 *
 * Chains. If t itself sleeps, its entry in the queue where it sleeps has to move, and if that is
 * the queue of a lock, that lock's donation changes too, and so on: pi_propagate, one link at a
 * time, holding nothing between links. A link starts from t's PI lock, under which
 * t.waiting_entry says where t sleeps, and needs that queue's lock, which comes before it in the
 * order: so it is tried, and on failure everything is given up and the link begun again. With
 * both held the entry cannot leave (leaving takes the queue's lock); then t's PI lock is released
 * and the queue's kept. Concurrent walks may overtake each other; each brings entry and donation
 * to what they should be at that moment, and whoever changes a priority after that walks as well.
 * A post from a handler begins a walk, too, and there chains have no length that could be waited
 * for with interrupts off: after PI_HANDLER_LINKS links it leaves off, and the hart's work thread
 * begins one walk from every thread there is, which finds where the first one stopped: the one
 * whose entry is not filed by its priority. Until then the far end of the chain runs as before.
 *
 * Cycles: chain.c. A thread publishes its wait before it walks and then looks for one; a walk that
 * meets its own beginning ends there.
 *
 * pi_shard.lock (irqlock, rank PI): "the PI lock of t", shared by threads with one hash
 *   Protects: t.waiting_entry, t.pi_waiters, and of what is filed there pilock.donated, .donation;
 *             t.prio_effective changes under it (and the run queue's lock); by a change of t's
 *             own priority under the latter alone, after which own_priority_changed comes here.
 *   Taken by: threads and handlers.
 *   Order:    after wait queues, before RUNQ. Never two of them.
 */
#include "kernel/wait/pi.h"

#include "kernel/lock/race.h"
#include "kernel/lock/relax.h"
#include "kernel/sched/qs.h"
#include "kernel/sched/sched.h"
#include "kernel/sched/table.h"
#include "kernel/wait/abandon.h"
#include "kernel/wait/cycle.h"
#include "kernel/wait/work.h"

#define PI_SHARDS 64
/* Links a walk makes at most: it could meet a cycle that is being reported by another. */
#define PI_WALK_MAX 256

DEFINE_LOCK_CLASS(pi_class, .name = "pi", .rank = RANK_PI, .contexts = LOCK_IN_THREAD | LOCK_IN_IRQ,
	.max_hold_us = 20, .protects = "what threads inherit, and where they sleep");

static struct pi_shard {
	struct irqlock lock;
	uint64_t serial GUARDED_BY(&lock); /* of the last wait published here */
} __attribute__((aligned(64))) shards[PI_SHARDS] = {
	[0 ... PI_SHARDS - 1] = {.lock = IRQLOCK_INIT(&pi_class)},
};

/* What a change of a thread's own priority changes without the PI lock. */
#define own_of(x) racy_read(x, "own_priority_changed comes here after a change")

static struct pi_shard *shard_of(const struct thread *t)
{
	/* Slots of the thread table are some hundred bytes each. */
	return &shards[((uintptr_t)t / sizeof(struct thread)) % PI_SHARDS];
}

struct irqlock *pi_lock_of(const struct thread *t)
{
	return &shard_of(t)->lock;
}

static struct pilock *donor_of(const struct rbnode *node)
{
	return rbtree_entry(node, struct pilock, donation);
}

struct pilock *pi_first_donor(const struct thread *t)
{
	struct rbnode *first;

	check_guarded(pi_lock_of(t), __func__);
	first = rbtree_first(&t->pi_waiters);
	return first ? donor_of(first) : NULL;
}

static bool donates_more(const struct rbnode *a, const struct rbnode *b)
{
	return donor_of(a)->donated > donor_of(b)->donated;
}

void pi_publish_wait(unused_arg struct waitq *wq, struct wait_entry *e)
{
	struct pi_shard *s = shard_of(e->thread);

	irqlock_acquire(&s->lock);
	e->serial = ++s->serial;
	e->prio = own_of(e->thread->prio_effective);
	e->thread->waiting_entry = e;
	irqlock_release(&s->lock);
	LOCK_POINT(pi_published);
}

void pi_retract_wait(unused_arg struct waitq *wq, struct wait_entry *e)
{
	struct pi_shard *s = shard_of(e->thread);

	irqlock_acquire(&s->lock);
	e->thread->waiting_entry = NULL;
	irqlock_release(&s->lock);
}

/* Second rule of the head comment; t's PI lock held. Returns whether it changed anything. */
static bool recompute(struct thread *t)
{
	struct pilock *first = pi_first_donor(t);
	uint8_t prio = own_of(t->prio);

	if (first)
		prio = MAX(prio, first->donated);
	if (prio == own_of(t->prio_effective))
		return false;
	sched_set_effective_priority(t, prio);
	return true;
}

static uint8_t behind(struct pilock *l) REQUIRES(&l->wq)
{
	struct wait_entry *first = waitq_first(&l->wq);
	uint8_t prio = first ? first->prio : 0;

	return l->posts_pending ? MAX(prio, l->class->post_prio) : prio;
}

bool pi_attach(struct pilock *l, struct thread *owner)
{
	struct pi_shard *s = shard_of(owner);
	bool alive;

	assert(!guarded(&l->wq.lock, l->donee));
	irqlock_acquire(&s->lock);
	alive = owner->waiting_entry != &wait_entry_dead;
	if (alive) {
		l->donee = owner;
		l->donated = behind(l);
		rbtree_insert(&owner->pi_waiters, &l->donation, donates_more);
		recompute(owner);
	}
	irqlock_release(&s->lock);
	return alive;
}

struct thread *pi_detach(struct pilock *l)
{
	struct thread *t = guarded(&l->wq.lock, l->donee);
	struct pi_shard *s;
	bool changed;

	if (!t)
		return NULL;
	s = shard_of(t);
	irqlock_acquire(&s->lock);
	rbtree_remove(&t->pi_waiters, &l->donation);
	changed = recompute(t);
	irqlock_release(&s->lock);
	l->donee = NULL;
	return changed ? t : NULL;
}

struct thread *pi_refresh(struct pilock *l)
{
	struct thread *t = guarded(&l->wq.lock, l->donee);
	uint8_t prio = behind(l);
	bool changed = false;
	struct pi_shard *s;

	if (!t)
		return NULL;
	s = shard_of(t);
	irqlock_acquire(&s->lock);
	if (prio != l->donated) {
		rbtree_remove(&t->pi_waiters, &l->donation);
		l->donated = prio;
		rbtree_insert(&t->pi_waiters, &l->donation, donates_more);
		changed = recompute(t);
	}
	irqlock_release(&s->lock);
	return changed ? t : NULL;
}

/* Where t sleeps, with that queue's lock held; NULL: nowhere. The lock has no name that clang could
 * follow, hence unchecked; so below. */
static struct wait_entry *lock_wait_of(struct thread *t) UNCHECKED_LOCKING
{
	struct irqlock *mine = pi_lock_of(t);
	struct relax wait = RELAX_INIT;

	for (;;) {
		struct wait_entry *e;
		bool got;

		irqlock_acquire(mine);
		e = t->waiting_entry;
		if (!e || e == &wait_entry_dead) {
			irqlock_release(mine);
			return NULL;
		}
		got = irqlock_try(&e->wq->lock);
		irqlock_release(mine);
		if (got)
			return e;
		LOCK_WAITING(pi_link_again);
		relax_step(&wait);
	}
}

/* Somebody in the queue of `l` has moved, maybe. Returns whether the owner's priority changed. */
static bool donate_anew(struct pilock *l) REQUIRES(&l->wq)
{
	/* Free: whoever is the first one now has to be awake. */
	if (!pilock_owner(l)) {
		LOCK_POINT(pi_nudge_first);
		waitq_nudge(&l->wq, waitq_first(&l->wq));
	}
	return pi_refresh(l);
}

struct thread *pi_link(struct thread *t, struct pi_link *link) UNCHECKED_LOCKING
{
	struct wait_entry *e = lock_wait_of(t);
	struct waitq *wq;

	*link = (struct pi_link){.thread = t};
	if (!e)
		return NULL;
	wq = e->wq;
	if (e->queued) {
		uint8_t prio = own_of(t->prio_effective);

		if (e->prio != prio) {
			LOCK_POINT(pi_move_waiter);
			waitq_requeue(wq, e, prio);
		}
		link->serial = e->serial;
		link->timed = e->timed;
		link->lock = e->pilock;
	}
	if (e->queued && e->pilock) {
		link->changed = donate_anew(e->pilock);
		link->owner = e->pilock->donee;
	}
	waitq_unlock(wq);
	return link->owner;
}

/* What walks with interrupts off left. Threads are type-stable: one that ended waits for nothing.
 */
static void walk_rest(struct work *w unused_arg)
{
	for (unsigned i = 0, end = thread_table_end(); i < end; i++) {
		struct thread *t = thread_table_peek(i);

		qs_read_begin();
		pi_propagate(t);
		qs_read_end();
	}
}

static struct work rest = WORK_INIT(walk_rest);

void pi_propagate(struct thread *t)
{
	unsigned most = arch_irq_enabled() ? PI_WALK_MAX : PI_HANDLER_LINKS;
	struct pi_link link;

	for (unsigned n = 0; t && n < most; n++) {
		t = pi_link(t, &link);
		if (!link.changed)
			return;
		LOCK_POINT(pi_next_link);
	}
	if (t && most == PI_HANDLER_LINKS)
		work_queue(&rest);
}

bool pi_wait_begins(struct thread *owner)
{
	struct thread *me = current_thread(), *t = owner;
	struct pi_link link;

	if (owner == me) {
		cycle_of_one();
		return false;
	}
	for (unsigned n = 0; t && t != me && n < PI_WALK_MAX; n++)
		t = pi_link(t, &link);
	return !cycle_closed();
}

/* The scheduler's hook: t's own priority changed. */
static void own_priority_changed(struct thread *t)
{
	struct irqlock *lock = pi_lock_of(t);

	qs_read_begin();
	irqlock_acquire(lock);
	recompute(t);
	irqlock_release(lock);
	pi_propagate(t);
	qs_read_end();
}

void pi_init(void)
{
	sched_set_pi_hook(own_priority_changed);
}
