/* SPDX-License-Identifier: MIT */
/*
 * What the device tree says of the machine: memory, reservations, harts and /chosen, in QEMU's own
 * trees and in odd ones written by hand.
 *
 * Sources: tests/host/harness.c tests/host/dt.c lib/fdt.c lib/fdt_bus.c lib/fdt_memory.c
 * Sources: lib/fdt_harts.c lib/string.c libfdt
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/errno.h"
#include "lib/fdt.h"
#include "tests/host/dt.h"
#include "tests/host/harness.h"

static void expect_range(struct fdt_memory_iter *it, uint64_t want_start, uint64_t want_size)
{
	uint64_t start = 0, size = 0;

	assert_int_equal(fdt_memory_next(it, &start, &size), 0);
	assert_int_equal(start, want_start);
	assert_int_equal(size, want_size);
}

static void expect_range_end(struct fdt_memory_iter *it)
{
	uint64_t start, size;

	assert_int_equal(fdt_memory_next(it, &start, &size), -ENOENT);
	assert_int_equal(fdt_memory_next(it, &start, &size), -ENOENT);
}

/* ---- QEMU's trees ------------------------------------------------------------------------ */

static void qemu_harts_are_found(void **state unused_arg)
{
	const void *fdt = dt_qemu("-smp 4");
	struct fdt_hart_iter it;
	struct fdt_hart h;
	unsigned seen = 0;
	uint32_t hz;

	fdt_harts_begin(&it, fdt);
	while (!fdt_harts_next(&it, &h)) {
		assert_true(h.hartid < 4);
		seen |= 1u << h.hartid;
		assert_true(h.enabled);
		assert_true(isa_has(h.isa, "i") && isa_has(h.isa, "c"));
		assert_true(fdt_hart_has(&h, "d"));
		assert_false(fdt_hart_has(&h, "v"));
		assert_int_equal(strncmp(h.mmu, "sv", 2), 0);
		assert_int_not_equal(h.intc_phandle, 0);
	}
	assert_int_equal(seen, 15);
	assert_int_equal(fdt_harts_next(&it, &h), -ENOENT);
	assert_int_equal(fdt_timebase(fdt, &hz), 0);
	assert_int_equal(hz, 10000000);
}

static void qemu_plic_contexts_belong_to_their_harts(void **state unused_arg)
{
	const void *fdt = dt_qemu("-smp 4");
	int plic = fdt_next_compatible(fdt, -1, "sifive,plic-1.0.0");
	struct fdt_hart_iter it;
	struct fdt_hart h;

	assert_true(plic > 0);
	fdt_harts_begin(&it, fdt);
	while (!fdt_harts_next(&it, &h)) {
		assert_int_equal(fdt_plic_context(fdt, plic, h.intc_phandle, 11), 2 * h.hartid);
		assert_int_equal(fdt_plic_context(fdt, plic, h.intc_phandle, 9), 2 * h.hartid + 1);
		assert_int_equal(fdt_plic_context(fdt, plic, h.intc_phandle, 5), -ENOENT);
	}
	assert_int_equal(fdt_plic_context(fdt, plic, 12345, 9), -ENOENT);
	assert_int_equal(fdt_plic_context(fdt, plic, 0, 9), -ENOENT);
	assert_int_equal(fdt_plic_context(fdt, dt_find(fdt, "/cpus"), 1, 9), -ENOENT);
}

