/* SPDX-License-Identifier: MIT */
/*
 * kernel/hart/plan.c and mask_text.c: what harts= says, and who is brought up for it.
 *
 * Sources: tests/host/harness.c tests/host/machine.c lib/random.c lib/parse.c
 * Sources: kernel/hart/plan.c kernel/hart/mask.c kernel/hart/mask_text.c
 */
#include <string.h>

#include "kernel/hart/plan.h"
#include "lib/errno.h"
#include "lib/random.h"
#include "tests/host/harness.h"

static struct bring_plan plan;

static void expect_list(const char *text, unsigned n, const char *want)
{
	struct hart_mask mask;
	char said[HART_LIST_MAX];

	if (!want) {
		hart_mask_fill(&mask, 3);
		assert_int_equal(hart_mask_parse(text, n, &mask), -EINVAL);
		assert_string_equal(hart_mask_text(&mask, n, said, sizeof(said)), "0-2");
		return;
	}
	assert_int_equal(hart_mask_parse(text, n, &mask), 0);
	assert_string_equal(hart_mask_text(&mask, n, said, sizeof(said)), want);
}

static void lists_are_read_and_written(void **state unused_arg)
{
	expect_list("0", 4, "0");
	expect_list("3,0,2", 4, "0,2-3");
	expect_list("0-3,1", 4, "0-3");
	expect_list("0,2-3,5-7", 8, "0,2-3,5-7");
	expect_list("0-127", 128, "0-127");
}

static void what_is_no_list_changes_nothing(void **state unused_arg)
{
	static const char *const bad[] = {"", ",", "1,", ",1", "a", "1a", "2-1", "1-", "-1", "8",
		"0-8", "1,,2", "1 2", "99999999999999999999", "1-99999999999999999999"};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		expect_list(bad[i], 8, NULL);
}

static void a_list_that_does_not_fit_is_cut(void **state unused_arg)
{
	struct hart_mask mask;
	char said[8];

	hart_mask_zero(&mask);
	for (unsigned i = 0; i < 20; i += 2)
		hart_mask_set(&mask, i);
	assert_string_equal(hart_mask_text(&mask, 20, said, sizeof(said)), "0,2,4,6");
}

static void expect_wanted(const char *text, unsigned most, const char *want)
{
	struct hart_mask wanted;
	char said[HART_LIST_MAX];

	plan = (struct bring_plan){.mode = BRING_PARALLEL, .most = most};
	if (text)
		assert_int_equal(plan_parse(text, 8, &plan), 0);
	plan_wanted(&plan, 8, 5, &wanted);
	assert_string_equal(hart_mask_text(&wanted, 8, said, sizeof(said)), want);
}

/* Of eight harts, of which the firmware has chosen 5. */
static void the_boot_hart_and_who_is_asked_for_are_wanted(void **state unused_arg)
{
	expect_wanted(NULL, 128, "0-7");
	expect_wanted("parallel", 128, "0-7");
	expect_wanted("sequential", 128, "0-7");
	expect_wanted("tree", 128, "0-7");
	expect_wanted("lazy", 128, "5");
	expect_wanted("cold", 128, "5");
	expect_wanted("0,2", 128, "0,2,5");
	expect_wanted("5", 128, "5");
	expect_wanted("tree,0,2-3", 128, "0,2-3,5");
	expect_wanted("cold,1", 128, "1,5");
	expect_wanted(NULL, 1, "5");
	expect_wanted(NULL, 3, "0-1,5");
	expect_wanted("6-7", 2, "5-6");
	expect_wanted("5-7", 2, "5-6");
}

static void modes_have_names(void **state unused_arg)
{
	for (unsigned mode = BRING_PARALLEL; mode <= BRING_COLD; mode++) {
		assert_int_equal(plan_parse(plan_mode_name(mode), 4, &plan), 0);
		assert_int_equal(plan.mode, mode);
		assert_false(plan.listed);
	}
}

static void what_is_no_plan_changes_nothing(void **state unused_arg)
{
	static const char *const bad[] = {"", "x", "lazy,", "lazy,x", "lazytree", "tree,8",
		"0,tree", "tree,lazy", "Tree", "8"};
	struct hart_mask wanted;
	char said[HART_LIST_MAX];

	plan = (struct bring_plan){.most = 128};
	assert_int_equal(plan_parse("tree,0,3", 8, &plan), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(plan_parse(bad[i], 8, &plan), -EINVAL);
		assert_int_equal(plan.mode, BRING_TREE);
		plan_wanted(&plan, 8, 5, &wanted);
		assert_string_equal(hart_mask_text(&wanted, 8, said, sizeof(said)), "0,3,5");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lists_are_read_and_written),
		cmocka_unit_test(what_is_no_list_changes_nothing),
		cmocka_unit_test(a_list_that_does_not_fit_is_cut),
		cmocka_unit_test(the_boot_hart_and_who_is_asked_for_are_wanted),
		cmocka_unit_test(modes_have_names),
		cmocka_unit_test(what_is_no_plan_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
