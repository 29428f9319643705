/* SPDX-License-Identifier: MIT */
/*
 * lib/symtab.c finds the function of every address and none for the others.
 *
 * Sources: tests/host/harness.c lib/symtab.c lib/random.c
 */
#include <string.h>

#include "lib/errno.h"
#include "lib/random.h"
#include "lib/symtab.h"
#include "tests/host/harness.h"

#define BASE ((uintptr_t)0x80200000)

/* As the link step would write it. */
const uintptr_t symtab_base = BASE;
const uint32_t symtab_count = 4;
const uint32_t symtab_offsets[] = {0, 0x10, 0x14, 0x100, 0x180};
const uint32_t symtab_names[] = {0, 6, 11, 23};
const char symtab_strings[] = "start\0main\0mutex_lock_\0last";

static void expect(uintptr_t addr, const char *want, uintptr_t want_offset)
{
	struct symtab t = symtab_kernel();
	uintptr_t offset = 12345;
	const char *name = symtab_find(&t, addr, &offset);

	if (!want) {
		assert_null(name);
		return;
	}
	assert_non_null(name);
	assert_string_equal(name, want);
	assert_int_equal(offset, want_offset);
	assert_ptr_equal(symtab_find(&t, addr, NULL), name);
}

static void finds_the_function_of_an_address(void **state unused_arg)
{
	expect(BASE, "start", 0);
	expect(BASE + 0xf, "start", 0xf);
	expect(BASE + 0x10, "main", 0);
	expect(BASE + 0x13, "main", 3);
	expect(BASE + 0x14, "mutex_lock_", 0);
	expect(BASE + 0xff, "mutex_lock_", 0xeb);
	expect(BASE + 0x100, "last", 0);
	expect(BASE + 0x17f, "last", 0x7f);
}

static void finds_none_outside(void **state unused_arg)
{
	struct symtab empty = {0};

	expect(BASE - 1, NULL, 0);
	expect(BASE + 0x180, NULL, 0);
	expect(0, NULL, 0);
	expect(UINTPTR_MAX, NULL, 0);
	assert_null(symtab_find(&empty, BASE, NULL));
	assert_null(symtab_find(&empty, 0, NULL));
}

static void agrees_with_a_linear_search(void **state unused_arg)
{
	static uint32_t offsets[101], names[100];
	struct symtab t = {BASE, 100, offsets, names, symtab_strings};
	struct rng r;

	rng_seed(&r, host_seed());
	for (uint32_t i = 0, at = 0; i <= 100; i++, at += (uint32_t)rng_between(&r, 1, 9))
		offsets[i] = at;
	for (t.count = 1; t.count <= 100; t.count++) {
		for (uint32_t where = 0; where < offsets[t.count]; where++) {
			uintptr_t offset;
			uint32_t i = 0;

			while (offsets[i + 1] <= where)
				i++;
			assert_non_null(symtab_find(&t, BASE + where, &offset));
			assert_int_equal(offset, where - offsets[i]);
		}
	}
}

static void finds_addresses_by_name(void **state unused_arg)
{
	struct symtab t = symtab_kernel();
	uintptr_t addr = 0;

	assert_int_equal(symtab_address(&t, "mutex_lock_", &addr), 0);
	assert_int_equal(addr, BASE + 0x14);
	assert_int_equal(symtab_address(&t, "mutex_lock", &addr), -ENOENT);
	assert_int_equal(addr, BASE + 0x14);
}

static void formats_for_backtraces(void **state unused_arg)
{
	struct symtab t = symtab_kernel();
	char buf[32], tiny[8];

	assert_string_equal(symtab_format(&t, BASE + 0x30, buf, sizeof(buf)), "mutex_lock_+0x1c");
	assert_string_equal(symtab_format(&t, 0x1234, buf, sizeof(buf)), "0x1234");
	assert_string_equal(symtab_format(&t, BASE + 0x30, tiny, sizeof(tiny)), "mutex_l");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_function_of_an_address),
		cmocka_unit_test(finds_none_outside),
		cmocka_unit_test(agrees_with_a_linear_search),
		cmocka_unit_test(finds_addresses_by_name),
		cmocka_unit_test(formats_for_backtraces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
