/* SPDX-License-Identifier: MIT */
/*
 * lib/fdt.c and lib/fdt_bus.c: nodes, properties, addresses and interrupts.
 *
 * Sources: tests/host/harness.c tests/host/dt.c lib/fdt.c lib/fdt_bus.c lib/fdt_memory.c
 * Sources: lib/fdt_harts.c lib/string.c libfdt
 */
#include <string.h>

#include "lib/errno.h"
#include "lib/fdt.h"
#include "tests/host/dt.h"
#include "tests/host/harness.h"

static void expect_reg(const void *fdt, const char *path, unsigned i, int err, uint64_t want_addr,
	uint64_t want_size)
{
	uint64_t addr = 0, size = 0;

	assert_int_equal(fdt_read_reg(fdt, dt_find(fdt, path), i, &addr, &size), err);
	assert_int_equal(addr, want_addr);
	assert_int_equal(size, want_size);
}

static void a_tree_can_be_walked_whole(void **state unused_arg)
{
	const void *fdt = dt_qemu("-smp 2");
	unsigned nodes = 0, children = 0, props = 0;
	int depth = -1, deepest = 0;

	for (int n = fdt_walk(fdt, -1, &depth); n >= 0; n = fdt_walk(fdt, n, &depth)) {
		int cursor = 0, up = 0;
		const char *name;
		const void *data;
		size_t len, again;
		char path[200];

		nodes++;
		deepest = MAX(deepest, depth);
		for (int c = fdt_child(fdt, n); c >= 0; c = fdt_sibling(fdt, c)) {
			children++;
			assert_int_equal(fdt_parent(fdt, c), n);
		}
		while (fdt_next_prop(fdt, n, &cursor, &name, &data, &len)) {
			props++;
			assert_ptr_equal(fdt_prop(fdt, n, name, &again), data);
			assert_int_equal(again, len);
		}
		assert_int_equal(fdt_path(fdt, n, path, sizeof(path)), 0);
		assert_int_equal(fdt_find(fdt, path), n);
		for (int p = n; p > 0; p = fdt_parent(fdt, p))
			up++;
		assert_int_equal(up, depth);
	}
	assert_int_equal(children, nodes - 1);
	assert_true(nodes > 20 && props > 80 && deepest >= 3);
	assert_int_equal(fdt_walk(fdt, -1, NULL), 0);
	assert_int_equal(fdt_parent(fdt, FDT_ROOT), -ENOENT);
	assert_int_equal(fdt_parent(fdt, 2), -EINVAL);
}

static void names_and_paths(void **state unused_arg)
{
	const void *fdt = dt_source(
		"/ { a@1 { b { long-name { }; }; }; aliases { x = \"/a@1/b\"; }; };");
	char path[12];

	assert_string_equal(fdt_name(fdt, FDT_ROOT), "");
	assert_string_equal(fdt_name(fdt, dt_find(fdt, "/a@1")), "a@1");
	assert_string_equal(fdt_name(fdt, 12345), "");
	assert_int_equal(dt_find(fdt, "/a@1/b"), dt_find(fdt, "x"));
	assert_int_equal(dt_find(fdt, "x/long-name"), dt_find(fdt, "/a/b/long-name"));
	assert_int_equal(fdt_find(fdt, "/b"), -ENOENT);
	assert_int_equal(fdt_path(fdt, FDT_ROOT, path, sizeof(path)), 0);
	assert_string_equal(path, "/");
	assert_int_equal(fdt_path(fdt, dt_find(fdt, "/a@1/b"), path, sizeof(path)), 0);
	assert_string_equal(path, "/a@1/b");
	assert_int_equal(fdt_path(fdt, dt_find(fdt, "x/long-name"), path, sizeof(path)), -ERANGE);
	assert_string_equal(path, "/a@1/b/long");
}

static void status_decides_what_is_enabled(void **state unused_arg)
{
	const void *fdt = dt_source("/ { a { }; b { status = \"okay\"; }; c { status = \"ok\"; };"
				    "d { status = \"disabled\"; }; e { status = \"fail\"; };"
				    "f { status = [6f 6b 61 79]; }; g { status; };"
				    "h { status = \"okay2\"; }; };");

	assert_true(fdt_enabled(fdt, dt_find(fdt, "/a")));
	assert_true(fdt_enabled(fdt, dt_find(fdt, "/b")));
	assert_true(fdt_enabled(fdt, dt_find(fdt, "/c")));
	assert_false(fdt_enabled(fdt, dt_find(fdt, "/d")));
	assert_false(fdt_enabled(fdt, dt_find(fdt, "/e")));
	assert_false(fdt_enabled(fdt, dt_find(fdt, "/f")));
	assert_false(fdt_enabled(fdt, dt_find(fdt, "/g")));
	assert_false(fdt_enabled(fdt, dt_find(fdt, "/h")));
}

