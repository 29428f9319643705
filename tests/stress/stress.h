/* SPDX-License-Identifier: MIT */
/*
 * What stress programs share: how long they go on, threads, complaints. A program uses static
 * memory of its own, so it does not run twice at once; different programs may (stress all).
 *
 * Stress is load, and a torture (tests/torture/torture.h) is a trial. A program here goes on for as
 * long as it is asked to, beside all the others (stress all), in any configuration, with users and
 * their statistics watching: so its locks are used as the kernel uses them, and all that it checks
 * is that their data are right. The engine of the torture runs one kind at a time, changes what
 * threads and harts are meanwhile, and has broken twins that it must find; so locks, mutex and
 * mixlock are both here and there, and share nothing but the locks.
 *
 * The end is by the clock or by Ctrl-C; no verdict is. However little the host lets run, each
 * program makes LOOKS_MIN looks at the clock first.
 */
#ifndef TESTS_STRESS_STRESS_H
#define TESTS_STRESS_STRESS_H

#include "kernel/lock/atomic.h"
#include "kernel/shell/command.h"
#include "lib/random.h"
#include "lib/types.h"

#define STRESS_WORKERS_MAX 256

/* One program's run. */
struct stress_run {
	const char *name;
	uint64_t until_ns;
	atomic_u32 looks;
	atomic_u32 failures;
};

/* Begins a run of `seconds`. */
void stress_begin(struct stress_run *run, const char *name, unsigned seconds);
/* Whether to go on: time is left or little was done, nothing failed, no Ctrl-C. Either. */
bool stress_more(struct stress_run *run);
/* Notes a failure; says it if it is the first. Either. */
void stress_fail(struct stress_run *run, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
#define stress_check(run, cond, ...) \
	do { \
		if (!(cond)) \
			stress_fail(run, __VA_ARGS__); \
	} while (0)
/* 0, or -EIO if anything failed. */
int stress_end(struct stress_run *run);

/*
 * Runs fn(i) for i in [0, n) in threads of their own and waits for their end. Too little memory for
 * some of them is said, for all of them a failure. Thread, may sleep.
 */
void stress_threads(struct stress_run *run, unsigned n, void (*fn)(unsigned i));
/* Twice as many workers as harts are online, within the bound. */
unsigned stress_workers(void);

#endif
