/* SPDX-License-Identifier: MIT */
/*
 * Long random and simulated runs of the order of ready threads (kernel/sched/runq.c).
 *
 * Sources: tests/host/harness.c tests/host/machine.c
 * Sources: kernel/sched/runq.c lib/rbtree.c lib/random.c lib/bitmap.c
 */
#include "tests/host/runq_fixture.h"

#define MODEL_THREADS 60

/* ---- Against a model: a plain array in the order of arrival ---------------------------------- */

struct model {
	struct thread *t[MODEL_THREADS + 1];
	unsigned n;
};

/* Who must come first: greatest priority, least vruntime; in real time the first in the array. */
static struct thread *model_first(const struct model *m)
{
	struct thread *best = NULL;

	for (unsigned i = 0; i < m->n; i++) {
		struct thread *t = m->t[i];

		if (!best || t->prio_effective > best->prio_effective ||
			(t->prio_effective == best->prio_effective && !t->prio_effective &&
				(int64_t)(t->vruntime - best->vruntime) < 0))
			best = t;
	}
	return best;
}

/* Fair threads with one vruntime are as good as each other. */
static void check_first(const struct thread *t, const struct thread *expected)
{
	if (t && expected && !expected->prio_effective && !t->prio_effective)
		assert_int_equal(t->vruntime, expected->vruntime);
	else
		assert_ptr_equal(t, expected);
}

static void model_remove(struct model *m, const struct thread *t)
{
	unsigned i = 0;

	while (m->t[i] != t)
		i++;
	memmove(&m->t[i], &m->t[i + 1], (m->n - i - 1) * sizeof(m->t[0]));
	m->n--;
}

static void model_insert(struct model *m, struct thread *t, bool first)
{
	unsigned at = first ? 0 : m->n;

	memmove(&m->t[at + 1], &m->t[at], (m->n - at) * sizeof(m->t[0]));
	m->t[at] = t;
	m->n++;
}

static void add_one(struct runq *rq, struct model *m, struct thread *t, struct rng *rng)
{
	bool head = rng_one_in(rng, 4);

	t->prio_effective = rng_one_in(rng, 2) ? 0 : rng_between(rng, 1, 99);
	t->vruntime = UINT64_MAX - 500 + rng_below(rng, 1000);
	runq_add(rq, t, head ? RUNQ_HEAD : RUNQ_TAIL);
	model_insert(m, t, head);
}

static struct thread *remove_one(struct runq *rq, struct model *m, struct rng *rng)
{
	struct thread *t = rng_one_in(rng, 2) ? runq_first(rq) : m->t[rng_below(rng, m->n)];

	runq_remove(rq, t);
	model_remove(m, t);
	return t;
}

static void random_operations_match_the_model(void **state)
{
	struct runq *rq = rq_of(state);
	struct thread *spare[MODEL_THREADS];
	unsigned nr_spare = MODEL_THREADS;
	struct model m = {.n = 0};
	struct rng rng;

	rng_seed(&rng, host_seed());
	for (unsigned i = 0; i < MODEL_THREADS; i++)
		spare[i] = new_thread(0, 0);
	for (unsigned step = 0; step < 200000; step++) {
		check_first(runq_first(rq), model_first(&m));
		assert_int_equal(rq->nr_queued, m.n);
		if (nr_spare && (!m.n || rng_below(&rng, 2)))
			add_one(rq, &m, spare[--nr_spare], &rng);
		else
			spare[nr_spare++] = remove_one(rq, &m, &rng);
	}
	for (unsigned i = 0; i < nr_spare; i++)
		free(spare[i]);
	for (unsigned i = 0; i < m.n; i++)
		free(m.t[i]);
}

/* Slices one after the other, as the tick would do it: shares come out by weight. */
static void shares_are_by_weight_in_the_long_run(void **state)
{
	static const unsigned weights[] = {512, 1024, 2048, 4096, 64};
	struct runq *rq = rq_of(state);
	struct thread *t[5];
	uint64_t now = 0, total_weight = 0;

	for (unsigned i = 0; i < 5; i++) {
		t[i] = new_thread(0, 0);
		t[i]->weight = weights[i];
		total_weight += weights[i];
		runq_add(rq, t[i], RUNQ_TAIL);
	}
	for (unsigned slice = 0; slice < 20000; slice++) {
		struct thread *next = take(rq);

		rq->curr = next;
		next->ran_since = now;
		now += SLICE;
		runq_charge(rq, now);
		rq->curr = rq->idle;
		runq_add(rq, next, RUNQ_TAIL);
	}
	for (unsigned i = 0; i < 5; i++) {
		uint64_t due = now / total_weight * weights[i];

		assert_in_range(t[i]->ran, due - 2 * SLICE, due + 2 * SLICE);
		runq_remove(rq, t[i]);
		free(t[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(random_operations_match_the_model),
		TEST(shares_are_by_weight_in_the_long_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