static void properties_have_the_size_that_is_asked_for(void **state unused_arg)
{
	const void *fdt = dt_source(
		"/ { n { one = <1>; two = <1 2>; three = <1 2 3>; odd = [01 02 03];"
		"empty; s = \"text\"; list = \"a\", \"\", \"ccc\"; raw = [61 62]; }; };");
	int n = dt_find(fdt, "/n");
	const char *s = NULL;
	uint32_t v = 77;
	uint64_t w = 78;

	assert_int_equal(fdt_read_u32(fdt, n, "one", &v), 0);
	assert_int_equal(v, 1);
	assert_int_equal(fdt_read_u32(fdt, n, "two", &v), -EINVAL);
	assert_int_equal(fdt_read_u32(fdt, n, "odd", &v), -EINVAL);
	assert_int_equal(fdt_read_u32(fdt, n, "empty", &v), -EINVAL);
	assert_int_equal(fdt_read_u32(fdt, n, "none", &v), -ENOENT);
	assert_int_equal(fdt_read_u32(fdt, -1, "one", &v), -ENOENT);
	assert_int_equal(v, 1);
	assert_int_equal(fdt_read_u64(fdt, n, "one", &w), 0);
	assert_int_equal(w, 1);
	assert_int_equal(fdt_read_u64(fdt, n, "two", &w), 0);
	assert_int_equal(w, 0x100000002);
	assert_int_equal(fdt_read_u64(fdt, n, "three", &w), -EINVAL);
	assert_int_equal(fdt_read_u32_at(fdt, n, "three", 2, &v), 0);
	assert_int_equal(v, 3);
	assert_int_equal(fdt_read_u32_at(fdt, n, "three", 3, &v), -ENOENT);
	assert_int_equal(fdt_read_u32_at(fdt, n, "odd", 0, &v), -EINVAL);
	assert_int_equal(fdt_read_string(fdt, n, "s", &s), 0);
	assert_string_equal(s, "text");
	assert_int_equal(fdt_read_string_at(fdt, n, "list", 1, &s), 0);
	assert_string_equal(s, "");
	assert_int_equal(fdt_read_string_at(fdt, n, "list", 2, &s), 0);
	assert_string_equal(s, "ccc");
	assert_int_equal(fdt_read_string_at(fdt, n, "list", 3, &s), -ENOENT);
	assert_int_equal(fdt_read_string(fdt, n, "raw", &s), -EINVAL);
	assert_int_equal(fdt_read_string(fdt, n, "empty", &s), -ENOENT);
	assert_true(fdt_has_prop(fdt, n, "empty"));
	assert_false(fdt_has_prop(fdt, n, "none"));
}

static void reg_is_read_by_the_parents_cells(void **state unused_arg)
{
	const void *fdt = dt_source(
		"/ { #address-cells = <2>; #size-cells = <1>; a@1 { reg = <1 2 3  4 5 6>; };"
		"  b@0 { #address-cells = <1>; #size-cells = <0>; c@9 { reg = <9>; }; };"
		"  odd { reg = <1 2 3 4>; }; none { };"
		"  wrap { reg = <0xffffffff 0xfffffff0 0x10  0xffffffff 0xfffffff0 0x11>; };"
		"  wide { #address-cells = <3>; #size-cells = <2>; x { reg = <1 2 3 4 5>; }; };"
		"};");

	expect_reg(fdt, "/a@1", 0, 0, 0x100000002, 3);
	expect_reg(fdt, "/a@1", 1, 0, 0x400000005, 6);
	expect_reg(fdt, "/a@1", 2, -ENOENT, 0, 0);
	expect_reg(fdt, "/odd", 0, -EINVAL, 0, 0);
	expect_reg(fdt, "/none", 0, -ENOENT, 0, 0);
	expect_reg(fdt, "/", 0, -ENOENT, 0, 0);
	expect_reg(fdt, "/wrap", 0, 0, 0xfffffffffffffff0, 0x10);
	expect_reg(fdt, "/wrap", 1, -ERANGE, 0, 0);
	expect_reg(fdt, "/wide/x", 0, -EINVAL, 0, 0);
	/* b has no ranges: its children have no address for the CPU. */
	expect_reg(fdt, "/b@0/c@9", 0, -ENXIO, 0, 0);
}

