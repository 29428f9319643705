/* SPDX-License-Identifier: MIT */
/* What the files of arch/riscv share among themselves: C to C, C to assembly and back. */
#ifndef ARCH_RISCV_INTERNAL_H
#define ARCH_RISCV_INTERNAL_H

#include "kernel/arch.h"

/* ---- Linker script ------------------------------------------------------------------------ */

extern char kernel_start[], kernel_end[];
extern char text_start[], text_end[], rodata_start[], rodata_end[], data_start[], data_end[];
extern char boot_stacks_start[], boot_stacks_end[];
extern char boot_stack_base[], boot_stack_top[], boot_irq_base[], boot_irq_top[];
extern char boot_emergency_base[], boot_emergency_top[];

/* ---- Boot (boot.S, boot.c, smp.c) ---------------------------------------------------------- */

/* With paging off: makes the early tables and the boot row; the early satp, 0 on failure. */
uintptr_t boot_early(uintptr_t image, uintptr_t tree);
noreturn void boot_main(uintptr_t hartid, uintptr_t tree, uint64_t entry_time);
void secondary_start(void); /* its physical address is what the firmware is given */
noreturn void secondary_main(uintptr_t hartid, struct hart_meta *h);
void hart_ready(void);

/* ---- Paging (paging.c) --------------------------------------------------------------------- */

/* As boot_early; `image` is where the kernel lies, [tree, tree + tree_size) is mapped too. */
uintptr_t paging_boot(uintptr_t image, uintptr_t tree, size_t tree_size);
const char *paging_name(void);

/* ---- Traps (trap.S, trap.c, tlb.c, copy.S) ------------------------------------------------- */

/* Links the frames of a row. `shift` is added to the address of each: where the row will be
 * mapped, minus where it is now. */
void row_init(struct frame_row *row, void *hart, uintptr_t shift);

enum stack_state {
	STACK_TRUSTED,	 /* the handler runs below the interrupted sp */
	STACK_EMERGENCY, /* on the emergency stack: sp was outside of every stack, or too low */
};
void trap_entry(void);
extern char trap_end_of_code[];
bool trap_interrupt(struct trap_frame *frame);
void trap_exception(struct trap_frame *frame, enum stack_state where);
noreturn void trap_nested(struct trap_frame *frame);
noreturn void trap_restart(uintptr_t sp, struct trap_frame *frame, void (*fn)(void));
noreturn void switch_boot_row_panic(struct trap_frame *frame);
void thread_entry(void);

/* Whether the fault came from a translation that this hart remembers as invalid and that is there
 * by now: then it was fenced, and the access is to be tried again. */
bool tlb_was_stale(const struct trap_frame *frame);
/* Sends the frame to the fixup of the instruction that faulted, if it has one. */
bool fixup_apply(struct trap_frame *frame);

/* Nothing that this hart could do would make it any better. */
static inline noreturn void sleep_for_good(void)
{
	for (;;)
		__asm__ volatile("wfi" : : : "memory");
}

/* ---- FP unit (fpu.S, fpu.c) ---------------------------------------------------------------- */

extern bool fpu_present;
/* Whether the illegal instruction was the first FP instruction of a thread: then the unit is on. */
bool fpu_first_use(struct trap_frame *frame);
void fpu_clear(void);

/* ---- Backtraces (backtrace.c) --------------------------------------------------------------- */

/* The stack of hart `h` (its running thread's, or one of its own) that `addr` lies in or at the end
 * of. */
bool stack_of_hart(const struct hart_meta *h, uintptr_t addr, struct arch_stack *out);

#endif
