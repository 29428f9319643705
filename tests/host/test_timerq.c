/* SPDX-License-Identifier: MIT */
/*
 * The order of timers against a plain model, and the clock's conversions against exact arithmetic.
 *
 * Sources: tests/host/harness.c kernel/time/timerq.c lib/rbtree.c lib/random.c
 */
#include "tests/host/harness.h"

#include "kernel/time/scale.h"
#include "kernel/time/timerq.h"
#include "lib/random.h"

#define NODES 300
#define NS 1000000000u

/* The model: when each node was inserted and for when; the queue has to agree with a search. */
static struct timerq_tree q;
static struct timerq_node nodes[NODES];
static uint64_t inserted_at[NODES]; /* 0: not queued */
static uint64_t clock;

static void reset(void)
{
	timerq_tree_init(&q);
	for (unsigned i = 0; i < NODES; i++) {
		timerq_node_init(&nodes[i]);
		inserted_at[i] = 0;
	}
	clock = 0;
}

static int model_first(void)
{
	int best = -1;

	for (int i = 0; i < NODES; i++) {
		if (!inserted_at[i])
			continue;
		if (best < 0 || nodes[i].deadline_ns < nodes[best].deadline_ns ||
			(nodes[i].deadline_ns == nodes[best].deadline_ns &&
				inserted_at[i] < inserted_at[best]))
			best = i;
	}
	return best;
}

static void insert(int i, uint64_t deadline)
{
	bool first = timerq_insert(&q, &nodes[i], deadline);

	inserted_at[i] = ++clock;
	assert_int_equal(first, model_first() == i);
}

static void equal_deadlines_fire_in_the_order_of_their_starts(void **state)
{
	(void)state;
	reset();
	for (int i = 0; i < NODES; i++)
		insert(NODES - 1 - i, 7);
	assert_null(timerq_pop_due(&q, 6));
	for (int i = 0; i < NODES; i++)
		assert_ptr_equal(timerq_pop_due(&q, 7), &nodes[NODES - 1 - i]);
	assert_null(timerq_pop_due(&q, UINT64_MAX));
	assert_int_equal(q.nr, 0);
}

static void a_restart_goes_behind_its_equals(void **state)
{
	(void)state;
	reset();
	insert(0, 5);
	insert(1, 5);
	timerq_remove(&q, &nodes[0]);
	inserted_at[0] = 0;
	insert(0, 5);
	assert_ptr_equal(timerq_pop_due(&q, 5), &nodes[1]);
	assert_ptr_equal(timerq_pop_due(&q, 5), &nodes[0]);
}

static void an_earlier_restart_becomes_the_first(void **state)
{
	(void)state;
	reset();
	insert(0, 100);
	insert(1, 200);
	assert_int_equal(timerq_next_ns(&q), 100);
	timerq_remove(&q, &nodes[1]);
	inserted_at[1] = 0;
	insert(1, 50);
	assert_int_equal(timerq_next_ns(&q), 50);
	assert_ptr_equal(timerq_pop_due(&q, 50), &nodes[1]);
	assert_int_equal(timerq_next_ns(&q), 100);
}

static void an_empty_queue_has_no_deadline(void **state)
{
	(void)state;
	reset();
	assert_true(timerq_next_ns(&q) == UINT64_MAX);
	assert_null(timerq_pop_due(&q, UINT64_MAX));
	insert(0, UINT64_MAX);
	assert_null(timerq_pop_due(&q, UINT64_MAX - 1));
	assert_ptr_equal(timerq_pop_due(&q, UINT64_MAX), &nodes[0]);
}

static void any_sequence_agrees_with_the_model(void **state)
{
	struct rng r;
	unsigned fired = 0;

	(void)state;
	reset();
	rng_seed(&r, host_seed());
	for (unsigned step = 0; step < 60000; step++) {
		int i = (int)rng_below(&r, NODES);
		/* Few values, so that many are equal. */
		uint64_t deadline = rng_below(&r, 40);
		int first = model_first();

		assert_true(
			timerq_next_ns(&q) == (first < 0 ? UINT64_MAX : nodes[first].deadline_ns));
		assert_int_equal(timerq_node_queued(&nodes[i]), inserted_at[i] != 0);
		if (rng_below(&r, 4) == 0) {
			struct timerq_node *n = timerq_pop_due(&q, deadline);

			if (first < 0 || nodes[first].deadline_ns > deadline) {
				assert_null(n);
				continue;
			}
			assert_ptr_equal(n, &nodes[first]);
			inserted_at[first] = 0;
			fired++;
		} else if (inserted_at[i]) {
			timerq_remove(&q, &nodes[i]);
			inserted_at[i] = 0;
		} else {
			insert(i, deadline);
		}
	}
	assert_true(fired > 1000);
}

