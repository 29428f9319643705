/* SPDX-License-Identifier: MIT */
/*
 * lib/linkset.h: what is added anywhere is found once; a set without entries is empty.
 *
 * Sources: tests/host/harness.c
 */
#include "lib/linkset.h"
#include "tests/host/harness.h"

struct part {
	int number;
};

static const struct part one = {1}, two = {2};
struct part four = {4};
static struct part counted[2];

LINKSET_ADD(part, struct part, one);
LINKSET_ADD(part, struct part, two);
LINKSET_ADD(part, struct part, four);
LINKSET_DECLARE(part, const struct part);

static struct part eight = {8};
LINKSET_ADD(writable, struct part, eight);
LINKSET_DECLARE(writable, struct part);

LINKSET_DECLARE(nobody, struct part);

static void finds_every_entry_once(void **state unused_arg)
{
	int sum = 0, n = 0;

	linkset_for_each(part, const struct part, p) {
		sum += p->number;
		n++;
	}
	assert_int_equal(n, 3);
	assert_int_equal(sum, 7);
	assert_int_equal(linkset_size(part), 3);
}

static void entries_can_be_written(void **state unused_arg)
{
	linkset_for_each(writable, struct part, p)
		p->number++;
	assert_int_equal(eight.number, 9);
}

static void break_leaves_the_walk(void **state unused_arg)
{
	int n = 0;

	linkset_for_each(part, const struct part, p) {
		counted[n++] = *p;
		if (n == 2)
			break;
	}
	assert_int_equal(n, 2);
}

static void a_set_without_entries_is_empty(void **state unused_arg)
{
	linkset_for_each(nobody, struct part, p)
		fail_msg("entry %p", (void *)p);
	assert_int_equal(linkset_size(nobody), 0);
}

struct word {
	const char *name;
};

static const struct word pear = {"pear"}, apple = {"apple"}, plum = {"plum"}, fig = {"fig"};
LINKSET_ADD(word, struct word, pear);
LINKSET_ADD(word, struct word, apple);
LINKSET_ADD(word, struct word, plum);
LINKSET_ADD(word, struct word, fig);
LINKSET_DECLARE(word, const struct word);

static void walks_by_name_whatever_the_order_of_links(void **state unused_arg)
{
	static const char *const want[] = {"apple", "fig", "pear", "plum"};
	unsigned n = 0;

	linkset_for_each_by_name(word, const struct word, w)
	{
		assert_true(n < ARRAY_SIZE(want));
		assert_string_equal(w->name, want[n++]);
	}
	assert_int_equal(n, ARRAY_SIZE(want));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_every_entry_once),
		cmocka_unit_test(entries_can_be_written),
		cmocka_unit_test(break_leaves_the_walk),
		cmocka_unit_test(a_set_without_entries_is_empty),
		cmocka_unit_test(walks_by_name_whatever_the_order_of_links),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