static void qemu_uart_is_the_console(void **state unused_arg)
{
	const void *fdt = dt_qemu("-smp 1");
	const char *options = NULL;
	int uart = fdt_stdout(fdt, &options);
	struct fdt_irq irq;
	uint64_t addr, size;
	uint32_t hz;

	assert_true(uart > 0);
	assert_string_equal(options, "");
	assert_true(fdt_is_compatible(fdt, uart, "ns16550a"));
	assert_int_equal(fdt_read_reg(fdt, uart, 0, &addr, &size), 0);
	assert_int_equal(addr, 0x10000000);
	assert_int_equal(size, 0x100);
	assert_int_equal(fdt_read_reg(fdt, uart, 1, &addr, &size), -ENOENT);
	assert_int_equal(fdt_read_u32(fdt, uart, "clock-frequency", &hz), 0);
	assert_int_equal(hz, 3686400);
	assert_int_equal(fdt_read_irq(fdt, uart, 0, &irq), 0);
	assert_int_equal(irq.controller, fdt_next_compatible(fdt, -1, "sifive,plic-1.0.0"));
	assert_int_equal(irq.nr_cells, 1);
	assert_int_equal(irq.cells[0], 10);
	assert_int_equal(fdt_read_irq(fdt, uart, 1, &irq), -ENOENT);
}

static void qemu_memory_follows_m(void **state unused_arg)
{
	struct fdt_memory_iter it;

	fdt_memory_begin(&it, dt_qemu("-m 64M"));
	expect_range(&it, 0x80000000, 64 << 20);
	expect_range_end(&it);
	fdt_memory_begin(&it, dt_qemu("-m 16G"));
	expect_range(&it, 0x80000000, 16ull << 30);
	expect_range_end(&it);
}

static void qemu_numa_has_two_of_each(void **state unused_arg)
{
	const void *fdt = dt_qemu("-smp 4,sockets=2,cores=2 -m 256M "
				  "-object memory-backend-ram,size=128M,id=a "
				  "-object memory-backend-ram,size=128M,id=b "
				  "-numa node,memdev=a -numa node,memdev=b");
	int first = fdt_next_compatible(fdt, -1, "sifive,plic-1.0.0");
	int second = fdt_next_compatible(fdt, first, "sifive,plic-1.0.0");
	unsigned harts = 0, contexts[2] = {0};
	uint64_t start, size, sum = 0;
	struct fdt_memory_iter mem;
	struct fdt_hart_iter it;
	struct fdt_hart h;

	fdt_memory_begin(&mem, fdt);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(fdt_memory_next(&mem, &start, &size), 0);
		assert_int_equal(size, 128 << 20);
		sum += start - 0x80000000;
	}
	expect_range_end(&mem);
	assert_int_equal(sum, 128 << 20);

	assert_true(first > 0 && second > first);
	assert_int_equal(fdt_next_compatible(fdt, second, "sifive,plic-1.0.0"), -ENOENT);
	fdt_harts_begin(&it, fdt);
	while (!fdt_harts_next(&it, &h)) {
		harts++;
		contexts[0] += fdt_plic_context(fdt, first, h.intc_phandle, 9) >= 0;
		contexts[1] += fdt_plic_context(fdt, second, h.intc_phandle, 9) >= 0;
	}
	assert_int_equal(harts, 4);
	assert_int_equal(contexts[0], 2);
	assert_int_equal(contexts[1], 2);
}

static void qemu_arguments_and_initrd_are_told(void **state unused_arg)
{
	char file[] = "/tmp/initrd-XXXXXX", args[200];
	int fd = mkstemp(file);
	uint64_t start, end;
	const void *fdt;

	assert_int_equal(ftruncate(fd, 5000), 0);
	close(fd);
	/* Any file will do for a kernel: nothing is run. */
	snprintf(args, sizeof(args), "-bios none -kernel %s -initrd %s -append 'run=\"a; b\" x'",
		file, file);
	fdt = dt_qemu(args);
	unlink(file);
	assert_string_equal(fdt_bootargs(fdt), "run=\"a; b\" x");
	assert_int_equal(fdt_initrd(fdt, &start, &end), 0);
	assert_int_equal(end - start, 5000);

	fdt = dt_qemu("-smp 1");
	assert_string_equal(fdt_bootargs(fdt), "");
	assert_int_equal(fdt_initrd(fdt, &start, &end), -ENOENT);
}

/* ---- Trees written by hand --------------------------------------------------------------- */

