/* SPDX-License-Identifier: MIT */
/*
 * The kernel's address space: what is mapped, how, and what is not. The page tables are asked page
 * by page; nothing here faults.
 */
#include "arch/riscv/csr.h"
#include "arch/riscv/internal.h"
#include "kernel/hart/hart.h"
#include "kernel/mm/page.h"
#include "kernel/sched/thread.h"
#include "lib/errno.h"
#include "lib/fdt.h"
#include "tests/kernel/ktest.h"

#define RX (ARCH_PROT_READ | ARCH_PROT_EXEC)
#define RW (ARCH_PROT_READ | ARCH_PROT_WRITE)

/* Every page of [from, to) is `prot` at its link address and `alias` in the direct map, or -EFAULT.
 */
static void check_section(const char *name, const char *from, const char *to, int prot, int alias)
{
	for (const char *p = from; p < to; p += PAGE_SIZE) {
		phys_t pa = 0;
		int got = arch_kquery((uintptr_t)p, &pa);
		int shadow = arch_kquery((uintptr_t)phys_to_virt(virt_to_phys(p)), NULL);

		ktest_check(got == prot, "%s page %p is %d", name, (const void *)p, got);
		ktest_check(shadow == alias, "alias of %s page %p is %d", name, (const void *)p,
			shadow);
		ktest_check(prot < 0 || pa == virt_to_phys(p), "%s page %p is elsewhere", name,
			(const void *)p);
	}
}

KTEST(kernel_map, every_section_has_its_own_rights_and_no_writable_alias)
{
	check_section("text", text_start, text_end, RX, ARCH_PROT_READ);
	check_section("rodata", rodata_start, rodata_end, ARCH_PROT_READ, ARCH_PROT_READ);
	check_section("data", data_start, boot_stacks_start, RW, RW);
	check_section("bss", boot_stacks_end, data_end, RW, RW);
	check_section("boot stack", boot_stack_base, boot_stack_top, RW, RW);
	check_section("interrupt stack", boot_irq_base, boot_irq_top, RW, RW);
	check_section("emergency stack", boot_emergency_base, boot_emergency_top, RW, RW);
	ktest_check(arch_kquery((uintptr_t)kernel_end, NULL) == -EFAULT, "behind the image");
	ktest_check(arch_kquery((uintptr_t)kernel_start - PAGE_SIZE, NULL) == -EFAULT, "before it");
}

KTEST(kernel_map, below_every_stack_of_every_hart_nothing_is_mapped)
{
	for_each_hart(h) {
		const struct arch_stack *stacks[] = {
			&h->arch.boot, &h->arch.irq, &h->arch.emergency};

		for (unsigned i = 0; i < ARRAY_SIZE(stacks); i++) {
			if (!stacks[i]->top)
				continue; /* never started */
			ktest_check(arch_kquery(stacks[i]->base, NULL) == RW, "stack %u of hart %u",
				i, h->index);
			ktest_check(arch_kquery(stacks[i]->top - 1, NULL) == RW,
				"stack %u of hart %u", i, h->index);
			ktest_check(arch_kquery(stacks[i]->base - 1, NULL) == -EFAULT,
				"guard of stack %u of hart %u", i, h->index);
		}
	}
	ktest_check(arch_kquery(current_thread()->stack.base - 1, NULL) == -EFAULT, "own guard");
}

KTEST(kernel_map, user_space_and_what_is_no_address_are_not_mapped)
{
	ktest_check(arch_kquery(0, NULL) == -EFAULT, "null");
	ktest_check(arch_kquery((uintptr_t)virt_to_phys(kernel_start), NULL) == -EFAULT,
		"the identity page of the boot is still there");
	ktest_check(arch_kquery(ARCH_DIRECT_BASE - 1, NULL) == -EFAULT, "below the kernel");
	ktest_check(arch_kquery(ARCH_VMAP_END - 1, NULL) == -EFAULT, "end of the vmap");
	if (__riscv_xlen == 64)
		ktest_check(arch_kquery((uintptr_t)data_start & 0x7ffffffffful, NULL) == -EFAULT,
			"not canonical");
}

/* Whether an area that the tree forbids to map has a part in this page. */
static bool is_no_map(uint64_t pa)
{
	struct fdt_reserved_iter it;
	struct fdt_reserved r;
	int err;

	fdt_reserved_begin(&it, arch_info.fdt);
	while ((err = fdt_reserved_next(&it, &r)) != -ENOENT) {
		if (!err && r.no_map && pa < r.start + r.size && pa + PAGE_SIZE > r.start)
			return true;
	}
	return false;
}

