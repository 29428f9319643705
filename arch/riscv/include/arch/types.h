/* SPDX-License-Identifier: MIT */
/*
 * Types of the machine for kernel/arch.h: physical addresses, trap frames and their rows, what a
 * thread and a hart keep for arch/riscv. Includes nothing of the kernel.
 *
 * A row of trap frames
 *   Whoever owns a hart's sscratch owns a row of TRAP_FRAMES frames. sscratch names the first frame
 *   that is not in use; a trap saves all registers there and moves sscratch on to `next` while its
 *   handler runs, so a trap in the handler never overwrites a live frame. The constant links (next,
 *   outer, row) are made once by row_init and let the entry code reach everything from the one
 *   pointer that it has.
 *
 *   Depth: a thread of the kernel needs one frame for an interrupt or a fault, one for a fault in
 *   that handler, one for a fault in the report of that fault and one for a fault in the second
 *   report, after which the panic code gives up; a user trap below them is the fifth. Handlers run
 *   with SIE=0, so interrupts add nothing. The sixth is the last: what arrives there goes straight
 *   to the emergency stack and ends the system (FAULT_NESTED).
 */
#ifndef ARCH_TYPES_H
#define ARCH_TYPES_H

#include "arch/layout.h"
#include "arch/stage.h"
#include "lib/types.h"

/* A physical address: so many bits of it fit into an entry of a page table. */
typedef uint64_t phys_t;
#if __riscv_xlen == 64
#define ARCH_PHYS_BITS 56
#else
#define ARCH_PHYS_BITS 34
#endif

#define TRAP_FRAMES 6

struct frame_row;

struct trap_frame {
	uintptr_t ra, sp, gp, tp;
	uintptr_t t0, t1, t2;
	uintptr_t s0, s1;
	uintptr_t a0, a1, a2, a3, a4, a5, a6, a7;
	uintptr_t s2, s3, s4, s5, s6, s7, s8, s9, s10, s11;
	uintptr_t t3, t4, t5, t6;
	uintptr_t sepc, sstatus, scause, stval;
	uintptr_t scratch;	  /* target of the exit's store-conditional; no meaning */
	struct trap_frame *next;  /* the next deeper one; the last names itself. Constant */
	struct trap_frame *outer; /* the one around it, NULL for the first. Constant */
	struct frame_row *row;	  /* Constant */
};

/* Written by the hart that it belongs to at the moment; others read it for reports only. */
struct frame_row {
	struct trap_frame frames[TRAP_FRAMES]; /* FIRST: address of the row = its first frame */
	void *hart;			       /* tp of handlers and after exit; at switch-in */
	struct trap_frame *newest;	       /* innermost live frame, NULL: none. For reports */
};

/* [base, top) is mapped, the page below base is not. */
struct arch_stack {
	uintptr_t base, top;
};

/* Registers that a function call preserves: all that a thread which called arch_switch needs. */
struct arch_context {
	uintptr_t ra, sp;
	uintptr_t s[12];
};

/* The FP unit's registers, D extension. A machine with F alone counts as one without. */
struct arch_fpu {
	uint64_t f[32];
	uintptr_t fcsr;
};

/*
 * struct thread.arch. Written by the hart that switches; the thread itself while it runs. What
 * switch.S and trap.S use comes first, within reach of a 12-bit offset, hence the copies of the
 * stack's bounds and generation (arch_thread_init; all 0 for the threads that a hart booted on).
 */
struct arch_thread {
	struct arch_context context; /* valid while it is switched out */
	struct trap_frame
		*sscratch;  /* valid while it is switched out: free frame of its owner row */
	uintptr_t fpu_used; /* it has FP state: restored at switch-in */
	struct arch_stack stack;
	uintptr_t stack_generation; /* low word on RV32 */
	struct frame_row row;
	struct arch_fpu fpu;
};

/* struct hart_meta.arch. What assembly uses comes first, as above. */
struct arch_hart {
	void *self;		     /* this struct hart_meta's virtual address, for boot.S */
	struct arch_stack irq;	     /* interrupt handlers */
	struct arch_stack emergency; /* faults whose sp cannot be trusted */
	struct arch_stack boot;	     /* boot and idle */
	uintptr_t fenced;	     /* newest stack generation that this hart's TLB knows */
	/* arch_time() of the stages of its last start, 0: not reached. The starter clears them. */
	uint64_t reached[ARCH_STAGES];
	unsigned nested;	 /* traps that found no frame left */
	unsigned spurious_count; /* faults at spurious_pc on spurious_va since a flush */
	uintptr_t spurious_pc, spurious_va;
	struct frame_row row; /* the boot row: owner while booting, switching and idle */
};

#endif
