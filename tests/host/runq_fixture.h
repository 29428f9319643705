/* SPDX-License-Identifier: MIT */
/*
 * A run queue for host tests, and what kernel/sched/runq.c needs of the rest: included by the one
 * source of each program.
 */
#ifndef TESTS_HOST_RUNQ_FIXTURE_H
#define TESTS_HOST_RUNQ_FIXTURE_H

#include "tests/host/harness.h"

#include <stdlib.h>
#include <string.h>

#include "kernel/sched/runq.h"
#include "lib/random.h"

#define SLICE UINT64_C(100000)

/* What runq.c needs of the rest. */
void irqlock_init(struct irqlock *lock, struct lock_class *class)
{
	lock->class = class;
}

/* Nobody holds a lock here: one thread, and no other. */
void check_guarded_slow(unused_arg const void *lock, unused_arg const char *what)
{
}

unsigned hart_mask_find(const struct hart_mask *m, unsigned from)
{
	while (from < CONFIG_MAX_HARTS && !hart_mask_test(m, from))
		from++;
	return from;
}

static struct thread *new_thread(unsigned prio, uint64_t vruntime)
{
	struct thread *t = calloc(1, sizeof(*t));

	t->policy = prio ? SCHED_FIFO : SCHED_FAIR;
	t->prio = prio;
	t->prio_effective = prio;
	t->weight = WEIGHT_DEFAULT;
	t->slice_end = SLICE;
	t->vruntime = vruntime;
	hart_mask_fill(&t->affinity, CONFIG_MAX_HARTS);
	return t;
}

struct fixture {
	struct runq *rq;
	struct thread *idle;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->rq = aligned_alloc(64, align_up(sizeof(*f->rq), 64));
	memset(f->rq, 0, sizeof(*f->rq));
	f->idle = new_thread(0, 0);
	f->idle->is_idle = true;
	runq_init(f->rq, 3, f->idle, SLICE);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	free(f->idle);
	free(f->rq);
	free(f);
	return 0;
}

static struct runq *rq_of(void **state)
{
	return ((struct fixture *)*state)->rq;
}

/* Takes the first one out and says which it was. */
static inline struct thread *take(struct runq *rq)
{
	struct thread *t = runq_first(rq);

	if (t)
		runq_remove(rq, t);
	return t;
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

#endif
