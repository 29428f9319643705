/* SPDX-License-Identifier: MIT */
/*
 * Traps after their entry (trap.S): interrupts go to the kernel's handlers; exceptions are put
 * right if that is foreseen (stale translation, fixup, first FP instruction) and are faults
 * otherwise. An instruction that trapped is executed again or never; nothing is skipped by its
 * length.
 *
 * SIE is 0 throughout; the frame is live and only this hart uses it.
 */
#include "arch/riscv/csr.h"
#include "arch/riscv/internal.h"
#include "kernel/hart/hart.h"
#include "kernel/sched/thread.h"
#include "lib/assert.h"

#define CAUSE_IRQ_BIT (1ul << (__riscv_xlen - 1))
/* A thread is preempted only if so much of its stack is left for the way through the scheduler; the
 * checker's search for cycles is on it, and takes most of that. */
#define PREEMPT_ROOM (CONFIG_LOCKCHECK ? 4096 : 1536)

static bool preempt_room(uintptr_t sp);
static bool on_guard_page(const struct hart_meta *h, uintptr_t addr);
static enum fault_kind fault_kind_of(uintptr_t cause);

/* On the interrupt stack. Returns whether the interrupted thread gives the hart away now. */
bool trap_interrupt(struct trap_frame *frame)
{
	switch (frame->scause & ~CAUSE_IRQ_BIT) {
	case IRQ_TIMER_CAUSE:
		interrupt_enter(frame, IRQ_TIMER);
		interrupt_timer();
		break;
	case IRQ_SOFT:
		interrupt_enter(frame, IRQ_IPI);
		interrupt_ipi();
		break;
	case IRQ_EXTERNAL_CAUSE:
		interrupt_enter(frame, IRQ_EXTERNAL);
		interrupt_external();
		break;
	default: { /* not enabled in sie: the hart or the firmware is broken */
		struct fault fault = {.kind = FAULT_UNKNOWN, .cause = frame->scause};

		kernel_fault(frame, &fault);
	}
	}
	if (!interrupt_exit(frame))
		return false;
	if (preempt_room(frame->sp))
		return true;
	interrupt_put_off();
	return false;
}

void trap_exception(struct trap_frame *frame, enum stack_state where)
{
	struct hart_meta *h = arch_lock_hart();
	struct arch_stack stack;
	struct fault fault = {
		.kind = fault_kind_of(frame->scause),
		.address = frame->stval,
		.cause = frame->scause,
		.was_irq_enabled = frame->sstatus & SSTATUS_SPIE,
	};

	if (tlb_was_stale(frame))
		return;
	if ((fault.kind == FAULT_LOAD || fault.kind == FAULT_STORE ||
		    fault.kind == FAULT_MISALIGNED) &&
		fixup_apply(frame))
		return;
	if (fault.kind == FAULT_ILLEGAL && fpu_first_use(frame))
		return;

	if ((where == STACK_EMERGENCY && !stack_of_hart(h, frame->sp, &stack)) ||
		((fault.kind == FAULT_LOAD || fault.kind == FAULT_STORE) &&
			on_guard_page(h, frame->stval)))
		fault.kind = FAULT_STACK_OVERFLOW;
	kernel_fault(frame, &fault);
}

/*
 * On the emergency stack, with no frame or no stack left, or interrupted where no interrupt can
 * come from. The kernel gets one chance to say so; when that fails too the machine is switched off.
 */
noreturn void trap_nested(struct trap_frame *frame)
{
	struct hart_meta *h = arch_lock_hart();
	struct fault fault = {
		.kind = FAULT_NESTED,
		.address = frame->stval,
		.cause = frame->scause,
		.was_irq_enabled = frame->sstatus & SSTATUS_SPIE,
	};

	if (h->arch.nested++ == 0)
		kernel_fault(frame, &fault);
	arch_power_off(true);
	sleep_for_good();
}

/* A thread of its own stack (idle and boot have none of their own here) with enough of it left. A
 * thread whose sp is wild goes on, and faults at its own next step. */
static bool preempt_room(uintptr_t sp)
{
	const struct arch_stack *stack = &current_thread()->arch.stack;

	return sp - stack->base >= PREEMPT_ROOM && sp <= stack->top && stack->top;
}

/* Just below one of the stacks that this hart may be on. */
static bool on_guard_page(const struct hart_meta *h, uintptr_t addr)
{
	const struct thread *t = current_thread();

	return h->arch.irq.base - addr - 1 < PAGE_SIZE ||
		h->arch.emergency.base - addr - 1 < PAGE_SIZE ||
		h->arch.boot.base - addr - 1 < PAGE_SIZE ||
		(t && t->arch.stack.top && t->arch.stack.base - addr - 1 < PAGE_SIZE);
}

static enum fault_kind fault_kind_of(uintptr_t cause)
{
	switch (cause) {
	case CAUSE_FETCH_ACCESS:
	case CAUSE_FETCH_PAGE:
		return FAULT_FETCH;
	case CAUSE_LOAD_ACCESS:
	case CAUSE_LOAD_PAGE:
		return FAULT_LOAD;
	case CAUSE_STORE_ACCESS:
	case CAUSE_STORE_PAGE:
		return FAULT_STORE;
	case CAUSE_FETCH_MISALIGNED:
	case CAUSE_LOAD_MISALIGNED:
	case CAUSE_STORE_MISALIGNED:
		return FAULT_MISALIGNED;
	case CAUSE_ILLEGAL:
		return FAULT_ILLEGAL;
	case CAUSE_BREAKPOINT:
		return FAULT_BREAKPOINT;
	case CAUSE_ECALL_USER:
	case CAUSE_ECALL_SUPERVISOR:
		return FAULT_ECALL;
	default:
		return FAULT_UNKNOWN;
	}
}
