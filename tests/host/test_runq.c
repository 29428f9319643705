/* SPDX-License-Identifier: MIT */
/*
 * The order of ready threads (kernel/sched/runq.c), as the pure structure that it is: here nothing
 * runs, time is an argument, and the lock is only initialised.
 *
 * Sources: tests/host/harness.c tests/host/machine.c
 * Sources: kernel/sched/runq.c lib/rbtree.c lib/random.c lib/bitmap.c
 */
#include "tests/host/runq_fixture.h"

static void empty_queue_has_no_first(void **state)
{
	struct runq *rq = rq_of(state);

	assert_null(runq_first(rq));
	assert_null(runq_first_for(rq, 0));
	assert_int_equal(rq->nr_queued, 0);
	assert_int_equal(atomic_load_u32(&rq->load, relaxed), 0);
	assert_false(runq_wants_tick(rq));
}

static void realtime_goes_before_fair_and_by_priority(void **state)
{
	static const unsigned prios[] = {1, 0, 99, 63, 64, 0, 32, 31, 98};
	static const unsigned sorted[] = {99, 98, 64, 63, 32, 31, 1, 0, 0};
	struct runq *rq = rq_of(state);

	for (unsigned i = 0; i < ARRAY_SIZE(prios); i++)
		runq_add(rq, new_thread(prios[i], 100 - i), RUNQ_TAIL);
	assert_int_equal(atomic_load_u32(&rq->load, relaxed), ARRAY_SIZE(prios));
	for (unsigned i = 0; i < ARRAY_SIZE(prios); i++) {
		struct thread *t = take(rq);

		assert_int_equal(t->prio_effective, sorted[i]);
		assert_false(t->on_rq);
		free(t);
	}
	assert_null(runq_first(rq));
}

static void one_priority_is_first_come_first(void **state)
{
	struct runq *rq = rq_of(state);
	struct thread *t[4];

	for (unsigned i = 0; i < 3; i++) {
		t[i] = new_thread(40, 0);
		runq_add(rq, t[i], RUNQ_TAIL);
	}
	/* Who was preempted goes before all of them. */
	t[3] = new_thread(40, 0);
	runq_add(rq, t[3], RUNQ_HEAD);
	assert_ptr_equal(take(rq), t[3]);
	for (unsigned i = 0; i < 3; i++)
		assert_ptr_equal(take(rq), t[i]);
	for (unsigned i = 0; i < 4; i++)
		free(t[i]);
}

static void fair_goes_by_vruntime(void **state)
{
	static const uint64_t v[] = {50, 20, 60, 10, 55};
	static const unsigned expected[] = {3, 1, 0, 4, 2};
	struct runq *rq = rq_of(state);
	struct thread *t[5];

	for (unsigned i = 0; i < 5; i++) {
		t[i] = new_thread(0, v[i]);
		runq_add(rq, t[i], RUNQ_TAIL);
	}
	for (unsigned i = 0; i < 5; i++)
		assert_ptr_equal(take(rq), t[expected[i]]);
	for (unsigned i = 0; i < 5; i++)
		free(t[i]);
}

static void vruntime_may_wrap_around(void **state)
{
	struct runq *rq = rq_of(state);
	struct thread *early = new_thread(0, UINT64_MAX - 10), *late = new_thread(0, 10);

	runq_add(rq, late, RUNQ_TAIL);
	runq_add(rq, early, RUNQ_TAIL);
	assert_true(runq_goes_first(early, late));
	assert_false(runq_goes_first(late, early));
	assert_ptr_equal(take(rq), early);
	assert_ptr_equal(take(rq), late);
	free(early);
	free(late);
}

static void charge_is_by_weight(void **state)
{
	struct runq *rq = rq_of(state);
	struct thread *t = new_thread(0, 1000);

	t->weight = 4 * WEIGHT_DEFAULT;
	t->ran_since = 100;
	rq->curr = t;
	runq_charge(rq, 100 + 4000);
	assert_int_equal(t->vruntime, 1000 + 1000);
	assert_int_equal(t->ran, 4000);
	assert_int_equal(runq_slice_left(t), SLICE - 4000);
	/* The same moment again charges nothing, one before it neither. */
	runq_charge(rq, 4100);
	runq_charge(rq, 50);
	assert_int_equal(t->ran, 4000);
	/* Half the weight, twice the charge. */
	t->weight = WEIGHT_DEFAULT / 2;
	runq_charge(rq, 4100 + 2 * SLICE);
	assert_int_equal(t->vruntime, 2000 + 4 * SLICE);
	assert_true(runq_slice_left(t) < 0);
	rq->curr = rq->idle;
	free(t);
}

