/* SPDX-License-Identifier: MIT */
/*
 * Crash kinds: faults, assertions, panics. Each fault comes in two forms: in a plain thread, which
 * is killed, and under an irqlock (NAME-irqlock), where nobody can be killed for it.
 */
#include "kernel/arch.h"
#include "kernel/lock/irqlock.h"
#include "kernel/log/console.h"
#include "kernel/panic.h"
#include "kernel/sched/sched.h"
#include "kernel/shell/command.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"
#include "kernel/wait/waitq.h"
#include "lib/assert.h"

/* crash_lock
 *   Protects: nothing; it is held while something fatal is done.
 *   Taken by: the crash kinds NAME-irqlock.
 *   Order:    none. */
DEFINE_LOCK_CLASS(crash_class, .name = "crash", .rank = RANK_UNORDERED, .contexts = LOCK_IN_THREAD,
	.max_hold_us = 1, .protects = "nothing: held while something fatal is done");
static struct irqlock crash_lock = IRQLOCK_INIT(&crash_class);

DEFINE_LOCK_CLASS(crash_wait_class, .name = "crash.wait", .rank = RANK_WAITQ,
	.contexts = LOCK_IN_THREAD, .max_hold_us = 5,
	.protects = "nothing: waited in while something fatal is done");

/* Hides from the compiler what it would warn of, or leave out. */
#define hidden(value) \
	({ \
		__typeof__(value) hidden_ = (value); \
		__asm__ volatile("" : "+r"(hidden_) : : "memory"); \
		hidden_; \
	})

static void under_irqlock(void (*fn)(void))
{
	irqlock_acquire(&crash_lock);
	fn();
	irqlock_release(&crash_lock);
}

