/* SPDX-License-Identifier: MIT */
/*
 * How a thread is scheduled: priority, weight, affinity; and what others may know of it. All fields
 * are guarded by the lock of the thread's run queue. The locks come from thread_runq_lock, which
 * clang cannot follow: the outer functions are unchecked, what works under the lock is not.
 */
#include "kernel/lock/race.h"
#include "kernel/sched/internal.h"
#include "kernel/sched/qs.h"
#include "kernel/time/clock.h"
#include "lib/assert.h"
#include "lib/errno.h"

#define AFFINITY_POLL_NS (200 * NS_PER_US)

static void (*pi_hook)(struct thread *t);

void sched_set_pi_hook(void (*fn)(struct thread *t))
{
	pi_hook = fn;
}

/* curr of rq is not what it was: others may be better now. Returns whom to tell. */
static unsigned look_again(struct runq *rq) REQUIRES(&rq->lock)
{
	const struct thread *best = runq_first(rq);

	sched_show_rt(rq);
	/* It runs no real-time thread any more: one that waits elsewhere may come. */
	if (rq->after & AFTER_PULL)
		return sched_ask(rq);
	if (best && (runq_goes_first(best, rq->curr) || runq_wants_tick(rq)))
		return sched_ask(rq);
	return 0;
}

/* Returns whom to tell. */
static unsigned requeue_at(struct runq *rq, struct thread *t, unsigned prio) REQUIRES(&rq->lock)
{
	bool lower = prio < t->prio_effective;

	if (!t->on_rq) {
		if (rq->curr == t)
			runq_charge(rq, arch_time());
		t->prio_effective = prio;
		if (prio == PRIO_FAIR)
			runq_settle(rq, t, 0);
		return rq->curr == t ? look_again(rq) : 0;
	}
	runq_remove(rq, t);
	t->prio_effective = prio;
	if (prio == PRIO_FAIR)
		runq_settle(rq, t, 0);
	/* Who is lowered to a priority (the end of an inheritance) goes before its equals. */
	runq_add(rq, t, lower ? RUNQ_HEAD : RUNQ_TAIL);
	return runq_preempts(rq, t) ? sched_ask(rq) : 0;
}

/* rq's lock is released here. */
static void move_away(struct runq *rq, struct thread *t) RELEASES(&rq->lock) UNCHECKED_LOCKING
{
	/* In transit with interrupts off, so that nothing delays it. */
	irq_off();
	irqlock_release(&rq->lock);
	sched_place(t, sched_choose(t, rq->hart), PLACE_MOVED);
	irq_on();
	sched_check_preempt();
}

/* It waits behind a real-time thread, as one itself, and another hart runs less. */
static bool waits_in_vain(struct runq *rq, const struct thread *t) REQUIRES(&rq->lock)
{
	return t->on_rq && runq_is_rt(t) && !runq_preempts(rq, t) && sched_rt_elsewhere(rq, t);
}

/* t's priority was changed; rq's lock is released here. */
static void settle(struct runq *rq, struct thread *t, unsigned tell)
	RELEASES(&rq->lock) UNCHECKED_LOCKING
{
	if (waits_in_vain(rq, t)) {
		runq_remove(rq, t);
		move_away(rq, t);
		return;
	}
	/* It goes on waiting: who frees a hart shall find it. */
	if (t->on_rq && runq_is_rt(t) && !tell)
		tell = sched_offer(rq, t);
	irqlock_release(&rq->lock);
	sched_tell(tell);
	sched_check_preempt();
}

int sched_set_priority(struct thread *t, enum sched_policy policy, unsigned prio) UNCHECKED_LOCKING
{
	struct runq *rq;
	unsigned inherited, tell;

	if (policy > SCHED_RR || prio > PRIO_RT_MAX ||
		(policy == SCHED_FAIR) != (prio == PRIO_FAIR))
		return -EINVAL;
	rq = thread_runq_lock(t);
	inherited = t->prio_effective > t->prio ? t->prio_effective : PRIO_FAIR;
	t->policy = policy;
	t->prio = prio;
	tell = requeue_at(rq, t, MAX(prio, inherited));
	settle(rq, t, tell);
	if (pi_hook)
		pi_hook(t);
	sched_check_preempt();
	return 0;
}

void sched_set_effective_priority(struct thread *t, unsigned prio) UNCHECKED_LOCKING
{
	struct runq *rq = thread_runq_lock(t);
	unsigned tell = 0;

	assert(prio <= PRIO_RT_MAX);
	if (prio != t->prio_effective)
		tell = requeue_at(rq, t, prio);
	settle(rq, t, tell);
}

