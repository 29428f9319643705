/* SPDX-License-Identifier: MIT */
/* Suspended harts: out of everything until they are resumed, whatever else wakes them. */
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"
#include "lib/errno.h"
#include "tests/kernel/hart_util.h"
#include "tests/kernel/on_hart.h"

#define POKES 5

static bool is_asleep(const struct hart_meta *h)
{
	return arch_hart_state(h->hartid) == ARCH_HSM_SUSPENDED;
}

static uint32_t wakes_of(const struct hart_meta *h)
{
	return atomic_load_u32(&h->leave.wakes, relaxed);
}

/* An interrupt without a message, until it has come: while the hart is on its way back to sleep the
 * firmware may drop one. */
static bool wake_it(const struct hart_meta *h)
{
	uint32_t before = wakes_of(h);

	arch_ipi_send_hart(h->hartid);
	return ktest_eventually(
		wakes_of(h) != before || (arch_ipi_send_hart(h->hartid), wakes_of(h) != before));
}

static void suspend_and_resume(struct hart_meta *h, bool retentive)
{
	uint32_t suspends = h->stats.suspends;

	ktest_require(hart_suspend(h, retentive, false) == 0);
	ktest_check(hart_state_of(h) == HART_SUSPENDED && h->stats.suspends == suspends + 1);
	check_is_out(h);
	ktest_check(ktest_eventually(is_asleep(h)));
	for (unsigned i = 0; i < POKES && !ktest_failed(); i++) {
		ktest_check(wake_it(h), "poke %u", i);
		ktest_check(ktest_eventually(is_asleep(h)), "poke %u", i);
		check_is_out(h);
	}
	ktest_check(hart_state_of(h) == HART_SUSPENDED);
	ktest_check(hart_stop(h, true) == -EALREADY && hart_suspend(h, true, true) == -EALREADY);
	ktest_check(hart_start(h) == -EINVAL);
	ktest_check(hart_resume(h) == 0);
	ktest_check(wakes_of(h) >= POKES, "%u wake-ups", (unsigned)wakes_of(h));
	check_takes_part(h);
}

static void suspend_both_ways(struct hart_meta *h)
{
	suspend_and_resume(h, true);
	suspend_and_resume(h, false);
	/* One after the other, and a stop behind both. */
	ktest_check(hart_stop(h, false) == 0 && hart_start(h) == 0);
	suspend_and_resume(h, true);
}

KTEST(hart_life, only_a_resume_brings_a_suspended_hart_back)
{
	if (online_count() < 2)
		return ktest_skip("one hart");
	each_hart(suspend_both_ways);
	suspend_both_ways(&boot_hart);
}

static atomic_u32 fired, fired_there;
static struct timer late[4];
static struct hart_meta *sleeper;

static void late_fires(struct timer *t unused_arg)
{
	if (this_hart() == sleeper)
		atomic_add_u32(&fired_there, 1, relaxed);
	atomic_add_u32(&fired, 1, release);
}

/* A long time: by then the hart is away. */
static void start_late(void *arg unused_arg)
{
	for (unsigned i = 0; i < ARRAY_SIZE(late); i++)
		timer_start(&late[i], clock_now_ns() + 3600 * NS_PER_SEC);
}

/* Near moments, for those that went elsewhere. */
static void hurry_up(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(late); i++) {
		ktest_check(timer_cancel(&late[i]), "timer %u is not pending", i);
		timer_start(&late[i], clock_now_ns() + i * NS_PER_MS);
	}
}

static void suspend_with_timers(struct hart_meta *h)
{
	struct timerq_info info;

	sleeper = h;
	atomic_store_u32(&fired, 0, relaxed);
	atomic_store_u32(&fired_there, 0, relaxed);
	for (unsigned i = 0; i < ARRAY_SIZE(late); i++)
		timer_init(&late[i], late_fires);
	ktest_check(hart_call(h, start_late, NULL) == 0);
	timer_info(h, &info);
	ktest_check(info.nr_pending >= ARRAY_SIZE(late), "%u timers", info.nr_pending);
	ktest_require(hart_suspend(h, h->index % 2, false) == 0);
	check_is_out(h);
	hurry_up();
	ktest_check(wait_count(&fired, ARRAY_SIZE(late)));
	ktest_check(counted(&fired_there) == 0, "%u fired there", counted(&fired_there));
	ktest_check(hart_state_of(h) == HART_SUSPENDED);
	ktest_check(hart_resume(h) == 0);
	check_takes_part(h);
}

KTEST(hart_life, a_suspended_hart_leaves_its_timers_to_others)
{
	if (online_count() < 2)
		return ktest_skip("one hart");
	each_hart(suspend_with_timers);
}