/* Both forms of a fault. */
#define FAULT_CRASH(id_, name_, help_, fn_) FAULT_CRASH_AS(id_, name_, help_, EXIT_FAULT, fn_)
#define FAULT_CRASH_AS(id_, name_, help_, status_, fn_) \
	static void fn_##_irqlock(void) \
	{ \
		under_irqlock(fn_); \
	} \
	CRASH(id_, name_, help_ ", in a thread", CRASH_KILLS_THREAD, fn_); \
	CRASH(id_##_irqlock, name_ "-irqlock", help_ ", under an irqlock", status_, fn_##_irqlock)

static void crash_null(void)
{
	*hidden((int *)NULL) = 1;
}
FAULT_CRASH(null, "null", "a store through a null pointer", crash_null);

static void crash_null_load(void)
{
	hidden(*hidden((int *)8));
}
FAULT_CRASH(null_load, "null-load", "a load near address 0", crash_null_load);

static void crash_wild_jump(void)
{
	hidden((void (*)(void))(uintptr_t)0xdead0000)();
}
FAULT_CRASH(wild_jump, "wild-jump", "a call of an address where nothing is", crash_wild_jump);

static void crash_write_text(void)
{
	*hidden((uint32_t *)crash_wild_jump) = 0;
}
FAULT_CRASH(write_text, "write-text", "a store into the kernel's code", crash_write_text);

static void crash_write_rodata(void)
{
	static const char constant[] = "constant";

	*hidden((char *)constant) = 'C';
}
FAULT_CRASH(write_rodata, "write-rodata", "a store into constant data", crash_write_rodata);

static void crash_exec_data(void)
{
	static uint32_t code[] = {0x00008067}; /* ret */

	arch_icache_flush();
	hidden((void (*)(void))(uintptr_t)code)();
}
FAULT_CRASH(exec_data, "exec-data", "a call of data", crash_exec_data);

static void crash_illegal(void)
{
	__asm__ volatile(".word 0");
}
FAULT_CRASH(illegal, "illegal", "an instruction that does not exist", crash_illegal);

static void crash_misaligned(void)
{
	static union {
		uint32_t word[4];
		char byte[16];
	} place;

	atomic_add_u32((atomic_u32 *)hidden((void *)(place.byte + 1)), 1, relaxed);
}
FAULT_CRASH(misaligned, "misaligned-atomic", "an atomic at an odd address", crash_misaligned);

static void crash_breakpoint(void)
{
	__builtin_trap();
}
FAULT_CRASH(trap, "trap", "what the compiler puts where nothing can get to", crash_breakpoint);

/* Deeper and deeper, without the compiler making a loop of it. */
static unsigned __attribute__((noinline)) recurse(unsigned n)
{
	unsigned char block[256];

	for (unsigned i = 0; i < sizeof(block); i++)
		block[i] = (unsigned char)hidden(n + i);
	if (hidden(n) == 0)
		return 0;
	n = recurse(n + 1);
	/* The block is looked at after the call, so the call cannot become a jump. */
	__asm__ volatile("" : : "r"(block) : "memory");
	return n + block[n % sizeof(block)];
}

static void crash_stack(void)
{
	recurse(1);
}
FAULT_CRASH_AS(stack, "stack-overflow", "recursion without end", EXIT_STACK_OVERFLOW, crash_stack);

/* The entry is in a queue: the thread must not go, and its stack with it. */
static void crash_queued(void) UNCHECKED_LOCKING
{
	static struct waitq wq = WAITQ_INIT(&crash_wait_class);
	struct wait_entry e;

	waitq_begin(&wq, &e, true);
	waitq_enqueue(&wq, &e);
	waitq_unlock(&wq);
	crash_null();
}
CRASH(queued, "queued-fault", "a fault with an entry in a wait queue", EXIT_FAULT, crash_queued);

static void crash_shared_stack(void)
{
	stack_shared_begin();
	crash_null();
	stack_shared_end();
}
CRASH(shared_stack, "shared-stack-fault", "a fault with an object on the stack that others reach",
	EXIT_FAULT, crash_shared_stack);

static void crash_assert(void)
{
	assert(hidden(1) == 2);
}
CRASH(assert, "assert", "an assertion that does not hold", EXIT_ASSERT, crash_assert);

static void crash_panic(void)
{
	panic("asked for by the shell");
}
CRASH(panic, "panic", "panic()", EXIT_PANIC, crash_panic);

static void irq_fault(struct timer *t unused_arg)
{
	crash_null();
}

static void crash_irq_fault(void)
{
	static struct timer timer;

	timer_init(&timer, irq_fault);
	timer_start(&timer, clock_now_ns());
	sched_sleep_ns(NS_PER_SEC);
}
CRASH(irq_fault, "irq-fault", "a fault in an interrupt handler", EXIT_FAULT, crash_irq_fault);

static void irq_stack(struct timer *t unused_arg)
{
	recurse(1);
}

static void crash_irq_stack(void)
{
	static struct timer timer;

	timer_init(&timer, irq_stack);
	timer_start(&timer, clock_now_ns());
	sched_sleep_ns(NS_PER_SEC);
}
CRASH(irq_stack, "irq-stack-overflow", "recursion without end in an interrupt handler",
	EXIT_STACK_OVERFLOW, crash_irq_stack);

/* A console that faults in the middle of the first report. */
static const struct console *good_console;
static unsigned bad_countdown = 600;

static void bad_write(const char *s, size_t n)
{
	if (bad_countdown > 0 && n >= bad_countdown) {
		bad_countdown = 0;
		crash_null();
	}
	if (bad_countdown > 0)
		bad_countdown -= (unsigned)n;
	good_console->write_polled(s, n);
}

static void crash_double_panic(void)
{
	static const struct console bad = {"bad", bad_write};

	good_console = log_console();
	if (!good_console)
		return;
	log_console_set(&bad);
	panic("asked for by the shell; its report will fault");
}
CRASH(double_panic, "double-panic", "a fault while a panic is reported", EXIT_DOUBLE_PANIC,
	crash_double_panic);
