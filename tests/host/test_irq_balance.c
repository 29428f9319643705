/* SPDX-License-Identifier: MIT */
/*
 * Which source the balance moves (kernel/irq/balance.c): single questions, and long runs of looks
 * at random loads.
 *
 * Sources: tests/host/harness.c tests/host/machine.c
 * Sources: kernel/irq/balance.c kernel/hart/mask.c lib/bitmap.c lib/random.c
 */
#include "tests/host/harness.h"

#include "kernel/irq/balance.h"
#include "lib/random.h"

#define SOURCES 16
#define HARTS 8
#define LOOKS 64

static struct irq_balance_source sources[SOURCES];
static struct hart_mask online, anywhere;
static uint32_t load[CONFIG_MAX_HARTS];
static unsigned source, hart;

static void reset(unsigned nr_harts)
{
	hart_mask_fill(&anywhere, CONFIG_MAX_HARTS);
	hart_mask_fill(&online, nr_harts);
	for (unsigned i = 0; i < SOURCES; i++)
		sources[i] = (struct irq_balance_source){.harts = &anywhere};
}

static bool pick(unsigned n)
{
	source = hart = UINT32_MAX;
	return irq_balance_pick(sources, n, &online, load, &source, &hart);
}

static void assert_pick(unsigned n, unsigned expected_source, unsigned expected_hart)
{
	assert_true(pick(n));
	assert_int_equal(source, expected_source);
	assert_int_equal(hart, expected_hart);
}

static void busiest_source_of_the_busiest_hart_goes_to_the_least_busy(void **state)
{
	(void)state;
	reset(4);
	sources[0] = (struct irq_balance_source){300, 1, false, &anywhere};
	sources[1] = (struct irq_balance_source){400, 1, false, &anywhere};
	sources[2] = (struct irq_balance_source){350, 1, false, &anywhere};
	sources[3] = (struct irq_balance_source){100, 0, false, &anywhere};
	sources[4] = (struct irq_balance_source){50, 2, false, &anywhere};
	sources[5] = (struct irq_balance_source){60, 3, false, &anywhere};
	assert_pick(6, 1, 2);
}

static void one_that_is_nearly_all_stays_and_a_smaller_one_goes(void **state)
{
	(void)state;
	reset(2);
	sources[0] = (struct irq_balance_source){900, 0, false, &anywhere};
	sources[1] = (struct irq_balance_source){300, 0, false, &anywhere};
	assert_pick(2, 0, 1);	 /* 900 is a quarter below 1200 */
	sources[1].events = 295; /* it no longer is */
	assert_pick(2, 1, 1);
	sources[1].events = 100; /* nearly nothing */
	assert_false(pick(2));
}

static void little_is_not_worth_a_move(void **state)
{
	(void)state;
	reset(2);
	sources[0].events = IRQ_WORTH_A_MOVE / 2;
	sources[1].events = IRQ_WORTH_A_MOVE / 2 - 1;
	assert_false(pick(2));
	sources[1].events++;
	assert_pick(2, 0, 1);
}

static void rest_affinity_and_absent_harts_are_minded(void **state)
{
	struct hart_mask only;

	(void)state;
	reset(4);
	sources[0] = (struct irq_balance_source){500, 0, true, &anywhere};
	sources[1] = (struct irq_balance_source){400, 0, false, &only};
	sources[2] = (struct irq_balance_source){300, 0, false, &anywhere};
	hart_mask_zero(&only);
	hart_mask_set(&only, 0);
	assert_pick(3, 2, 1);
	hart_mask_set(&only, 3);
	assert_pick(3, 1, 3);
	hart_mask_clear(&online, 3);
	hart_mask_clear(&online, 1);
	assert_pick(3, 2, 2);
	hart_mask_clear(&online, 2);
	assert_false(pick(3));
	/* Whose hart is not online is nobody's load. */
	hart_mask_clear(&online, 0);
	hart_mask_set(&online, 1);
	assert_false(pick(3));
}

static void sums_that_do_not_fit_stay_the_most_there_is(void **state)
{
	(void)state;
	reset(2);
	sources[0] = (struct irq_balance_source){UINT32_MAX, 0, false, &anywhere};
	sources[1] = (struct irq_balance_source){UINT32_MAX / 2, 0, false, &anywhere};
	assert_pick(2, 1, 1);
}

static uint32_t busiest(void)
{
	uint32_t sum[HARTS] = {0}, most = 0;

	for (unsigned i = 0; i < SOURCES; i++)
		sum[sources[i].hart] += sources[i].events;
	for (unsigned i = 0; i < HARTS; i++)
		most = sum[i] > most ? sum[i] : most;
	return most;
}

/* The same interrupts look after look: the busiest hart never gets more, nothing goes back where it
 * came from in the next look, and there is an end to it. */
static void steady_loads_settle(void **state)
{
	unsigned moves = 0;
	struct rng rng;

	(void)state;
	rng_seed(&rng, host_seed());
	for (unsigned round = 0; round < 2000; round++) {
		unsigned looks = 0, last = SOURCES, came_from = HARTS;

		reset(1 + (unsigned)rng_below(&rng, HARTS));
		for (unsigned i = 0; i < SOURCES; i++) {
			sources[i].events = (uint32_t)rng_below(&rng, 1u << rng_below(&rng, 12));
			sources[i].hart = (unsigned)rng_below(&rng, hart_mask_weight(&online));
		}
		for (; looks < LOOKS && pick(SOURCES); looks++) {
			uint32_t before = busiest();

			assert_true(sources[source].hart != hart && hart_mask_test(&online, hart));
			assert_false(source == last && hart == came_from);
			last = source;
			came_from = sources[source].hart;
			sources[source].hart = hart;
			assert_true(busiest() <= before);
			moves++;
		}
		assert_true(looks < LOOKS);
	}
	print_message("%u moves\n", moves);
	assert_true(moves > 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(busiest_source_of_the_busiest_hart_goes_to_the_least_busy),
		cmocka_unit_test(one_that_is_nearly_all_stays_and_a_smaller_one_goes),
		cmocka_unit_test(little_is_not_worth_a_move),
		cmocka_unit_test(rest_affinity_and_absent_harts_are_minded),
		cmocka_unit_test(sums_that_do_not_fit_stay_the_most_there_is),
		cmocka_unit_test(steady_loads_settle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