static void ranges_translate_through_every_bus(void **state unused_arg)
{
	const void *fdt = dt_source(
		"/ { #address-cells = <2>; #size-cells = <2>;"
		"  same { #address-cells = <2>; #size-cells = <2>; ranges;"
		"    x { reg = <0 0x1000 0 0x10>; };"
		"    inner { #address-cells = <1>; #size-cells = <1>;"
		"      ranges = <0x100 0 0x20000 0x100  0x800 1 0 0x80>;"
		"      a { reg = <0x140 0x10>; }; b { reg = <0x87f 1>; };"
		"      over { reg = <0x1f0 0x11>; }; under { reg = <0xff 1>; };"
		"      deep { #address-cells = <1>; #size-cells = <1>; ranges = <0 0x810 0x10>;"
		"        c { reg = <8 8>; }; }; }; };"
		"  bad { #address-cells = <1>; #size-cells = <1>; ranges = <1 2 3>;"
		"    x { reg = <1 1>; }; };"
		"  wrap { #address-cells = <1>; #size-cells = <1>;"
		"    ranges = <0 0xffffffff 0xffffff00 0x1000>;"
		"    ok { reg = <0 0x100>; }; no { reg = <0x80 0x81>; }; }; };");

	expect_reg(fdt, "/same/x", 0, 0, 0x1000, 0x10);
	expect_reg(fdt, "/same/inner/a", 0, 0, 0x20040, 0x10);
	expect_reg(fdt, "/same/inner/b", 0, 0, 0x10000007f, 1);
	expect_reg(fdt, "/same/inner/over", 0, -ENXIO, 0, 0);
	expect_reg(fdt, "/same/inner/under", 0, -ENXIO, 0, 0);
	expect_reg(fdt, "/same/inner/deep/c", 0, 0, 0x100000018, 8);
	expect_reg(fdt, "/bad/x", 0, -EINVAL, 0, 0);
	expect_reg(fdt, "/wrap/ok", 0, 0, 0xffffffffffffff00, 0x100);
	expect_reg(fdt, "/wrap/no", 0, -ERANGE, 0, 0);
}

static void expect_irq(
	const void *fdt, const char *path, unsigned i, const char *controller, uint32_t cell)
{
	struct fdt_irq irq;

	assert_int_equal(fdt_read_irq(fdt, dt_find(fdt, path), i, &irq), 0);
	assert_int_equal(irq.controller, dt_find(fdt, controller));
	assert_int_equal(irq.cells[0], cell);
}

static void interrupts_find_their_controller(void **state unused_arg)
{
	const void *fdt = dt_source(
		"/ { interrupt-parent = <&one>;"
		"  one: one { interrupt-controller; #interrupt-cells = <1>; };"
		"  two: two { interrupt-controller; #interrupt-cells = <2>; };"
		"  a { interrupts = <5 6>; };"
		"  b { interrupt-parent = <&two>; interrupts = <7 1 8 4>; };"
		"  bus { interrupt-parent = <&two>; c { d { interrupts = <9 1>; }; }; };"
		"  e { interrupts-extended = <&two 10 1 &one 11 &two 12 4>; interrupts = <99>; };"
		"  f { interrupt-parent = <&two>; interrupts = <1>; };"
		"  g { interrupts-extended = <&two 10>; };"
		"  h { interrupts-extended = <0x77 10>; };"
		"  i { interrupt-parent = <0x77>; interrupts = <1>; };"
		"  j { };"
		"  gpio { interrupt-controller; #interrupt-cells = <1>; interrupts = <3>;"
		"    k { interrupts = <4>; }; };"
		"  l { interrupts-extended = <&m 1>; };"
		"  m: m { #interrupt-cells = <5>; }; };");
	struct fdt_irq irq;

	expect_irq(fdt, "/a", 0, "/one", 5);
	expect_irq(fdt, "/a", 1, "/one", 6);
	expect_irq(fdt, "/b", 1, "/two", 8);
	expect_irq(fdt, "/bus/c/d", 0, "/two", 9);
	expect_irq(fdt, "/e", 0, "/two", 10);
	expect_irq(fdt, "/e", 1, "/one", 11);
	expect_irq(fdt, "/e", 2, "/two", 12);
	expect_irq(fdt, "/gpio", 0, "/one", 3);
	expect_irq(fdt, "/gpio/k", 0, "/gpio", 4);
	assert_int_equal(fdt_read_irq(fdt, dt_find(fdt, "/a"), 2, &irq), -ENOENT);
	assert_int_equal(fdt_read_irq(fdt, dt_find(fdt, "/e"), 3, &irq), -ENOENT);
	assert_int_equal(fdt_read_irq(fdt, dt_find(fdt, "/f"), 0, &irq), -EINVAL);
	assert_int_equal(fdt_read_irq(fdt, dt_find(fdt, "/g"), 0, &irq), -EINVAL);
	assert_int_equal(fdt_read_irq(fdt, dt_find(fdt, "/h"), 0, &irq), -EINVAL);
	assert_int_equal(fdt_read_irq(fdt, dt_find(fdt, "/i"), 0, &irq), -EINVAL);
	assert_int_equal(fdt_read_irq(fdt, dt_find(fdt, "/j"), 0, &irq), -ENOENT);
	assert_int_equal(fdt_read_irq(fdt, dt_find(fdt, "/l"), 0, &irq), -EINVAL);
}

