/* SPDX-License-Identifier: MIT */
/*
 * fault=hartN:stop@ipi. The stop itself is one like any other (hart_life.c); that a call is posted
 * to the hart in its last moment is kernel/hart/fault.c.
 */
#include "kernel/task/hart_fault.h"

#include "kernel/hart/bringup.h"
#include "kernel/hart/fault.h"
#include "kernel/log.h"
#include "kernel/sched/sched.h"
#include "kernel/task/hart_life.h"
#include "kernel/task/thread.h"
#include "kernel/time/clock.h"

#define LOOK_NS (10 * NS_PER_MS)

static bool is_coming(const struct hart_meta *h)
{
	return atomic_load_u32(&h->state, relaxed) == HART_STARTING || hart_is_due(h);
}

static void stop_amid_ipi(struct hart_meta *h)
{
	int err;

	while (is_coming(h))
		sched_sleep_ns(LOOK_NS);
	err = hart_stop(h, true);
	if (err)
		log_warn("hart %u: is not stopped in the middle of an IPI to it (error %d)",
			h->index, err);
	else if (hart_fault_answered(h))
		log_warn("hart %u: was stopped in the middle of an IPI to it, last seen: %s: it "
			 "answered that first",
			h->index, hart_stage_name(hart_last_stage(h)));
	else
		log_error("hart %u: was stopped in the middle of an IPI to it, last seen: %s: that "
			  "is lost",
			h->index, hart_stage_name(hart_last_stage(h)));
}

static void stop_thread(void *arg unused_arg)
{
	for_each_hart(h)
		if (hart_fault_stops(h))
			stop_amid_ipi(h);
}

void hart_fault_stop_them(void)
{
	struct thread *t;
	bool any = false;

	for_each_hart(h)
		any |= hart_fault_stops(h);
	if (!any)
		return;
	t = thread_spawn("fault", stop_thread, NULL);
	if (t)
		thread_detach(t);
	else
		log_error("fault=: no memory for the thread that stops harts");
}