int sched_set_weight(struct thread *t, unsigned weight) UNCHECKED_LOCKING
{
	struct runq *rq;

	if (weight < WEIGHT_MIN || weight > WEIGHT_MAX)
		return -EINVAL;
	rq = thread_runq_lock(t);
	/* What it ran so far is charged by the old weight. */
	if (rq->curr == t)
		runq_charge(rq, arch_time());
	t->weight = weight;
	irqlock_release(&rq->lock);
	return 0;
}

enum affinity_rest {
	AFFINITY_DONE,
	AFFINITY_PLACE,
	AFFINITY_ASK
};

/* Takes it out of the queue if it may not stay there, or need not. */
static enum affinity_rest affinity_changed(struct runq *rq, struct thread *t) REQUIRES(&rq->lock)
{
	if (sched_allowed(t, rq) && !waits_in_vain(rq, t))
		return AFFINITY_DONE;
	if (t->on_rq) {
		runq_remove(rq, t);
		return AFFINITY_PLACE;
	}
	if (rq->curr != t)
		return AFFINITY_DONE;
	rq->check |= CHECK_CURR;
	return AFFINITY_ASK;
}

/* Sends `t` where it belongs; rq's lock is released here. Returns whether it runs elsewhere at this
 * moment: its hart was asked to make it leave. */
static bool put_right(struct runq *rq, struct thread *t) RELEASES(&rq->lock) UNCHECKED_LOCKING
{
	enum affinity_rest rest = affinity_changed(rq, t);
	unsigned tell = 0;

	if (rest == AFFINITY_PLACE) {
		move_away(rq, t);
		return false;
	}
	if (rest == AFFINITY_ASK)
		tell = sched_ask(rq);
	else if (t->on_rq)
		/* It waits here, and may go where it could not before. */
		tell = sched_offer(rq, t);
	irqlock_release(&rq->lock);
	sched_tell(tell);
	sched_check_preempt();
	return rest == AFFINITY_ASK;
}

static bool one_stays(const struct hart_mask *mask)
{
	unsigned hart;

	for_each_hart_in_mask(hart, mask)
		if (hart < nr_harts && harts[hart] && hart_is_online(harts[hart]))
			return true;
	return false;
}

int sched_set_affinity(struct thread *t, const struct hart_mask *mask) UNCHECKED_LOCKING
{
	struct runq *rq;

	/* The look and the store in one section: see sched.h. */
	qs_read_begin();
	if (!one_stays(mask)) {
		qs_read_end();
		return -EINVAL;
	}
	rq = thread_runq_lock(t);
	hart_mask_copy(&t->affinity, mask);
	put_right(rq, t);
	qs_read_end();
	return 0;
}

void sched_wait_affinity(struct thread *t) UNCHECKED_LOCKING
{
	might_sleep();
	/* Queued on a wrong hart counts, too: harts come and go after an affinity was set. */
	while (put_right(thread_runq_lock(t), t))
		sched_sleep_ns(AFFINITY_POLL_NS);
}

unsigned sched_hart_of(const struct thread *t)
{
	const struct runq *rq = thread_runq(t);

	return rq ? rq->hart : 0;
}

bool sched_thread_running(const struct thread *t)
{
	/* A thread that prepares its sleep counts as asleep: nobody should spin for it. */
	return thread_state(t) == THREAD_RUNNING;
}

uint64_t sched_thread_ran_ns(struct thread *t) UNCHECKED_LOCKING
{
	struct runq *rq = thread_runq_lock(t);
	uint64_t ran;

	if (rq->curr == t)
		runq_charge(rq, arch_time());
	ran = t->ran;
	irqlock_release(&rq->lock);
	return ticks_to_ns(ran);
}

unsigned sched_hart_load(const struct hart_meta *h)
{
	return h->runq ? atomic_load_u32(&h->runq->load, relaxed) : 0;
}

struct thread *sched_hart_thread(const struct hart_meta *h)
{
	return (struct thread *)racy_read(h->lock.thread, "for reports");
}

uint64_t sched_hart_idle_ns(const struct hart_meta *h)
{
	return h->idle && h->runq ? sched_thread_ran_ns(h->idle) : 0;
}

const char *thread_state_name(enum thread_state state)
{
	static const char *const names[] = {
		[THREAD_NEW] = "new",
		[THREAD_READY] = "ready",
		[THREAD_RUNNING] = "running",
		[THREAD_SLEEPING] = "sleeping",
		[THREAD_SLEEPING_INTR] = "waiting",
		[THREAD_DEAD] = "dead",
	};

	return (size_t)state < ARRAY_SIZE(names) ? names[state] : "?";
}

const char *sched_policy_name(enum sched_policy policy)
{
	static const char *const names[] = {
		[SCHED_FAIR] = "fair",
		[SCHED_FIFO] = "fifo",
		[SCHED_RR] = "rr",
	};

	return (size_t)policy < ARRAY_SIZE(names) ? names[policy] : "?";
}
