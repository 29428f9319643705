/* SPDX-License-Identifier: MIT */
/*
 * Which hart a thread goes to: wake-up placement, stealing, balancing.
 *
 * A thread that wakes up goes to its last hart if that is idle, else to an idle hart of its
 * affinity, else (real-time) to a hart that runs no real-time thread, else to the shortest of three
 * queues: its last, the waker's and one more in turn. A hart that becomes idle steals; a hart that
 * shares itself by slices gives a thread away now and then. Nothing here grows with the number of
 * harts beyond looking at the words of a bit mask.
 *
 * Nearness (kernel/hart/topology.h). Of several idle harts the one nearest to the thread's last is
 * taken, and of several queues that with something to steal which is nearest to the thief: level by
 * level, a mask each, none where all harts are as near. Of the harts that are tried in turn,
 * whether their queue is shorter, three in four are of the same node.
 *
 * Real-time threads. One that has to make room, or that waits behind another one as a hart decides,
 * or as its own priority or affinity changes, goes to a hart that runs a fair one; a hart that ends
 * running a real-time thread, or being promised to one, pulls one that waits elsewhere. Among
 * several priorities there is no order over all harts, only on each.
 *
 * In transit. To change queues a thread is first claimed under its queue's lock (out of the queue,
 * or out of its sleep: READY, on_rq false, curr of no queue), then placed under both locks. In
 * between nobody else moves it: a wake-up sees READY, a steal does not find it, whoever changes its
 * affinity or priority changes fields under the old queue's lock, and sched_place looks at them
 * under that lock.
 *
 * No waiting thread beside an idle hart: two sets of harts, one protocol.
 *   A hart that idles     sets its bit of sched_idle (AMO, acquire and release), then looks at
 *                         sched_queued and takes the lock of each queue in it.
 *   Who queues a thread   under the queue's lock: sets the bit of sched_queued (AMO) unless it is
 *   behind another one    shown already, then looks at sched_idle and wakes a hart of it.
 * If the bit was not shown, each side's AMO is before its look (.aq orders what follows), so one of
 * the two sees the other. If it was shown, the lock of the queue decides: an idle hart that takes
 * it later finds the thread; one that took it earlier and found nothing cleared the bit under that
 * lock (so it was not shown), or found others and has work. A bit of sched_idle is cleared by
 * whoever wakes that hart, so that two wakers choose two harts.
 *
 * No real-time thread waiting beside a hart that runs a fair one: the same protocol, its sets being
 * sched_running_rt and waiting_rt.
 *   A hart that frees itself   clears its bit of sched_running_rt (AMO), then looks at waiting_rt
 *                              and takes the lock of each queue in it (AFTER_PULL). So does one
 *                              that idled and begins to run a fair thread, after its bit of
 *                              sched_idle is gone.
 *   Who queues one behind      under the queue's lock: sets the bit of waiting_rt (AMO) unless it
 *   another one                is set already, then looks at sched_idle and wakes a hart of it;
 *                              then at sched_running_rt, and if there is a hart for it has its own
 *                              hart push it (AFTER_PUSH).
 * Either look may be out of date the other way: then a pull finds nothing, or a push leaves all
 * where it is.
 */
#include "kernel/hart/topology.h"
#include "kernel/sched/internal.h"
#include "lib/assert.h"

struct hart_mask sched_accepting;
struct hart_mask sched_idle;
struct hart_mask sched_queued;
struct hart_mask sched_running_rt;
struct hart_mask sched_reserve;
/* Harts where a real-time thread waits: never missing, sometimes stale. */
static struct hart_mask waiting_rt;

/* The first hart of *m after `hart`, in a circle; CONFIG_MAX_HARTS if *m is empty. */
static unsigned mask_after(const struct hart_mask *m, unsigned hart)
{
	unsigned next = hart_mask_next(m, hart);

	return next < CONFIG_MAX_HARTS ? next : hart_mask_first(m);
}

/* The hart of *m that is nearest to `hart`; the first after it in a circle of those that are as
 * near. CONFIG_MAX_HARTS if *m is empty. */
static unsigned mask_nearest(const struct hart_mask *m, unsigned hart)
{
	struct hart_mask near;

	for (unsigned level = 0; level < nr_nearness; level++)
		if (hart_mask_and(&near, m, hart_near(hart, level)))
			return mask_after(&near, hart);
	return mask_after(m, hart);
}

/* A hart of *m, another one at each turn, mostly of the node of `hart`. CONFIG_MAX_HARTS if *m is
 * empty. */
