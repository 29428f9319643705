/* SPDX-License-Identifier: MIT */
/* Trap frames as reports see them. Anywhere; no locks. */
#include "arch/riscv/csr.h"
#include "arch/riscv/internal.h"
#include "kernel/hart/hart.h"
#include "kernel/sched/thread.h"

#if __riscv_xlen == 64
#define REG "%016lx"
#else
#define REG "%08lx"
#endif

static const char *cause_name(uintptr_t cause);

const struct trap_frame *arch_hart_frame(const struct hart_meta *h)
{
	const struct thread *t = (const struct thread *)h->lock.thread;

	/* The row of a thread that a hart booted on is never used: its owner is the boot row. */
	if (t && t->arch.row.newest)
		return t->arch.row.newest;
	return h->arch.row.newest;
}

uintptr_t arch_frame_pc(const struct trap_frame *frame)
{
	return frame->sepc;
}

uintptr_t arch_frame_sp(const struct trap_frame *frame)
{
	return frame->sp;
}

void arch_frame_print(const struct trap_frame *frame, void (*out)(const char *fmt, ...))
{
	/* x0 is left out: x1..x31 lie in a row from ra on (asserted in offsets.c). */
	static const char names[31][4] = {
		"ra",
		"sp",
		"gp",
		"tp",
		"t0",
		"t1",
		"t2",
		"s0",
		"s1",
		"a0",
		"a1",
		"a2",
		"a3",
		"a4",
		"a5",
		"a6",
		"a7",
		"s2",
		"s3",
		"s4",
		"s5",
		"s6",
		"s7",
		"s8",
		"s9",
		"s10",
		"s11",
		"t3",
		"t4",
		"t5",
		"t6",
	};
	const uintptr_t *x = &frame->ra;

	out("  pc  " REG " cause " REG " (%s)\n", (unsigned long)frame->sepc,
		(unsigned long)frame->scause, cause_name(frame->scause));
	out("  val " REG " status " REG "\n", (unsigned long)frame->stval,
		(unsigned long)frame->sstatus);
	for (unsigned i = 0; i + 2 < ARRAY_SIZE(names); i += 3)
		out("  %-3s " REG " %-3s " REG " %-3s " REG "\n", names[i], (unsigned long)x[i],
			names[i + 1], (unsigned long)x[i + 1], names[i + 2],
			(unsigned long)x[i + 2]);
	out("  %-3s " REG "\n", names[30], (unsigned long)x[30]);
}

/* Privileged 4.1.8, table 4.2. */
static const char *cause_name(uintptr_t cause)
{
	static const char *const names[] = {
		[CAUSE_FETCH_MISALIGNED] = "instruction address misaligned",
		[CAUSE_FETCH_ACCESS] = "instruction access fault",
		[CAUSE_ILLEGAL] = "illegal instruction",
		[CAUSE_BREAKPOINT] = "breakpoint",
		[CAUSE_LOAD_MISALIGNED] = "load address misaligned",
		[CAUSE_LOAD_ACCESS] = "load access fault",
		[CAUSE_STORE_MISALIGNED] = "store address misaligned",
		[CAUSE_STORE_ACCESS] = "store access fault",
		[CAUSE_ECALL_USER] = "environment call from user mode",
		[CAUSE_ECALL_SUPERVISOR] = "environment call from supervisor mode",
		[CAUSE_FETCH_PAGE] = "instruction page fault",
		[CAUSE_LOAD_PAGE] = "load page fault",
		[CAUSE_STORE_PAGE] = "store page fault",
	};
	static const char *const interrupts[] = {
		[IRQ_SOFT] = "software interrupt",
		[IRQ_TIMER_CAUSE] = "timer interrupt",
		[IRQ_EXTERNAL_CAUSE] = "external interrupt",
	};
	uintptr_t code = cause << 1 >> 1;

	if ((intptr_t)cause < 0)
		return code < ARRAY_SIZE(interrupts) && interrupts[code] ? interrupts[code]
									 : "interrupt";
	return code < ARRAY_SIZE(names) && names[code] ? names[code] : "unknown";
}
