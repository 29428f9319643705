/* SPDX-License-Identifier: MIT */
/*
 * How far a hart has come since it was started, for reports: each stage is the time of it, stored
 * by the hart itself in boot.S, in the scheduler, and cleared by whoever starts it anew. Whoever
 * looks may see a stage before or after one that is just being stored; no decision rests on it.
 */
#include "kernel/hart/hart.h"
#include "kernel/lock/race.h"

uint64_t hart_boot_went_on;

const char *hart_stage_name(enum hart_stage stage)
{
	static const char *const names[] = {
		[HART_CALLED] = "call",
		[HART_ENTRY] = "entry",
		[HART_MMU] = "mmu",
		[HART_TRAPS] = "traps",
		[HART_SCHED] = "sched",
		[HART_THREAD] = "thread",
	};

	return (unsigned)stage < ARRAY_SIZE(names) ? names[stage] : "?";
}

uint64_t hart_stage_time(const struct hart_meta *h, enum hart_stage stage)
{
	switch (stage) {
	case HART_CALLED:
		return racy_read(h->start_called, "it may be started just now");
	case HART_ENTRY:
	case HART_MMU:
	case HART_TRAPS:
		return racy_read(
			h->arch.reached[ARCH_STAGE_ENTRY + stage - HART_ENTRY], "it may be coming");
	case HART_SCHED:
		return racy_read(h->sched_at, "as above");
	default:
		return racy_read(h->thread_at, "as above");
	}
}

enum hart_stage hart_last_stage(const struct hart_meta *h)
{
	enum hart_stage last = HART_CALLED;

	for (enum hart_stage s = HART_ENTRY; s < HART_STAGES; s++)
		if (hart_stage_time(h, s))
			last = s;
	return last;
}

void hart_stages_forget(struct hart_meta *h)
{
	for (unsigned i = 0; i < ARCH_STAGES; i++)
		h->arch.reached[i] = 0;
	h->sched_at = 0;
	h->thread_at = 0;
}
