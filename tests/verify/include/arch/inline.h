/* SPDX-License-Identifier: MIT */
/*
 * The inline downcalls of kernel/arch.h in the machine of tests/verify: SIE and tp are fields of
 * the hart that runs, and an interrupt that is pending comes as soon as SIE is set.
 */
#ifndef ARCH_INLINE_H
#define ARCH_INLINE_H

#include "arch/types.h"

/* tests/verify/machine.c; the hart's hart_meta is its first member. */
void *vm_tp(void);
bool *vm_sie(void);
void vm_interrupts_on(void);
void vm_pause(void);

static inline bool arch_irq_save(void)
{
	bool *sie = vm_sie();
	bool was = *sie;

	*sie = false;
	return was;
}

static inline void arch_irq_enable(void)
{
	vm_interrupts_on();
}

static inline void arch_irq_disable(void)
{
	*vm_sie() = false;
}

static inline void arch_irq_restore(bool on)
{
	if (on)
		arch_irq_enable();
}

static inline bool arch_irq_enabled(void)
{
	return *vm_sie();
}

static inline void *arch_lock_hart(void)
{
	return vm_tp();
}

static inline void *arch_current(void)
{
	return *(void **)vm_tp();
}

/* Traces of the checker: never walked here. */
static inline uintptr_t arch_frame_return(unused_arg uintptr_t fp)
{
	return 0;
}

static inline uintptr_t arch_frame_outer(unused_arg uintptr_t fp)
{
	return 0;
}

static inline void arch_frame_keep(void)
{
}

static inline void arch_pause(void)
{
	vm_pause();
}

/* Time stands still: nothing that is verified here may hang on it. */
static inline uint64_t arch_time(void)
{
	return 1;
}

#endif
