/* SPDX-License-Identifier: MIT */
/*
 * The machine's types as host tests see them: the names that kernel headers use, with as little
 * behind them as will do. The real ones: arch/riscv/include/arch/types.h.
 */
#ifndef ARCH_TYPES_H
#define ARCH_TYPES_H

#include "lib/types.h"

#define PAGE_SHIFT 12
#define PAGE_SIZE (1UL << PAGE_SHIFT)
#define ARCH_PHYS_BITS 56

typedef uint64_t phys_t;

struct trap_frame {
	uintptr_t pc, sp;
};

struct arch_stack {
	uintptr_t base, top;
};

struct arch_thread {
	uintptr_t sp;
};

struct arch_hart {
	struct arch_stack irq, emergency, boot;
	uintptr_t fenced;
};

#endif
