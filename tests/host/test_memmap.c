/* SPDX-License-Identifier: MIT */
/*
 * Sets of physical ranges against a plain map of bytes.
 *
 * Sources: kernel/mm/memmap.c lib/random.c tests/host/harness.c
 */
#include "tests/host/harness.h"

#include <string.h>

#include "kernel/mm/memmap.h"
#include "lib/errno.h"
#include "lib/random.h"

#define SPACE 512u

static bool in_set(const struct range_set *s, uint64_t at)
{
	return range_set_overlap(s, at, at + 1) == 1;
}

static void must_be_sorted_and_apart(const struct range_set *s)
{
	for (unsigned i = 0; i < s->n; i++) {
		assert_true(s->r[i].base < s->r[i].end);
		if (i > 0)
			assert_true(s->r[i - 1].end < s->r[i].base);
	}
}

static void adding_is_a_union(void **state)
{
	struct rng rng;

	(void)state;
	rng_seed(&rng, host_seed());
	for (unsigned round = 0; round < 200; round++) {
		struct range_set s = {0};
		bool plain[SPACE] = {false};
		uint64_t size = 0;

		for (unsigned i = 0; i < 40; i++) {
			uint64_t base = rng_below(&rng, SPACE), end = rng_below(&rng, SPACE);

			assert_int_equal(range_set_add(&s, base, end), 0);
			for (uint64_t at = base; at < end; at++)
				plain[at] = true;
			must_be_sorted_and_apart(&s);
		}
		for (unsigned at = 0; at < SPACE; at++) {
			assert_int_equal(in_set(&s, at), plain[at]);
			size += plain[at];
		}
		assert_int_equal(range_set_size(&s), size);
	}
}

static void free_pieces_are_the_difference(void **state)
{
	struct rng rng;

	(void)state;
	rng_seed(&rng, host_seed());
	for (unsigned round = 0; round < 200; round++) {
		struct range_set in = {0}, out = {0};
		bool seen[SPACE] = {false};
		struct mem_range piece;
		uint64_t pos = 0;

		for (unsigned i = 0; i < 8; i++) {
			uint64_t a = rng_below(&rng, SPACE), b = rng_below(&rng, SPACE);

			range_set_add(&in, a, a + rng_below(&rng, 100));
			range_set_add(&out, b, b + rng_below(&rng, 40));
		}
		while (range_set_next_free(&in, &out, &pos, &piece)) {
			assert_true(piece.base < piece.end && piece.end == pos);
			for (uint64_t at = piece.base; at < piece.end && at < SPACE; at++)
				seen[at] = true;
		}
		for (unsigned at = 0; at < SPACE; at++)
			assert_int_equal(seen[at], in_set(&in, at) && !in_set(&out, at));
	}
}

static void finding_gives_the_lowest_that_fits(void **state)
{
	struct range_set ram = {0}, taken = {0};

	(void)state;
	range_set_add(&ram, 0x1000, 0x10000);
	range_set_add(&taken, 0x1000, 0x2000);
	range_set_add(&taken, 0x3000, 0x5000);
	assert_int_equal(range_set_find(&ram, &taken, 0x1000, 0x1000, 0, UINT64_MAX), 0x2000);
	assert_int_equal(range_set_find(&ram, &taken, 0x2000, 0x1000, 0, UINT64_MAX), 0x5000);
	assert_int_equal(range_set_find(&ram, &taken, 0x1000, 0x4000, 0, UINT64_MAX), 0x8000);
	assert_int_equal(range_set_find(&ram, &taken, 0x1000, 0x1000, 0x6000, UINT64_MAX), 0x6000);
	assert_int_equal(range_set_find(&ram, &taken, 0x1000, 0x1000, 0x6000, 0x6800), 0);
	assert_int_equal(range_set_find(&ram, &taken, 0xc000, 0x1000, 0, UINT64_MAX), 0);
	assert_int_equal(range_set_find(&ram, &taken, 0x1000, 0x1000, 0x10000, UINT64_MAX), 0);
}

static void a_full_set_refuses_and_stays(void **state)
{
	struct range_set s = {0}, before;

	(void)state;
	for (unsigned i = 0; i < RANGE_SET_MAX; i++)
		assert_int_equal(range_set_add(&s, i * 10, i * 10 + 5), 0);
	before = s;
	assert_int_equal(range_set_add(&s, 6, 8), -ENOSPC);
	assert_memory_equal(&s, &before, sizeof(s));
	/* What touches another range still fits. */
	assert_int_equal(range_set_add(&s, 5, 10), 0);
	assert_int_equal(s.n, RANGE_SET_MAX - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(adding_is_a_union),
		cmocka_unit_test(free_pieces_are_the_difference),
		cmocka_unit_test(finding_gives_the_lowest_that_fits),
		cmocka_unit_test(a_full_set_refuses_and_stays),
	};

	return cmocka_run_group_tests_name("memmap", tests, NULL, NULL);
}
