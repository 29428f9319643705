/* SPDX-License-Identifier: MIT */
/*
 * The order of ready threads: see runq.h. Pure: no hardware, no clock, takes no lock (the caller
 * holds runq.lock), also compiled for the host tests.
 *
 * vruntime is compared by signed difference, so that it may wrap around. The charge of one stretch
 * is bounded (2^50 ticks before weighting, years), so that it cannot overflow.
 */
#include "kernel/sched/runq.h"

#include "lib/assert.h"

DEFINE_LOCK_CLASS(runq_lock_class, .name = "runq", .rank = RANK_RUNQ,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 20,
	.protects = "the ready threads of one hart, and how its threads are scheduled");

#define CHARGE_MAX (UINT64_C(1) << 50)
/* How many threads a search for a movable one looks at. */
#define SEARCH_MAX 32

static struct thread *fair_of(struct rbnode *n)
{
	return n ? container_of(n, struct thread, fair_node) : NULL;
}

static bool fair_less(const struct rbnode *a, const struct rbnode *b)
{
	return runq_before(container_of(a, struct thread, fair_node)->vruntime,
		container_of(b, struct thread, fair_node)->vruntime);
}

/* Nobody else knows the queue yet, hence unchecked. */
void runq_init(
	struct runq *rq, unsigned hart, struct thread *idle, uint64_t slice) UNCHECKED_LOCKING
{
	irqlock_init(&rq->lock, &runq_lock_class);
	rq->hart = hart;
	rq->idle = idle;
	rq->curr = idle;
	rq->slice = slice;
	rbtree_init(&rq->fair_rest);
	for (unsigned p = 0; p < RT_LEVELS; p++)
		list_init(&rq->rt[p]);
}

/* ---- The fair class -------------------------------------------------------------------------- */

static void fair_add(struct runq *rq, struct thread *t) REQUIRES(&rq->lock)
{
	struct thread *first = rq->fair_first;

	if (!first) {
		rq->fair_first = t;
	} else if (runq_before(t->vruntime, first->vruntime)) {
		rbtree_insert(&rq->fair_rest, &first->fair_node, fair_less);
		rq->fair_first = t;
	} else {
		rbtree_insert(&rq->fair_rest, &t->fair_node, fair_less);
	}
}

static void fair_remove(struct runq *rq, struct thread *t) REQUIRES(&rq->lock)
{
	struct thread *next = fair_of(rbtree_first(&rq->fair_rest));

	if (t != rq->fair_first) {
		rbtree_remove(&rq->fair_rest, &t->fair_node);
		return;
	}
	rq->fair_first = next;
	if (next)
		rbtree_remove(&rq->fair_rest, &next->fair_node);
}

void runq_swap_slow(struct runq *rq, struct thread *in)
{
	struct thread *next = fair_of(rbtree_first(&rq->fair_rest));

	if (!runq_before(next->vruntime, in->vruntime)) {
		rq->fair_first = in;
		return;
	}
	rbtree_remove(&rq->fair_rest, &next->fair_node);
	rq->fair_first = next;
	rbtree_insert(&rq->fair_rest, &in->fair_node, fair_less);
}

/* ---- Both ------------------------------------------------------------------------------------ */

void runq_add(struct runq *rq, struct thread *t, enum runq_end end)
{
	unsigned prio = t->prio_effective;

	assert(!t->on_rq && !t->is_idle);
	t->on_rq = true;
	guarded(&rq->lock, rq->nr_queued)++;
	if (prio == PRIO_FAIR) {
		fair_add(rq, t);
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
	guarded(&rq->lock, rq->nr_queued)--;
	if (prio == PRIO_FAIR) {
		fair_remove(rq, t);
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

struct thread *runq_first_rt(const struct runq *rq)
{
	return list_entry(list_first(&rq->rt[rt_highest(rq, RT_LEVELS)]), struct thread, rt_node);
}

static struct thread *rt_first_for(
	const struct runq *rq, const struct hart_mask *harts, unsigned *left) REQUIRES(&rq->lock)
{
	struct thread *t;

	for (unsigned p = rt_highest(rq, RT_LEVELS); p; p = rt_highest(rq, p)) {
		list_for_each_entry(t, &rq->rt[p], rt_node) {
			if (!*left || hart_mask_meet(&t->affinity, harts))
				return *left ? t : NULL;
			--*left;
		}
	}
	return NULL;
}

struct thread *runq_first_rt_for(const struct runq *rq, const struct hart_mask *harts)
{
	unsigned left = SEARCH_MAX;

	return rt_first_for(rq, harts, &left);
}

struct thread *runq_first_for(const struct runq *rq, unsigned hart)
{
	unsigned left = SEARCH_MAX;
	struct hart_mask only;
	struct thread *t;

	hart_mask_zero(&only);
	hart_mask_set(&only, hart);
	t = rt_first_for(rq, &only, &left);
	if (t)
		return t;
	t = rq->fair_first;
	for (struct rbnode *n = rbtree_first(&rq->fair_rest); t && left; left--) {
		if (hart_mask_test(&t->affinity, hart))
			return t;
		t = fair_of(n);
		n = n ? rbtree_next(n) : NULL;
	}
	return NULL;
}

/* ---- Time ------------------------------------------------------------------------------------ */

void runq_move_origin(struct runq *rq)
{
	const struct thread *first = rq->fair_first, *curr = rq->curr;
	uint64_t least;

	if (!curr->is_idle && !runq_is_rt(curr)) {
		least = curr->vruntime;
		if (first && runq_before(first->vruntime, least))
			least = first->vruntime;
	} else if (first) {
		least = first->vruntime;
	} else {
		return;
	}
	if (runq_before(rq->origin, least))
		rq->origin = least;
}

uint64_t runq_weigh(uint64_t ran, unsigned weight)
{
	return MIN(ran, CHARGE_MAX) * WEIGHT_DEFAULT / weight;
}

void runq_settle(struct runq *rq, struct thread *t, uint64_t credit)
{
	uint64_t floor;

	runq_move_origin(rq);
	floor = rq->origin - credit;
	if (runq_before(t->vruntime, floor))
		t->vruntime = floor;
}

void runq_rebase(struct thread *t, struct runq *from, struct runq *to)
{
	runq_move_origin(from);
	runq_move_origin(to);
	t->vruntime += to->origin - from->origin;
}

bool runq_preempts(const struct runq *rq, const struct thread *t)
{
	const struct thread *curr = rq->curr;

	if (curr->is_idle)
		return true;
	if (t->prio_effective != curr->prio_effective)
		return t->prio_effective > curr->prio_effective;
	return !runq_is_rt(curr) && runq_before(t->vruntime + WAKE_LEAD(rq->slice), curr->vruntime);
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
