/* SPDX-License-Identifier: MIT */
/*
 * lib/bitmap.c against an array of bools, for sizes around word boundaries; bits behind the end
 * stay as they are.
 *
 * Sources: tests/host/harness.c lib/bitmap.c lib/random.c
 */
#include <stdlib.h>
#include <string.h>

#include "lib/bitmap.h"
#include "lib/random.h"
#include "tests/host/harness.h"

#define MAX_BITS 200

static struct rng rng;

static size_t model_next(const bool *bits, size_t nbits, size_t from, bool value)
{
	while (from < nbits && bits[from] != value)
		from++;
	return MIN(from, nbits);
}

static size_t model_run(const bool *bits, size_t nbits, size_t from, size_t n)
{
	for (; from + n <= nbits; from++) {
		if (model_next(bits, from + n, from, true) == from + n)
			return from;
	}
	return nbits;
}

static void compare(const unsigned long *map, const bool *bits, size_t nbits)
{
	size_t weight = 0, seen = 0, from = rng_below(&rng, nbits + 2);
	size_t n = rng_between(&rng, 1, nbits + 1);

	for (size_t i = 0; i < nbits; i++) {
		assert_int_equal(bitmap_test(map, i), bits[i]);
		weight += bits[i];
	}
	assert_int_equal(bitmap_weight(map, nbits), weight);
	assert_int_equal(bitmap_empty(map, nbits), weight == 0);
	assert_int_equal(bitmap_full(map, nbits), weight == nbits);
	assert_int_equal(bitmap_next_set(map, nbits, from), model_next(bits, nbits, from, true));
	assert_int_equal(bitmap_next_clear(map, nbits, from), model_next(bits, nbits, from, false));
	assert_int_equal(
		bitmap_find_clear_run(map, nbits, from, n), model_run(bits, nbits, from, n));
	bitmap_for_each_set(bit, map, nbits) {
		assert_true(bits[bit]);
		seen++;
	}
	assert_int_equal(seen, weight);
}

static void change(unsigned long *map, bool *bits, size_t nbits)
{
	size_t bit = rng_below(&rng, nbits), n = rng_below(&rng, nbits - bit + 1);

	switch (rng_below(&rng, 4)) {
	case 0:
		bitmap_set(map, bit);
		bits[bit] = true;
		break;
	case 1:
		bitmap_clear(map, bit);
		bits[bit] = false;
		break;
	case 2:
		bitmap_set_range(map, bit, n);
		memset(bits + bit, true, n);
		break;
	default:
		bitmap_clear_range(map, bit, n);
		memset(bits + bit, false, n);
		break;
	}
}

static void one_size(size_t nbits)
{
	size_t words = BITMAP_WORDS(nbits);
	unsigned long *map = malloc(words * sizeof(long)), beyond;
	bool bits[MAX_BITS] = {false};

	memset(map, 0xff, words * sizeof(long));
	bitmap_zero(map, nbits);
	compare(map, bits, nbits);
	bitmap_fill(map, nbits);
	memset(bits, true, nbits);
	compare(map, bits, nbits);

	beyond = nbits % BITS_PER_LONG ? ~0ul << nbits % BITS_PER_LONG : 0;
	assert_int_equal(map[words - 1] & beyond, 0);
	map[words - 1] |= beyond;
	for (int i = 0; i < 1000; i++) {
		change(map, bits, nbits);
		compare(map, bits, nbits);
		assert_true((map[words - 1] & beyond) == beyond);
	}
	free(map);
}

static void agrees_with_an_array_of_bools(void **state unused_arg)
{
	static const size_t sizes[] = {1, 2, 31, 32, 33, 63, 64, 65, 127, 128, 129, 200};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		one_size(sizes[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_an_array_of_bools),
	};

	rng_seed(&rng, host_seed());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
