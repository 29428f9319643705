/* SPDX-License-Identifier: MIT */
/*
 * frame_early: a task is published as runnable before its registers are saved.
 *
 * What is wrong
 *   A switch puts the task that it leaves back onto the run queue and then saves its registers. On
 *   one hart nobody can tell. On two, another hart takes the task from the queue between the two
 *   steps and resumes it from what was saved at the switch before: with registers of the past, on
 *   a stack that the first hart is still on.
 *
 * How it shows
 *   As anything: a function that returns twice, a loop that counts backwards, a stack that two
 *   harts write. The place where it breaks has nothing to do with the one that is wrong; and the
 *   more idle harts look for work, the more often.
 *
 * How it is found
 *   By the hunt. A task's registers are one number here that counts its switches. The second hart
 *   has to resume the task between the two steps of the first one; it then finds an old number:
 *
 *	hunt: program=gallery_frame_early ... verdict=wrong
 *
 *   Seeds to find: 1, with the image that this was written with; each is twelve schedules.
 *
 * The fix
 *   First leave, then publish: the task is put on a queue only after the last access to its frame
 *   and its stack, by whoever runs next on the hart (sched_finish_switch), under the run queue's
 *   lock or with release order. It is the same for a dying task, whose stack is freed by the next
 *   one.
 */
#include "tests/gallery/gallery.h"

#define SWITCHES 3

static struct task {
	atomic_u32 saved;     /* the frame: number of the switch that saved it */
	atomic_bool runnable; /* release to publish, acquire to take */
} task;
/* Switches that were followed by a resume; release and acquire: each other's partner. */
static atomic_u32 resumed;
static bool is_fixed;

static void publish(void)
{
	atomic_store_bool(&task.runnable, true, release);
}

/* The n-th switch away from the task. */
static void switch_away(uint32_t n)
{
	hunt_step("is about to switch");
	if (!is_fixed)
		publish();
	hunt_step("is leaving");
	atomic_store_u32(&task.saved, n, relaxed);
	if (is_fixed)
		publish();
}

static void run_task(void)
{
	for (uint32_t n = 1; n <= SWITCHES; n++) {
		switch_away(n);
		toy_until("the task", atomic_load_u32(&resumed, acquire) == n);
	}
}

/* A hart that looks for work. */
static void resume_task(void)
{
	for (uint32_t n = 1; n <= SWITCHES; n++) {
		toy_until("work", atomic_xchg_bool(&task.runnable, false, acquire));
		hunt_check(atomic_load_u32(&task.saved, relaxed) == n,
			"resumed from the registers of the switch before");
		hunt_step("resumed the task");
		atomic_store_u32(&resumed, n, release);
	}
}

static void thread(unsigned me)
{
	if (me == 0)
		run_task();
	else
		resume_task();
}

static void reset(void)
{
	atomic_store_u32(&task.saved, 0, relaxed);
	atomic_store_bool(&task.runnable, false, relaxed);
	atomic_store_u32(&resumed, 0, relaxed);
}

GALLERY_HUNTED(frame_early, "runnable before its registers are saved", "wrong", reset, .threads = 2,
	.thread = thread);
