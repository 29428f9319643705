/* SPDX-License-Identifier: MIT */
/*
 * What holds around traps and switches: whose frames sscratch names, on which stack a handler runs,
 * what a new thread finds, what a switch takes away (the LR/SC reservation), backtraces across a
 * trap, and the faults that the kernel puts right by itself.
 */
#include "arch/riscv/csr.h"
#include "arch/riscv/internal.h"
#include "kernel/mm/vmap.h"
#include "kernel/panic.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"
#include "lib/errno.h"
#include "tests/kernel/sched_util.h"

#define BACKTRACE_MAX 24
#define STALE_TRIES 8
#define FIRST_DELAY_NS (20 * NS_PER_US)

int reservation_over_call(uint32_t *word, void (*fn)(void));
void wait_as_leaf(const uint32_t *changes);
void fp_touch(void);
extern const char leaf_loop[], fp_instruction[], integer_instruction[];

/* ---- Frames -------------------------------------------------------------------------------- */

/* Whether `pc` lies in the function (or table) at `fn`, as far as `size` bytes. */
static bool within(uintptr_t pc, const void *fn, size_t size)
{
	return pc - (uintptr_t)fn < size;
}

KTEST(trap, sscratch_names_the_first_frame_of_the_running_thread)
{
	const struct frame_row *row = &current_thread()->arch.row;

	ktest_check(csr_read(sscratch) == (uintptr_t)&row->frames[0], "it is %#lx",
		(unsigned long)csr_read(sscratch));
	ktest_check(!row->newest, "a frame is live");
	irq_off();
	ktest_check(row->hart == arch_lock_hart(), "the row is another hart's");
	irq_on();
}

KTEST(trap, frames_of_a_row_lead_to_each_other_and_the_last_to_itself)
{
	const struct frame_row *row = &current_thread()->arch.row;

	for (unsigned i = 0; i < TRAP_FRAMES; i++) {
		const struct trap_frame *f = &row->frames[i];

		ktest_check(f->row == row, "frame %u", i);
		ktest_check(f->next == (i + 1 < TRAP_FRAMES ? f + 1 : f), "frame %u", i);
		ktest_check(f->outer == (i ? f - 1 : NULL), "frame %u", i);
	}
}

static struct {
	uintptr_t sscratch, sp, fs, pc;
	const struct trap_frame *frame;
	const struct thread *interrupted;
	uintptr_t pcs[BACKTRACE_MAX];
	unsigned n;
	uint32_t fired; /* polled by assembly; the same hart's handler writes it */
	struct timer timer;
} seen;

static void look(struct timer *timer)
{
	(void)timer;
	seen.interrupted = current_thread();
	seen.sscratch = csr_read(sscratch);
	seen.fs = csr_read(sstatus) & SSTATUS_FS;
	seen.sp = (uintptr_t)__builtin_frame_address(0);
	seen.frame = arch_hart_frame(arch_lock_hart());
	seen.pc = arch_frame_pc(seen.frame);
	seen.n = arch_backtrace(NULL, seen.pcs, BACKTRACE_MAX);
	seen.fired = 1;
}

/*
 * Interrupts this thread in the middle of a function that calls nobody. The timer may come before
 * it gets there, so it is tried until it does not, each time a little later.
 */
static void be_interrupted(void)
{
	uint64_t delay_ns = FIRST_DELAY_NS;

	pin_to(here());
	do {
		seen.fired = 0;
		timer_init(&seen.timer, look);
		timer_start(&seen.timer, clock_now_ns() + delay_ns);
		wait_as_leaf(&seen.fired);
		timer_cancel_sync(&seen.timer);
		delay_ns += delay_ns / 2;
	} while (!within(seen.pc, leaf_loop, 8) && delay_ns < NS_PER_SEC);
	ktest_check(within(seen.pc, leaf_loop, 8), "interrupted at %#lx", (unsigned long)seen.pc);
}

KTEST(trap, a_handler_runs_on_the_interrupt_stack_behind_the_interrupted_frame)
{
	const struct frame_row *row = &current_thread()->arch.row;
	const struct arch_stack *irq;

	if (fpu_present)
		fp_touch(); /* on in the thread, so that it has to be turned off */
	be_interrupted();
	irq = &this_hart_unstable()->arch.irq;
	ktest_check(seen.sp > irq->base && seen.sp <= irq->top, "sp %#lx", (unsigned long)seen.sp);
	ktest_require(seen.interrupted == current_thread(), "another thread was interrupted");
	ktest_check(
		seen.frame == &row->frames[0], "the live frame is %p", (const void *)seen.frame);
	ktest_check(seen.sscratch == (uintptr_t)&row->frames[1], "the free one %#lx",
		(unsigned long)seen.sscratch);
	ktest_check(seen.fs == 0, "the FP unit is on in a handler");
}

