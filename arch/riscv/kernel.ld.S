/* SPDX-License-Identifier: MIT */
/*
 * Layout of the kernel image: text, read-only data, data and .bss, each on pages of its own so that
 * paging.c can map them W^X. Linked to ARCH_IMAGE_BASE; the firmware loads it anywhere (4 KiB
 * aligned), boot.S finds out where. _start is the first byte: some loaders jump to the lowest load
 * address and not to the entry symbol, so no ELF header may lie in a segment (link with -n).
 *
 * What ends a section is stated by the next one's start: sections without a place of their own
 * (the linkset_* tables) are put behind .rodata by the linker and so lie between rodata_start and
 * rodata_end.
 */
#include "arch/layout.h"

OUTPUT_ARCH(riscv)
ENTRY(_start)

PHDRS
{
	text PT_LOAD FLAGS(5);
	rodata PT_LOAD FLAGS(4);
	data PT_LOAD FLAGS(6);
}

SECTIONS
{
	. = ARCH_IMAGE_BASE;
	kernel_start = .;
	text_start = .;

	.text : AT(ARCH_LOAD_ADDRESS) {
		*(.text.boot)
		. = ALIGN(4096);
		*(.text .text.*)
		. = ALIGN(4096);
	} :text
	text_end = ADDR(.text) + SIZEOF(.text);

	.rodata ALIGN(4096) : AT(ADDR(.rodata) - ARCH_IMAGE_BASE + ARCH_LOAD_ADDRESS) {
		rodata_start = .;
		fixup_table_start = .;
		KEEP(*(.fixup_table))
		fixup_table_end = .;
		*(.rodata .rodata.* .srodata .srodata.*)
		KEEP(*(.symtab_blob))
	} :rodata

	.data ALIGN(4096) : AT(ADDR(.data) - ARCH_IMAGE_BASE + ARCH_LOAD_ADDRESS) {
		data_start = .;
		*(.data .data.* .sdata .sdata.*)
		. = ALIGN(8);
	} :data
	rodata_end = ADDR(.data);

	.bss ALIGN(4096) (NOLOAD) : AT(ADDR(.bss) - ARCH_IMAGE_BASE + ARCH_LOAD_ADDRESS) {
		bss_start = .;
		*(.bss.pages)
		. = ALIGN(4096);
		/* Stacks of the boot hart; the page below each is never mapped. */
		boot_stacks_start = .;
		. += PAGE_SIZE;
		boot_stack_base = .;
		. += BOOT_STACK_SIZE;
		boot_stack_top = .;
		. += PAGE_SIZE;
		boot_irq_base = .;
		. += BOOT_IRQ_STACK_SIZE;
		boot_irq_top = .;
		. += PAGE_SIZE;
		boot_emergency_base = .;
		. += BOOT_EMERGENCY_SIZE;
		boot_emergency_top = .;
		boot_stacks_end = .;
		*(.bss .bss.* .sbss .sbss.* COMMON)
		. = ALIGN(4096);
		bss_end = .;
	} :data
	data_end = ADDR(.bss) + SIZEOF(.bss);
	kernel_end = ADDR(.bss) + SIZEOF(.bss);

	/DISCARD/ : {
		*(.comment .note .note.* .riscv.attributes .eh_frame .eh_frame_hdr)
#if CONFIG_RACE
		*(.init_array .init_array.*)
#endif
	}
}

ASSERT(_start == kernel_start, "the entry must be the first byte of the image")
ASSERT(text_end <= rodata_start && rodata_end == data_start, "sections share a page")
ASSERT(boot_code_end <= kernel_start + PAGE_SIZE, "boot code must fit into the identity page")
#if __riscv_xlen == 64
ASSERT(kernel_end - kernel_start <= 0x3f000000, "the image leaves its address range")
#else
ASSERT(kernel_end - kernel_start <= 0x07000000, "the image leaves its address range")
#endif