/* Whether this page is one of those that the tree calls memory and the direct map has room for. */
static bool in_ram(uint64_t pa)
{
	struct fdt_memory_iter it;
	uint64_t start, size;
	int err;

	fdt_memory_begin(&it, arch_info.fdt);
	while ((err = fdt_memory_next(&it, &start, &size)) != -ENOENT) {
		if (!err && start >= arch_phys_base && pa >= start &&
			pa + PAGE_SIZE <= MIN(start + size, (uint64_t)arch_phys_end))
			return true;
	}
	return false;
}

static void check_shown(uint64_t pa)
{
	phys_t back = 0;
	int prot = arch_kquery((uintptr_t)phys_to_virt(pa), &back);

	if (is_no_map(pa)) {
		ktest_check(prot == -EFAULT, "%#llx must not be mapped and is %d",
			(unsigned long long)pa, prot);
		return;
	}
	ktest_check(
		prot > 0 && !(prot & ARCH_PROT_EXEC), "%#llx is %d", (unsigned long long)pa, prot);
	ktest_check(
		back == pa, "%#llx shows %#llx", (unsigned long long)pa, (unsigned long long)back);
}

KTEST(kernel_map, the_direct_map_shows_all_ram_of_the_tree_and_never_executable)
{
	struct fdt_memory_iter it;
	uint64_t start, size;
	int err;

	fdt_memory_begin(&it, arch_info.fdt);
	while ((err = fdt_memory_next(&it, &start, &size)) != -ENOENT) {
		uint64_t end = MIN(start + size, (uint64_t)arch_phys_end);
		uint64_t step = MAX((end - start) / 256, (uint64_t)PAGE_SIZE);

		if (err || start < arch_phys_base)
			continue;
		for (uint64_t pa = align_up(start, PAGE_SIZE); pa + PAGE_SIZE <= end;
			pa += align_down(step, PAGE_SIZE))
			check_shown(pa);
	}
}

/* The pages at both ends of such an area, and their neighbours. */
KTEST(kernel_map, what_the_tree_forbids_to_map_is_not_mapped_and_its_neighbours_are)
{
	struct fdt_reserved_iter it;
	struct fdt_reserved r;
	int err;

	fdt_reserved_begin(&it, arch_info.fdt);
	while ((err = fdt_reserved_next(&it, &r)) != -ENOENT) {
		uint64_t first = align_down(r.start, PAGE_SIZE);
		uint64_t end = align_up(r.start + r.size, PAGE_SIZE);

		if (err || !r.no_map || !in_ram(first) || !in_ram(end - PAGE_SIZE))
			continue;
		check_shown(first);
		check_shown(end - PAGE_SIZE);
		if (in_ram(first - PAGE_SIZE))
			check_shown(first - PAGE_SIZE);
		if (in_ram(end))
			check_shown(end);
	}
}

static phys_t no_page(void)
{
	return 0;
}

KTEST(kernel_map, mapping_without_memory_for_tables_fails_and_maps_nothing)
{
	/* The last but one page of the vmap: nothing of mm's comes there, and no table is there. */
	uintptr_t va = ARCH_VMAP_END - 2 * PAGE_SIZE;

	ktest_check(arch_kmap(va, virt_to_phys(data_start), ARCH_PROT_READ, no_page) == -ENOMEM,
		"it was mapped");
	ktest_check(arch_kquery(va, NULL) == -EFAULT, "something is there");
	ktest_check(arch_kunmap(va) == 0, "something was there");
}

KTEST(kernel_map, access_to_user_pages_is_never_on)
{
	ktest_check((csr_read(sstatus) & (SSTATUS_SUM | SSTATUS_MXR)) == 0, "sstatus %#lx",
		(unsigned long)csr_read(sstatus));
}

/* What a hart remembers of a page that was not mapped yet costs one more fault; the same fault
 * again and again is real. Counted anew after a flush, without which nothing can be stale again. */
KTEST(kernel_map, stale_entries_are_forgiven_for_a_while_after_each_flush)
{
	struct trap_frame frame = {.scause = CAUSE_STORE_PAGE,
		.stval = current_thread()->arch.stack.base,
		.sepc = (uintptr_t)text_start};
	unsigned forgiven = 0;

	irq_off();
	for (unsigned round = 0; round < 3; round++) {
		arch_tlb_flush_all();
		while (tlb_was_stale(&frame) && forgiven < 1000)
			forgiven++;
		ktest_check(!tlb_was_stale(&frame), "round %u", round);
	}
	/* Another instruction's fault is another matter; one that the tables explain is none. */
	frame.sepc += 4;
	ktest_check(tlb_was_stale(&frame));
	frame.scause = CAUSE_FETCH_PAGE;
	ktest_check(!tlb_was_stale(&frame));
	irq_on();
	ktest_check(forgiven >= 3 && forgiven % 3 == 0 && forgiven < 1000, "%u", forgiven);
}
