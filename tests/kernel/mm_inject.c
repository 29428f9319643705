/* SPDX-License-Identifier: MIT */
/*
 * Failed allocations: every operation that allocates is made to fail at its first, second, third...
 * allocation until it succeeds; each failure is reported to the caller and leaves nothing behind.
 */
#include "kernel/mm/inject.h"
#include "kernel/mm/kmalloc.h"
#include "kernel/mm/stack.h"
#include "kernel/mm/vmap.h"
#include "kernel/task/thread.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "tests/kernel/ktest.h"

#define STEPS_MAX 100

static size_t settled_pages(void)
{
	struct mm_counts c;

	thread_settle();
	mm_trim();
	mm_count(&c);
	return c.free + c.table + thread_table_pages();
}

/*
 * op() returns whether it succeeded, and has undone everything then. How many of its allocations
 * were made to fail.
 */
static unsigned fail_each_step(bool (*op)(void), const char *what)
{
	unsigned nth;

	for (nth = 1; nth < STEPS_MAX; nth++) {
		size_t before = settled_pages(), after;
		bool ok, hit;

		inject_nth(nth);
		ok = op();
		hit = inject_nth_hit();
		if (!hit) {
			ktest_check(ok, "%s fails without a reason", what);
			break;
		}
		/* An operation may have a second way; then it succeeds in spite of the failure.
		 * Others may have some pages for a while. */
		ktest_check(ktest_eventually((after = settled_pages()) >= before),
			"%s: %ld pages left behind by failure %u", what, (long)(before - after),
			nth);
	}
	ktest_check(nth < STEPS_MAX, "%s never succeeds", what);
	return nth - 1;
}

static bool op_kmalloc(void)
{
	void *a = kmalloc(100, 0), *b = kmalloc(100000, 0);
	bool ok = a && b;

	kfree(a);
	kfree(b);
	return ok;
}

static bool op_vmap(void)
{
	void *va = vmap_alloc(5 * PAGE_SIZE);

	if (va)
		vunmap(va);
	return va != NULL;
}

static bool op_stack(void)
{
	struct stack s;
	int err = stack_alloc(&s, 3);

	ktest_check(err == 0 || err == -ENOMEM, "error %d", err);
	if (!err)
		stack_free(&s);
	return !err;
}

static void nothing(void *arg unused_arg)
{
}

static bool op_thread(void)
{
	struct thread *t = thread_create("ktest", nothing, NULL);

	if (t)
		thread_discard(t);
	return t != NULL;
}

static bool off(void)
{
	if (CONFIG_FAULT_INJECT)
		return false;
	ktest_skip("fault injection is compiled out");
	return true;
}

KTEST(mm_inject, kmalloc_fails_as_asked)
{
	if (!off())
		ktest_check(fail_each_step(op_kmalloc, "kmalloc") >= 2, "each of the two");
}

KTEST(mm_inject, vmap_unwinds_every_failure)
{
	if (!off())
		ktest_check(fail_each_step(op_vmap, "vmap_alloc") >= 5, "a page at least each");
}

KTEST(mm_inject, stack_unwinds_every_failure)
{
	if (off())
		return;
	stack_trim();
	ktest_check(fail_each_step(op_stack, "stack_alloc") >= 3, "a page at least each");
}

KTEST(mm_inject, thread_create_unwinds_every_failure)
{
	if (off())
		return;
	stack_trim();
	ktest_check(fail_each_step(op_thread, "thread_create") >= 1, "its stack at least");
}

/* A bit for each of the allocations that a seed lets fail. */
static unsigned long failures_of_seed(void)
{
	unsigned long seen = 0;

	inject_seed(12345, 4);
	for (unsigned i = 0; i < 48; i++) {
		void *p = kmalloc(64, 0);

		seen = seen << 1 | !p;
		kfree(p);
	}
	inject_seed(0, 0);
	return seen;
}

KTEST(mm_inject, the_same_seed_fails_the_same_allocations)
{
	unsigned long first = 0, second = 1;

	if (off())
		return;
	if (ktest_harts() > 1) {
		ktest_skip("other harts allocate in between");
		return;
	}
	/* Objects at hand: no allocation needs another one inside of it. */
	kfree(kmalloc(64, 0));
	/* Again, if another thread of the hart came in between and allocated. */
	for (unsigned try = 0; try < 100 && first != second; try++) {
		first = failures_of_seed();
		second = failures_of_seed();
	}
	ktest_check(first == second, "0x%lx and 0x%lx", first, second);
	ktest_check(first != 0, "and some do fail");
}
