/* SPDX-License-Identifier: MIT */
/*
 * From boot.S to kernel_main: the early page tables and what the machine says of itself.
 *
 * boot_early runs with paging off, wherever the image was loaded: addresses of objects are then
 * physical, because the code reaches all of them relative to pc. It must not touch anything that
 * holds an address made at link time (tables of pointers or strings, function pointers).
 */
#include "arch/riscv/internal.h"
#include "arch/riscv/sbi.h"
#include "kernel/hart/hart.h"
#include "lib/errno.h"
#include "lib/fdt.h"

/* Flattened device tree, Devicetree Specification 0.4, section 5.2: two big-endian words. */
#define TREE_MAGIC 0xd00dfeedu
#define TREE_ALIGN 8
#define TREE_MAX (64ul << 20)
struct tree_header {
	uint32_t magic, size;
};

struct arch_info arch_info;
/* Set by boot_early: what the header claims; 0 if there is no tree at that address. */
static size_t tree_size;

static void tree_read(uintptr_t tree);

uintptr_t boot_early(uintptr_t image, uintptr_t tree)
{
	const struct tree_header *header = (const struct tree_header *)tree;
	uintptr_t shift = ARCH_IMAGE_BASE - image;

	if (tree && tree % TREE_ALIGN == 0 && __builtin_bswap32(header->magic) == TREE_MAGIC)
		tree_size = __builtin_bswap32(header->size);
	if (tree_size > TREE_MAX)
		tree_size = 0;
	row_init(&boot_hart.arch.row, (char *)&boot_hart + shift, shift);
	return paging_boot(image, tree, tree_size);
}

/* First C code at the link address: boot.S has set tp, sscratch, stvec and the stack. */
noreturn void boot_main(uintptr_t hartid, uintptr_t tree, uint64_t entry_time)
{
	struct arch_hart *arch = &boot_hart.arch;

	arch->reached[ARCH_STAGE_ENTRY] = entry_time;
	arch->reached[ARCH_STAGE_MMU] = arch_time();
	boot_hart.hartid = hartid;
	arch->self = &boot_hart;
	arch->boot = (struct arch_stack){(uintptr_t)boot_stack_base, (uintptr_t)boot_stack_top};
	arch->irq = (struct arch_stack){(uintptr_t)boot_irq_base, (uintptr_t)boot_irq_top};
	arch->emergency = (struct arch_stack){
		(uintptr_t)boot_emergency_base, (uintptr_t)boot_emergency_top};
	arch_info.boot_hartid = hartid;
	arch_info.entry_time = entry_time;
	arch_info.paging = paging_name();
	sbi_init();
	tree_read(tree);
	hart_ready();
	arch->reached[ARCH_STAGE_TRAPS] = arch_time();
	kernel_main();
}

/* What arch itself needs of the tree. What is missing stays 0; kernel_main judges it. */
static void tree_read(uintptr_t tree)
{
	struct fdt_hart_iter it;
	struct fdt_hart hart;
	const void *fdt;
	bool sstc = true, fpu = true;
	unsigned n = 0;
	int err;

	if (!tree_size || tree < arch_phys_base || tree + tree_size > arch_phys_end)
		return;
	fdt = phys_to_virt(tree);
	if (fdt_check(fdt, tree_size))
		return;
	arch_info.fdt = fdt;
	arch_info.fdt_size = tree_size;
	if (fdt_timebase(fdt, &arch_info.timebase_hz))
		arch_info.timebase_hz = 0;

	fdt_harts_begin(&it, fdt);
	while ((err = fdt_harts_next(&it, &hart)) != -ENOENT) {
		if (err || !hart.enabled)
			continue;
		n++;
		sstc &= fdt_hart_has(&hart, "sstc");
		fpu &= fdt_hart_has(&hart, "d");
	}
	arch_info.has_sstc = n && sstc;
	fpu_present = n && fpu;
}