KTEST(trap, a_backtrace_goes_from_a_handler_into_the_interrupted_function_and_its_caller)
{
	bool handler = false, leaf = false, caller = false;

	be_interrupted();
	for (unsigned i = 0; i < seen.n; i++) {
		handler |= within(seen.pcs[i], timers_interrupt, 1024);
		leaf |= within(seen.pcs[i], wait_as_leaf, 48);
		caller |= leaf && within(seen.pcs[i], be_interrupted, 512);
	}
	ktest_check(handler && leaf && caller, "%u entries, handler %d, interrupted %d, caller %d",
		seen.n, handler, leaf, caller);
}

/* ---- The switch ------------------------------------------------------------------------------ */

/*
 * A thread that the scheduler knows nothing of: it is entered by arch_switch itself, looks around
 * and switches back, all with interrupts off.
 */
static struct {
	struct thread thread, *main;
	char stack[4096] __attribute__((aligned(16)));
	uintptr_t sscratch, sp;
	const struct thread *current;
} bare;

static noreturn void bare_thread(void)
{
	bare.current = current_thread();
	bare.sscratch = csr_read(sscratch);
	bare.sp = (uintptr_t)__builtin_frame_address(0);
	arch_switch(&bare.thread, bare.main);
	panic("a thread that nobody switches to runs");
}

static const struct thread *left;

static void switch_there_and_back(void)
{
	irq_off();
	bare.main = current_thread();
	bare.thread.stack.base = (uintptr_t)bare.stack;
	bare.thread.stack.top = (uintptr_t)bare.stack + sizeof(bare.stack);
	arch_thread_init(&bare.thread);
	bare.thread.arch.context.ra = (uintptr_t)bare_thread;
	left = arch_switch(bare.main, &bare.thread);
	irq_on();
}

KTEST(trap, a_switch_changes_thread_stack_and_frames_and_names_who_was_left)
{
	const struct frame_row *mine = &current_thread()->arch.row;

	switch_there_and_back();
	ktest_check(left == &bare.thread, "the second switch returned %p", (const void *)left);
	ktest_check(bare.current == &bare.thread, "current was %p", (const void *)bare.current);
	ktest_check(bare.sscratch == (uintptr_t)&bare.thread.arch.row.frames[0], "sscratch %#lx",
		(unsigned long)bare.sscratch);
	ktest_check(within(bare.sp, bare.stack, sizeof(bare.stack) + 1), "sp %#lx",
		(unsigned long)bare.sp);
	ktest_check(csr_read(sscratch) == (uintptr_t)&mine->frames[0], "sscratch was not restored");
}

KTEST(trap, a_switch_to_a_stack_newer_than_the_last_fence_fences)
{
	struct arch_hart *arch;

	irq_off();
	arch = &this_hart()->arch;
	/* As if this hart had not fenced for long; a fence too many does no harm. */
	arch->fenced = 0;
	bare.thread.stack.generation = 1;
	switch_there_and_back();
	ktest_check(arch->fenced >= 1, "fenced up to %lu", (unsigned long)arch->fenced);
	irq_on();
}

static void nothing(void)
{
}

KTEST(trap, a_reservation_does_not_survive_a_switch)
{
	uint32_t word = 0;
	int failed = 1;

	/* Without a switch it does: unless an interrupt comes in between, or for no reason. */
	for (unsigned try = 0; try < 1000 && failed; try++)
		failed = reservation_over_call(&word, nothing);
	ktest_check(!failed, "it did not even survive a call");
	for (unsigned try = 0; try < 100; try++)
		ktest_check(reservation_over_call(&word, switch_there_and_back) != 0,
			"the store after a switch was made");
}

/* ---- FP unit ------------------------------------------------------------------------------- */

static void read_fs(void *arg)
{
	*(uintptr_t *)arg = csr_read(sstatus) & SSTATUS_FS;
}

KTEST(trap, a_new_thread_has_the_fp_unit_off)
{
	uintptr_t fs = ~0ul;
	struct thread *t = thread_spawn("fs", read_fs, &fs);

	ktest_require(t, "no memory");
	thread_join(t, NULL);
	ktest_check(fs == 0, "FS is %#lx", (unsigned long)fs);
}

KTEST(trap, an_fp_instruction_of_a_handler_of_idle_or_with_the_unit_on_stays_illegal)
{
	struct frame_row row;
	struct trap_frame *f = &row.frames[0];

	row_init(&row, NULL, 0);
	for (unsigned i = 0; i < TRAP_FRAMES; i++) {
		row.frames[i].sstatus = 0;
		row.frames[i].sepc = (uintptr_t)fp_instruction;
	}
	ktest_check(!fpu_first_use(&row.frames[1]), "in a handler");
	f->sstatus = SSTATUS_FS_INITIAL;
	ktest_check(!fpu_first_use(f), "the unit was on already");
	f->sstatus = 0;
	f->sepc = (uintptr_t)integer_instruction;
	ktest_check(!fpu_first_use(f), "an integer instruction");
	f->sepc = 8;
	ktest_check(!fpu_first_use(f), "where nothing is mapped");
	f->sepc = (uintptr_t)fp_instruction;
	irq_off();
	f->row = &this_hart()->arch.row;
	ktest_check(!fpu_first_use(f), "in idle");
	irq_on();
}

