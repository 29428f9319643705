/* SPDX-License-Identifier: MIT */
/*
 * Traps: entry, choice of the stack, exit.
 *
 * Who holds what. sscratch names a free frame of the owner's row (arch/types.h) at every
 * instruction except between the two numbered pairs of entry and exit, where SIE is 0 and nothing
 * can fault: they touch only the frame itself, which lies in the direct map or the kernel image.
 *
 * Entry saves every register before it looks at anything else, and uses no stack: a wild or
 * overflowed sp does no harm here. Then sscratch moves on to the next frame, so a trap in the
 * handler lands there. tp comes from the row, never from the interrupted registers.
 *
 * Which stack
 *   interrupt    the hart's interrupt stack, from its top: it can only be free, because handlers
 *                run with SIE=0 (asserted: an interrupt finds frame 0 of its row).
 *   exception    where it happened, below the interrupted sp, if sp lies in a stack that this hart
 *                may be on and TRAP_ROOM bytes are left; else the emergency stack from its top.
 *   last frame   the emergency stack from its top: the system ends.
 *   preemption   the interrupted thread's own stack, the frame still live: the thread is then put
 *                away like one that called schedule(), and may go on on another hart.
 *
 * Depth, for a thread of the kernel: frame 0 interrupt or fault; frame 1 a fault in that handler;
 * frames 2 and 3 faults while those are reported; beyond that the panic code has given up (it ends
 * the machine at its second entry), and the last frame ends it in any case. A lazy FP trap or a
 * fixup uses one frame for its short time. A thread that was preempted keeps frame 0.
 *
 * Registers in the handlers: s1 the frame (kept by C), tp the hart. The kernel does not use gp. FP
 * and vector units are off in every handler; what the interrupted code had is in its frame's
 * sstatus and still in the unit.
 */
#include "arch/riscv/asm.h"

/* Left on a stack for the handler of an exception and its report; in the emergency stack, where the
 * report runs already, for a nested fixup. */
#define TRAP_ROOM 3072
#define TRAP_ROOM_EMERGENCY 768

/* clang-format off */
/* All registers but t0 (x5), with the frame in t0. */
.macro EACH_REGISTER op
	\op ra, FRAME_RA(t0)
	\op t1, FRAME_T1(t0)
	\op t2, FRAME_T2(t0)
	\op s0, FRAME_S0(t0)
	\op s1, FRAME_S1(t0)
	\op a0, FRAME_A0(t0)
	\op a1, FRAME_A1(t0)
	\op a2, FRAME_A2(t0)
	\op a3, FRAME_A3(t0)
	\op a4, FRAME_A4(t0)
	\op a5, FRAME_A5(t0)
	\op a6, FRAME_A6(t0)
	\op a7, FRAME_A7(t0)
	\op s2, FRAME_S2(t0)
	\op s3, FRAME_S3(t0)
	\op s4, FRAME_S4(t0)
	\op s5, FRAME_S5(t0)
	\op s6, FRAME_S6(t0)
	\op s7, FRAME_S7(t0)
	\op s8, FRAME_S8(t0)
	\op s9, FRAME_S9(t0)
	\op s10, FRAME_S10(t0)
	\op s11, FRAME_S11(t0)
	\op t3, FRAME_T3(t0)
	\op t4, FRAME_T4(t0)
	\op t5, FRAME_T5(t0)
	\op t6, FRAME_T6(t0)
	\op gp, FRAME_GP(t0)
	\op sp, FRAME_SP(t0)
.endm

/* A frame record on the new stack that leads a backtrace to the interrupted code: t3 its pc, s0 its
 * frame pointer, s1 the frame. */
.macro PUSH_RECORD
	addi sp, sp, -RECORD_SIZE
	REG_S t3, RECORD_RA(sp)
	REG_S s0, RECORD_FP(sp)
	REG_S s1, RECORD_FRAME(sp)
	addi s0, sp, RECORD_SIZE
.endm

/* Jumps to `to` if sp lies in (base + room, top]; base and top are loaded relative to `of`. */
.macro IF_SP_IN of, base, top, room, to
	REG_L a2, \base(\of)
	REG_L a3, \top(\of)
	li a4, \room
	add a2, a2, a4
	bleu sp, a2, 99f
	bleu sp, a3, \to
99:
.endm
/* clang-format on */

	.text

/*
 * Every trap of this hart. SIE = 0 (the trap cleared it), everything else as interrupted.
 */
