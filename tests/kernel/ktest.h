/* SPDX-License-Identifier: MIT */
/*
 * Tests inside the kernel: `test [FILTER]` in the shell runs them, each in a thread of its own.
 *
 *	KTEST(mutex, hands_off_to_the_waiter_in_order)
 *	{
 *		ktest_check(n == 3, "n is %d", n);
 *	}
 *
 * A test is named for the promise it checks. It fails by ktest_check/ktest_require (which also
 * returns), ends by returning, and leaves nothing behind: the runner compares the number of free
 * pages and threads.
 */
#ifndef TESTS_KERNEL_KTEST_H
#define TESTS_KERNEL_KTEST_H

#include "kernel/lock/check.h"
#include "lib/linkset.h"
#include "lib/types.h"

struct hart_meta;

struct ktest {
	const char *suite, *name;
	void (*fn)(void);
};

#define KTEST(suite_, name_) \
	static void ktest_##suite_##_##name_(void); \
	static const struct ktest ktest_desc_##suite_##_##name_ = { \
		#suite_, #name_, ktest_##suite_##_##name_}; \
	LINKSET_ADD(ktest, struct ktest, ktest_desc_##suite_##_##name_); \
	static void ktest_##suite_##_##name_(void)

/*
 * Runs the tests whose SUITE.NAME contains `filter` (NULL or "": all), prints a line for each and
 * the closing one. Returns how many failed, or -ENOENT if none matched. Thread, may sleep.
 */
int ktest_run(const char *filter);

/* Records a failure with file, line and message; the test goes on. Either. */
/* How often the point `name` of the lock protocols was passed; fails if there is none. Only with
 * CONFIG_LOCKPOINTS. */
uint32_t ktest_point(const char *name);
void ktest_fail(const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void ktest_fail_condition(const char *file, int line, const char *cond, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
#define ktest_check(cond, ...) \
	do { \
		if (!(cond)) \
			ktest_fail_condition(__FILE__, __LINE__, #cond, ": " __VA_ARGS__); \
	} while (0)
#define ktest_require(cond, ...) \
	do { \
		if (!(cond)) { \
			ktest_fail_condition(__FILE__, __LINE__, #cond, ": " __VA_ARGS__); \
			return; \
		} \
	} while (0)
/* Says why the test does not apply on this run (too few harts...) and counts it as passed with a
 * note. */
void ktest_skip(const char *why);
/* Something failed in the running test. Either. */
bool ktest_failed(void);

/*
 * Expects reports of the lock checker: from expect_reports until reports_seen, a report of `kind`
 * is counted instead of printed and ending the system; reports_seen ends it and returns how many
 * there were. Any other kind fails the test. Skip where CONFIG_LOCKCHECK is off.
 */
void ktest_expect_reports(enum report_kind kind);
unsigned ktest_reports_seen(void);
/* `body` must give exactly `count` reports of `kind`, leave nothing held and interrupts on. */
void ktest_expect(enum report_kind kind, unsigned count, void (*body)(void));

/*
 * Waits for the condition to come true, sleeping in between: true if it did. The limit is a last
 * resort against hanging for ever, no verdict on speed. Thread, may sleep.
 */
#define ktest_eventually(cond) \
	({ \
		struct ktest_wait wait_ = {0}; \
		bool came_; \
		while (!(came_ = (cond)) && ktest_wait_step(&wait_)) \
			; \
		came_; \
	})
struct ktest_wait {
	uint64_t waited_ns;
};
bool ktest_wait_step(struct ktest_wait *wait);

/*
 * Runs fn(i, arg) for i in 0..n-1, each in a thread of its own, the i-th pinned to the i-th online
 * hart (modulo their number), all released together, and waits for all. False (and a failure) if
 * there was no memory. Thread, may sleep.
 */
bool ktest_parallel(unsigned n, void (*fn)(unsigned i, void *arg), void *arg);
/* Harts online now; the n-th of them, modulo their number. */
unsigned ktest_harts(void);
struct hart_meta *ktest_hart(unsigned n);
/*
 * How often each does something that all harts, or threads of all harts, do to one thing: `times`
 * with up to eight harts; with more, so often that all together do what eight would, and once at
 * least. So a test is as long with 128 harts. The same number for as long as no hart comes or goes.
 */
unsigned ktest_each(unsigned times);
/* Periods of handlers that come for as long as a test runs are so many times longer where accesses
 * are watched: they must leave time for threads. */
#define KTEST_SLOW (CONFIG_RACE ? 20 : 1)
/* Pseudo-random numbers: same ones in each run for one `state` start value. */
uint32_t ktest_random(uint64_t *state);

#endif