static void charge_of_realtime_and_idle_moves_no_vruntime(void **state)
{
	struct runq *rq = rq_of(state);
	struct thread *t = new_thread(7, 1000);

	rq->curr = t;
	runq_charge(rq, 5000);
	assert_int_equal(t->vruntime, 1000);
	assert_int_equal(t->ran, 5000);
	rq->curr = rq->idle;
	runq_charge(rq, 6000);
	assert_int_equal(rq->idle->ran, 6000);
	assert_int_equal(rq->origin, 0);
	free(t);
}

static void a_very_long_stretch_does_not_overflow(void **state)
{
	struct runq *rq = rq_of(state);
	struct thread *t = new_thread(0, 0), *u = new_thread(0, 1);

	t->weight = WEIGHT_DEFAULT * 2;
	rq->curr = t;
	runq_charge(rq, UINT64_C(1) << 62);
	assert_true(runq_goes_first(u, t));
	rq->curr = rq->idle;
	free(t);
	free(u);
}

static void origin_follows_the_least_and_never_goes_back(void **state)
{
	struct runq *rq = rq_of(state);
	struct thread *curr = new_thread(0, 0), *t = new_thread(0, 3000);

	rq->curr = curr;
	runq_charge(rq, 2000);
	runq_move_origin(rq);
	assert_int_equal(rq->origin, 2000);
	runq_add(rq, t, RUNQ_TAIL);
	runq_charge(rq, 5000); /* curr is ahead of t now: t counts */
	runq_move_origin(rq);
	assert_int_equal(rq->origin, 3000);
	runq_remove(rq, t);
	curr->vruntime = 100;
	runq_charge(rq, 5001);
	runq_move_origin(rq);
	assert_int_equal(rq->origin, 3000);
	rq->curr = rq->idle;
	free(curr);
	free(t);
}

static void sleeper_is_lifted_to_its_credit_only(void **state)
{
	struct runq *rq = rq_of(state);
	struct thread *t = new_thread(0, 5);

	rq->origin = 100 * SLICE;
	runq_settle(rq, t, SLEEPER_CREDIT(SLICE));
	assert_int_equal(t->vruntime, 100 * SLICE - SLEEPER_CREDIT(SLICE));
	t->vruntime = 200 * SLICE; /* ahead: stays so */
	runq_settle(rq, t, SLEEPER_CREDIT(SLICE));
	assert_int_equal(t->vruntime, 200 * SLICE);
	free(t);
}

static void migration_keeps_the_distance_to_the_origin(void **state)
{
	struct runq *from = rq_of(state), *to = calloc(1, sizeof(*to));
	struct thread *t = new_thread(0, 1700);

	to->curr = from->idle;
	from->origin = 1000;
	to->origin = UINT64_MAX - 100;
	runq_rebase(t, from, to);
	assert_int_equal(t->vruntime - to->origin, 700);
	runq_rebase(t, to, from);
	assert_int_equal(t->vruntime, 1700);
	free(t);
	free(to);
}

static bool preempts(struct runq *rq, struct thread *t, struct thread *curr)
{
	rq->curr = curr;
	return runq_preempts(rq, t);
}

static void who_preempts_whom(void **state)
{
	struct runq *rq = rq_of(state);
	struct thread *fair = new_thread(0, 10 * SLICE), *woken = new_thread(0, 10 * SLICE);
	struct thread *low = new_thread(5, 0), *high = new_thread(6, 0);

	assert_true(preempts(rq, woken, rq->idle));
	assert_true(preempts(rq, low, fair) && preempts(rq, high, low));
	assert_false(preempts(rq, fair, low) || preempts(rq, low, high) || preempts(rq, low, low));
	/* A lead has to be worth a switch. */
	assert_false(preempts(rq, woken, fair));
	woken->vruntime = fair->vruntime - WAKE_LEAD(SLICE);
	assert_false(preempts(rq, woken, fair));
	woken->vruntime--;
	assert_true(preempts(rq, woken, fair));
	/* Equals in real time: only round robin, when the slice is over. */
	low->prio_effective = 6;
	assert_false(runq_goes_first(low, high));
	high->ran = high->slice_end;
	assert_false(runq_goes_first(low, high));
	high->policy = SCHED_RR;
	assert_true(runq_goes_first(low, high));
	rq->curr = rq->idle;
	free(fair);
	free(woken);
	free(low);
	free(high);
}

/* As the switch does it: the first goes, another comes, in one step. */
static void swap_is_a_removal_and_an_addition(void **state)
{
	struct runq *rq = rq_of(state);
	struct thread *a = new_thread(0, 10), *b = new_thread(0, 20), *c = new_thread(0, 30);

	runq_add(rq, a, RUNQ_TAIL);
	runq_swap(rq, a, c); /* nobody else: c is the first */
	assert_ptr_equal(runq_first(rq), c);
	assert_true(c->on_rq && !a->on_rq);
	runq_add(rq, b, RUNQ_TAIL);
	assert_ptr_equal(runq_first(rq), b);
	a->vruntime = 40;
	runq_swap(rq, b, a); /* c is the first again, a behind it */
	assert_ptr_equal(take(rq), c);
	assert_ptr_equal(take(rq), a);
	assert_int_equal(rq->nr_queued, 0);
	free(a);
	free(b);
	free(c);
}