static unsigned mask_in_turn(const struct hart_mask *m, unsigned hart, unsigned long turn)
{
	unsigned level = nr_nearness - 1, first;
	struct hart_mask near;

	if (nr_nearness && turn % 4 && hart_mask_and(&near, m, hart_near(hart, level))) {
		first = hart_mask_find(&near, hart_near_turn(hart, level, turn / 4));
		return first < CONFIG_MAX_HARTS ? first : hart_mask_first(&near);
	}
	/* What is left of the turn where a part of it has decided. */
	turn = nr_nearness ? turn / 4 : turn;
	return mask_after(m, turn % nr_harts);
}

static unsigned hart_load(unsigned hart)
{
	/* Relaxed: a hint. */
	return atomic_load_u32(&runq_of_hart(hart)->load, relaxed);
}

bool sched_allowed_anywhere(const struct thread *t)
{
	return !hart_mask_meet(&t->affinity, &sched_accepting);
}

/* Takes the hart of both masks nearest to `near` out of sched_idle; CONFIG_MAX_HARTS if there is
 * none. */
static unsigned claim_idle(const struct hart_mask *may, unsigned near)
{
	struct hart_mask idle;

	while (hart_mask_and(&idle, may, &sched_idle)) {
		unsigned hart = mask_nearest(&idle, near);

		if (hart_mask_atomic_clear(&sched_idle, hart))
			return hart;
	}
	return CONFIG_MAX_HARTS;
}

/* The harts of *may that run no real-time thread. */
static void harts_for_rt(const struct hart_mask *may, struct hart_mask *fair)
{
	for (unsigned w = 0; w < HART_MASK_WORDS; w++) {
		unsigned long rt = hart_mask_word(&sched_running_rt, w);

		atomic_store_ulong(&fair->bits[w], hart_mask_word(may, w) & ~rt, relaxed);
	}
}

/* One of them, `last` for choice; CONFIG_MAX_HARTS if there is none. */
static unsigned choose_for_rt(const struct hart_mask *may, unsigned last)
{
	struct hart_mask fair;

	harts_for_rt(may, &fair);
	if (hart_mask_test(&fair, last))
		return last;
	return mask_nearest(&fair, last);
}

bool sched_rt_elsewhere(const struct runq *rq, const struct thread *t)
{
	struct hart_mask may;
	unsigned hart;

	if (!hart_mask_and(&may, &t->affinity, &sched_accepting))
		return false;
	hart = choose_for_rt(&may, rq->hart);
	return hart < CONFIG_MAX_HARTS && hart != rq->hart;
}

static unsigned choose_shortest(const struct hart_mask *may, unsigned last)
{
	unsigned here = lock_hart()->index;
	/* Moves on with every decision of the last hart: some other hart, a different one each
	 * time. */
	unsigned long turn = atomic_load_ulong(&runq_of_hart(last)->quiescent, relaxed) / 2;
	unsigned best = mask_in_turn(may, last, turn);

	if (best != here && hart_mask_test(may, here) && hart_load(here) <= hart_load(best))
		best = here;
	if (best != last && hart_mask_test(may, last) && hart_load(last) <= hart_load(best))
		best = last;
	return best;
}

unsigned sched_choose(const struct thread *t, unsigned last)
{
	struct hart_mask may;
	unsigned hart;

	if (!hart_mask_and(&may, &t->affinity, &sched_accepting))
		hart_mask_copy(&may, &sched_accepting);
	if (hart_mask_test(&may, last) && !hart_load(last)) {
		if (hart_mask_test(&sched_idle, last))
			hart_mask_atomic_clear(&sched_idle, last);
		return last;
	}
	hart = claim_idle(&may, last);
	if (hart < CONFIG_MAX_HARTS)
		return hart;
	if (runq_is_rt(t)) {
		hart = choose_for_rt(&may, last);
		if (hart < CONFIG_MAX_HARTS)
			return hart;
	}
	hart = choose_shortest(&may, last);
	assert(hart < CONFIG_MAX_HARTS);
	return hart;
}

/* Two branches and a loop over one or two locks are more than clang follows, hence unchecked. */
void runq_lock_pair(struct runq *a, struct runq *b) UNCHECKED_LOCKING
{
	if (a == b) {
		irqlock_acquire(&a->lock);
	} else if (a->hart < b->hart) {
		irqlock_acquire(&a->lock);
		irqlock_acquire_second(&b->lock, &a->lock);
	} else {
		irqlock_acquire(&b->lock);
		irqlock_acquire_second(&a->lock, &b->lock);
	}
}

void runq_unlock_pair(struct runq *a, struct runq *b) UNCHECKED_LOCKING
{
	if (a != b)
		irqlock_release(&b->lock);
	irqlock_release(&a->lock);
}

