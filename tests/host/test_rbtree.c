/* SPDX-License-Identifier: MIT */
/*
 * lib/rbtree.c against a sorted array, its invariants looked at after every operation.
 *
 * Sources: tests/host/harness.c lib/rbtree.c lib/random.c
 */
#include <string.h>

#include "lib/random.h"
#include "lib/rbtree.h"
#include "tests/host/harness.h"

#define NODES 200

struct item {
	uint64_t key;
	struct rbnode node;
};

static struct rng rng;
static struct item items[NODES];
static struct rbtree tree;
/* What the tree should hold: by key, equal keys in the order of insertion. */
static struct item *model[NODES];
static size_t nr_model;

static uint64_t key_of(const struct rbnode *n)
{
	return rbtree_entry(n, struct item, node)->key;
}

static bool less(const struct rbnode *a, const struct rbnode *b)
{
	return key_of(a) < key_of(b);
}

static bool before(const struct rbnode *n, const void *key)
{
	return key_of(n) < *(const uint64_t *)key;
}

static void reset(void)
{
	memset(items, 0, sizeof(items));
	rbtree_init(&tree);
	nr_model = 0;
}

static void insert(struct item *it)
{
	size_t i = nr_model;

	while (i && model[i - 1]->key > it->key)
		i--;
	memmove(model + i + 1, model + i, (nr_model++ - i) * sizeof(*model));
	model[i] = it;
	assert_int_equal(rbtree_insert(&tree, &it->node, less), i == 0);
	assert_true(rbnode_linked(&it->node));
}

static void remove_at(size_t i)
{
	struct item *it = model[i];

	memmove(model + i, model + i + 1, (--nr_model - i) * sizeof(*model));
	rbtree_remove(&tree, &it->node);
	assert_false(rbnode_linked(&it->node));
}

static void check(void)
{
	size_t i = 0;

	assert_true(rbtree_valid(&tree, less, nr_model));
	assert_int_equal(rbtree_empty(&tree), nr_model == 0);
	assert_ptr_equal(rbtree_first(&tree), nr_model ? &model[0]->node : NULL);
	assert_ptr_equal(rbtree_last(&tree), nr_model ? &model[nr_model - 1]->node : NULL);
	rbtree_for_each(n, &tree) {
		assert_ptr_equal(n, &model[i]->node);
		assert_ptr_equal(rbtree_prev(n), i ? &model[i - 1]->node : NULL);
		i++;
	}
	assert_int_equal(i, nr_model);
}

static void random_operations(uint64_t keys, unsigned turns)
{
	reset();
	for (unsigned turn = 0; turn < turns; turn++) {
		/* Grows and shrinks in long waves. */
		bool grow = turn / 300 % 2 ? rng_one_in(&rng, 4) : !rng_one_in(&rng, 4);
		struct item *it = &items[rng_below(&rng, NODES)];

		if (grow && !rbnode_linked(&it->node)) {
			it->key = rng_below(&rng, keys);
			insert(it);
		} else if (!grow && nr_model) {
			remove_at(rng_below(&rng, nr_model));
		}
		check();
	}
	while (nr_model) {
		remove_at(rng_below(&rng, nr_model));
		check();
	}
}

static void keeps_its_invariants_under_random_operations(void **state unused_arg)
{
	random_operations(1000000, 8000);
}

static void keeps_equal_keys_in_order_of_insertion(void **state unused_arg)
{
	random_operations(4, 8000);
	random_operations(1, 2000);
}

static void works_as_a_queue_in_key_order(void **state unused_arg)
{
	reset();
	for (size_t i = 0; i < NODES; i++) {
		items[i].key = i;
		insert(&items[i]);
		check();
	}
	while (nr_model) {
		remove_at(0);
		check();
	}
	for (size_t i = 0; i < NODES; i++) {
		items[i].key = NODES - i;
		insert(&items[i]);
		check();
	}
	while (nr_model) {
		remove_at(nr_model - 1);
		check();
	}
}

static void lower_bound_is_the_first_that_is_not_before(void **state unused_arg)
{
	reset();
	for (size_t i = 0; i < NODES; i++) {
		items[i].key = rng_below(&rng, NODES);
		insert(&items[i]);
	}
	for (uint64_t key = 0; key <= NODES; key++) {
		size_t i = 0;

		while (i < nr_model && model[i]->key < key)
			i++;
		assert_ptr_equal(rbtree_lower_bound(&tree, before, &key),
			i < nr_model ? &model[i]->node : NULL);
	}
}

static void valid_notices_damage(void **state unused_arg)
{
	reset();
	for (size_t i = 0; i < 20; i++) {
		items[i].key = i;
		insert(&items[i]);
	}
	assert_true(rbtree_valid(&tree, less, 20));
	assert_false(rbtree_valid(&tree, less, 19));
	items[10].key = 3;
	assert_false(rbtree_valid(&tree, less, 20));
	items[10].key = 10;
	for (size_t i = 0; i < 20; i++) {
		items[i].node.parent_bits ^= 1; /* colour */
		assert_false(rbtree_valid(&tree, less, 20));
		items[i].node.parent_bits ^= 1;
	}
	tree.leftmost = &items[1].node;
	assert_false(rbtree_valid(&tree, less, 20));
}

static void misuse_is_asserted(void **state unused_arg)
{
	reset();
	insert(&items[0]);
	expect_assert(rbtree_insert(&tree, &items[0].node, less));
	expect_assert(rbtree_remove(&tree, &items[1].node));
	check();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_its_invariants_under_random_operations),
		cmocka_unit_test(keeps_equal_keys_in_order_of_insertion),
		cmocka_unit_test(works_as_a_queue_in_key_order),
		cmocka_unit_test(lower_bound_is_the_first_that_is_not_before),
		cmocka_unit_test(valid_notices_damage),
		cmocka_unit_test(misuse_is_asserted),
	};

	rng_seed(&rng, host_seed());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
