/* SPDX-License-Identifier: MIT */
/*
 * What happens when a rule of check.c is broken: the report, and the end, or the count for a test.
 *
 * The first line is for machines:
 *
 *	lockcheck: kind=rank what=rank class=log lock=0x... hart=2 thread=init pc=0x...
 *
 * One report ends the system. `reporting` lets one hart through; another that breaks a rule at the
 * same time waits to be stopped by the first one's panic, serving leaf requests (the stop is one).
 * lock_hart.panicking turns the checks off on the reporting hart, so nothing here recurses.
 */
#include "kernel/arch.h"
#include "kernel/lock/check_order.h"
#include "kernel/lock/relax.h"
#include "kernel/panic.h"
#include "lib/printf.h"

#define TEXT_MAX 900 /* a deadlock card is a text of several lines */
#define TRACE_MAX 16

const char *(*lockcheck_thread_name)(const struct lock_thread *t);
struct lock_thread *(*lockcheck_find_thread)(
	bool (*match)(const struct lock_thread *t, void *arg), void *arg);
void (*lockcheck_print_pc)(uintptr_t pc);
const char *(*lockcheck_symbol)(uintptr_t pc, char *name, size_t size);

static atomic_u32 reporting;
static atomic_u32 expected; /* enum report_kind + 1 that a test expects; 0: none */
static atomic_u32 nr_expected, nr_strays;
static atomic_bool counting; /* a test counts reports by kind */
static atomic_u32 counts[KIND_COUNT];
static atomic_ptr last_what;
static atomic_u32 ignored; /* bits of enum report_kind; relaxed: a lone value */

static const char *const kind_names[KIND_COUNT] = {
	[KIND_CONTEXT] = "context",
	[KIND_OWNERSHIP] = "ownership",
	[KIND_RANK] = "rank",
	[KIND_ORDER] = "order",
	[KIND_IRQ] = "irq",
	[KIND_DEADLOCK] = "deadlock",
	[KIND_LOCKUP] = "lockup",
	[KIND_RACE] = "race",
};

const char *report_kind_name(enum report_kind kind)
{
	return (unsigned)kind < KIND_COUNT ? kind_names[kind] : "unknown";
}

static const char *thread_name(const struct lock_thread *t)
{
	return lockcheck_thread_name ? lockcheck_thread_name(t) : "?";
}

/* `keys`: more of them for the first line, each after a blank. */
static void print_violation(const struct violation *v, const struct graph_path *path,
	const char *keys, const char *text)
{
	const struct lock_hart *h = lock_hart();
	uintptr_t pcs[TRACE_MAX];
	unsigned n;

	report("lockcheck: kind=%s what=%s class=%s lock=%p hart=%u thread=%s pc=%p%s\n",
		report_kind_name(v->kind), v->what, v->class ? v->class->name : "-", v->lock,
		h->index, thread_name(h->thread), (void *)v->pc, keys);
	report("lock checker: %s\n", text);
	if (CONFIG_LOCKCHECK && path)
		print_path(path);
	n = arch_backtrace(NULL, pcs, TRACE_MAX);
	for (unsigned i = 0; i < n; i++)
		print_pc(pcs[i]);
	lockcheck_print_held(h);
}

/* True if a test expects reports: it was counted, and the system goes on. */
static bool counted_for_test(
	const struct violation *v, const struct graph_path *path, const char *text)
{
	/* Acquire; partner: lockcheck_expect_begin, whose zeroed counts come first. */
	uint32_t want = atomic_load_u32(&expected, acquire);

	/* Acquire; partner: lockcheck_count_begin. */
	if (atomic_load_bool(&counting, acquire)) {
		atomic_add_u32(&counts[v->kind], 1, relaxed);
		atomic_store_ptr(&last_what, (void *)v->what, relaxed);
		return true;
	}
	if (!want)
		return false;
	if (want == (uint32_t)v->kind + 1) {
		atomic_add_u32(&nr_expected, 1, relaxed);
		return true;
	}
	atomic_add_u32(&nr_strays, 1, relaxed);
	print_violation(v, path, "", text);
	return true;
}

