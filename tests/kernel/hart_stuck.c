/* SPDX-License-Identifier: MIT */
/* Firmware that does not keep its word: it takes a hart and never says that it has it, or does not
 * take one back to sleep that it suspended before. Both are played by kernel/hart/leave.c. */
#include "kernel/hart/bringup.h"
#include "kernel/hart/leave.h"
#include "kernel/sched/sched.h"
#include "kernel/task/bringup.h"
#include "kernel/time/clock.h"
#include "lib/errno.h"
#include "tests/kernel/hart_util.h"
#include "tests/kernel/on_hart.h"

#define ONE_HART "one hart"
#define PATIENCE_NS (10 * NS_PER_MS)

static bool is_back(const struct hart_meta *h)
{
	return hart_state_of(h) == HART_ONLINE && sched_hart_accepts(h);
}

/* It is FAILED, out of everything, and nothing can be asked of it. */
static void check_stuck(struct hart_meta *h)
{
	ktest_check(hart_state_of(h) == HART_FAILED && hart_leave_stuck(h));
	check_is_out(h);
	ktest_check(hart_start(h) == -EBUSY && hart_resume(h) == -EINVAL);
	ktest_check(hart_stop(h, true) == -ENODEV && hart_suspend(h, true, true) == -ENODEV);
	ktest_check(hart_command("start", h) != 0 && hart_words("status") == 0);
	ktest_check(hart_state_of(h) == HART_FAILED);
}

/* It is given up as it leaves; `leave` gave -ETIMEDOUT. */
static void get_stuck(struct hart_meta *h, int (*leave)(struct hart_meta *h))
{
	uint64_t patience = hart_set_patience(PATIENCE_NS);

	hart_leave_hold(true);
	ktest_check(leave(h) == -ETIMEDOUT);
	check_stuck(h);
	hart_set_patience(patience);
}

/* The firmware refuses after all: the hart is back by itself, and late. */
static void come_back(struct hart_meta *h, int (*leave)(struct hart_meta *h))
{
	struct hart_stats before = h->stats;

	get_stuck(h, leave);
	hart_leave_fail();
	hart_leave_hold(false);
	ktest_check(ktest_eventually(is_back(h)), "%s", hart_state_name(hart_state_of(h)));
	bringup_complete();
	ktest_check(!hart_leave_stuck(h));
	check_takes_part(h);
	ktest_check(h->stats.stops == before.stops && h->stats.suspends == before.suspends);
	ktest_check(hart_stop(h, false) == 0 && hart_start(h) == 0);
	check_takes_part(h);
}

/* The firmware has it after all, and says so: it can be had again. */
static void be_had_again(struct hart_meta *h, int (*leave)(struct hart_meta *h))
{
	get_stuck(h, leave);
	hart_leave_hold(false);
	ktest_check(ktest_eventually(!hart_leave_stuck(h)));
	ktest_check(hart_state_of(h) == HART_FAILED);
	check_is_out(h);
	ktest_check(hart_start(h) == 0);
	check_takes_part(h);
}

static int stop_by_command(struct hart_meta *h)
{
	ktest_check(hart_command("stop", h) != 0);
	return hart_state_of(h) == HART_FAILED ? -ETIMEDOUT : 0;
}

KTEST(hart_life, a_hart_that_the_firmware_keeps_is_given_up_and_joins_if_it_comes_back)
{
	if (online_count() < 2)
		return ktest_skip(ONE_HART);
	come_back(hart_in_circle(1), leave_by_stop);
	come_back(hart_in_circle(0), leave_by_suspend);
	come_back(hart_in_circle(1), stop_by_command);
}

KTEST(hart_life, a_hart_that_was_given_up_starts_once_the_firmware_has_it)
{
	if (online_count() < 2)
		return ktest_skip(ONE_HART);
	be_had_again(hart_in_circle(0), leave_by_stop);
	be_had_again(hart_in_circle(1), leave_by_suspend);
	be_had_again(hart_in_circle(1), leave_by_lossy_suspend);
	be_had_again(hart_in_circle(1), leave_by_stop);
}

/* ---- Not taken back -------------------------------------------------------------------------- */

static uint32_t wakes_of(const struct hart_meta *h)
{
	return atomic_load_u32(&h->leave.wakes, relaxed);
}

/* Interrupts until it has been awake so often; the firmware may drop one. */
static bool wake_times(const struct hart_meta *h, uint32_t times)
{
	uint32_t before = wakes_of(h);

	return ktest_eventually((arch_ipi_send_hart(h->hartid), wakes_of(h) - before >= times));
}

static void refuse_again(struct hart_meta *h, bool retentive)
{
	ktest_require(hart_suspend(h, retentive, false) == 0);
	hart_leave_fail();
	/* The first ends what the firmware took, the second what it did not. */
	ktest_check(wake_times(h, 2));
	ktest_check(hart_state_of(h) == HART_SUSPENDED);
	check_is_out(h);
	ktest_check(hart_resume(h) == 0);
	check_takes_part(h);
}

KTEST(hart_life, a_suspended_hart_that_the_firmware_does_not_take_back_sleeps_on)
{
	if (online_count() < 2)
		return ktest_skip(ONE_HART);
	refuse_again(hart_in_circle(1), true);
	refuse_again(hart_in_circle(1), false);
}