static void memory_comes_from_all_enabled_nodes(void **state unused_arg)
{
	const void *fdt = dt_source(
		"/ { #address-cells = <2>; #size-cells = <2>;"
		"  memory@0 { device_type = \"memory\"; reg = <0 0x1000 0 0x2000  1 0 0 0x3000>; };"
		"  memory@1 { device_type = \"memory\"; status = \"disabled\"; reg = <0 1 0 1>; };"
		"  flash@2 { reg = <0 2 0 2>; };"
		"  memory@3 { device_type = \"memory\"; };"
		"  memory@4 { device_type = \"memory\"; reg = <0 4 0 0  0 5 0 5>; };"
		"  memory@5 { device_type = \"memory\"; reg = <0 6 0>; };"
		"  memory@6 { device_type = \"memory\";"
		"    reg = <0xffffffff 0 1 1  0xffffffff 1 1 0  0 7 0 7>; };"
		"  inner { memory@8 { device_type = \"memory\"; reg = <8 8>; }; }; };");
	struct fdt_memory_iter it;
	uint64_t start, size;

	fdt_memory_begin(&it, fdt);
	expect_range(&it, 0x1000, 0x2000);
	expect_range(&it, 0x100000000, 0x3000);
	expect_range(&it, 5, 5);
	assert_int_equal(fdt_memory_next(&it, &start, &size), -EINVAL);
	assert_int_equal(fdt_memory_next(&it, &start, &size), -ERANGE);
	assert_int_equal(fdt_memory_next(&it, &start, &size), -ERANGE);
	expect_range(&it, 7, 7);
	expect_range_end(&it);

	fdt_memory_begin(&it, dt_source("/ { };"));
	expect_range_end(&it);
	/* One cell each. */
	fdt_memory_begin(&it,
		dt_source("/ { #address-cells = <1>; #size-cells = <1>; memory@1 {"
			  "device_type = \"memory\"; reg = <0x80000000 0x80000000>; }; };"));
	expect_range(&it, 0x80000000, 0x80000000);
	expect_range_end(&it);
}

static void expect_reserved(
	struct fdt_reserved_iter *it, uint64_t start, uint64_t size, const char *name, bool no_map)
{
	struct fdt_reserved r;

	assert_int_equal(fdt_reserved_next(it, &r), 0);
	assert_int_equal(r.start, start);
	assert_int_equal(r.size, size);
	assert_string_equal(r.name, name);
	assert_int_equal(r.no_map, no_map);
}

static void reservations_come_from_both_places(void **state unused_arg)
{
	const void *fdt = dt_source(
		"/memreserve/ 0x100 0x200; /memreserve/ 0x1000 0x20;"
		"/ { #address-cells = <2>; #size-cells = <2>;"
		"  reserved-memory { #address-cells = <1>; #size-cells = <1>; ranges;"
		"    firmware@0 { reg = <0x80000000 0x80000>; };"
		"    pool { size = <0x1000>; };"
		"    off@1 { reg = <1 1>; status = \"disabled\"; };"
		"    two@2 { reg = <2 2 4 4>; no-map; };"
		"    bad@3 { reg = <2 2 4>; };"
		"    last@5 { reg = <5 5>; }; }; };");
	struct fdt_reserved_iter it;
	struct fdt_reserved r;

	fdt_reserved_begin(&it, fdt);
	expect_reserved(&it, 0x100, 0x200, "memreserve", false);
	expect_reserved(&it, 0x1000, 0x20, "memreserve", false);
	expect_reserved(&it, 0x80000000, 0x80000, "firmware@0", false);
	expect_reserved(&it, 2, 2, "two@2", true);
	expect_reserved(&it, 4, 4, "two@2", true);
	assert_int_equal(fdt_reserved_next(&it, &r), -EINVAL);
	expect_reserved(&it, 5, 5, "last@5", false);
	assert_int_equal(fdt_reserved_next(&it, &r), -ENOENT);
	assert_int_equal(fdt_reserved_next(&it, &r), -ENOENT);

	fdt_reserved_begin(&it, dt_source("/memreserve/ 0xfffffffffffffff0 0x20; / { };"));
	assert_int_equal(fdt_reserved_next(&it, &r), -ERANGE);
	assert_int_equal(fdt_reserved_next(&it, &r), -ENOENT);
}

