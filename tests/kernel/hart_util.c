/* SPDX-License-Identifier: MIT */
/* What the tests of harts that go and come share: see hart_util.h. */
#include "tests/kernel/hart_util.h"

#include "kernel/sched/sched.h"
#include "kernel/shell/command.h"
#include "kernel/task/thread.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"
#include "kernel/wait/work.h"
#include "lib/errno.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "tests/kernel/on_hart.h"

#define MANY 4

int leave_by_stop(struct hart_meta *h)
{
	return hart_stop(h, false);
}

int leave_by_suspend(struct hart_meta *h)
{
	return hart_suspend(h, true, false);
}

int leave_by_lossy_suspend(struct hart_meta *h)
{
	return hart_suspend(h, false, false);
}

struct hart_meta *hart_in_circle(unsigned n)
{
	return online_hart(n % online_count());
}

void each_hart(void (*fn)(struct hart_meta *h))
{
	unsigned n = online_count(), step = (n + MANY - 1) / MANY;

	for (unsigned i = 0; i < n && !ktest_failed(); i += step)
		fn(online_hart(i));
}

LINKSET_DECLARE(shell_command, const struct shell_command);

int hart_words(const char *line)
{
	char text[64], *argv[8] = {NULL}, *at = text;
	int argc = 0;

	snprintf(text, sizeof(text), "hart %s", line);
	while (at && argc < (int)ARRAY_SIZE(argv)) {
		argv[argc++] = at;
		at = strchr(at, ' ');
		if (at)
			*at++ = '\0';
	}
	linkset_for_each(shell_command, const struct shell_command, c)
		if (!strcmp(c->name, argv[0]))
			return c->fn(argc, argv);
	return -ENOENT;
}

int hart_command(const char *word, const struct hart_meta *h)
{
	char line[32];

	snprintf(line, sizeof(line), "%s %u", word, h->index);
	return hart_words(line);
}

static void nothing(void *arg unused_arg)
{
}

void check_is_out(struct hart_meta *h)
{
	struct timerq_info timers;
	struct hart_mask only;
	struct hart_call call;

	hart_mask_zero(&only);
	hart_mask_set(&only, h->index);
	timer_info(h, &timers);
	ktest_check(!hart_is_online(h) && !hart_mask_test(&harts_online, h->index));
	ktest_check(!sched_hart_accepts(h) && sched_hart_load(h) == 0);
	ktest_check(timers.nr_pending == 0, "%u timers", timers.nr_pending);
	ktest_check(work_pending(h) == 0, "%u items of work", work_pending(h));
	ktest_check(hart_call(h, nothing, NULL) == -ENODEV);
	hart_call_init(&call, nothing, NULL);
	ktest_check(hart_call_post(h, &call) == -ENODEV && hart_call_done(&call));
	/* Counts as served. */
	leaf_call_mask(&only, LEAF_TLB_FLUSH);
	/* None of them reaches anybody, or does harm. */
	hart_resched(h);
	ktest_check(sched_set_affinity(current_thread(), &only) == -EINVAL);
}

/* ---- Taking part ----------------------------------------------------------------------------- */

static struct {
	struct timer timer;
	struct work work;
	/* Index + 1 of the hart that it came from. */
	atomic_u32 called, timed, worked, ran;
} part;

static void say_hart(atomic_u32 *where)
{
	atomic_store_u32(where, this_hart_unstable()->index + 1, release);
}

static void timed(struct timer *t unused_arg)
{
	say_hart(&part.timed);
	work_queue(&part.work);
}

static void worked(struct work *w unused_arg)
{
	say_hart(&part.worked);
}

static void called(void *arg unused_arg)
{
	say_hart(&part.called);
	timer_start(&part.timer, clock_now_ns() + NS_PER_US);
}

static void runs(void *arg unused_arg)
{
	say_hart(&part.ran);
}

void check_takes_part(struct hart_meta *h)
{
	unsigned name = h->index + 1;
	struct thread *t;

	timer_init(&part.timer, timed);
	work_init(&part.work, worked);
	atomic_store_u32(&part.called, 0, relaxed);
	atomic_store_u32(&part.timed, 0, relaxed);
	atomic_store_u32(&part.worked, 0, relaxed);
	atomic_store_u32(&part.ran, 0, relaxed);
	ktest_check(hart_state_of(h) == HART_ONLINE, "%s", hart_state_name(hart_state_of(h)));
	ktest_check(hart_mask_test(&harts_online, h->index) && sched_hart_accepts(h));
	ktest_check(arch_hart_state(h->hartid) == ARCH_HSM_STARTED);
	ktest_check(hart_call(h, called, NULL) == 0);
	ktest_check(ktest_eventually(counted(&part.worked)), "timer %u, work %u of hart %u",
		counted(&part.timed), counted(&part.worked), h->index);
	work_flush(&part.work);
	timer_cancel_sync(&part.timer);
	ktest_check(counted(&part.called) == name && counted(&part.timed) == name &&
			counted(&part.worked) == name,
		"call %u, timer %u, work %u of hart %u", counted(&part.called),
		counted(&part.timed), counted(&part.worked), h->index);
	t = spawn_on(h->index, "part", runs, NULL);
	ktest_require(t, "no thread for hart %u", h->index);
	thread_join(t, NULL);
	ktest_check(counted(&part.ran) == name, "its thread ran on hart %u, not on %u",
		counted(&part.ran) - 1, h->index);
}
