/* SPDX-License-Identifier: MIT */
/*
 * The buddy system: invariants after every step of random runs, no block twice, everything back in
 * the end; descriptors of memory that nobody asked for stay as they were.
 *
 * Sources: kernel/mm/buddy.c lib/random.c tests/host/harness.c
 */
#include "tests/host/harness.h"

#include <stdlib.h>
#include <string.h>

#include "kernel/mm/buddy.h"
#include "lib/random.h"

#define CHUNK (1u << BUDDY_ORDER_MAX)
#define CHUNKS 6u
#define PAGES (CHUNK * CHUNKS)
#define GARBAGE 0xee

static struct page pages[PAGES];
static struct buddy buddy;
static uint8_t taken[PAGES];

static int set_up(void **state)
{
	(void)state;
	memset(pages, GARBAGE, sizeof(pages));
	memset(taken, 0, sizeof(taken));
	buddy_init(&buddy, 16 * CHUNK, PAGES, pages);
	return 0;
}

static void must_be_sound(void)
{
	const char *wrong = buddy_check(&buddy);

	if (wrong)
		fail_msg("%s", wrong);
}

static void take(uint32_t index, unsigned order)
{
	for (uint32_t i = index; i < index + (1u << order); i++) {
		assert_int_equal(taken[i], 0);
		taken[i] = 1;
	}
}

static void give(uint32_t index, unsigned order)
{
	memset(&taken[index], 0, 1u << order);
	buddy_free(&buddy, index, order);
}

static void nothing_free_gives_nothing(void **state)
{
	(void)state;
	for (unsigned k = 0; k <= BUDDY_ORDER_MAX; k++)
		assert_int_equal(buddy_alloc(&buddy, k), BUDDY_NONE);
	must_be_sound();
}

static void whole_chunks_touch_only_their_heads(void **state)
{
	struct page untouched;

	(void)state;
	memset(&untouched, GARBAGE, sizeof(untouched));
	buddy_add(&buddy, 0, PAGES);
	must_be_sound();
	assert_int_equal(buddy.nr_free, PAGES);
	assert_int_equal(buddy.blocks[BUDDY_ORDER_MAX], CHUNKS);
	for (uint32_t i = 0; i < PAGES; i++)
		if (i % CHUNK)
			assert_memory_equal(&pages[i], &untouched, sizeof(untouched));
}

static void splitting_and_merging_never_reads_garbage(void **state)
{
	uint32_t got[CHUNK];

	(void)state;
	buddy_add(&buddy, 0, CHUNK);
	for (uint32_t i = 0; i < CHUNK; i++) {
		got[i] = buddy_alloc(&buddy, 0);
		assert_int_not_equal(got[i], BUDDY_NONE);
		take(got[i], 0);
		must_be_sound();
	}
	assert_int_equal(buddy_alloc(&buddy, 0), BUDDY_NONE);
	for (uint32_t i = 0; i < CHUNK; i++) {
		give(got[i], 0);
		must_be_sound();
	}
	assert_int_equal(buddy.blocks[BUDDY_ORDER_MAX], 1);
	assert_int_equal(buddy.nr_free, CHUNK);
}

/* Free: [3, 700), [900, CHUNK + 5), [2 * CHUNK + 1, 4 * CHUNK). */
static const uint32_t ranges[][2] = {{3, 700}, {900, CHUNK + 5}, {2 * CHUNK + 1, 4 * CHUNK}};

static void edges_are_used_and_reserved_pages_never_given(void **state)
{
	uint32_t sum = 0, index, n = 0;

	(void)state;
	for (unsigned i = 0; i < CHUNKS; i++)
		if (i != 3)
			buddy_init_chunk(&buddy, i);
	for (unsigned i = 0; i < 3; i++) {
		buddy_add(&buddy, ranges[i][0], ranges[i][1]);
		sum += ranges[i][1] - ranges[i][0];
		must_be_sound();
	}
	assert_int_equal(buddy.nr_free, sum);
	while ((index = buddy_alloc(&buddy, 0)) != BUDDY_NONE) {
		bool inside = false;

		for (unsigned i = 0; i < 3; i++)
			inside |= index >= ranges[i][0] && index < ranges[i][1];
		assert_true(inside);
		take(index, 0);
		n++;
	}
	assert_int_equal(n, sum);
	for (uint32_t i = 0; i < PAGES; i++)
		if (taken[i])
			give(i, 0);
	must_be_sound();
	assert_int_equal(buddy.nr_free, sum);
}

static void blocks_are_aligned_and_disjoint_under_random_use(void **state)
{
	static struct {
		uint32_t index;
		unsigned order;
	} held[4096];
	struct rng rng;
	unsigned n = 0;

	(void)state;
	rng_seed(&rng, host_seed());
	for (unsigned i = 0; i < CHUNKS; i += 2)
		buddy_init_chunk(&buddy, i);
	buddy_add(&buddy, 7, PAGES - CHUNK - 9);
	for (unsigned step = 0; step < 20000; step++) {
		if (n < 4096 && rng_below(&rng, 100) < 55) {
			unsigned order = (unsigned)rng_below(&rng, 5);
			uint32_t index = buddy_alloc(&buddy, order);

			if (index == BUDDY_NONE)
				continue;
			assert_int_equal(index % (1u << order), 0);
			take(index, order);
			held[n].index = index;
			held[n++].order = order;
		} else if (n > 0) {
			unsigned i = (unsigned)rng_below(&rng, n);

			give(held[i].index, held[i].order);
			held[i] = held[--n];
		}
		if (step % 64 == 0)
			must_be_sound();
	}
	while (n-- > 0)
		give(held[n].index, held[n].order);
	must_be_sound();
	assert_int_equal(buddy.nr_free, PAGES - CHUNK - 9 - 7);
}

static void the_checker_sees_a_broken_list(void **state)
{
	(void)state;
	buddy_add(&buddy, 0, 2 * CHUNK);
	buddy.nr_free--;
	assert_non_null(buddy_check(&buddy));
	buddy.nr_free++;
	assert_null(buddy_check(&buddy));
	pages[buddy.head[BUDDY_ORDER_MAX]].state = PAGE_USED;
	assert_non_null(buddy_check(&buddy));
}

static void absurd_frees_are_asserted(void **state)
{
	(void)state;
	buddy_add(&buddy, 0, CHUNK);
	expect_assert(buddy_free(&buddy, 1, 1));
	expect_assert(buddy_free(&buddy, PAGES, 0));
	expect_assert(buddy_free(&buddy, 0, BUDDY_ORDER_MAX + 1));
	expect_assert(buddy_alloc(&buddy, BUDDY_ORDER_MAX + 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(nothing_free_gives_nothing, set_up),
		cmocka_unit_test_setup(whole_chunks_touch_only_their_heads, set_up),
		cmocka_unit_test_setup(splitting_and_merging_never_reads_garbage, set_up),
		cmocka_unit_test_setup(edges_are_used_and_reserved_pages_never_given, set_up),
		cmocka_unit_test_setup(blocks_are_aligned_and_disjoint_under_random_use, set_up),
		cmocka_unit_test_setup(the_checker_sees_a_broken_list, set_up),
		cmocka_unit_test_setup(absurd_frees_are_asserted, set_up),
	};

	return cmocka_run_group_tests_name("buddy", tests, NULL, NULL);
}
