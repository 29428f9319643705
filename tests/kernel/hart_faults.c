/* SPDX-License-Identifier: MIT */
/*
 * Harts that do wrong as they come or go (kernel/hart/fault.c), at every stage: the kernel says how
 * far each had come, goes on without it, and has it again when nothing is wrong any more. Who hangs
 * is for ever: tests/qemu/test_faults.py.
 */
#include "kernel/hart/bringup.h"
#include "kernel/hart/fault.h"
#include "kernel/sched/sched.h"
#include "kernel/task/bringup.h"
#include "kernel/time/clock.h"
#include "lib/errno.h"
#include "lib/printf.h"
#include "tests/kernel/hart_util.h"
#include "tests/kernel/on_hart.h"

#define PATIENCE_NS (10 * NS_PER_MS)
#define DELAY_MS 5

static const struct place {
	const char *name;
	enum hart_stage last; /* that the hart has reached */
} places[] = {
	{"entry", HART_ENTRY},
	{"mmu", HART_MMU},
	{"traps", HART_TRAPS},
	{"sched", HART_TRAPS},
};

/* False: it is not to be tested here. */
static bool have_faults(void)
{
	if (!CONFIG_HART_FAULTS) {
		ktest_skip("faults are left out");
		return false;
	}
	if (online_count() < 2) {
		ktest_skip("one hart");
		return false;
	}
	return true;
}

static void set_fault(
	const struct hart_meta *h, const char *kind, const char *place, const char *more)
{
	char text[60];

	snprintf(text, sizeof(text), "hart%u:%s%s%s", h->index, kind, place, more);
	ktest_require(hart_fault_set(text) == 0, "%s", text);
}

static void none(void)
{
	ktest_check(hart_fault_set("") == 0);
}

static bool is_back(const struct hart_meta *h)
{
	return hart_state_of(h) == HART_ONLINE && sched_hart_accepts(h);
}

/* It is FAILED, was last seen there, and takes part in nothing. */
static void check_failed(struct hart_meta *h, const struct place *place)
{
	ktest_check(hart_state_of(h) == HART_FAILED, "%s", hart_state_name(hart_state_of(h)));
	ktest_check(hart_last_stage(h) == place->last, "%s: last seen: %s", place->name,
		hart_stage_name(hart_last_stage(h)));
	ktest_check(hart_stop(h, true) == -ENODEV && hart_suspend(h, true, true) == -ENODEV);
	check_is_out(h);
}

/* One hart after the other. */
static void everywhere(void (*fail_at)(struct hart_meta *h, const struct place *place))
{
	if (!have_faults())
		return;
	for (unsigned i = 0; i < ARRAY_SIZE(places) && !ktest_failed(); i++)
		fail_at(hart_in_circle(i), &places[i]);
	none();
}

static void die_at(struct hart_meta *h, const struct place *place)
{
	ktest_require(hart_stop(h, false) == 0);
	set_fault(h, "die@", place->name, "");
	/* It dies each time, and is not taken for one that went astray. */
	for (unsigned i = 0; i < 2; i++) {
		ktest_check(hart_start(h) == -EFAULT, "%s", place->name);
		check_failed(h, place);
		ktest_check(arch_hart_state(h->hartid) == ARCH_HSM_STOPPED && !hart_is_hung(h));
	}
	none();
	ktest_check(hart_start(h) == 0);
	check_takes_part(h);
}

KTEST(hart_fault, a_hart_that_dies_as_it_comes_is_given_up_and_can_be_started_again)
{
	everywhere(die_at);
}

static void be_late_at(struct hart_meta *h, const struct place *place)
{
	uint64_t patience;

	ktest_require(hart_stop(h, false) == 0);
	set_fault(h, "late@", place->name, "+3600000");
	patience = hart_set_patience(PATIENCE_NS);
	ktest_check(hart_start(h) == -ETIMEDOUT, "%s", place->name);
	hart_set_patience(patience);
	/* It gets there, however long the machine takes for that. */
	ktest_check(ktest_eventually(hart_last_stage(h) == place->last));
	check_failed(h, place);
	ktest_check(hart_is_hung(h) && hart_start(h) == -EBUSY && hart_resume(h) == -EINVAL);
	none();
	ktest_check(ktest_eventually(is_back(h)), "%s", hart_state_name(hart_state_of(h)));
	bringup_complete();
	check_takes_part(h);
}

KTEST(hart_fault, a_hart_that_is_late_is_given_up_and_taken_in_as_it_comes)
{
	everywhere(be_late_at);
}

static void take_time_at(struct hart_meta *h, const struct place *place)
{
	ktest_require(hart_stop(h, false) == 0);
	set_fault(h, "late@", place->name, "+" STRINGIFY(DELAY_MS));
	ktest_check(hart_start(h) == 0, "%s", place->name);
	ktest_check(ticks_to_ns(h->arrived - h->start_called) >= DELAY_MS * NS_PER_MS, "%s: %llu",
		place->name, (unsigned long long)(h->arrived - h->start_called));
	check_takes_part(h);
}

KTEST(hart_fault, a_hart_that_takes_its_time_is_waited_for)
{
	everywhere(take_time_at);
}

KTEST(hart_fault, a_hart_that_is_started_twice_and_arrives_twice_counts_once)
{
	struct hart_meta *h;
	uint32_t starts;

	if (!have_faults())
		return;
	h = hart_in_circle(1);
	starts = h->stats.starts;
	ktest_require(hart_stop(h, false) == 0);
	set_fault(h, "twice", "", "");
	ktest_check(hart_start(h) == 0);
	check_takes_part(h);
	ktest_check(
		h->stats.starts == starts + 1, "%u starts", (unsigned)(h->stats.starts - starts));
	none();
}

KTEST(hart_fault, a_hart_whose_start_is_refused_stays_stopped)
{
	struct hart_meta *h;

	if (!have_faults())
		return;
	h = hart_in_circle(1);
	ktest_require(hart_stop(h, false) == 0);
	set_fault(h, "refuse", "", "");
	for (unsigned i = 0; i < 2; i++) {
		ktest_check(hart_start(h) == -EIO);
		ktest_check(
			hart_state_of(h) == HART_STOPPED, "%s", hart_state_name(hart_state_of(h)));
		check_is_out(h);
	}
	none();
	ktest_check(hart_start(h) == 0);
	check_takes_part(h);
}

static void stop_amid_call(struct hart_meta *h)
{
	ktest_require(hart_stop(h, false) == 0);
	/* Nothing was posted: the question can be answered with no. */
	ktest_check(!hart_fault_answered(h));
	ktest_check(hart_start(h) == 0);
	set_fault(h, "stop@ipi", "", "");
	ktest_require(hart_stop(h, false) == 0);
	ktest_check(hart_fault_answered(h));
	check_is_out(h);
	ktest_check(hart_start(h) == 0);
	check_takes_part(h);
	none();
}

KTEST(hart_fault, a_hart_that_is_stopped_in_the_middle_of_a_call_answers_it_first)
{
	if (have_faults())
		each_hart(stop_amid_call);
}
