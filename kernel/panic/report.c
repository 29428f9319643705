/* SPDX-License-Identifier: MIT */
/*
 * Reports: text for the console on a path that takes no lock, so that it works with any lock held,
 * in any context, on a hart that is about to end the system.
 *
 * Harts take turns by an owner word. The owner has SIE off, so it is not interrupted by something
 * that would wait for it; a fault inside a report nests. Whoever waits for too long prints anyway:
 * mixed lines are better than none. relax() serves leaf calls, so a waiting hart can be stopped.
 */
#include "kernel/panic/report.h"

#include "kernel/lock/check.h"
#include "kernel/lock/relax.h"
#include "kernel/log/console.h"
#include "kernel/mm/stack.h"
#include "kernel/panic/symbols.h"
#include "kernel/sched/thread.h"
#include "lib/printf.h"

#define LINE_MAX_BYTES 640
#define BACKTRACE_MAX 24

/* Give up on the owner after so many steps AND so long: a step may be ns or an emulator's turn. */
#define WAIT_STEPS 100000u
#define WAIT_SECONDS 2u

/* Hart index + 1 of who reports, 0: nobody. Acquire and release by compare-and-swap: one report's
 * lines are out before the next one's begin. */
static atomic_u32 owner;
/* Each entry is its hart's own. */
static uint8_t depth[CONFIG_MAX_HARTS];
static bool irq_before[CONFIG_MAX_HARTS];

static void print_pc(uintptr_t pc, bool is_return);
static void print_return(uintptr_t pc);

void panic_init(void)
{
	lockcheck_print_pc = print_return;
	lockcheck_symbol = symbolise;
}

void report_begin(void)
{
	bool on = arch_irq_save();
	unsigned me = lock_hart()->index;
	uint64_t start;
	unsigned steps = 0;

	if (depth[me]++ > 0)
		return;
	irq_before[me] = on;
	start = arch_time();
	for (;;) {
		uint32_t nobody = 0;

		if (atomic_cas_u32(&owner, &nobody, me + 1, acquire))
			return;
		if (++steps > WAIT_STEPS &&
			arch_time() - start > (uint64_t)arch_info.timebase_hz * WAIT_SECONDS)
			break;
		relax();
	}
	/* relaxed: the order is lost anyway. */
	atomic_store_u32(&owner, me + 1, relaxed);
}

void report_end(void)
{
	unsigned me = lock_hart()->index;
	uint32_t mine = me + 1;

	if (--depth[me] > 0)
		return;
	/* Fails if somebody lost patience and took it. release: partner in report_begin. */
	atomic_cas_u32(&owner, &mine, 0, release);
	arch_irq_restore(irq_before[me]);
}

void report(const char *fmt, ...)
{
	char line[LINE_MAX_BYTES];
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	n = vscnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	/* Every report is whole lines. */
	if (n == 0 || line[n - 1] != '\n')
		line[n++] = '\n';
	report_begin();
	console_write_unlocked(line, n);
	report_end();
}

void report_thread(const struct thread *t)
{
	struct stack_info stack;

	if (!t) {
		report("  thread: none\n");
		return;
	}
	report("  thread: %s (handle 0x%lx), stack 0x%lx..0x%lx, preemption off %u deep\n", t->name,
		(unsigned long)t->lock.handle, (unsigned long)t->stack.base,
		(unsigned long)t->stack.top, t->lock.preempt_depth);
	if (stack_lookup(t->stack.base, &stack) == STACK_INSIDE)
		report("  stack: %zu of %zu bytes used at most\n", stack_high_water(&t->stack),
			(size_t)(t->stack.top - t->stack.base));
}

void report_backtrace(const uintptr_t *pcs, unsigned n, bool interrupted)
{
	if (n == 0)
		report("    (no backtrace)\n");
	for (unsigned i = 0; i < n; i++)
		print_pc(pcs[i], i > 0 || !interrupted);
}

void report_backtrace_of(const struct trap_frame *frame)
{
	uintptr_t pcs[BACKTRACE_MAX];
	unsigned n;

	if (frame)
		n = arch_backtrace_frame(frame, pcs, BACKTRACE_MAX);
	else
		n = arch_backtrace(NULL, pcs, BACKTRACE_MAX);
	report_backtrace(pcs, n, frame != NULL);
}

static void print_pc(uintptr_t pc, bool is_return)
{
	char name[SYMBOL_TEXT_MAX];

	report("    0x%lx %s\n", (unsigned long)pc,
		is_return ? symbolise_return(pc, name, sizeof(name))
			  : symbolise(pc, name, sizeof(name)));
}

/* The checker's addresses are all of calls. */
static void print_return(uintptr_t pc)
{
	print_pc(pc, true);
}
