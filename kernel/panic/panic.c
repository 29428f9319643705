/* SPDX-License-Identifier: MIT */
/*
 * The end of the system.
 *
 * The first hart that panics owns the end: it stops the others, prints the report and switches off.
 * A hart that panics meanwhile waits to be stopped. A panic of the owner itself while it reports is
 * said in one line and ends with EXIT_DOUBLE_PANIC; one more ends without a word.
 *
 * The report: cause, registers, thread, backtraces of all harts, locks held. Nothing on the way
 * takes a lock or allocates.
 */
#include "kernel/hart/call.h"
#include "kernel/hart/hart.h"
#include "kernel/lock/check.h"
#include "kernel/lock/relax.h"
#include "kernel/log.h"
#include "kernel/panic/card.h"
#include "kernel/panic/power.h"
#include "kernel/panic/report.h"
#include "kernel/sched/thread.h"
#include "kernel/time/clock.h"
#include "kernel/wait/cycle.h"
#include "lib/assert.h"
#include "lib/printf.h"

#define CAUSE_MAX 256

/* Hart index + 1 of the owner of the end, 0: none. Set once, by compare-and-swap. */
static atomic_u32 panic_owner;
void (*replay_line)(void (*out)(const char *fmt, ...));
/* Panics of the owner after its first; its own. */
static unsigned again;

static noreturn void panic_va(
	enum exit_status status, const struct trap_frame *frame, const char *fmt, va_list ap);
static void claim(const char *fmt, va_list ap);
static void second_panic(const char *fmt, va_list ap);
static void print_this_hart(const struct trap_frame *frame);
static void print_held(const struct hart_meta *h);

noreturn void panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	panic_va(EXIT_PANIC, NULL, fmt, ap);
}

noreturn void panic_as(enum exit_status status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	panic_va(status, NULL, fmt, ap);
}

noreturn void panic_frame(
	enum exit_status status, const struct trap_frame *frame, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	panic_va(status, frame, fmt, ap);
}

noreturn void bad_tree(const char *fmt, ...)
{
	char why[CAUSE_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	log_error("the device tree cannot be used: %s", why);
	power_off(EXIT_BAD_TREE);
}

noreturn void assert_fail(const char *expr, const char *file, int line, const char *func)
{
	panic_as(EXIT_ASSERT, "assertion failed: %s, in %s at %s:%d", expr, func, file, line);
}

static noreturn void panic_va(
	enum exit_status status, const struct trap_frame *frame, const char *fmt, va_list ap)
{
	char cause[CAUSE_MAX];
	const char *name = exit_name(status);
	uint64_t us;
	unsigned silent;

	arch_irq_disable();
	lock_hart()->panicking = true;
	claim(fmt, ap);
	vsnprintf(cause, sizeof(cause), fmt, ap);
	report_begin();
	silent = hart_stop_others();
	us = clock_now_ns() / NS_PER_US;
	report("\npanic: %s\n", cause);
	report("  status: %s (%d), hart %u, %lu.%06lu s after boot, in %s\n", name ? name : "?",
		(int)status, lock_hart()->index, (unsigned long)(us / 1000000),
		(unsigned long)(us % 1000000), card_context(lock_hart()));
	if (silent > 0)
		report("  harts that did not answer: %u\n", silent);
	if (replay_line)
		replay_line(report);
	if (cycle_reported())
		card_print(cycle_reported());
	if (frame) {
		report("registers:\n");
		arch_frame_print(frame, report);
	}
	report("thread:\n");
	report_thread(current_thread());
	report("backtraces:\n");
	print_this_hart(frame);
	for_each_hart(h)
		if (&h->lock != lock_hart())
			card_print_hart(h);
	report("locks held:\n");
	for_each_hart(h)
		print_held(h);
	report("end of report\n");
	power_off(status);
}

/* Returns on the one hart that ends the system, the first time. */
static void claim(const char *fmt, va_list ap)
{
	uint32_t nobody = 0, me = lock_hart()->index + 1;

	/* acq_rel: one winner; it publishes nothing else through this word. */
	if (atomic_cas_u32(&panic_owner, &nobody, me, acq_rel))
		return;
	if (nobody == me)
		second_panic(fmt, ap);
	/* Another hart ends the system: be there to be stopped. */
	for (;;)
		relax();
}

static void second_panic(const char *fmt, va_list ap)
{
	char cause[CAUSE_MAX];

	if (again++ == 0) {
		vsnprintf(cause, sizeof(cause), fmt, ap);
		report("\npanic during a panic: %s\n", cause);
	}
	if (again < 4)
		power_off(EXIT_DOUBLE_PANIC);
	for (;;)
		arch_power_off(true);
}

static void print_this_hart(const struct trap_frame *frame)
{
	report("  hart %u (this one):\n", lock_hart()->index);
	report_backtrace_of(frame);
}

/* What a hart and its thread hold and wait for, if anything. */
static void print_held(const struct hart_meta *h)
{
	const struct lock_hart *lh = &h->lock;
	const struct thread *t = (const struct thread *)lh->thread;

	if (!t ||
		(!lh->nr_held && !wait_under_way(&lh->wait) && !t->lock.nr_held &&
			!wait_under_way(&t->lock.wait)))
		return;
	report(" hart %u, thread %s:\n", h->index, t->name);
	lockcheck_print_held(lh);
}
