/* SPDX-License-Identifier: MIT */
/*
 * Runner of the tests inside the kernel (ktest.h).
 *
 * One test runs at a time, so what it says about itself is kept in one static place: counts are
 * atomics, because helpers of a test fail it from other threads, harts and handlers; the first
 * failure's text is written by whoever raised the count from 0, and read after all have ended.
 *
 * After each test what is left is compared with what was there: threads, slab objects, free pages.
 * Counted as free: the thread table and kernel page tables, which never shrink, slabs, whose
 * number depends on how their objects lie, and holes in the vmap, likewise. Things end a little
 * after their test (a dying thread's stack), so a difference is looked at again before it counts.
 */
#include "tests/kernel/ktest.h"

#include "kernel/hart/hart.h"
#include "kernel/lock/check_test.h"
#include "kernel/lock/point.h"
#include "kernel/lock/relax.h"
#include "kernel/mm/page.h"
#include "kernel/mm/slab.h"
#include "kernel/mm/vmap.h"
#include "kernel/sched/sched.h"
#include "kernel/shell/command.h"
#include "kernel/task/thread.h"
#include "kernel/time/clock.h"
#include "lib/errno.h"
#include "lib/printf.h"
#include "lib/string.h"

#define MESSAGE_MAX 200
#define NAME_MAX 120
#define STEP_NS NS_PER_MS
#define LAST_RESORT_NS (300 * NS_PER_SEC)
#define LEAK_LOOKS 3000
#define HELPERS_PER_HART 4
#define FULL_HARTS 8u /* with more, each does less: ktest_each */

LINKSET_DECLARE(ktest, const struct ktest);

static atomic_u32 nr_failures;
static char message[MESSAGE_MAX];
static const char *skipped;

struct level {
	size_t pages;	/* free, and those whose number does not say what is in use */
	size_t objects; /* of all slab caches, in use */
	unsigned threads;
};

static void fail(const char *file, int line, const char *cond, const char *fmt, va_list args)
{
	int at;

	/* Acquire and release are the join's; the count only decides who writes. */
	if (atomic_add_u32(&nr_failures, 1, relaxed))
		return;
	at = snprintf(message, sizeof(message), "%s:%d: %s", file, line, cond);
	if (at > 0 && (size_t)at < sizeof(message))
		vsnprintf(message + at, sizeof(message) - (size_t)at, fmt, args);
}

void ktest_fail(const char *file, int line, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fail(file, line, "", fmt, args);
	va_end(args);
}

void ktest_fail_condition(const char *file, int line, const char *cond, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fail(file, line, cond, fmt, args);
	va_end(args);
}

bool ktest_failed(void)
{
	return atomic_load_u32(&nr_failures, relaxed);
}

void ktest_skip(const char *why)
{
	skipped = why;
}

void ktest_expect_reports(enum report_kind kind)
{
	lockcheck_expect_begin(kind);
}

unsigned ktest_reports_seen(void)
{
	unsigned strays, seen = lockcheck_expect_end(&strays);

	ktest_check(!strays, "%u reports of another kind", strays);
	return seen;
}

void ktest_expect(enum report_kind kind, unsigned count, void (*body)(void))
{
	unsigned seen;

	ktest_expect_reports(kind);
	body();
	seen = ktest_reports_seen();
	ktest_check(
		seen == count, "%u %s reports instead of %u", seen, report_kind_name(kind), count);
	ktest_check(arch_irq_enabled(), "interrupts are off");
	ktest_check(lock_thread()->nr_held == 0, "the thread's record is not empty");
	irq_off();
	ktest_check(lock_hart()->nr_held == 0, "the hart's record is not empty");
	irq_on();
}

bool ktest_wait_step(struct ktest_wait *wait)
{
	sched_sleep_ns(STEP_NS);
	wait->waited_ns += STEP_NS;
	return wait->waited_ns < LAST_RESORT_NS;
}

unsigned ktest_harts(void)
{
	return hart_mask_weight(&harts_online);
}

struct hart_meta *ktest_hart(unsigned n)
{
	unsigned hart = hart_mask_first(&harts_online);

	for (n %= ktest_harts(); n > 0; n--)
		hart = hart_mask_next(&harts_online, hart);
	return harts[hart];
}

unsigned ktest_each(unsigned times)
{
	unsigned n = ktest_harts();

	return n <= FULL_HARTS ? times : MAX(times * FULL_HARTS / n, 1u);
}

uint32_t ktest_random(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*state >> 33);
}

/* ---- Parallel helpers ---------------------------------------------------------------------- */

struct helper {
	unsigned i;
	struct gang *gang;
	struct thread *thread;
};

struct gang {
	void (*fn)(unsigned i, void *arg);
	void *arg;
	unsigned n;
	atomic_u32 arrived;
	atomic_bool called_off;
	struct helper helpers[HELPERS_PER_HART * CONFIG_MAX_HARTS];
};

static struct gang gang;

static void helper_body(void *arg)
{
	struct helper *self = arg;
	struct gang *g = self->gang;
	struct relax wait = RELAX_INIT;

	/* All begin together, so that they do meet. */
	atomic_add_u32(&g->arrived, 1, acq_rel);
	while (atomic_load_u32(&g->arrived, acquire) < g->n &&
		!atomic_load_bool(&g->called_off, acquire))
		relax_step(&wait);
	if (!atomic_load_bool(&g->called_off, acquire))
		g->fn(self->i, g->arg);
}