static const char sparse_harts[] =
	"/ { cpus { #address-cells = <2>; #size-cells = <0>;"
	"  cpu@7 { device_type = \"cpu\"; reg = <1 7>; riscv,isa = \"rv64imac\";"
	"    mmu-type = \"riscv,sv39\"; timebase-frequency = <12345>;"
	"    a: interrupt-controller { compatible = \"riscv,cpu-intc\"; interrupt-controller;"
	"      #interrupt-cells = <1>; phandle = <70>; }; };"
	"  cpu-map { cluster0 { core0 { cpu = <&three>; }; }; };"
	"  l2-cache { };"
	"  three: cpu@3 { reg = <0 3>; status = \"disabled\"; };"
	"  cpu@1 { device_type = \"cpu\"; reg = <1>; };"
	"  cpu@2 { device_type = \"cpu\"; };"
	"  core@5 { device_type = \"cpu\"; reg = <0 5>; riscv,isa-base = \"rv64i\";"
	"    riscv,isa-extensions = \"i\", \"m\", \"sstc\", \"Zba\"; mmu-type = \"sv48\";"
	"    timebase-frequency = <99>;"
	"    other { }; interrupt-controller { compatible = \"vendor,x\", \"riscv,cpu-intc\";"
	"      #interrupt-cells = <2>; phandle = <50>; }; };"
	"}; plic: plic { interrupts-extended = <70 0xffffffff 70 9 50 9>; };"
	"   odd { interrupts-extended = <70 9 70>; }; };";

static void sparse_and_disabled_harts_are_told_apart(void **state unused_arg)
{
	const void *fdt = dt_source(sparse_harts);
	struct fdt_hart_iter it;
	struct fdt_hart h;

	fdt_harts_begin(&it, fdt);
	assert_int_equal(fdt_harts_next(&it, &h), 0);
	assert_int_equal(h.hartid, 0x100000007);
	assert_true(h.enabled);
	assert_string_equal(h.isa, "rv64imac");
	assert_string_equal(h.mmu, "sv39");
	assert_int_equal(h.intc_phandle, 70);
	assert_int_equal(fdt_plic_context(fdt, dt_find(fdt, "/plic"), 70, 9), 1);
	assert_int_equal(fdt_plic_context(fdt, dt_find(fdt, "/odd"), 70, 9), -EINVAL);
	assert_int_equal(fdt_harts_next(&it, &h), 0);
	assert_int_equal(h.hartid, 3);
	assert_false(h.enabled);
	assert_string_equal(h.isa, "");
	assert_string_equal(h.mmu, "");
	assert_int_equal(h.intc_phandle, 0);
	assert_int_equal(fdt_harts_next(&it, &h), -EINVAL); /* reg too short */
	assert_int_equal(fdt_harts_next(&it, &h), -EINVAL); /* no reg */
	assert_int_equal(fdt_harts_next(&it, &h), 0);
	assert_int_equal(h.hartid, 5);
	assert_string_equal(h.isa, "rv64i");
	assert_string_equal(h.mmu, "sv48");
	assert_int_equal(h.intc_phandle, 0); /* not one cell */
	assert_true(fdt_hart_has(&h, "sstc") && fdt_hart_has(&h, "zba") && fdt_hart_has(&h, "m"));
	assert_false(fdt_hart_has(&h, "a") || fdt_hart_has(&h, "zb") || fdt_hart_has(&h, "sst"));
	assert_int_equal(fdt_harts_next(&it, &h), -ENOENT);
	assert_int_equal(fdt_harts_next(&it, &h), -ENOENT);

	fdt_harts_begin(&it, dt_source("/ { };"));
	assert_int_equal(fdt_harts_next(&it, &h), -ENOENT);

	/* Lists that are not terminated, or empty, are none. */
	fdt_harts_begin(&it,
		dt_source("/ { cpus { #address-cells = <1>; cpu@1 { reg = <1>;"
			  "riscv,isa = \"rv64im\"; riscv,isa-extensions = [69 00 61]; };"
			  "cpu@2 { reg = <2>; riscv,isa-extensions; }; }; };"));
	assert_int_equal(fdt_harts_next(&it, &h), 0);
	assert_null(h.isa_extensions);
	assert_true(fdt_hart_has(&h, "m") && !fdt_hart_has(&h, "a"));
	assert_int_equal(fdt_harts_next(&it, &h), 0);
	assert_null(h.isa_extensions);
	assert_false(fdt_hart_has(&h, "i"));
}

