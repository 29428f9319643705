/* SPDX-License-Identifier: MIT */
/*
 * The kernel's address space, for C, assembly and the linker script.
 *
 *	Sv39					Sv32
 *	ffffffc0_00000000  direct map 128 GiB	a0000000  direct map 1.25 GiB
 *	ffffffe0_00000000  vmap        64 GiB	f0000000  vmap        128 MiB
 *	ffffffff_80000000  kernel image		f8000000  kernel image
 *	ffffffff_ffc00000  early MMIO		ffc00000  early MMIO
 *
 * Below is user space, where also the one-page identity mapping lies over which a hart turns on its
 * paging. The kernel image is the same wherever the firmware loaded it: ARCH_LOAD_ADDRESS is what
 * the ELF file asks for; the real address is found out at boot.
 */
#ifndef ARCH_LAYOUT_H
#define ARCH_LAYOUT_H

#if defined(__ASSEMBLER__)
#define ARCH_CONST(x) x
#else
#define ARCH_CONST(x) x##UL
#endif

#if __riscv_xlen == 64
#define ARCH_DIRECT_BASE ARCH_CONST(0xffffffc000000000)
#define ARCH_DIRECT_END ARCH_CONST(0xffffffe000000000)
#define ARCH_VMAP_BASE ARCH_CONST(0xffffffe000000000)
#define ARCH_VMAP_END ARCH_CONST(0xfffffff000000000)
#define ARCH_IMAGE_BASE ARCH_CONST(0xffffffff80000000)
#define ARCH_EARLY_MMIO_BASE ARCH_CONST(0xffffffffffc00000)
#define ARCH_LOAD_ADDRESS ARCH_CONST(0x80200000)
#else
#define ARCH_DIRECT_BASE ARCH_CONST(0xa0000000)
#define ARCH_DIRECT_END ARCH_CONST(0xf0000000)
#define ARCH_VMAP_BASE ARCH_CONST(0xf0000000)
#define ARCH_VMAP_END ARCH_CONST(0xf8000000)
#define ARCH_IMAGE_BASE ARCH_CONST(0xf8000000)
#define ARCH_EARLY_MMIO_BASE ARCH_CONST(0xffc00000)
#define ARCH_LOAD_ADDRESS ARCH_CONST(0x80400000)
#endif

#define ARCH_EARLY_MMIO_SLOTS 4 /* pages */

#define PAGE_SHIFT 12
#define PAGE_SIZE ARCH_CONST(4096)

/* The boot hart's stacks, in .bss, each with a guard page below. */
#define BOOT_STACK_SIZE ARCH_CONST(16384)
#define BOOT_IRQ_STACK_SIZE ARCH_CONST(16384)
#define BOOT_EMERGENCY_SIZE ARCH_CONST(8192)

#endif
