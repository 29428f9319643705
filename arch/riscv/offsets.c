/* SPDX-License-Identifier: MIT */
/*
 * Offsets of the C structures for the assembly files. This file is compiled to assembly only; each
 * OFFSET leaves a line "@offset NAME value" there, which the Makefile turns into
 * generated/offsets.h. So assembly and C can't disagree; what assembly assumes beyond the
 * numbers is asserted here.
 */
#include "kernel/hart/hart.h"
#include "kernel/sched/thread.h"

#define OFFSET(name, value) __asm__ volatile("# @offset " #name " %0" : : "i"(value))
#define FRAME_OFFSET(name, field) OFFSET(FRAME_##name, offsetof(struct trap_frame, field))

/* An immediate of a load, a store or addi. */
#define REACHABLE(type, field) \
	static_assert(offsetof(type, field) < 2048, #type "." #field " is out of reach")

static_assert(offsetof(struct hart_meta, lock) == 0, "tp points to struct lock_hart");
static_assert(offsetof(struct lock_hart, thread) == 0, "arch_current loads 0(tp)");
static_assert(offsetof(struct thread, lock) == 0, "struct thread begins with lock_thread");
static_assert(offsetof(struct frame_row, frames) == 0, "a row begins with its first frame");
static_assert(sizeof(struct trap_frame) % sizeof(uintptr_t) == 0, "frames are made of registers");
static_assert(offsetof(struct trap_frame, t6) == 30 * sizeof(uintptr_t), "x1..x31 without a gap");
static_assert(offsetof(struct arch_context, s) == 2 * sizeof(uintptr_t), "ra, sp, s0..s11");
static_assert(offsetof(struct arch_fpu, fcsr) == 32 * 8, "f0..f31, fcsr");
static_assert(offsetof(struct trap_frame, row) < 2048, "frame offsets are immediates");
static_assert(offsetof(struct frame_row, newest) < 2048, "row offsets are immediates");
REACHABLE(struct hart_meta, arch.row);
static_assert(sizeof(((struct hart_meta *)0)->strike[0]) == 4, "a word each");
REACHABLE(struct thread, arch.stack_generation);

void offsets(void);

static void frame_offsets(void)
{
	FRAME_OFFSET(RA, ra);
	FRAME_OFFSET(SP, sp);
	FRAME_OFFSET(GP, gp);
	FRAME_OFFSET(TP, tp);
	FRAME_OFFSET(T0, t0);
	FRAME_OFFSET(T1, t1);
	FRAME_OFFSET(T2, t2);
	FRAME_OFFSET(S0, s0);
	FRAME_OFFSET(S1, s1);
	FRAME_OFFSET(A0, a0);
	FRAME_OFFSET(A1, a1);
	FRAME_OFFSET(A2, a2);
	FRAME_OFFSET(A3, a3);
	FRAME_OFFSET(A4, a4);
	FRAME_OFFSET(A5, a5);
	FRAME_OFFSET(A6, a6);
	FRAME_OFFSET(A7, a7);
	FRAME_OFFSET(S2, s2);
	FRAME_OFFSET(S3, s3);
	FRAME_OFFSET(S4, s4);
	FRAME_OFFSET(S5, s5);
	FRAME_OFFSET(S6, s6);
	FRAME_OFFSET(S7, s7);
	FRAME_OFFSET(S8, s8);
	FRAME_OFFSET(S9, s9);
	FRAME_OFFSET(S10, s10);
	FRAME_OFFSET(S11, s11);
	FRAME_OFFSET(T3, t3);
	FRAME_OFFSET(T4, t4);
	FRAME_OFFSET(T5, t5);
	FRAME_OFFSET(T6, t6);
	FRAME_OFFSET(SEPC, sepc);
	FRAME_OFFSET(SSTATUS, sstatus);
	FRAME_OFFSET(SCAUSE, scause);
	FRAME_OFFSET(STVAL, stval);
	FRAME_OFFSET(SCRATCH, scratch);
	FRAME_OFFSET(NEXT, next);
	FRAME_OFFSET(OUTER, outer);
	FRAME_OFFSET(ROW, row);
}

void offsets(void)
{
	frame_offsets();
	OFFSET(ROW_HART, offsetof(struct frame_row, hart));
	OFFSET(ROW_NEWEST, offsetof(struct frame_row, newest));

	OFFSET(CONTEXT_RA, offsetof(struct thread, arch.context.ra));
	OFFSET(CONTEXT_SP, offsetof(struct thread, arch.context.sp));
	OFFSET(CONTEXT_S, offsetof(struct thread, arch.context.s));
	OFFSET(THREAD_SSCRATCH, offsetof(struct thread, arch.sscratch));
	OFFSET(THREAD_FPU_USED, offsetof(struct thread, arch.fpu_used));
	OFFSET(THREAD_STACK_BASE, offsetof(struct thread, arch.stack.base));
	OFFSET(THREAD_STACK_TOP, offsetof(struct thread, arch.stack.top));
	OFFSET(THREAD_GENERATION, offsetof(struct thread, arch.stack_generation));
	OFFSET(THREAD_FPU, offsetof(struct thread, arch.fpu));
	OFFSET(FPU_FCSR, offsetof(struct arch_fpu, fcsr));

	OFFSET(HART_SELF, offsetof(struct hart_meta, arch.self));
	OFFSET(HART_IRQ_BASE, offsetof(struct hart_meta, arch.irq.base));
	OFFSET(HART_IRQ_TOP, offsetof(struct hart_meta, arch.irq.top));
	OFFSET(HART_EMERGENCY_BASE, offsetof(struct hart_meta, arch.emergency.base));
	OFFSET(HART_EMERGENCY_TOP, offsetof(struct hart_meta, arch.emergency.top));
	OFFSET(HART_BOOT_BASE, offsetof(struct hart_meta, arch.boot.base));
	OFFSET(HART_BOOT_TOP, offsetof(struct hart_meta, arch.boot.top));
	OFFSET(HART_FENCED, offsetof(struct hart_meta, arch.fenced));
	OFFSET(HART_REACHED, offsetof(struct hart_meta, arch.reached));
	OFFSET(HART_STRIKE, offsetof(struct hart_meta, strike));
	OFFSET(STRIKE_HANGS, HART_HANGS);
	OFFSET(STRIKE_LATE, HART_LATE);
	OFFSET(HART_ROW, offsetof(struct hart_meta, arch.row));
}
