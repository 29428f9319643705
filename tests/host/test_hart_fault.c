/* SPDX-License-Identifier: MIT */
/*
 * lib/hart_fault.c: faults as they are written at the boot, and nothing that only looks like them.
 *
 * Sources: tests/host/harness.c lib/hart_fault.c lib/parse.c lib/random.c
 */
#include <stdio.h>
#include <string.h>

#include "lib/errno.h"
#include "lib/hart_fault.h"
#include "lib/random.h"
#include "tests/host/harness.h"

/* All of the text, as `hart/kind/place/delay;`; what ends it is the last number. */
static const char *read_all(const char *text)
{
	static char said[512];
	struct hart_fault f;
	size_t used = 0;
	int err;

	said[0] = '\0';
	while (!(err = hart_fault_next(&text, &f)))
		used += (size_t)snprintf(said + used, sizeof(said) - used, "%u/%d/%d/%d;", f.hart,
			(int)f.kind, (int)f.place, f.delayed ? (int)f.delay_ms : -1);
	snprintf(said + used, sizeof(said) - used, "%d", err == -ENOENT ? 0 : err);
	return said;
}

static void every_kind_and_place_is_read(void **state unused_arg)
{
	assert_string_equal(read_all(""), "0");
	assert_string_equal(read_all("hart0:hang@entry"), "0/1/0/-1;0");
	assert_string_equal(read_all("hart1:hang@mmu"), "1/1/1/-1;0");
	assert_string_equal(read_all("hart2:hang@traps"), "2/1/2/-1;0");
	assert_string_equal(read_all("hart3:hang@park"), "3/1/3/-1;0");
	assert_string_equal(read_all("hart127:hang@sched"), "127/1/4/-1;0");
	assert_string_equal(read_all("hart1:die@entry"), "1/2/0/-1;0");
	assert_string_equal(read_all("hart1:die@sched"), "1/2/4/-1;0");
	assert_string_equal(read_all("hart1:late@park"), "1/3/3/-1;0");
	assert_string_equal(read_all("hart1:late@entry+0"), "1/3/0/0;0");
	assert_string_equal(read_all("hart1:late@entry+3600000"), "1/3/0/3600000;0");
	assert_string_equal(read_all("hart1:twice"), "1/4/0/-1;0");
	assert_string_equal(read_all("hart1:stop@ipi"), "1/5/0/-1;0");
	assert_string_equal(read_all("hart1:refuse"), "1/6/0/-1;0");
}

static void several_are_read_in_their_order(void **state unused_arg)
{
	assert_string_equal(
		read_all("hart2:hang@mmu,hart1:late@sched+5,hart2:twice,hart3:stop@ipi"),
		"2/1/1/-1;1/3/4/5;2/4/0/-1;3/5/0/-1;0");
}

static void what_is_no_fault_changes_nothing(void **state unused_arg)
{
	static const char *const bad[] = {",", "hart", "hart1", "hart1:", "hart:hang@mmu",
		"hartx:hang@mmu", "hart-1:hang@mmu", "hart99999999999:hang@mmu", "1:hang@mmu",
		"hart1:hang", "hart1:hang@", "hart1:hang@mm", "hart1:hang@mmux", "hart1:hang@ipi",
		"hart1:hang@mmu+5", "hart1:die@park", "hart1:die@mmu+1", "hart1:late",
		"hart1:late@", "hart1:late@mmu+", "hart1:late@mmu+x", "hart1:late@mmu+-1",
		"hart1:late@mmu+3600001", "hart1:twice@mmu", "hart1:refuse@mmu", "hart1:twice+1",
		"hart1:stop", "hart1:stop@mmu", "hart1:hang@mmu ", "Hart1:hang@mmu",
		"hart1:hang@mmu,", "hart1:hang@mmuhart2:hang@mmu", "hart1:explode@mmu"};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct hart_fault f = {.hart = 77};
		const char *text = bad[i];

		assert_int_equal(hart_fault_next(&text, &f), -EINVAL);
		assert_ptr_equal(text, bad[i]);
		assert_int_equal(f.hart, 77);
	}
	assert_string_equal(read_all("hart1:twice,,hart2:twice"), "1/4/0/-1;-22");
	assert_string_equal(read_all("hart1:twice,hart2:no"), "1/4/0/-1;-22");
}

/* Words put together at random: it always ends, and never beyond the text. */
static void any_text_ends(void **state unused_arg)
{
	static const char *const parts[] = {"hart", "1", "2", ":", "hang@", "die@", "late@",
		"twice", "stop@ipi", "refuse", "mmu", "park", "+", ",", "x", ""};
	struct rng r;
	unsigned good = 0;

	rng_seed(&r, host_seed());
	for (unsigned n = 0; n < 200000; n++) {
		char text[80] = "";
		struct hart_fault f;
		const char *s = text;

		for (unsigned k = 0; k < 7; k++)
			strcat(text, parts[rng_below(&r, ARRAY_SIZE(parts))]);
		while (!hart_fault_next(&s, &f)) {
			assert_true(s <= text + strlen(text) && f.kind >= HART_HANGS &&
				f.kind <= HART_REFUSED && (unsigned)f.place < FAULT_PLACES);
			good++;
		}
	}
	assert_true(good > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_and_place_is_read),
		cmocka_unit_test(several_are_read_in_their_order),
		cmocka_unit_test(what_is_no_fault_changes_nothing),
		cmocka_unit_test(any_text_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