static void show_queued(struct runq *rq, const struct thread *t) REQUIRES(&rq->lock)
{
	if (!rq->queued_shown) {
		rq->queued_shown = true;
		/* Partner: the idle hart's AMO on sched_idle, before it looks here. */
		hart_mask_atomic_set(&sched_queued, rq->hart);
	}
	/* Only under this lock does the bit change. */
	if (runq_is_rt(t) && !hart_mask_test(&waiting_rt, rq->hart))
		hart_mask_atomic_set(&waiting_rt, rq->hart);
}

unsigned sched_ask(struct runq *rq)
{
	struct lock_hart *here = lock_hart();

	if (here->index != rq->hart)
		return rq->hart + 1;
	here->need_resched = true;
	return 0;
}

unsigned sched_offer(struct runq *rq, const struct thread *t)
{
	unsigned hart;

	show_queued(rq, t);
	if (unlikely(hart_mask_meet(&sched_idle, &t->affinity))) {
		hart = claim_idle(&t->affinity, rq->hart);
		if (hart < CONFIG_MAX_HARTS)
			return hart + 1;
	}
	/* After the bit of waiting_rt. Partner: sched_show_rt_slow. */
	if (likely(!runq_is_rt(t)) || !sched_rt_elsewhere(rq, t))
		return 0;
	rq->after |= AFTER_PUSH;
	return sched_ask(rq);
}

/* t goes before curr, which is asked to leave. Returns whom to tell. */
static unsigned take_over(struct runq *rq, const struct thread *t) REQUIRES(&rq->lock)
{
	unsigned other = 0;

	/* Another one may be before t, then t waits. curr is offered when it is queued, and t if
	 * curr stays after all (offer_left). */
	if (rq->nr_queued > 1)
		other = sched_offer(rq, t);
	/* From now on the hart counts as taken: the next real-time thread goes elsewhere. */
	if (runq_is_rt(t) && !rq->rt_shown) {
		rq->rt_shown = true;
		hart_mask_atomic_set(&sched_running_rt, rq->hart);
	}
	return sched_ask(rq) | other << TELL_SECOND;
}

static void start_at_origin(struct runq *rq, struct thread *t) REQUIRES(&rq->lock)
{
	runq_move_origin(rq);
	t->vruntime = rq->origin;
}

unsigned sched_enqueue(struct runq *rq, struct thread *t, enum placing how)
{
	uint64_t now = arch_time();
	unsigned tell;

	assert(rq->curr != t);
	runq_charge(rq, now);
	if (how != PLACE_MOVED)
		t->slice_end = t->ran + rq->slice;
	if (how == PLACE_WOKEN)
		runq_settle(rq, t, SLEEPER_CREDIT(rq->slice));
	else if (how == PLACE_NEW)
		start_at_origin(rq, t);
	if (unlikely(!hart_mask_test(&t->affinity, rq->hart)))
		rq->check |= CHECK_ALL;
	/* Relaxed: published by the lock's release. */
	atomic_store_u32(&t->state, THREAD_READY, relaxed);
	runq_add(rq, t, RUNQ_TAIL);
	if (runq_preempts(rq, t))
		return take_over(rq, t);
	tell = sched_offer(rq, t);
	if (lock_hart()->index == rq->hart)
		sched_arm_tick(rq, now);
	else if (!rq->tick && runq_wants_tick(rq))
		/* A hart arms its own tick: there by IPI, after which it decides again. */
		tell |= (rq->hart + 1) << TELL_SECOND;
	return tell;
}

static void change_queue(struct thread *t, struct runq *from, struct runq *to)
	REQUIRES(&from->lock, &to->lock)
{
	check_guarded(&from->lock, __func__);
	if (from == to)
		return;
	check_guarded(&to->lock, __func__);
	runq_rebase(t, from, to);
	/* Relaxed: under both locks; thread_runq_lock rechecks. */
	atomic_store_ptr(&t->rq, to, relaxed);
}

void sched_place(struct thread *t, unsigned to, enum placing how)
{
	struct runq *from = thread_runq(t); /* stable: t is in transit and ours */
	struct runq *rq;
	unsigned tell;

	for (;;) {
		rq = runq_of_hart(to);
		runq_lock_pair(from, rq);
		if (likely(sched_allowed(t, rq)))
			break;
		/* Affinity or harts changed since the choice. If it was idle it says so anew. */
		runq_unlock_pair(from, rq);
		hart_resched(harts[to]);
		to = sched_choose(t, from->hart);
	}
	change_queue(t, from, rq);
	tell = sched_enqueue(rq, t, how);
	runq_unlock_pair(from, rq);
	sched_tell(tell);
}

unsigned sched_demand(const struct runq *rq)
{
	struct hart_mask may;
	const struct thread *t;

	if (likely(hart_mask_empty(&sched_reserve)))
		return 0;
	t = runq_first(rq);
	if (!t || hart_mask_meet(&t->affinity, &sched_idle) ||
		!hart_mask_and(&may, &t->affinity, &sched_reserve))
		return 0;
	return hart_mask_first(&may) + 1;
}

