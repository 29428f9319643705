/* SPDX-License-Identifier: MIT */
/*
 * lib/list.h against an array, by random operations.
 *
 * Sources: tests/host/harness.c lib/random.c
 */
#include <string.h>

#include "lib/list.h"
#include "lib/random.h"
#include "tests/host/harness.h"

#define NODES 40

struct item {
	int value;
	struct list_node node;
};

static struct rng rng;
static struct item items[NODES];
static struct item *model[NODES];
static size_t nr;
static struct list list = LIST_INIT(list);

static void put_at(size_t i, struct item *it)
{
	memmove(model + i + 1, model + i, (nr++ - i) * sizeof(*model));
	model[i] = it;
}

static struct item *take_at(size_t i)
{
	struct item *it = model[i];

	memmove(model + i, model + i + 1, (--nr - i) * sizeof(*model));
	return it;
}

static void check(void)
{
	struct item *it, *tmp;
	struct list_node *n;
	size_t i = 0;

	assert_int_equal(list_empty(&list), nr == 0);
	assert_int_equal(list_length(&list), nr);
	assert_ptr_equal(list_first(&list), nr ? &model[0]->node : NULL);
	assert_ptr_equal(list_last(&list), nr ? &model[nr - 1]->node : NULL);
	assert_ptr_equal(list_first_entry(&list, struct item, node), nr ? model[0] : NULL);
	list_for_each_entry(it, &list, node)
		assert_ptr_equal(it, model[i++]);
	assert_int_equal(i, nr);
	list_for_each_entry_safe(it, tmp, &list, node)
		i--;
	assert_int_equal(i, 0);
	list_for_each(n, &list)
		assert_ptr_equal(n, &model[i++]->node);
	for (i = 0; i < nr; i++) {
		assert_ptr_equal(
			list_next(&list, &model[i]->node), i + 1 < nr ? &model[i + 1]->node : NULL);
		assert_ptr_equal(list_prev(&list, &model[i]->node), i ? &model[i - 1]->node : NULL);
	}
}

static void add_somewhere(struct item *it)
{
	size_t i = rng_below(&rng, nr + 1);

	if (rng_one_in(&rng, 3)) {
		list_push_front(&list, &it->node);
		i = 0;
	} else if (rng_one_in(&rng, 2)) {
		list_push_back(&list, &it->node);
		i = nr;
	} else if (i == nr) {
		list_insert_before(&list.head, &it->node);
	} else if (rng_one_in(&rng, 2)) {
		list_insert_before(&model[i]->node, &it->node);
	} else {
		list_insert_after(&model[i]->node, &it->node);
		i++;
	}
	put_at(i, it);
}

static void remove_somewhere(void)
{
	size_t i = rng_below(&rng, nr);

	if (rng_one_in(&rng, 3)) {
		assert_ptr_equal(list_pop_front(&list), &take_at(0)->node);
	} else if (rng_one_in(&rng, 2)) {
		assert_ptr_equal(list_pop_back(&list), &take_at(nr - 1)->node);
	} else {
		struct item *it = take_at(i);

		list_remove(&it->node);
		assert_false(list_node_linked(&it->node));
	}
}

static void behaves_like_an_array(void **state unused_arg)
{
	assert_null(list_pop_front(&list));
	assert_null(list_pop_back(&list));
	for (int i = 0; i < 50000; i++) {
		struct item *it = &items[rng_below(&rng, NODES)];

		if (!list_node_linked(&it->node))
			add_somewhere(it);
		else if (nr)
			remove_somewhere();
		check();
	}
	while (nr)
		remove_somewhere();
	check();
}

static void the_safe_loop_survives_removal(void **state unused_arg)
{
	struct item *it, *tmp;
	int sum = 0;

	for (int i = 0; i < 10; i++) {
		items[i].value = i;
		list_push_back(&list, &items[i].node);
	}
	list_for_each_entry_safe(it, tmp, &list, node) {
		sum += it->value;
		list_remove(&it->node);
		memset(it, 0xff, sizeof(*it));
		list_node_init(&it->node);
	}
	assert_int_equal(sum, 45);
	assert_true(list_empty(&list));
}

static void splice_keeps_the_order(void **state unused_arg)
{
	struct list other;
	struct item *it;
	int want = 0;

	list_init(&other);
	list_splice_back(&list, &other);
	assert_true(list_empty(&list));
	for (int i = 0; i < 10; i++) {
		items[i].value = i;
		list_push_back(i < 4 ? &list : &other, &items[i].node);
	}
	list_splice_back(&list, &other);
	assert_true(list_empty(&other));
	list_for_each_entry(it, &list, node)
		assert_int_equal(it->value, want++);
	assert_int_equal(want, 10);
	while (list_pop_front(&list))
		;
}

static void misuse_is_asserted(void **state unused_arg)
{
	struct list_node *next;

	list_push_back(&list, &items[0].node);
	list_push_back(&list, &items[1].node);
	expect_assert(list_push_back(&list, &items[0].node));
	expect_assert(list_push_front(&list, &items[1].node));
	next = items[0].node.next;
	items[0].node.next = &items[5].node; /* damaged */
	items[5].node.prev = NULL;
	expect_assert(list_remove(&items[0].node));
	items[0].node.next = next;
	list_remove(&items[0].node);
	list_remove(&items[0].node); /* unlinked: nothing */
	list_remove(&items[1].node);
	assert_true(list_empty(&list));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(behaves_like_an_array),
		cmocka_unit_test(the_safe_loop_survives_removal),
		cmocka_unit_test(splice_keeps_the_order),
		cmocka_unit_test(misuse_is_asserted),
	};

	rng_seed(&rng, host_seed());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