static void timebase_is_in_cpus_or_in_a_hart(void **state unused_arg)
{
	uint32_t hz = 1;

	assert_int_equal(fdt_timebase(dt_source(sparse_harts), &hz), 0);
	assert_int_equal(hz, 12345);
	assert_int_equal(fdt_timebase(dt_source("/ { cpus { timebase-frequency = <0 77>; cpu@0 {"
						"timebase-frequency = <5>; }; }; };"),
				 &hz),
		0);
	assert_int_equal(hz, 77);
	assert_int_equal(fdt_timebase(dt_source("/ { cpus { timebase-frequency = <0>; }; };"), &hz),
		-EINVAL);
	assert_int_equal(
		fdt_timebase(dt_source("/ { cpus { timebase-frequency = <1 0>; }; };"), &hz),
		-EINVAL);
	assert_int_equal(fdt_timebase(dt_source("/ { cpus { timebase-frequency = <1 2 3>; cpu@0 {"
						"timebase-frequency = <5>; }; }; };"),
				 &hz),
		-EINVAL);
	assert_int_equal(fdt_timebase(dt_source("/ { cpus { cpu@0 { }; }; };"), &hz), -ENOENT);
	assert_int_equal(fdt_timebase(dt_source("/ { };"), &hz), -ENOENT);
	assert_int_equal(hz, 77);
}

static void isa_strings_are_understood(void **state unused_arg)
{
	const char *isa = "rv64imafdch_zicsr_zifencei_zba_zbb_sstc_svpbmt";

	assert_true(isa_has(isa, "i") && isa_has(isa, "h") && isa_has(isa, "C"));
	assert_true(isa_has(isa, "sstc") && isa_has(isa, "zba") && isa_has(isa, "Svpbmt"));
	assert_false(isa_has(isa, "v") || isa_has(isa, "s") || isa_has(isa, "z"));
	assert_false(isa_has(isa, "zb") || isa_has(isa, "zbaa") || isa_has(isa, "ssstc"));
	assert_false(isa_has(isa, "") || isa_has(isa, "rv") || isa_has("", "i"));
	/* Versions, case, g, b, a first long name without underscore. */
	assert_true(isa_has("RV64I2p1M2p0_Zicsr2p0_Sstc1p0", "m"));
	assert_true(isa_has("RV64I2p1M2p0_Zicsr2p0_Sstc1p0", "sstc"));
	assert_false(isa_has("RV64I2p1M2p0_Zicsr2p0_Sstc1p0", "p"));
	assert_true(isa_has("rv32gc", "d") && isa_has("rv32gc", "zifencei"));
	assert_false(isa_has("rv32gc", "zba"));
	assert_true(isa_has("rv64gcb", "zbs"));
	assert_false(isa_has("rv64gc_zgfoo", "zbs"));
	assert_true(isa_has("rv64imazicsr_zba", "zicsr"));
	assert_false(isa_has("rv64imazicsr_zba", "c"));
	assert_true(isa_has("rv64i_zvl128b", "zvl128b"));
	assert_false(isa_has("rv64i_zvl128b", "zvl"));
	assert_false(isa_has("rv64ix", "sstc"));
	assert_true(isa_has("rv64i__m_", "m"));
}