FUNCTION trap_entry
	csrrw t0, sscratch, t0		/* 1: sscratch holds the interrupted t0 */
	/* t0 frame */
	EACH_REGISTER REG_S
	REG_S tp, FRAME_TP(t0)
	csrr t1, sscratch
	REG_L t2, FRAME_NEXT(t0)
	csrw sscratch, t2		/* 2: sscratch names a free frame again */
	REG_S t1, FRAME_T0(t0)
	csrr t3, sepc
	csrr t4, sstatus
	csrr t5, scause
	csrr t6, stval
	mv s1, t0
	REG_S t3, FRAME_SEPC(s1)
	REG_S t4, FRAME_SSTATUS(s1)
	REG_S t5, FRAME_SCAUSE(s1)
	REG_S t6, FRAME_STVAL(s1)
	REG_L t1, FRAME_ROW(s1)
	li t4, SSTATUS_FS | SSTATUS_VS
	REG_L tp, ROW_HART(t1)
	csrc sstatus, t4
	REG_S s1, ROW_NEWEST(t1)
	/* s1 frame, t1 row, t2 next frame, t3 sepc, t5 scause, s0 and sp as interrupted, tp hart */
	beq t2, s1, trap_last
	bgez t5, trap_fault
	bne t1, s1, trap_misplaced

	REG_L sp, HART_IRQ_TOP(tp)
	PUSH_RECORD
	mv a0, s1
	call trap_interrupt
	/* a0 whether to preempt the interrupted thread; s1 frame */
	bnez a0, trap_preempt
	/* fall through */

/* Back to what frame s1 interrupted. SIE = 0, all other registers free. */
trap_exit:
	mv t0, s1
	REG_L t1, FRAME_ROW(t0)
	REG_L t2, FRAME_OUTER(t0)
	REG_L t3, FRAME_SEPC(t0)
	REG_L t4, FRAME_SSTATUS(t0)
	addi t5, t0, FRAME_SCRATCH
	/* What the handler left reserved must not let the interrupted code's sc succeed. (QEMU
	 * forgets reservations at every change of mode by itself.) */
	sc.w zero, zero, (t5)
	REG_S t2, ROW_NEWEST(t1)
	REG_L tp, ROW_HART(t1)
	/* tp from the row, not from the frame: the thread may have come here from another hart. */
	csrw sepc, t3
	csrw sstatus, t4
	csrw sscratch, t0		/* 3: the frame counts as free while it is still read */
	EACH_REGISTER REG_L
	REG_L t0, FRAME_T0(t0)
	sret				/* 4: it is free */
END trap_entry

/*
 * The interrupted thread gives the hart away. s1 frame, sp on the interrupt stack, tp hart; the
 * thread's stack was checked by trap_interrupt. The FP unit gets the thread's state back first, so
 * that arch_switch sees whether it is dirty.
 */
trap_preempt:
	li t4, SSTATUS_FS
	REG_L t5, FRAME_SSTATUS(s1)
	and t5, t5, t4
	csrs sstatus, t5
	REG_L sp, FRAME_SP(s1)
	REG_L t3, FRAME_SEPC(s1)
	REG_L s0, FRAME_S0(s1)
	PUSH_RECORD
	call interrupt_preempt
	/* perhaps on another hart, whose tp is set; sscratch names the frame behind s1 again */
	li t4, SSTATUS_FS
	csrr t5, sstatus
	and t5, t5, t4
	REG_L t6, FRAME_SSTATUS(s1)
	not t4, t4
	and t6, t6, t4
	or t6, t6, t5
	REG_S t6, FRAME_SSTATUS(s1)
	/* the frame's FS is what the unit has now */
	j trap_exit

/* An exception. s1 frame, t3 sepc, s0 and sp as interrupted, tp hart. */
trap_fault:
	li a1, 0
	/* a1 STACK_TRUSTED */
	REG_L a5, 0(tp)
	beqz a5, 1f
	IF_SP_IN a5, THREAD_STACK_BASE, THREAD_STACK_TOP, TRAP_ROOM, 3f
1:	IF_SP_IN tp, HART_IRQ_BASE, HART_IRQ_TOP, TRAP_ROOM, 3f
	IF_SP_IN tp, HART_BOOT_BASE, HART_BOOT_TOP, TRAP_ROOM, 3f
	IF_SP_IN tp, HART_EMERGENCY_BASE, HART_EMERGENCY_TOP, TRAP_ROOM_EMERGENCY, 3f
	li a1, 1
	/* a1 STACK_EMERGENCY */
	IF_SP_IN tp, HART_EMERGENCY_BASE, HART_EMERGENCY_TOP, 0, 2f
	REG_L sp, HART_EMERGENCY_TOP(tp)
	j 3f
2:	/* The report itself has used up the emergency stack: there is no way back. */
	REG_L sp, HART_EMERGENCY_TOP(tp)
	j trap_end
3:	andi sp, sp, -16
	PUSH_RECORD
	mv a0, s1
	call trap_exception
	/* it was set right: the interrupted code goes on (or tries again) */
	j trap_exit

/* No frame is left behind s1, or an interrupt came where none may be. t3 sepc, s0, tp hart. */
trap_last:
trap_misplaced:
	REG_L sp, HART_EMERGENCY_TOP(tp)
trap_end:
	PUSH_RECORD
	mv a0, s1
	call trap_nested

/* A return address between trap_entry and here says that the record above it is one of ours. */
	.globl trap_end_of_code
trap_end_of_code:

/*
 * noreturn void trap_restart(uintptr_t sp, struct trap_frame *frame, void (*fn)(void))
 * Throws away the stack and the live frames of the running thread. SIE = 0. a1 is the first frame
 * of its row.
 */
FUNCTION trap_restart
	csrw sscratch, a1
	mv sp, a0
	mv fp, zero
	mv ra, zero
	jr a2
END trap_restart