static bool start_helper(struct helper *helper)
{
	struct hart_mask where;
	char name[THREAD_NAME_MAX];

	snprintf(name, sizeof(name), "ktest/%u", helper->i);
	helper->thread = thread_create(name, helper_body, helper);
	if (!helper->thread)
		return false;
	hart_mask_zero(&where);
	hart_mask_set(&where, ktest_hart(helper->i)->index);
	sched_set_affinity(helper->thread, &where);
	thread_run(helper->thread);
	return true;
}

bool ktest_parallel(unsigned n, void (*fn)(unsigned i, void *arg), void *arg)
{
	unsigned started;

	if (n > ARRAY_SIZE(gang.helpers)) {
		ktest_fail(__FILE__, __LINE__, "%u helpers are too many", n);
		return false;
	}
	gang.fn = fn;
	gang.arg = arg;
	gang.n = n;
	atomic_store_u32(&gang.arrived, 0, relaxed);
	atomic_store_bool(&gang.called_off, false, relaxed);
	for (started = 0; started < n; started++) {
		gang.helpers[started] = (struct helper){started, &gang, NULL};
		if (!start_helper(&gang.helpers[started]))
			break;
	}
	if (started < n) {
		ktest_fail(__FILE__, __LINE__, "no memory for %u threads", n);
		atomic_store_bool(&gang.called_off, true, release);
	}
	for (unsigned i = 0; i < started; i++)
		thread_join(gang.helpers[i].thread, NULL);
	return started == n;
}

uint32_t ktest_point(const char *name)
{
	lock_point_for_each(p) if (strcmp(p->name, name) == 0) return atomic_load_u32(
		&p->count, relaxed);
	ktest_fail(__FILE__, __LINE__, "there is no point %s", name);
	return 0;
}

/* ---- The runner ---------------------------------------------------------------------------- */

static size_t live_objects(void)
{
	struct slab_info info;
	struct vmap_info vmap;
	size_t sum = 0;

	for (unsigned i = 0; slab_info(i, &info); i++)
		if (info.name)
			sum += info.objects - info.cached;
	vmap_info(&vmap);
	return sum - vmap.holes;
}

static void take_level(struct level *out)
{
	struct mm_counts counts;

	thread_settle();
	mm_trim();
	mm_count(&counts);
	out->pages = counts.free + counts.table + counts.slab + thread_table_pages();
	out->objects = live_objects();
	out->threads = thread_count();
}

static void compare_level(const struct level *before)
{
	struct level now;

	for (unsigned look = 0; look < LEAK_LOOKS; look++) {
		take_level(&now);
		if (now.pages >= before->pages && now.objects <= before->objects &&
			now.threads <= before->threads)
			return;
		sched_sleep_ns(10 * NS_PER_MS);
	}
	ktest_fail(__FILE__, __LINE__, "left behind: %ld pages, %ld objects, %d threads",
		(long)(before->pages - now.pages), (long)(now.objects - before->objects),
		(int)(now.threads - before->threads));
}

static void test_body(void *arg)
{
	const struct ktest *test = arg;

	test->fn();
}

/* Runs one test and prints its line; returns whether it passed. */
static bool run_one(const struct ktest *test)
{
	struct level before;
	struct thread *t;
	int code = 0;

	take_level(&before);
	/* What other tests did with their locks is not this one's business. */
	if (CONFIG_LOCKCHECK)
		locktest_forget_all();
	atomic_store_u32(&nr_failures, 0, relaxed);
	skipped = NULL;
	t = thread_spawn(test->name, test_body, (void *)test);
	if (t)
		thread_join(t, &code);
	else
		ktest_fail(__FILE__, __LINE__, "no memory for the test's thread");
	if (code)
		ktest_fail(__FILE__, __LINE__, "its thread ended with %d", code);
	compare_level(&before);
	if (ktest_failed()) {
		shell_printf("FAILED %s.%s: %s\n", test->suite, test->name, message);
		return false;
	}
	if (skipped)
		shell_printf("ok %s.%s # skip: %s\n", test->suite, test->name, skipped);
	else
		shell_printf("ok %s.%s\n", test->suite, test->name);
	return true;
}

static bool matches(const struct ktest *test, const char *filter)
{
	char name[NAME_MAX];

	if (!filter || !*filter)
		return true;
	snprintf(name, sizeof(name), "%s.%s", test->suite, test->name);
	return strstr(name, filter) != NULL;
}

/* The boot's own thread has ended, which waits for harts that come late, and each has its worker.
 */
static bool boot_is_over(void)
{
	unsigned cursor = 0, workers = 0;
	struct thread_info info;

	while (thread_info_next(&cursor, &info)) {
		if (strcmp(info.name, "init") == 0)
			return false;
		workers += strncmp(info.name, "work/", 5) == 0;
	}
	return workers >= ktest_harts();
}

int ktest_run(const char *filter)
{
	unsigned passed = 0, failed = 0;

	/* Nobody is to come or go meanwhile: harts and threads are counted. */
	if (!ktest_eventually(boot_is_over()))
		shell_printf("# the boot does not end\n");
	linkset_for_each(ktest, const struct ktest, test) {
		if (!matches(test, filter))
			continue;
		if (shell_interrupted())
			break;
		if (run_one(test))
			passed++;
		else
			failed++;
	}
	if (!passed && !failed)
		return -ENOENT;
	shell_printf("%u passed, %u failed\n", passed, failed);
	return (int)failed;
}
