/* SPDX-License-Identifier: MIT */
/*
 * The inline downcalls of kernel/arch.h. Each is one or two instructions; "memory" clobbers stand
 * where the compiler must not move accesses over them. Includes nothing of the kernel.
 */
#ifndef ARCH_INLINE_H
#define ARCH_INLINE_H

#include "arch/types.h"

#define ARCH_SSTATUS_SIE 2UL /* Privileged 4.1.1; fits the immediate of csrrci */

/* Clears SIE; returns whether it was set. One instruction reads and clears, so nothing can come
 * between. Either. */
static inline bool arch_irq_save(void)
{
	uintptr_t old;

	__asm__ volatile("csrrci %0, sstatus, %1" : "=r"(old) : "i"(ARCH_SSTATUS_SIE) : "memory");
	return old & ARCH_SSTATUS_SIE;
}

static inline void arch_irq_enable(void)
{
	__asm__ volatile("csrsi sstatus, %0" : : "i"(ARCH_SSTATUS_SIE) : "memory");
}

static inline void arch_irq_disable(void)
{
	__asm__ volatile("csrci sstatus, %0" : : "i"(ARCH_SSTATUS_SIE) : "memory");
}

/* Sets SIE if `on`, never clears it. Either. */
static inline void arch_irq_restore(bool on)
{
	if (on)
		arch_irq_enable();
}

static inline bool arch_irq_enabled(void)
{
	uintptr_t status;

	__asm__ volatile("csrr %0, sstatus" : "=r"(status) : : "memory");
	return status & ARCH_SSTATUS_SIE;
}

/* This hart's struct hart_meta. Only stable while preemption is off. */
static inline void *arch_lock_hart(void)
{
	void *hart;

	__asm__ volatile("mv %0, tp" : "=r"(hart));
	return hart;
}

/*
 * The running thread: ONE load relative to tp. In C the compiler could copy tp into another
 * register first, and a preemption between the two would make it another hart's thread. There is no
 * "memory" clobber: for a thread the answer never changes. Boot code, which stores the first
 * pointer itself, puts a compiler barrier between its store and its first use of this.
 */
static inline void *arch_current(void)
{
	void *thread;

#if __riscv_xlen == 64
	__asm__ volatile("ld %0, 0(tp)" : "=r"(thread));
#else
	__asm__ volatile("lw %0, 0(tp)" : "=r"(thread));
#endif
	return thread;
}

/*
 * The frame record below a frame pointer: where its function returns to, and the frame pointer of
 * that one's function. `fp` is __builtin_frame_address(0) of a function that makes calls, or comes
 * from here.
 */
static inline uintptr_t arch_frame_return(uintptr_t fp)
{
	return ((const uintptr_t *)fp)[-1];
}

static inline uintptr_t arch_frame_outer(uintptr_t fp)
{
	return ((const uintptr_t *)fp)[-2];
}

/* The calling function keeps a whole frame record, although it may make no calls. */
static inline __attribute__((always_inline)) void arch_frame_keep(void)
{
	__asm__ volatile("" : : : "ra");
}

/* `pause` of Zihintpause, spelled as the fence that older assemblers and harts know (a no-op). */
static inline void arch_pause(void)
{
	__asm__ volatile(".insn i 0x0f, 0, x0, x0, 0x010" : : : "memory");
}

/* The timebase counter, ticks of arch_info.timebase_hz. Either. */
static inline uint64_t arch_time(void)
{
#if __riscv_xlen == 64
	uint64_t now;

	__asm__ volatile("rdtime %0" : "=r"(now) : : "memory");
	return now;
#else
	uint32_t high, low, again;

	/* The high half is read on both sides of the low one: a carry between them shows. */
	do {
		__asm__ volatile("rdtimeh %0\n\t"
				 "rdtime %1\n\t"
				 "rdtimeh %2"
			: "=&r"(high), "=&r"(low), "=&r"(again)
			:
			: "memory");
	} while (high != again);
	return (uint64_t)high << 32 | low;
#endif
}

/*
 * The direct map shows the physical window [arch_phys_base, arch_phys_end); RAM outside of it
 * cannot be used. The kernel image is at ARCH_IMAGE_BASE, wherever the firmware loaded it. All
 * three are constant from before kernel_main.
 */
extern phys_t arch_phys_base, arch_phys_end;
extern uintptr_t arch_image_offset; /* virtual minus physical address of the kernel image */

/* Either. `pa` lies in the window. */
static inline void *phys_to_virt(phys_t pa)
{
	return (void *)(uintptr_t)(pa - arch_phys_base + ARCH_DIRECT_BASE);
}

/* Either. Of an address in the direct map or in the kernel image; not of the vmap. */
static inline phys_t virt_to_phys(const void *va)
{
	uintptr_t a = (uintptr_t)va;

	if (a >= ARCH_IMAGE_BASE)
		return (uintptr_t)(a - arch_image_offset);
	return a - ARCH_DIRECT_BASE + arch_phys_base;
}

#endif
