/* SPDX-License-Identifier: MIT */
/*
 * Faults of the kernel. One of a thread that holds nothing which others rely on without being able
 * to see that it died kills the thread; its sleeping locks become abandoned. Any other is a panic.
 *
 * A thread may be killed: in thread context, with interrupts on at the fault, no irqlock or other
 * interrupts-off section, preemption on, no seqlock write section, no posted work running, nothing
 * on its stack that others reach (an entry in a wait queue, a timer, a call on another hart...),
 * not idle, and the hart is not printing a report.
 *
 * A hart that was started and has not joined takes part in nothing yet: it stops for its fault, and
 * the system goes on without it, unless it holds a lock or handles an interrupt.
 */
#include "kernel/hart/bringup.h"
#include "kernel/log.h"
#include "kernel/mm/stack.h"
#include "kernel/panic/report.h"
#include "kernel/panic/symbols.h"
#include "kernel/sched/thread.h"
#include "kernel/task/thread.h"
#include "lib/printf.h"

static const char *why_fatal(const struct hart_meta *h, const struct fault *fault);
static bool dies_alone(const struct hart_meta *h, const struct fault *fault);
static const char *fault_name(enum fault_kind kind);
static bool find_overflow(
	const struct hart_meta *h, const struct fault *fault, struct stack_info *out);
static void describe(
	char *out, size_t n, const struct trap_frame *frame, const struct fault *fault);
static void describe_overflow(char *out, size_t n, const struct trap_frame *frame,
	const struct fault *fault, const struct stack_info *stack);

noreturn void kernel_fault(struct trap_frame *frame, const struct fault *fault)
{
	struct hart_meta *h = this_hart_unstable();
	struct stack_info stack;
	bool overflow = find_overflow(h, fault, &stack);
	const char *why = why_fatal(h, fault);
	char text[240];

	if (overflow)
		describe_overflow(text, sizeof(text), frame, fault, &stack);
	else
		describe(text, sizeof(text), frame, fault);
	if (dies_alone(h, fault)) {
		log_error("fault before it joined: %s: it stops", text);
		arch_hart_die();
	}
	if (why)
		panic_frame(
			overflow ? EXIT_STACK_OVERFLOW : EXIT_FAULT, frame, "%s (%s)", text, why);

	report_begin();
	report("\nfault: %s\n", text);
	report("  hart %u; the thread is killed, the hart goes on\n", h->index);
	report_thread(current_thread());
	arch_frame_print(frame, report);
	report_backtrace_of(frame);
	report_end();
	h->stats.faults_killed++;
	arch_thread_restart(thread_die_faulting);
}

/* What keeps the thread from being killed for it; NULL: nothing. */
static const char *why_fatal(const struct hart_meta *h, const struct fault *fault)
{
	const struct lock_hart *lh = &h->lock;
	const struct thread *t = (const struct thread *)lh->thread;

	if (fault->kind == FAULT_NESTED || lh->panicking)
		return "while a report was made";
	if (lh->in_irq != IRQ_NONE || lh->irq_nesting)
		return "in an interrupt handler";
	if (!fault->was_irq_enabled || lh->irq_depth)
		return "with interrupts off";
	if (!t || t->is_idle)
		return "in no thread that could be killed";
	if (t->lock.preempt_depth)
		return "with preemption off";
	if (t->lock.seq_writers)
		return "in a seqlock write section";
	if (t->lock.posted_work)
		return "in posted work";
	if (t->waiting_entry || t->lock.stack_shared)
		return "with something on its stack that others reach";
	return NULL;
}

static bool dies_alone(const struct hart_meta *h, const struct fault *fault)
{
	const struct lock_hart *lh = &h->lock;

	return hart_may_die(h) && fault->kind != FAULT_NESTED && !lh->panicking &&
		lh->in_irq == IRQ_NONE && !lh->irq_nesting && !lh->irq_depth;
}

/* Whether a guard page was hit, and whose: a stack of a thread, or one of this hart's own. */
static bool find_overflow(
	const struct hart_meta *h, const struct fault *fault, struct stack_info *out)
{
	const struct {
		const struct arch_stack *stack;
		const char *name;
	} own[] = {
		{&h->arch.irq, "the interrupt stack"},
		{&h->arch.emergency, "the emergency stack"},
		{&h->arch.boot, "the boot and idle stack"},
	};
	const struct thread *t = current_thread();

	if (fault->kind != FAULT_STACK_OVERFLOW && fault->kind != FAULT_LOAD &&
		fault->kind != FAULT_STORE)
		return false;
	for (unsigned i = 0; i < ARRAY_SIZE(own); i++) {
		const struct arch_stack *s = own[i].stack;

		if (fault->address >= s->base || fault->address < s->base - PAGE_SIZE)
			continue;
		*out = (struct stack_info){{s->base, s->top, 0}, own[i].name, true};
		return true;
	}
	if (stack_lookup(fault->address, out) == STACK_GUARD)
		return true;
	/* The arch saw a stack pointer that left its stack by more than a page. */
	*out = (struct stack_info){.name = "a thread"};
	if (t)
		*out = (struct stack_info){t->stack, t->name, true};
	return fault->kind == FAULT_STACK_OVERFLOW;
}

static void describe(char *out, size_t n, const struct trap_frame *frame, const struct fault *fault)
{
	const struct thread *t = current_thread();
	char pc[SYMBOL_TEXT_MAX];

	snprintf(out, n, "%s in thread %s: address 0x%lx, cause %lu, at %s",
		fault_name(fault->kind), t ? t->name : "none", (unsigned long)fault->address,
		(unsigned long)fault->cause, symbolise(arch_frame_pc(frame), pc, sizeof(pc)));
}

static void describe_overflow(char *out, size_t n, const struct trap_frame *frame,
	const struct fault *fault, const struct stack_info *stack)
{
	const struct thread *t = current_thread();
	char pc[SYMBOL_TEXT_MAX];

	snprintf(out, n,
		"stack overflow of %s%s: address 0x%lx, stack 0x%lx..0x%lx, sp 0x%lx, at %s",
		t && t->stack.base == stack->stack.base ? "thread " : "", stack->name,
		(unsigned long)fault->address, (unsigned long)stack->stack.base,
		(unsigned long)stack->stack.top, (unsigned long)arch_frame_sp(frame),
		symbolise(arch_frame_pc(frame), pc, sizeof(pc)));
}

static const char *fault_name(enum fault_kind kind)
{
	static const char *const names[] = {
		[FAULT_LOAD] = "bad load",
		[FAULT_STORE] = "bad store",
		[FAULT_FETCH] = "bad instruction fetch",
		[FAULT_ILLEGAL] = "illegal instruction",
		[FAULT_MISALIGNED] = "misaligned access",
		[FAULT_BREAKPOINT] = "breakpoint",
		[FAULT_ECALL] = "environment call",
		[FAULT_STACK_OVERFLOW] = "stack overflow",
		[FAULT_NESTED] = "fault in the fault handler",
		[FAULT_UNKNOWN] = "unknown exception",
	};

	return (unsigned)kind < ARRAY_SIZE(names) ? names[kind] : "unknown exception";
}
