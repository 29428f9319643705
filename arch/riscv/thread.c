/* SPDX-License-Identifier: MIT */
/*
 * What a thread needs of the machine before its first switch-in, and after a fault that it survives
 * as far as to be buried.
 */
#include "kernel/sched/thread.h"
#include "arch/riscv/csr.h"
#include "arch/riscv/internal.h"
#include "kernel/hart/hart.h"
#include "lib/assert.h"

void row_init(struct frame_row *row, void *hart, uintptr_t shift)
{
	uintptr_t first = (uintptr_t)row + shift;

	for (unsigned i = 0; i < TRAP_FRAMES; i++) {
		struct trap_frame *frame = &row->frames[i];
		uintptr_t self = first + i * sizeof(*frame);

		frame->row = (struct frame_row *)first;
		frame->outer = i ? (struct trap_frame *)(self - sizeof(*frame)) : NULL;
		frame->next = (struct trap_frame *)(i + 1 < TRAP_FRAMES ? self + sizeof(*frame)
									: self);
	}
	row->hart = hart;
	row->newest = NULL;
}

void arch_thread_init(struct thread *t)
{
	struct arch_thread *arch = &t->arch;

	row_init(&arch->row, NULL, 0);
	arch->context = (struct arch_context){
		.ra = (uintptr_t)thread_entry,
		.sp = align_down(t->stack.top, 16),
	};
	arch->sscratch = &arch->row.frames[0];
	arch->fpu_used = 0;
	arch->stack = (struct arch_stack){t->stack.base, t->stack.top};
	arch->stack_generation = (uintptr_t)t->stack.generation;
}

noreturn void arch_thread_restart(void (*fn)(void))
{
	struct thread *t = current_thread();

	assert(!arch_irq_enabled());
	assert(t->arch.stack.top); /* not a thread that a hart booted on: its row is the hart's */
	csr_read_clear(sstatus, SSTATUS_FS);
	t->arch.fpu_used = 0;
	t->arch.row.newest = NULL;
	trap_restart(align_down(t->arch.stack.top, 16), &t->arch.row.frames[0], fn);
}

noreturn void switch_boot_row_panic(struct trap_frame *frame)
{
	assert(frame == &frame->row->frames[0]);
	__builtin_unreachable();
}