static void compatible_names_are_compared_whole(void **state unused_arg)
{
	const void *fdt = dt_source("/ { a { compatible = \"x,one\", \"x,two\"; };"
				    "b { compatible = \"x,tw\"; }; c { compatible = \"x,two\"; };"
				    "d { compatible = [78 2c]; }; };");
	int a = dt_find(fdt, "/a"), c = dt_find(fdt, "/c");

	assert_int_equal(fdt_next_compatible(fdt, -1, "x,two"), a);
	assert_int_equal(fdt_next_compatible(fdt, a, "x,two"), c);
	assert_int_equal(fdt_next_compatible(fdt, c, "x,two"), -ENOENT);
	assert_true(fdt_is_compatible(fdt, a, "x,one"));
	assert_false(fdt_is_compatible(fdt, a, "x,tw"));
	assert_false(fdt_is_compatible(fdt, dt_find(fdt, "/d"), "x,"));
	assert_false(fdt_is_compatible(fdt, FDT_ROOT, "x,one"));
}

static void phandles_name_nodes(void **state unused_arg)
{
	const void *fdt = dt_source("/ { a { phandle = <5>; }; b { }; };");

	assert_int_equal(fdt_phandle(fdt, dt_find(fdt, "/a")), 5);
	assert_int_equal(fdt_phandle(fdt, dt_find(fdt, "/b")), 0);
	assert_int_equal(fdt_by_phandle(fdt, 5), dt_find(fdt, "/a"));
	assert_int_equal(fdt_by_phandle(fdt, 6), -ENOENT);
	assert_int_equal(fdt_by_phandle(fdt, 0), -ENOENT);
	assert_int_equal(fdt_by_phandle(fdt, UINT32_MAX), -ENOENT);
}

static void trees_too_deep_are_refused_not_overrun(void **state unused_arg)
{
	char dts[2000] = "/ {", path[200] = "";
	uint64_t addr, size;
	const void *fdt;

	for (int i = 0; i < FDT_MAX_DEPTH; i++)
		strcat(dts, "n { reg = <1 1 1>; ");
	for (int i = 0; i < FDT_MAX_DEPTH; i++)
		strcat(dts, "}; ");
	fdt = dt_source(strcat(dts, "after { }; };"));
	for (int i = 0; i < FDT_MAX_DEPTH - 1; i++)
		strcat(path, "/n");
	assert_int_equal(fdt_read_reg(fdt, dt_find(fdt, path), 0, &addr, &size), -ENXIO);
	assert_int_equal(fdt_parent(fdt, dt_find(fdt, strcat(path, "/n"))), -EINVAL);
	assert_int_equal(fdt_parent(fdt, dt_find(fdt, "/after")), FDT_ROOT);
}

#define TEST(fn) cmocka_unit_test_teardown(fn, dt_drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_tree_can_be_walked_whole),
		TEST(names_and_paths),
		TEST(status_decides_what_is_enabled),
		TEST(properties_have_the_size_that_is_asked_for),
		TEST(reg_is_read_by_the_parents_cells),
		TEST(ranges_translate_through_every_bus),
		TEST(interrupts_find_their_controller),
		TEST(compatible_names_are_compared_whole),
		TEST(phandles_name_nodes),
		TEST(trees_too_deep_are_refused_not_overrun),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