/* Timebases of real machines, odd ones, and the limits. */
static const uint32_t rates[] = {1000, 32768, 1000000, 3579545, 10000000, 12500000, 19200000,
	24000000, 62500000, 999999937, 1000000000, 1000000007, 2400000000u, 3999999979u,
	4000000000u};

static void products_by_halves_are_exact(void **state)
{
	struct rng r;

	(void)state;
	rng_seed(&r, host_seed());
	for (unsigned i = 0; i < 100000; i++) {
		uint64_t a = rng_u64(&r) >> rng_below(&r, 64);
		uint64_t b = i % 7 ? rng_u64(&r) : UINT64_MAX - i % 3;
		unsigned __int128 p = (unsigned __int128)a * b;
		struct u128 got = mul_by_halves(a, b);

		assert_true(got.hi == (uint64_t)(p >> 64) && got.lo == (uint64_t)p);
	}
	assert_true(mul_by_halves(UINT64_MAX, UINT64_MAX).hi == UINT64_MAX - 1);
}

/* At most one too small (two, for results of 64 bits), and saturated beyond the range. */
static void conversions_are_exact_to_one(void **state)
{
	struct rng r;

	(void)state;
	rng_seed(&r, host_seed());
	for (unsigned k = 0; k < sizeof(rates) / sizeof(rates[0]); k++) {
		struct scale to_ns = scale_make(NS, rates[k], false);

		for (unsigned i = 0; i < 20000; i++) {
			uint64_t ticks = rng_u64(&r) >> rng_below(&r, 64);
			unsigned __int128 exact = (unsigned __int128)ticks * NS / rates[k];
			uint64_t got = scale_down(to_ns, ticks);

			if (exact >= UINT64_MAX)
				assert_true(got >= UINT64_MAX - 2);
			else
				assert_true(got <= (uint64_t)exact &&
					(uint64_t)exact - got <= 1 + (uint64_t)(exact >> 63));
		}
	}
}

static void ten_megahertz_is_exact_for_centuries(void **state)
{
	struct scale to_ns = scale_make(NS, 10000000, false);
	uint64_t century = 10000000ull * 86400 * 36525;

	(void)state;
	for (uint64_t ticks = century * 5 - 1000; ticks < century * 5; ticks++)
		assert_true(scale_down(to_ns, ticks) == ticks * 100);
}

static void deadlines_are_not_early_and_three_ticks_late_at_most(void **state)
{
	struct rng r;

	(void)state;
	rng_seed(&r, host_seed());
	for (unsigned k = 0; k < sizeof(rates) / sizeof(rates[0]); k++) {
		struct scale to_ns = scale_make(NS, rates[k], false);
		struct scale to_ticks = scale_make(rates[k], NS, true);

		for (unsigned i = 0; i < 20000; i++) {
			uint64_t ns = rng_u64(&r) >> (4 + rng_below(&r, 60));
			uint64_t tick = scale_above(to_ticks, ns);

			/* 1: to_ns is rounded down, and says ns - 1 for a moment that is ns. */
			assert_true(scale_down(to_ns, tick) + 1 >= ns);
			assert_true(tick < 3 || scale_down(to_ns, tick - 3) <= ns);
		}
	}
	assert_true(scale_above(scale_make(4000000000u, NS, true), UINT64_MAX) == UINT64_MAX);
}

static void time_never_runs_backwards(void **state)
{
	(void)state;
	for (unsigned k = 0; k < sizeof(rates) / sizeof(rates[0]); k++) {
		struct scale to_ns = scale_make(NS, rates[k], false);
		uint64_t from = UINT64_C(1) << 50, before = 0;

		for (uint64_t ticks = from; ticks < from + 10000; ticks++) {
			uint64_t ns = scale_down(to_ns, ticks);

			assert_true(ns >= before);
			before = ns;
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_deadlines_fire_in_the_order_of_their_starts),
		cmocka_unit_test(a_restart_goes_behind_its_equals),
		cmocka_unit_test(an_earlier_restart_becomes_the_first),
		cmocka_unit_test(an_empty_queue_has_no_deadline),
		cmocka_unit_test(any_sequence_agrees_with_the_model),
		cmocka_unit_test(products_by_halves_are_exact),
		cmocka_unit_test(conversions_are_exact_to_one),
		cmocka_unit_test(ten_megahertz_is_exact_for_centuries),
		cmocka_unit_test(deadlines_are_not_early_and_three_ticks_late_at_most),
		cmocka_unit_test(time_never_runs_backwards),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