/* ---- Faults that are put right --------------------------------------------------------------- */

KTEST(trap, a_fault_on_a_page_that_is_mapped_is_tried_again_but_not_for_ever)
{
	struct trap_frame f = {.scause = CAUSE_LOAD_PAGE, .sepc = 4};
	char *va = vmap_alloc(PAGE_SIZE);
	unsigned tries = 0;

	ktest_require(va, "no memory");
	f.stval = (uintptr_t)va;
	irq_off();
	while (tries <= STALE_TRIES && tlb_was_stale(&f))
		tries++;
	ktest_check(tries == STALE_TRIES, "%u times", tries);
	f.sepc = 8;
	ktest_check(tlb_was_stale(&f), "another instruction counts anew");
	f.scause = CAUSE_STORE_PAGE;
	f.sepc = 4;
	ktest_check(tlb_was_stale(&f), "the page is writable");
	f.scause = CAUSE_FETCH_PAGE;
	ktest_check(!tlb_was_stale(&f), "the page is not executable");
	f.scause = CAUSE_LOAD_ACCESS;
	ktest_check(!tlb_was_stale(&f), "an access fault is none of the tables");
	f.scause = CAUSE_LOAD_PAGE;
	f.stval = (uintptr_t)va + PAGE_SIZE;
	ktest_check(!tlb_was_stale(&f), "the page behind is not mapped");
	f.stval = 16;
	ktest_check(!tlb_was_stale(&f), "outside of the vmap");
	irq_on();
	vunmap(va);
}

KTEST(trap, a_fault_without_a_fixup_has_none)
{
	struct trap_frame f = {.sepc = (uintptr_t)integer_instruction};

	ktest_check(!fixup_apply(&f), "it got one");
	ktest_check(f.sepc == (uintptr_t)integer_instruction, "pc was changed");
}

KTEST(trap, a_copy_that_faults_says_so_and_one_that_does_not_copies_exactly)
{
	char from[48], to[48];
	char *va = vmap_alloc(PAGE_SIZE);

	ktest_require(va, "no memory");
	for (unsigned i = 0; i < sizeof(from); i++)
		from[i] = (char)(i + 1);
	for (unsigned n = 0; n <= 24; n++) {
		for (unsigned skew = 0; skew < 64; skew++) {
			unsigned s = skew % 8, d = skew / 8;
			bool same = true;

			for (unsigned i = 0; i < sizeof(to); i++)
				to[i] = 0;
			if (arch_copy_nofault(to + d, from + s, n))
				ktest_fail(__FILE__, __LINE__, "a good copy failed");
			for (unsigned i = 0; i < sizeof(to); i++)
				same &= to[i] == (i >= d && i < d + n ? from[i - d + s] : 0);
			ktest_check(same, "%u bytes from +%u to +%u", n, s, d);
		}
	}
	ktest_check(arch_copy_nofault(to, (void *)8, 8) == -EFAULT, "from null");
	ktest_check(arch_copy_nofault((void *)9, from, 3) == -EFAULT, "to null");
	ktest_check(arch_copy_nofault(text_start, from, 8) == -EFAULT, "to text");
	ktest_check(arch_copy_nofault(to, va + PAGE_SIZE - 4, 8) == -EFAULT, "over the end");
	ktest_check(arch_copy_nofault(va + PAGE_SIZE - 4, from, 8) == -EFAULT, "over the end");
	ktest_check(va[PAGE_SIZE - 4] == from[0], "what fits is copied");
	ktest_check(arch_copy_nofault((void *)1, (void *)3, 0) == 0, "nothing is always fine");
	vunmap(va);
}

/* ---- Waiting for interrupts ------------------------------------------------------------------ */

/* An interrupt that was cleared stays so; true: no other hart's came in between. */
static bool clears_for_good(void)
{
	arch_ipi_self();
	return arch_ipi_clear() && !arch_ipi_clear() && !arch_ipi_pending();
}

KTEST(trap, waiting_for_an_ipi_ends_at_once_if_one_is_pending_and_leaves_it)
{
	uintptr_t enabled;
	unsigned try = 0;

	irq_off();
	enabled = csr_read(sie);
	arch_ipi_self();
	arch_wait_ipi(false);
	ktest_check(arch_ipi_pending(), "the wait took the interrupt away");
	ktest_check(csr_read(sie) == enabled, "sie was not restored");
	while (!clears_for_good() && try < 1000)
		try++;
	ktest_check(try < 1000, "it can't be cleared");
	/* If somebody's announcement was merged with ours, its handler must come. */
	arch_ipi_self();
	irq_on();
}
