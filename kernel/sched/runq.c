/* SPDX-License-Identifier: MIT */
/*
 * The order of ready threads: see runq.h. Pure: no hardware, no clock, takes no lock (the caller holds
 * runq.lock), also compiled for the host tests.
 *
 * vruntime is compared by signed difference, so that it may wrap around. The charge of one stretch is
 * bounded (2^50 ns before weighting, 13 days), so that it cannot overflow.
 */
#include "kernel/sched/runq.h"

#include "lib/assert.h"

DEFINE_LOCK_CLASS(runq_lock_class, .name = "runq", .rank = RANK_RUNQ,
		  .contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 20,
		  .protects = "the ready threads of one hart, and how its threads are scheduled");

#define CHARGE_MAX_NS (UINT64_C(1) << 50)
/* How many threads a search for a movable one looks at. */
#define SEARCH_MAX 32

static bool before(uint64_t a, uint64_t b)
{
	return (int64_t)(a - b) < 0;
}

static bool fair_less(const struct rbnode *a, const struct rbnode *b)
{
	return before(container_of(a, struct thread, fair_node)->vruntime,
		      container_of(b, struct thread, fair_node)->vruntime);
}

static struct thread *fair_first(const struct runq *rq) REQUIRES(&rq->lock)
{
	struct rbnode *n = rbtree_first(&rq->fair);

	return n ? container_of(n, struct thread, fair_node) : NULL;
}

void runq_init(struct runq *rq, unsigned hart, struct thread *idle) UNCHECKED_LOCKING
{
	/* Nobody else knows the queue yet, hence unchecked. */
	irqlock_init(&rq->lock, &runq_lock_class);
	rq->hart = hart;
	rq->idle = idle;
	rq->curr = idle;
	rbtree_init(&rq->fair);
	for (unsigned p = 0; p < RT_LEVELS; p++)
		list_init(&rq->rt[p]);
}

void runq_add(struct runq *rq, struct thread *t, enum runq_end end)
{
	unsigned prio = t->prio_effective;

	assert(!t->on_rq && !t->is_idle);
	t->on_rq = true;
	rq->nr_queued++;
	if (prio == PRIO_FAIR) {
		rbtree_insert(&rq->fair, &t->fair_node, fair_less);
		rq->nr_fair++;
	} else {
		if (end == RUNQ_HEAD)
			list_push_front(&rq->rt[prio], &t->rt_node);
		else
			list_push_back(&rq->rt[prio], &t->rt_node);
		bitmap_set(rq->rt_map, prio);
	}
	runq_show_load(rq);
}

void runq_remove(struct runq *rq, struct thread *t)
{
	unsigned prio = t->prio_effective;

	assert(t->on_rq && rq->nr_queued);
	t->on_rq = false;
	rq->nr_queued--;
	if (prio == PRIO_FAIR) {
		rbtree_remove(&rq->fair, &t->fair_node);
		rq->nr_fair--;
	} else {
		list_remove(&t->rt_node);
		if (list_empty(&rq->rt[prio]))
			bitmap_clear(rq->rt_map, prio);
	}
	runq_show_load(rq);
}

/* The highest priority below `limit` that has a thread, 0 if there is none. */
static unsigned rt_highest(const struct runq *rq, unsigned limit) REQUIRES(&rq->lock)
{
	for (size_t w = BITMAP_WORDS(RT_LEVELS); w-- > 0;) {
		unsigned long bits = rq->rt_map[w];
		size_t base = w * BITS_PER_LONG;

		if (limit <= base)
			continue;
		if (limit - base < BITS_PER_LONG)
			bits &= (1ul << (limit - base)) - 1;
		if (bits)
			return base + BITS_PER_LONG - 1 - __builtin_clzl(bits);
	}
	return 0;
}

struct thread *runq_first(const struct runq *rq)
{
	if (rq->nr_queued == rq->nr_fair)
		return fair_first(rq);
	return list_entry(list_first(&rq->rt[rt_highest(rq, RT_LEVELS)]), struct thread, rt_node);
}

struct thread *runq_first_for(const struct runq *rq, unsigned hart)
{
	unsigned left = SEARCH_MAX;
	struct thread *t;

	for (unsigned p = rt_highest(rq, RT_LEVELS); p; p = rt_highest(rq, p)) {
		list_for_each_entry(t, &rq->rt[p], rt_node) {
			if (hart_mask_test(&t->affinity, hart))
				return t;
			if (!--left)
				return NULL;
		}
	}
	for (struct rbnode *n = rbtree_first(&rq->fair); n && left--; n = rbtree_next(n)) {
		t = container_of(n, struct thread, fair_node);
		if (hart_mask_test(&t->affinity, hart))
			return t;
	}
	return NULL;
}

/* The origin follows the least vruntime of those that are here. */
static void move_origin(struct runq *rq) REQUIRES(&rq->lock)
{
	const struct thread *first = fair_first(rq);
	const struct thread *curr = rq->curr;
	uint64_t least;

	if (!curr->is_idle && !runq_is_rt(curr)) {
		least = curr->vruntime;
		if (first && before(first->vruntime, least))
			least = first->vruntime;
	} else if (first) {
		least = first->vruntime;
	} else {
		return;
	}
	if (before(rq->min_vruntime, least))
		rq->min_vruntime = least;
}

void runq_charge(struct runq *rq, uint64_t now_ns)
{
	struct thread *curr = rq->curr;
	uint64_t ran = now_ns - curr->ran_since;

	/* Harts' clocks agree to a tick: a stretch that begins on one and is charged by another can
	 * look negative. */
	if (unlikely((int64_t)ran <= 0))
		return;
	curr->ran_since = now_ns;
	curr->ran_ns += ran;
	if (curr->is_idle)
		return;
	curr->slice_ns = curr->slice_ns > ran ? curr->slice_ns - ran : 0;
	if (runq_is_rt(curr))
		return;
	if (unlikely(ran > CHARGE_MAX_NS))
		ran = CHARGE_MAX_NS;
	if (curr->weight != WEIGHT_DEFAULT)
		ran = ran * WEIGHT_DEFAULT / curr->weight;
	curr->vruntime += ran;
	move_origin(rq);
}

void runq_settle(struct runq *rq, struct thread *t, uint64_t credit_ns)
{
	uint64_t floor = rq->min_vruntime - credit_ns;

	if (before(t->vruntime, floor))
		t->vruntime = floor;
}

void runq_rebase(struct thread *t, const struct runq *from, const struct runq *to)
{
	t->vruntime += to->min_vruntime - from->min_vruntime;
}

bool runq_goes_first(const struct thread *t, const struct thread *curr)
{
	if (t->prio_effective != curr->prio_effective)
		return t->prio_effective > curr->prio_effective;
	if (runq_is_rt(curr))
		return curr->policy == SCHED_RR && !curr->slice_ns;
	return before(t->vruntime, curr->vruntime);
}

bool runq_preempts(const struct thread *t, const struct thread *curr)
{
	if (curr->is_idle)
		return true;
	if (t->prio_effective != curr->prio_effective)
		return t->prio_effective > curr->prio_effective;
	return !runq_is_rt(curr) && before(t->vruntime + WAKE_LEAD_NS, curr->vruntime);
}

bool runq_wants_tick(const struct runq *rq)
{
	const struct thread *curr = rq->curr;

	if (curr->is_idle)
		return false;
	if (!runq_is_rt(curr))
		return rq->nr_fair != 0;
	return curr->policy == SCHED_RR && !list_empty(&rq->rt[curr->prio_effective]);
}
