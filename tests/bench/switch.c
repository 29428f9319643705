/* SPDX-License-Identifier: MIT */
/* Costs of threads: yield, wake-up, create and join. */
#include "kernel/hart/hart.h"
#include "kernel/lock/rank.h"
#include "kernel/sched/qs.h"
#include "kernel/sched/sched.h"
#include "kernel/shell/command.h"
#include "kernel/task/thread.h"
#include "kernel/wait/completion.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "tests/bench/bench.h"

DEFINE_LOCK_CLASS(bench_wait_class, .name = "bench.wait", .rank = RANK_WAITQ,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 100,
	.protects = "the bench's completions");

/* Two threads of one hart yield to each other; the partner counts down with the measured one. */
struct yield_partner {
	unsigned hart;
	unsigned left; /* the partner's own */
};

static void yield_partner(void *arg)
{
	struct yield_partner *p = arg;

	while (p->left--)
		sched_yield();
}

static int measure_yield(int argc, char **argv)
{
	unsigned hart = this_hart_unstable()->index;
	struct yield_partner partner = {.hart = hart, .left = BENCH_N};
	struct hart_mask one = {0};
	struct thread *t;
	uint64_t with, empty;
	int err;

	(void)argc;
	(void)argv;
	err = bench_pin(hart);
	if (err)
		return err;
	t = thread_create("yield-partner", yield_partner, &partner);
	if (!t) {
		bench_unpin();
		return -ENOMEM;
	}
	hart_mask_set(&one, hart);
	sched_set_affinity(t, &one);
	thread_run(t);
	with = BENCH_LOOP(BENCH_N, sched_yield());
	empty = BENCH_LOOP(BENCH_N, );
	/* Each of the measured yields switched there and the partner's switched back: two a round.
	 */
	bench_print10("yield", bench_cost10(with, empty, 2 * BENCH_N), "ns");
	thread_join(t, NULL);
	bench_unpin();
	return partner.left == UINT32_MAX ? 0 : -EIO;
}
BENCH(yield, "yield between two threads of one hart", measure_yield);

/* Ping-pong over two completions; `rounds` there and back. */
struct ping_pong {
	struct completion ping, pong;
	unsigned rounds;
};

static void pong_thread(void *arg)
{
	struct ping_pong *p = arg;

	for (unsigned i = 0; i < p->rounds; i++) {
		wait_for_completion(&p->ping);
		complete(&p->pong);
	}
}

static int ping_pong(const char *name, unsigned other, unsigned rounds)
{
	struct ping_pong p = {.rounds = rounds};
	struct hart_mask there = {0};
	struct thread *t;
	uint64_t start, ns;

	completion_init(&p.ping, &bench_wait_class);
	completion_init(&p.pong, &bench_wait_class);
	t = thread_create("pong", pong_thread, &p);
	if (!t)
		return -ENOMEM;
	hart_mask_set(&there, other);
	sched_set_affinity(t, &there);
	thread_run(t);
	start = clock_now_ns();
	for (unsigned i = 0; i < rounds; i++) {
		complete(&p.ping);
		wait_for_completion(&p.pong);
	}
	ns = clock_now_ns() - start;
	thread_join(t, NULL);
	bench_print10(name, ns * 10 / rounds / 2, "ns");
	return 0;
}

static int measure_wake(int argc, char **argv)
{
	unsigned here, other;
	int err;

	(void)argc;
	(void)argv;
	err = bench_pin_pair(&here, &other);
	if (err)
		return err;
	err = ping_pong("wake_same_hart", here, BENCH_N);
	if (!err && other != here)
		err = ping_pong("wake_other_hart", other, BENCH_N / 10);
	bench_unpin();
	return err;
}
BENCH(wake, "wake-up and switch to a thread of the same and of another hart", measure_wake);

static void nothing(void *arg)
{
	(void)arg;
}

/* Each on `hart`, or wherever it is put (UINT_MAX). */
static int create_and_join(unsigned n, unsigned hart)
{
	struct hart_mask only = {0};

	if (hart != UINT_MAX)
		hart_mask_set(&only, hart);
	for (unsigned i = 0; i < n; i++) {
		struct thread *t = thread_create("nothing", nothing, NULL);

		if (!t)
			return -ENOMEM;
		if (hart != UINT_MAX)
			sched_set_affinity(t, &only);
		thread_run(t);
		thread_join(t, NULL);
	}
	return 0;
}

static int measure_threads(int argc, char **argv)
{
	unsigned n = BENCH_N / 10;
	uint64_t start = clock_now_ns();
	int err = create_and_join(n, UINT_MAX);

	(void)argc;
	(void)argv;
	bench_print10("thread_create_join", (clock_now_ns() - start) * 10 / n, "ns");
	return err;
}
BENCH(threads, "thread create, run, exit and join", measure_threads);

/* The threads of the kernel that have a part in the end of each. */
static void place_service(const struct hart_mask *where)
{
	struct thread_info info;
	unsigned cursor = 0;

	while (thread_info_next(&cursor, &info)) {
		if (strcmp(info.name, "reaper") != 0 && strcmp(info.name, "qs") != 0)
			continue;
		qs_read_begin();
		sched_set_affinity(thread_of_handle(info.handle), where);
		qs_read_end();
	}
}

/* All of it on one hart: no interrupt between harts, whose way through the firmware is as long as
 * there are harts. */
static int measure_threads_here(int argc, char **argv)
{
	struct hart_mask only = {0}, all;
	unsigned n = BENCH_N / 10, here, other;
	uint64_t start;
	int err = bench_pin_pair(&here, &other);

	(void)argc;
	(void)argv;
	if (err)
		return err;
	hart_mask_set(&only, here);
	hart_mask_fill(&all, nr_harts);
	place_service(&only);
	start = clock_now_ns();
	err = create_and_join(n, here);
	bench_print10("thread_here", (clock_now_ns() - start) * 10 / n, "ns");
	place_service(&all);
	bench_unpin();
	return err;
}
BENCH(threads_here, "the same on one hart", measure_threads_here);