static void tick_is_wanted_only_among_equals(void **state)
{
	struct runq *rq = rq_of(state);
	struct thread *fair = new_thread(0, 0), *fair2 = new_thread(0, 0);
	struct thread *rt = new_thread(9, 0), *rt2 = new_thread(9, 0);

	runq_add(rq, fair2, RUNQ_TAIL);
	assert_false(runq_wants_tick(rq)); /* idle runs */
	rq->curr = fair;
	assert_true(runq_wants_tick(rq));
	rq->curr = rt;
	assert_false(runq_wants_tick(rq));
	runq_add(rq, rt2, RUNQ_TAIL);
	assert_false(runq_wants_tick(rq)); /* FIFO */
	rt->policy = SCHED_RR;
	assert_true(runq_wants_tick(rq));
	rt2->prio_effective = 9;
	runq_remove(rq, rt2);
	assert_false(runq_wants_tick(rq));
	rq->curr = rq->idle;
	runq_remove(rq, fair2);
	free(fair);
	free(fair2);
	free(rt);
	free(rt2);
}

static void search_respects_affinity_and_is_bounded(void **state)
{
	struct runq *rq = rq_of(state);
	struct thread *t[80];

	for (unsigned i = 0; i < 80; i++) {
		t[i] = new_thread(i < 3 ? 50 : 0, i);
		hart_mask_zero(&t[i]->affinity);
		hart_mask_set(&t[i]->affinity, i == 2 || i == 10 ? 7 : 1);
		runq_add(rq, t[i], RUNQ_TAIL);
	}
	assert_ptr_equal(runq_first_for(rq, 7), t[2]);
	runq_remove(rq, t[2]);
	assert_ptr_equal(runq_first_for(rq, 7), t[10]);
	runq_remove(rq, t[10]);
	assert_null(runq_first_for(rq, 7));
	hart_mask_set(&t[79]->affinity, 7);
	assert_null(runq_first_for(rq, 7)); /* too far behind to be looked for */
	for (unsigned i = 0; i < 80; i++)
		free(t[i]);
}

static void search_for_realtime_takes_any_of_several_harts(void **state)
{
	struct runq *rq = rq_of(state);
	struct hart_mask harts;
	struct thread *t[40];

	for (unsigned i = 0; i < 40; i++) {
		t[i] = new_thread(i < 38 ? 50 : i == 38 ? 49 : 0, i);
		hart_mask_zero(&t[i]->affinity);
		hart_mask_set(&t[i]->affinity, i < 36 ? 1 : i);
		runq_add(rq, t[i], RUNQ_TAIL);
	}
	hart_mask_zero(&harts);
	assert_null(runq_first_rt_for(rq, &harts));
	hart_mask_set(&harts, 39);
	assert_null(runq_first_rt_for(rq, &harts)); /* fair */
	hart_mask_set(&harts, 38);
	hart_mask_set(&harts, 37);
	assert_null(runq_first_rt_for(rq, &harts)); /* too far behind to be looked for */
	for (unsigned i = 0; i < 8; i++)
		runq_remove(rq, t[i]);
	assert_ptr_equal(runq_first_rt_for(rq, &harts), t[37]);
	runq_remove(rq, t[37]);
	assert_ptr_equal(runq_first_rt_for(rq, &harts), t[38]);
	for (unsigned i = 0; i < 40; i++)
		free(t[i]);
}

static void wrong_use_is_asserted(void **state)
{
	struct runq *rq = rq_of(state);
	struct thread *t = new_thread(0, 0);

	runq_add(rq, t, RUNQ_TAIL);
	expect_assert(runq_add(rq, t, RUNQ_TAIL));
	runq_remove(rq, t);
	expect_assert(runq_remove(rq, t));
	expect_assert(runq_add(rq, rq->idle, RUNQ_TAIL));
	free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(empty_queue_has_no_first),
		TEST(realtime_goes_before_fair_and_by_priority),
		TEST(one_priority_is_first_come_first),
		TEST(fair_goes_by_vruntime),
		TEST(vruntime_may_wrap_around),
		TEST(charge_is_by_weight),
		TEST(charge_of_realtime_and_idle_moves_no_vruntime),
		TEST(a_very_long_stretch_does_not_overflow),
		TEST(origin_follows_the_least_and_never_goes_back),
		TEST(sleeper_is_lifted_to_its_credit_only),
		TEST(migration_keeps_the_distance_to_the_origin),
		TEST(who_preempts_whom),
		TEST(swap_is_a_removal_and_an_addition),
		TEST(tick_is_wanted_only_among_equals),
		TEST(search_respects_affinity_and_is_bounded),
		TEST(search_for_realtime_takes_any_of_several_harts),
		TEST(wrong_use_is_asserted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
