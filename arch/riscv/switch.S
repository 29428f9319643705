/* SPDX-License-Identifier: MIT */
/*
 * The context switch.
 *
 * struct thread *arch_switch(struct thread *prev, struct thread *next)
 *   a0 prev, a1 next, tp hart, SIE = 0. Returns prev (a0 is not touched) in next's context.
 *
 * The owner of sscratch passes from prev's row over the hart's boot row to next's:
 *
 *	prev's free frame --(csrrw)--> boot row frame 0 --(csrw)--> next's free frame
 *
 * so a fault in the middle lands in a frame that nobody else uses. A thread that was preempted has
 * its interrupt's frame live; the free frame after it is what is put away and taken out again.
 * The boot row must be empty at every switch: idle is never preempted, so the free frame of an
 * owner of the boot row is its frame 0 (checked).
 *
 * Nothing is published here. After the return in next's context no register, no stack and no frame
 * of prev is in use by this hart, and the caller may let others have prev, with a release store of
 * its own.
 */
#include "arch/riscv/asm.h"

/* clang-format off */
.macro EACH_SAVED op, thread
	\op ra, CONTEXT_RA(\thread)
	\op sp, CONTEXT_SP(\thread)
	\op s0, CONTEXT_S + 0 * REG_SIZE(\thread)
	\op s1, CONTEXT_S + 1 * REG_SIZE(\thread)
	\op s2, CONTEXT_S + 2 * REG_SIZE(\thread)
	\op s3, CONTEXT_S + 3 * REG_SIZE(\thread)
	\op s4, CONTEXT_S + 4 * REG_SIZE(\thread)
	\op s5, CONTEXT_S + 5 * REG_SIZE(\thread)
	\op s6, CONTEXT_S + 6 * REG_SIZE(\thread)
	\op s7, CONTEXT_S + 7 * REG_SIZE(\thread)
	\op s8, CONTEXT_S + 8 * REG_SIZE(\thread)
	\op s9, CONTEXT_S + 9 * REG_SIZE(\thread)
	\op s10, CONTEXT_S + 10 * REG_SIZE(\thread)
	\op s11, CONTEXT_S + 11 * REG_SIZE(\thread)
.endm
/* clang-format on */

	.text

FUNCTION arch_switch
	EACH_SAVED REG_S, a0
	addi t0, tp, HART_ROW
	csrrw t1, sscratch, t0
	/* t0 boot row, now the owner; t1 prev's free frame */
	REG_L t2, FRAME_ROW(t1)
	REG_S t1, THREAD_SSCRATCH(a0)
	bne t2, t0, 1f
	bne t1, t0, switch_boot_row_busy
1:	csrr t3, sstatus
	li t4, SSTATUS_FS
	and t3, t3, t4
	REG_L t5, THREAD_FPU_USED(a1)
	or t6, t3, t5
	bnez t6, switch_fpu
switch_fpu_done:
	/* prev's FP state is saved, next's is in the unit or the unit is off */
	REG_L t5, THREAD_GENERATION(a1)
	REG_L t6, HART_FENCED(tp)
	sub t6, t6, t5
	bltz t6, switch_fence
switch_stack_known:
	/* this hart's TLB knows next's stack */
	addi t2, t1, FRAME_SCRATCH
	sc.w zero, zero, (t2)
	REG_S a1, 0(tp)
	EACH_SAVED REG_L, a1
	/* on next's stack */
	REG_L t1, THREAD_SSCRATCH(a1)
	REG_L t2, FRAME_ROW(t1)
	REG_S tp, ROW_HART(t2)
	csrw sscratch, t1
	ret

/*
 * next's stack was mapped after this hart's last fence: it may remember that there was nothing
 * (Privileged 4.2.1: invalid entries may be cached). The fence makes every stack up to that
 * generation known: its table entries were stored before next became runnable, which this hart saw
 * under its run queue's lock. The difference is taken as signed, so RV32, which compares the low
 * words, is right within 2^31 mappings.
 */
switch_fence:
	sfence.vma
	REG_S t5, HART_FENCED(tp)
	j switch_stack_known

/* t3 live FS, t4 SSTATUS_FS, t5 whether next has FP state; a0, a1, t1 as above. */
switch_fpu:
	li t6, SSTATUS_FS_DIRTY
	bne t3, t6, 1f
	li t6, 1
	REG_S t6, THREAD_FPU_USED(a0)
	li t6, THREAD_FPU
	add t2, a0, t6
	jal t6, fpu_save
1:	beqz t5, 2f
	csrs sstatus, t4
	li t6, THREAD_FPU
	add t2, a1, t6
	jal t6, fpu_restore
	/* the unit holds what memory holds: Dirty -> Clean */
	li t6, SSTATUS_FS_DIRTY & ~SSTATUS_FS_CLEAN
	csrc sstatus, t6
	j switch_fpu_done
2:	csrc sstatus, t4
	j switch_fpu_done
END arch_switch

/* Idle, or a booting hart, has a live frame at a switch. t1 its free frame. */
switch_boot_row_busy:
	mv a0, t1
	call switch_boot_row_panic

/* First code of a thread: what arch_thread_init put into its ra. a0 the thread that was left. */
FUNCTION thread_entry
	mv fp, zero
	mv ra, zero
	tail thread_start
END thread_entry
