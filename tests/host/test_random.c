/* SPDX-License-Identifier: MIT */
/*
 * lib/random.c and lib/hash.c: known values, ranges, rough uniformity.
 *
 * Sources: tests/host/harness.c lib/random.c lib/hash.c
 */
#include <string.h>

#include "lib/hash.h"
#include "lib/random.h"
#include "tests/host/harness.h"

/* The algorithm's published first outputs for the seed 1234567. */
static void splitmix64_gives_the_published_values(void **state unused_arg)
{
	static const uint64_t want[] = {6457827717110365317ull, 3203168211198807973ull,
		9817491932198370423ull, 4593380528125082431ull, 16408922859458223821ull};
	uint64_t s = 1234567;

	for (size_t i = 0; i < ARRAY_SIZE(want); i++)
		assert_int_equal(splitmix64(&s), want[i]);
}

/* The outputs that its authors' text yields from the state 1, 2, 3, 4, worked out by hand. */
static void xoshiro_gives_the_values_of_its_definition(void **state unused_arg)
{
	static const uint64_t want[] = {11520, 0, 1509978240, 1215971899390074240ull};
	struct rng r = {{1, 2, 3, 4}};

	for (size_t i = 0; i < ARRAY_SIZE(want); i++)
		assert_int_equal(rng_u64(&r), want[i]);
}

static void the_seed_decides_the_sequence(void **state unused_arg)
{
	struct rng a, b, c;
	unsigned same = 0;

	rng_seed(&a, 0);
	rng_seed(&b, 0);
	rng_seed(&c, 1);
	assert_true(a.s[0] | a.s[1] | a.s[2] | a.s[3]);
	for (int i = 0; i < 1000; i++) {
		uint64_t x = rng_u64(&a);

		assert_int_equal(x, rng_u64(&b));
		same += x == rng_u64(&c);
	}
	assert_int_equal(same, 0);
}

static void ranges_are_kept_and_filled_evenly(void **state unused_arg)
{
	unsigned seen[7] = {0}, rare = 0;
	struct rng r;

	rng_seed(&r, host_seed());
	for (int i = 0; i < 70000; i++) {
		uint64_t x = rng_below(&r, 7), y = rng_between(&r, 10, 12);

		assert_true(x < 7);
		assert_true(y >= 10 && y <= 12);
		seen[x]++;
		rare += rng_one_in(&r, 100);
	}
	for (size_t i = 0; i < ARRAY_SIZE(seen); i++)
		assert_in_range(seen[i], 9000, 11000);
	assert_in_range(rare, 500, 900);
	assert_int_equal(rng_below(&r, 1), 0);
	assert_int_equal(rng_between(&r, 5, 5), 5);
	assert_true(rng_between(&r, UINT64_MAX - 1, UINT64_MAX) >= UINT64_MAX - 1);
	rng_between(&r, 0, UINT64_MAX);
	expect_assert(rng_below(&r, 0));
	expect_assert(rng_between(&r, 2, 1));
}

/* Two thirds of 2^64: without rejection the lower half of it would come twice as often. */
static void large_ranges_have_no_bias(void **state unused_arg)
{
	uint64_t n = UINT64_MAX / 3 * 2;
	unsigned low = 0;
	struct rng r;

	rng_seed(&r, host_seed());
	for (int i = 0; i < 30000; i++)
		low += rng_below(&r, n) < n / 2;
	assert_in_range(low, 14000, 16000);
}

static void fnv1a_gives_the_published_values(void **state unused_arg)
{
	assert_int_equal(fnv1a_str(""), 0x811c9dc5u);
	assert_int_equal(fnv1a_str("a"), 0xe40c292cu);
	assert_int_equal(fnv1a_str("foobar"), 0xbf9cf968u);
	assert_int_equal(fnv1a_64(FNV1A_64_INIT, "a", 1), 0xaf63dc4c8601ec8cull);
	assert_int_equal(fnv1a_64(FNV1A_64_INIT, "foobar", 6), 0x85944171f73967e8ull);
	assert_int_equal(
		fnv1a_64(fnv1a_64(FNV1A_64_INIT, "foo", 3), "bar", 3), 0x85944171f73967e8ull);
}

static void neighbours_hash_far_apart(void **state unused_arg)
{
	for (uint64_t i = 1; i < 1000; i++) {
		int changed = __builtin_popcountll(hash_u64(i) ^ hash_u64(i + 1));

		assert_in_range(changed, 12, 52);
	}
	assert_int_not_equal(hash_ptr((void *)64), hash_ptr((void *)128));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(splitmix64_gives_the_published_values),
		cmocka_unit_test(xoshiro_gives_the_values_of_its_definition),
		cmocka_unit_test(the_seed_decides_the_sequence),
		cmocka_unit_test(ranges_are_kept_and_filled_evenly),
		cmocka_unit_test(large_ranges_have_no_bias),
		cmocka_unit_test(fnv1a_gives_the_published_values),
		cmocka_unit_test(neighbours_hash_far_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
