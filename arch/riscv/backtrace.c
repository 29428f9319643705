/* SPDX-License-Identifier: MIT */
/*
 * Backtraces by frame pointers. The compiler keeps s0 pointing behind a record of the caller's s0
 * and the return address; trap.S pushes the same kind of record for what it interrupts, so a walk
 * goes on from a handler into the interrupted code, also from one stack to another.
 *
 * A walk believes nothing: a frame pointer counts only inside a stack that a hart of ours may be on
 * or that belongs to the thread asked for, must move upwards within one stack, and is read by
 * copies that may fault. Stacks of other harts change while they are looked at; the walk then ends
 * early or shows something stale, and that is all. Anywhere; no locks.
 */
#include "arch/riscv/internal.h"
#include "kernel/hart/hart.h"
#include "kernel/sched/thread.h"

/* What lies below the address in s0. */
struct record {
	uintptr_t fp, ra;
};

/* A walk passes from one stack to another at most so often: handler, emergency, thread. */
#define STACK_CHANGES_MAX 6

struct unwind {
	const struct thread *thread; /* whose stack is believed, besides the harts'; may be NULL */
	struct arch_stack stack;     /* where fp is */
	uintptr_t fp;
	unsigned changes;
	uintptr_t *pcs;
	unsigned n, max;
};

static void unwind_push(struct unwind *u, uintptr_t pc);
static void unwind_run(struct unwind *u, uintptr_t leaf_ra);
static uintptr_t trap_record_ra(uintptr_t fp);
static bool in_text(uintptr_t pc);
static bool stack_find(const struct thread *t, uintptr_t addr, struct arch_stack *out);

unsigned arch_backtrace(const void *fp, uintptr_t *pcs, unsigned n)
{
	struct unwind u = {.pcs = pcs, .max = n};

	u.fp = (uintptr_t)(fp ? fp : __builtin_frame_address(0));
	unwind_run(&u, 0);
	return u.n;
}

unsigned arch_backtrace_frame(const struct trap_frame *frame, uintptr_t *pcs, unsigned n)
{
	struct unwind u = {.pcs = pcs, .max = n, .fp = frame->s0};
	bool known = in_text(frame->sepc);

	unwind_push(&u, frame->sepc);
	/* A jump to nowhere: who jumped is in ra. */
	if (!known)
		unwind_push(&u, frame->ra);
	unwind_run(&u, known ? frame->ra : 0);
	return u.n;
}

unsigned arch_backtrace_thread(const struct thread *t, uintptr_t *pcs, unsigned n)
{
	struct unwind u = {.thread = t, .pcs = pcs, .max = n, .fp = t->arch.context.s[0]};

	unwind_push(&u, t->arch.context.ra);
	unwind_run(&u, 0);
	return u.n;
}

bool stack_of_hart(const struct hart_meta *h, uintptr_t addr, struct arch_stack *out)
{
	const struct thread *t = (const struct thread *)h->lock.thread;
	const struct arch_stack *stacks[] = {
		t ? &t->arch.stack : &h->arch.boot,
		&h->arch.irq,
		&h->arch.emergency,
		&h->arch.boot,
	};

	for (unsigned i = 0; i < ARRAY_SIZE(stacks); i++) {
		if (addr <= stacks[i]->base || addr > stacks[i]->top)
			continue;
		*out = *stacks[i];
		return true;
	}
	return false;
}

static void unwind_push(struct unwind *u, uintptr_t pc)
{
	if (u->n < u->max)
		u->pcs[u->n++] = pc;
}

/*
 * The next frame outwards. A function that calls nobody saves no return address: its record holds
 * only the caller's s0, where the return address would be. `leaf_ra` is the register ra of code
 * that was interrupted, and stands in for it.
 */
static bool unwind_step(struct unwind *u, uintptr_t leaf_ra, uintptr_t *pc)
{
	struct record r;
	struct arch_stack stack;
	uintptr_t next;

	if (arch_copy_nofault(&r, (const void *)(u->fp - sizeof(r)), sizeof(r)))
		return false;
	if (leaf_ra && r.ra >= u->fp && r.ra <= u->stack.top) {
		*pc = leaf_ra;
		next = r.ra;
	} else {
		*pc = r.ra;
		next = r.fp;
	}
	if (next > u->fp && next <= u->stack.top) {
		u->fp = next;
		return true;
	}
	/* Out of this stack: into another one that we know, or the end. */
	u->fp = 0;
	if (stack_find(u->thread, next, &stack) && stack.base != u->stack.base &&
		u->changes++ < STACK_CHANGES_MAX) {
		u->fp = next;
		u->stack = stack;
	}
	return true;
}

static void unwind_run(struct unwind *u, uintptr_t leaf_ra)
{
	bool of_trap = false;

	if (!stack_find(u->thread, u->fp, &u->stack))
		return;
	while (u->n < u->max && u->fp && u->fp % sizeof(uintptr_t) == 0 &&
		u->fp - u->stack.base >= sizeof(struct record)) {
		uintptr_t fp = u->fp, pc;

		if (!unwind_step(u, leaf_ra, &pc) || !in_text(pc))
			return;
		unwind_push(u, pc);
		leaf_ra = of_trap ? trap_record_ra(fp) : 0;
		of_trap = pc >= (uintptr_t)trap_entry && pc < (uintptr_t)trap_end_of_code;
	}
}

/* The interrupted ra, by the record that trap.S pushed below fp; 0 if it can't be read. */
static uintptr_t trap_record_ra(uintptr_t fp)
{
	const struct trap_frame *frame;
	uintptr_t ra;

	if (arch_copy_nofault(&frame, (const void *)(fp - 3 * sizeof(uintptr_t)), sizeof(frame)) ||
		arch_copy_nofault(&ra, &frame->ra, sizeof(ra)))
		return 0;
	return ra;
}

/* The stack of `t`, of this hart, of any hart. */
static bool stack_find(const struct thread *t, uintptr_t addr, struct arch_stack *out)
{
	if (t && addr > t->arch.stack.base && addr <= t->arch.stack.top) {
		*out = t->arch.stack;
		return true;
	}
	if (stack_of_hart(arch_lock_hart(), addr, out))
		return true;
	for (unsigned i = 0; i < nr_harts; i++)
		if (harts[i] && stack_of_hart(harts[i], addr, out))
			return true;
	return false;
}

static bool in_text(uintptr_t pc)
{
	return pc >= (uintptr_t)text_start && pc < (uintptr_t)text_end;
}