static bool steal_from(struct runq *mine, struct runq *victim)
{
	struct thread *t = NULL;

	runq_lock_pair(mine, victim);
	if (mine->accepting)
		t = runq_first_for(victim, mine->hart);
	if (t) {
		runq_remove(victim, t);
		change_queue(t, victim, mine);
		runq_add(mine, t, RUNQ_TAIL);
	}
	if (!victim->nr_queued && victim->queued_shown) {
		victim->queued_shown = false;
		hart_mask_atomic_clear(&sched_queued, victim->hart);
	}
	runq_unlock_pair(mine, victim);
	return t;
}

/* From harts of *among, in a circle from the own one; who was asked is taken out of *left. */
static bool steal_among(struct runq *mine, const struct hart_mask *among, struct hart_mask *left)
{
	struct hart_mask asked;
	unsigned hart;

	hart_mask_and(&asked, among, left);
	while ((hart = mask_after(&asked, mine->hart)) < CONFIG_MAX_HARTS) {
		hart_mask_clear(&asked, hart);
		hart_mask_clear(left, hart);
		if (steal_from(mine, runq_of_hart(hart))) {
			this_hart_unstable()->stats.steals++;
			return true;
		}
	}
	return false;
}

bool sched_steal(struct runq *mine)
{
	struct hart_mask queued;

	/* One look, after the AMO on sched_idle: who shows a thread later sees this hart idle. */
	hart_mask_copy(&queued, &sched_queued);
	hart_mask_clear(&queued, mine->hart);
	if (likely(hart_mask_empty(&queued)))
		return false;
	for (unsigned level = 0; level < nr_nearness; level++)
		if (steal_among(mine, hart_near(mine->hart, level), &queued))
			return true;
	return steal_among(mine, &queued, &queued);
}

/* The best real-time thread that waits at `other` and may run here. Returns whom to tell. */
static unsigned pull_from(struct runq *mine, struct runq *other)
{
	struct thread *t;
	unsigned tell = 0;

	runq_lock_pair(mine, other);
	t = mine->accepting ? runq_first_for(other, mine->hart) : NULL;
	if (t && runq_is_rt(t) && runq_preempts(mine, t)) {
		runq_remove(other, t);
		change_queue(t, other, mine);
		tell = sched_enqueue(mine, t, PLACE_MOVED);
	}
	if (other->nr_queued == other->nr_fair)
		hart_mask_atomic_clear(&waiting_rt, other->hart);
	runq_unlock_pair(mine, other);
	return tell;
}

/* False: none that could go. The lock ends in the middle, hence unchecked. */
static bool push_one_rt(struct runq *mine) UNCHECKED_LOCKING
{
	struct thread *t = NULL;
	struct hart_mask fair;

	irqlock_acquire(&mine->lock);
	/* Where a fair one makes room on this hart, they need not leave it. */
	if (mine->rt_shown && mine->nr_queued != mine->nr_fair) {
		harts_for_rt(&sched_accepting, &fair);
		t = runq_first_rt_for(mine, &fair);
	}
	if (!t || runq_preempts(mine, t)) {
		irqlock_release(&mine->lock);
		return false;
	}
	runq_remove(mine, t);
	irq_off();
	irqlock_release(&mine->lock);
	sched_place(t, sched_choose(t, mine->hart), PLACE_MOVED);
	irq_on();
	return true;
}

void sched_push_rt(struct runq *mine)
{
	/* Each one takes a hart, so this ends. */
	while (push_one_rt(mine))
		;
}

bool sched_rt_waits(void)
{
	return !hart_mask_empty(&waiting_rt);
}

void sched_pull_rt(struct runq *mine)
{
	unsigned hart;

	for_each_hart_in_mask(hart, &waiting_rt)
		if (hart != mine->hart)
			sched_tell(pull_from(mine, runq_of_hart(hart)));
}

void sched_balance(struct runq *rq)
{
	unsigned to = mask_in_turn(&sched_accepting, rq->hart, rq->hart + arch_time() / 64);
	unsigned tell = 0;
	struct runq *other;
	struct thread *t;

	if (to >= CONFIG_MAX_HARTS || to == rq->hart ||
		hart_load(to) + 2 > atomic_load_u32(&rq->load, relaxed))
		return;
	other = runq_of_hart(to);
	runq_lock_pair(rq, other);
	t = other->accepting ? runq_first_for(rq, to) : NULL;
	if (t) {
		runq_remove(rq, t);
		change_queue(t, rq, other);
		tell = sched_enqueue(other, t, PLACE_MOVED);
	}
	runq_unlock_pair(rq, other);
	sched_tell(tell);
}