static void violated_v(const struct violation *v, const struct graph_path *path, const char *keys,
	const char *fmt, va_list args)
{
	struct lock_hart *h;
	char text[TEXT_MAX];
	bool before;

	if (atomic_load_u32(&ignored, relaxed) & 1u << v->kind)
		return;
	before = arch_irq_save();
	h = lock_hart();
	h->panicking = true;
	vsnprintf(text, sizeof(text), fmt, args);
	if (counted_for_test(v, path, text)) {
		h->panicking = false;
		arch_irq_restore(before);
		return;
	}
	/* Relaxed: a lone flag. */
	while (atomic_xchg_u32(&reporting, 1, relaxed))
		relax();
	print_violation(v, path, keys, text);
	panic_as(v->kind == KIND_DEADLOCK	 ? EXIT_DEADLOCK
			: v->kind == KIND_LOCKUP ? EXIT_LOCKUP
						 : EXIT_LOCKCHECK,
		"lock checker: %s: %s", report_kind_name(v->kind), text);
}

void violated(const struct violation *v, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	violated_v(v, NULL, "", fmt, args);
	va_end(args);
}

void violated_cycle(const struct violation *v, const struct graph_path *path, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	violated_v(v, path, "", fmt, args);
	va_end(args);
}

static void report_v(const struct violation *v, const char *keys, const char *fmt, va_list args)
{
	if (checking(lock_hart()))
		violated_v(v, NULL, keys, fmt, args);
}

void lockcheck_report(enum report_kind kind, const char *what, const void *lock,
	const struct lock_class *class, const char *fmt, ...)
{
	struct violation v = {kind, what, lock, class, (uintptr_t)__builtin_return_address(0)};
	va_list args;

	va_start(args, fmt);
	report_v(&v, "", fmt, args);
	va_end(args);
}

void lockcheck_report_keys(enum report_kind kind, const char *what, const char *keys,
	const void *lock, const struct lock_class *class, const char *fmt, ...)
{
	struct violation v = {kind, what, lock, class, (uintptr_t)__builtin_return_address(0)};
	va_list args;

	va_start(args, fmt);
	report_v(&v, keys, fmt, args);
	va_end(args);
}

void lockcheck_ignore(unsigned kinds)
{
	atomic_store_u32(&ignored, kinds, relaxed);
}

void lockcheck_expect_begin(enum report_kind kind)
{
	atomic_store_u32(&nr_expected, 0, relaxed);
	atomic_store_u32(&nr_strays, 0, relaxed);
	/* Release; partner: counted_for_test. */
	atomic_store_u32(&expected, (uint32_t)kind + 1, release);
}

unsigned lockcheck_expect_end(unsigned *strays)
{
	atomic_store_u32(&expected, 0, release);
	if (strays)
		*strays = atomic_load_u32(&nr_strays, relaxed);
	return atomic_load_u32(&nr_expected, relaxed);
}

void lockcheck_count_begin(void)
{
	for (unsigned kind = 0; kind < KIND_COUNT; kind++)
		atomic_store_u32(&counts[kind], 0, relaxed);
	atomic_store_ptr(&last_what, NULL, relaxed);
	/* Release; partner: counted_for_test. */
	atomic_store_bool(&counting, true, release);
}

void lockcheck_count_end(unsigned by_kind[KIND_COUNT], const char **last)
{
	atomic_store_bool(&counting, false, release);
	for (unsigned kind = 0; kind < KIND_COUNT; kind++)
		by_kind[kind] = atomic_load_u32(&counts[kind], relaxed);
	if (last)
		*last = atomic_load_ptr(&last_what, relaxed);
}

unsigned lockcheck_counted(void)
{
	unsigned n = 0;

	for (unsigned kind = 0; kind < KIND_COUNT; kind++)
		n += atomic_load_u32(&counts[kind], relaxed);
	return n;
}

bool lockcheck_is_tested(void)
{
	return atomic_load_bool(&counting, relaxed) || atomic_load_u32(&expected, relaxed);
}