static void stdout_path_may_be_an_alias_with_options(void **state unused_arg)
{
	const char *options = NULL;
	const void *fdt = dt_source(
		"/ { aliases { serial0 = \"/soc/uart@1\"; }; soc { uart@1 { }; };"
		"chosen { stdout-path = \"serial0:115200n8\"; }; };");

	assert_int_equal(fdt_stdout(fdt, &options), dt_find(fdt, "/soc/uart@1"));
	assert_string_equal(options, "115200n8");
	fdt = dt_source("/ { soc { uart@1 { }; }; chosen { stdout-path = \"/soc/uart@1\"; }; };");
	assert_int_equal(fdt_stdout(fdt, &options), dt_find(fdt, "/soc/uart@1"));
	assert_string_equal(options, "");
	assert_int_equal(fdt_stdout(fdt, NULL), dt_find(fdt, "/soc/uart@1"));
	fdt = dt_source("/ { u { }; chosen { linux,stdout-path = \"/u\"; }; };");
	assert_int_equal(fdt_stdout(fdt, NULL), dt_find(fdt, "/u"));
	assert_int_equal(
		fdt_stdout(dt_source("/ { chosen { stdout-path = \"/no\"; }; };"), NULL), -ENOENT);
	assert_true(fdt_stdout(dt_source("/ { chosen { stdout-path = \":1\"; }; };"), NULL) < 0);
	assert_int_equal(
		fdt_stdout(dt_source("/ { chosen { stdout-path = [2f]; }; };"), NULL), -ENOENT);
	assert_int_equal(fdt_stdout(dt_source("/ { chosen { }; };"), NULL), -ENOENT);
	assert_int_equal(fdt_stdout(dt_source("/ { };"), NULL), -ENOENT);
}

static void chosen_is_not_believed(void **state unused_arg)
{
	uint64_t start = 1, end = 2;

	assert_string_equal(fdt_bootargs(dt_source("/ { chosen { bootargs = [61 62]; }; };")), "");
	assert_string_equal(
		fdt_bootargs(dt_source("/ { chosen { bootargs = \"a b\"; }; };")), "a b");
	assert_string_equal(fdt_bootargs(dt_source("/ { };")), "");
	assert_int_equal(fdt_initrd(dt_source("/ { chosen { linux,initrd-start = <0 0x1000>;"
					      "linux,initrd-end = <0x2000>; }; };"),
				 &start, &end),
		0);
	assert_int_equal(start, 0x1000);
	assert_int_equal(end, 0x2000);
	assert_int_equal(fdt_initrd(dt_source("/ { chosen { linux,initrd-start = <2>;"
					      "linux,initrd-end = <2>; }; };"),
				 &start, &end),
		-EINVAL);
	assert_int_equal(
		fdt_initrd(dt_source("/ { chosen { linux,initrd-start = <2>; }; };"), &start, &end),
		-EINVAL);
	assert_int_equal(
		fdt_initrd(dt_source("/ { chosen { linux,initrd-end = <2>; }; };"), &start, &end),
		-ENOENT);
	assert_int_equal(fdt_initrd(dt_source("/ { };"), &start, &end), -ENOENT);
	assert_int_equal(start, 0x1000);
}

#define TEST(fn) cmocka_unit_test_teardown(fn, dt_drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(qemu_harts_are_found),
		TEST(qemu_plic_contexts_belong_to_their_harts),
		TEST(qemu_uart_is_the_console),
		TEST(qemu_memory_follows_m),
		TEST(qemu_numa_has_two_of_each),
		TEST(qemu_arguments_and_initrd_are_told),
		TEST(memory_comes_from_all_enabled_nodes),
		TEST(reservations_come_from_both_places),
		TEST(sparse_and_disabled_harts_are_told_apart),
		TEST(timebase_is_in_cpus_or_in_a_hart),
		TEST(isa_strings_are_understood),
		TEST(stdout_path_may_be_an_alias_with_options),
		TEST(chosen_is_not_believed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
