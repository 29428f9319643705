/* SPDX-License-Identifier: MIT */
/* What tests of harts share: see on_hart.h. */
#include "tests/kernel/on_hart.h"

#include "kernel/sched/sched.h"
#include "kernel/task/thread.h"
#include "kernel/time/clock.h"

#define STEP_NS (NS_PER_MS / 4)
#define LAST_RESORT_STEPS (300 * NS_PER_SEC / STEP_NS)

struct thread *spawn_on(unsigned hart, const char *name, void (*fn)(void *arg), void *arg)
{
	struct thread *t = thread_create(name, fn, arg);
	struct hart_mask only;

	if (!t)
		return NULL;
	hart_mask_zero(&only);
	hart_mask_set(&only, hart);
	if (sched_set_affinity(t, &only)) {
		thread_discard(t);
		return NULL;
	}
	thread_run(t);
	return t;
}

void bind_to_first(void)
{
	struct hart_mask first;

	hart_mask_zero(&first);
	hart_mask_set(&first, online_hart(0)->index);
	sched_set_affinity(current_thread(), &first);
}

void unbind(void)
{
	struct hart_mask all;

	hart_mask_fill(&all, CONFIG_MAX_HARTS);
	sched_set_affinity(current_thread(), &all);
}

struct hart_meta *online_hart(unsigned n)
{
	for_each_hart(h)
		if (hart_is_online(h) && n-- == 0)
			return h;
	return NULL;
}

unsigned online_count(void)
{
	unsigned n = 0;

	for_each_hart(h)
		n += hart_is_online(h);
	return n;
}

bool wait_count(const atomic_u32 *counter, uint32_t want)
{
	uint32_t seen = atomic_load_u32(counter, acquire);
	uint64_t still = 0;

	while (seen < want && still < LAST_RESORT_STEPS) {
		uint32_t now;

		sched_sleep_ns(STEP_NS);
		now = atomic_load_u32(counter, acquire);
		still = now == seen ? still + 1 : 0;
		seen = now;
	}
	return seen >= want;
}
