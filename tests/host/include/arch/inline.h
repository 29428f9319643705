/* SPDX-License-Identifier: MIT */
/*
 * The inline downcalls of kernel/arch.h on a host: each pthread is a hart, its interrupt-enable bit
 * and its tp are thread-local variables of tests/host/machine.c, which a test links with by naming
 * it in its Sources. Nothing interrupts by itself: a test calls handlers where it wants them.
 */
#ifndef ARCH_INLINE_H
#define ARCH_INLINE_H

#include "arch/types.h"

extern __thread bool host_irq_on; /* SIE of this hart */
extern __thread void *host_tp;	  /* its struct hart_meta or lock_hart; set by the test */
extern uint64_t host_time;	  /* what arch_time() says; the test moves it */

/* "RAM": host_ram_size bytes at host_ram stand for the physical addresses from arch_phys_base. */
extern char *host_ram;
extern size_t host_ram_size;
extern phys_t arch_phys_base, arch_phys_end;

/* Allocates host_ram, zeroed and aligned to its size's power of two (1 GiB at most). */
void host_ram_init(phys_t base, size_t size);
void host_ram_free(void);

static inline bool arch_irq_save(void)
{
	bool was = host_irq_on;

	host_irq_on = false;
	return was;
}

static inline void arch_irq_enable(void)
{
	host_irq_on = true;
}

static inline void arch_irq_disable(void)
{
	host_irq_on = false;
}

static inline void arch_irq_restore(bool on)
{
	if (on)
		arch_irq_enable();
}

static inline bool arch_irq_enabled(void)
{
	return host_irq_on;
}

static inline void *arch_lock_hart(void)
{
	return host_tp;
}

static inline void *arch_current(void)
{
	return *(void **)host_tp;
}

/* x86-64 and AArch64 alike. */
static inline uintptr_t arch_frame_return(uintptr_t fp)
{
	return ((const uintptr_t *)fp)[1];
}

static inline uintptr_t arch_frame_outer(uintptr_t fp)
{
	return ((const uintptr_t *)fp)[0];
}

static inline void arch_frame_keep(void)
{
}

static inline void arch_pause(void)
{
	__asm__ volatile("" : : : "memory");
}

static inline uint64_t arch_time(void)
{
	return host_time;
}

static inline void *phys_to_virt(phys_t pa)
{
	return host_ram + (pa - arch_phys_base);
}

static inline phys_t virt_to_phys(const void *va)
{
	return arch_phys_base + (uintptr_t)((const char *)va - host_ram);
}

#endif
