/* SPDX-License-Identifier: MIT */
/* What stress programs share, and the program that runs all the others at once. */
#include "tests/stress/stress.h"
#include "kernel/hart/hart.h"
#include "kernel/lock/atomic.h"
#include "kernel/log.h"
#include "kernel/mm/kmalloc.h"
#include "kernel/task/thread.h"
#include "kernel/time/clock.h"
#include "lib/errno.h"
#include "lib/printf.h"
#include "lib/string.h"

LINKSET_DECLARE(stress, const struct stress);

#define LOOKS_MIN 64u

struct worker {
	unsigned i;
	void (*fn)(unsigned i);
	struct thread *thread;
};

void stress_begin(struct stress_run *run, const char *name, unsigned seconds)
{
	run->name = name;
	run->until_ns = clock_now_ns() + seconds * NS_PER_SEC;
	atomic_store_u32(&run->looks, 0, relaxed);
	atomic_store_u32(&run->failures, 0, relaxed);
}

bool stress_more(struct stress_run *run)
{
	if (shell_interrupted() || atomic_load_u32(&run->failures, relaxed))
		return false;
	/* Relaxed: a look more or less does not matter. */
	if (atomic_load_u32(&run->looks, relaxed) < LOOKS_MIN) {
		atomic_add_u32(&run->looks, 1, relaxed);
		return true;
	}
	return clock_now_ns() < run->until_ns;
}

void stress_fail(struct stress_run *run, const char *fmt, ...)
{
	char text[120];
	va_list ap;

	/* relaxed: a count that is read after the threads were joined. */
	if (atomic_add_u32(&run->failures, 1, relaxed))
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_error("stress %s: %s", run->name, text);
}

int stress_end(struct stress_run *run)
{
	return atomic_load_u32(&run->failures, relaxed) ? -EIO : 0;
}

static void worker_body(void *arg)
{
	struct worker *w = arg;

	w->fn(w->i);
}

void stress_threads(struct stress_run *run, unsigned n, void (*fn)(unsigned i))
{
	struct worker *workers = kzalloc(n * sizeof(*workers), 0);
	char name[THREAD_NAME_MAX];
	unsigned made = 0;

	if (!workers) {
		stress_fail(run, "no memory for %u workers", n);
		return;
	}
	for (unsigned i = 0; i < n; i++) {
		workers[i] = (struct worker){i, fn, NULL};
		snprintf(name, sizeof(name), "%s/%u", run->name, i);
		workers[i].thread = thread_spawn(name, worker_body, &workers[i]);
		if (!workers[i].thread)
			log_warn("stress %s: no memory for worker %u", run->name, i);
		made += workers[i].thread != NULL;
	}
	stress_check(run, made, "no memory for any of %u workers", n);
	for (unsigned i = 0; i < n; i++) {
		int code = 0;

		if (!workers[i].thread)
			continue;
		thread_join(workers[i].thread, &code);
		stress_check(run, code == 0, "worker %u ended with %d", i, code);
	}
	kfree(workers);
}

unsigned stress_workers(void)
{
	return MIN(2 * hart_mask_weight(&harts_online), (unsigned)STRESS_WORKERS_MAX);
}

/* ---- All at once ----------------------------------------------------------------------------- */

#define PROGRAMS_MAX 32

static struct stress_run all_run;
static unsigned all_seconds;

static const struct stress *nth_program(unsigned n)
{
	linkset_for_each(stress, const struct stress, s)
		if (strcmp(s->name, "all") != 0 && n-- == 0)
			return s;
	return NULL;
}

static void run_program(unsigned i)
{
	const struct stress *s = nth_program(i);
	int err = s->fn(all_seconds);

	stress_check(&all_run, err == 0, "%s failed", s->name);
}

static int stress_all(unsigned seconds)
{
	unsigned n = 0;

	while (n < PROGRAMS_MAX && nth_program(n))
		n++;
	all_seconds = seconds;
	stress_begin(&all_run, "all", seconds);
	stress_threads(&all_run, n, run_program);
	return stress_end(&all_run);
}
STRESS(all, "every other program, all at once", stress_all);
