/* SPDX-License-Identifier: MIT */
/*
 * lib/bar.c: each character says what had begun by the end of its time.
 *
 * Sources: tests/host/harness.c lib/bar.c lib/random.c
 */
#include <string.h>

#include "lib/bar.h"
#include "tests/host/harness.h"

static void expect(uint64_t from, uint64_t to, uint64_t a, uint64_t b, const char *want)
{
	const uint64_t at[] = {a, b};
	char out[16];

	bar_draw(out, (unsigned)strlen(want), from, to, at, 2, ".ab");
	assert_string_equal(out, want);
}

static void stages_begin_where_they_do(void **state unused_arg)
{
	expect(100, 200, 0, 0, "..........");
	expect(100, 200, 100, 0, "aaaaaaaaaa");
	expect(100, 200, 110, 0, "aaaaaaaaaa");
	expect(100, 200, 111, 0, ".aaaaaaaaa");
	expect(100, 200, 131, 171, "...aaaabbb");
	expect(100, 200, 131, 131, "...bbbbbbb");
	expect(100, 200, 200, 201, ".........a");
	expect(100, 200, 0, 160, ".....bbbbb");
	expect(100, 200, 50, 60, "bbbbbbbbbb");
}

static void no_time_and_all_of_it_are_drawn(void **state unused_arg)
{
	expect(100, 100, 100, 0, "aaa");
	expect(200, 100, 201, 0, "...");
	expect(0, UINT64_MAX, UINT64_MAX / 2 + 2, UINT64_MAX, "....aaab");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stages_begin_where_they_do),
		cmocka_unit_test(no_time_and_all_of_it_are_drawn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
