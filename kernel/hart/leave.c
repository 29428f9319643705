/* SPDX-License-Identifier: MIT */
/*
 * How a hart leaves: the last steps, on the hart itself, in its idle thread.
 *
 * By then it has no threads and gets none, its work queue is closed, no device interrupt is routed
 * to it (kernel/task/hart_life.c). What is left is what only the hart can do, with SIE off from the
 * first step to the last:
 *
 *   1 the mailbox   closed by compare-and-swap from empty. If a call is in it the hart goes back to
 *                   idling: the call's interrupt is pending, its handler runs it, and the next look
 *                   comes here again.
 *   2 the timers    the heir takes them, in its software interrupt, by a call that this hart posts
 *                   and waits for: after the calls, which may start timers. Whoever serves the
 *                   heir's own requests need not be this hart, whose mailbox is closed.
 *   3 the masks     the bit of harts_online goes by an AMO with release: all read sections of this
 *                   hart are over (kernel/sched/qs.c).
 *   4 the firmware  HART_GONE, then the HSM call (SBI 1.0 sections 9.2 and 9.4).
 *
 * From 1 on the hart counts as having flushed its TLB, so it uses nothing that others may unmap:
 * only the kernel's image, hart_metas, its own idle stack and devices' registers, which stay for
 * ever. It flushes when it opens its mailbox again (hart_open).
 *
 * If the firmware refuses, the hart opens and joins again, timers stay with the heir, and it
 * answers HART_BACK.
 *
 * A suspended hart takes software interrupts only (sie), so what wakes it is one of those, or
 * nothing at all. It comes back if hart_leave.resume is set, else it counts and suspends again.
 * `resume` is stored before the interrupt is sent, and looked at after the pending bit is cleared;
 * one that comes after the look ends the suspension at once. With its registers lost it comes in at
 * the hart entry, like one that starts, and finds the same question there (hart_stay_suspended).
 *
 * The one who asks stores `how` last (release); the hart stores `where` last (release).
 */
#include "kernel/hart/leave.h"

#include "kernel/hart/bringup.h"
#include "kernel/hart/call.h"
#include "kernel/irq/irq.h"
#include "kernel/lock/relax.h"
#include "kernel/time/timer.h"
#include "lib/assert.h"
#include "lib/errno.h"

static atomic_bool fails;

void hart_leave_fail(void)
{
	atomic_store_bool(&fails, true, relaxed);
}

void hart_leave_ask(struct hart_meta *h, enum hart_leave_how how, struct hart_meta *heir)
{
	assert(how != LEAVE_NOT && heir != h);
	h->leave.heir = heir;
	h->leave.err = 0;
	atomic_store_u32(&h->leave.resume, 0, relaxed);
	atomic_store_u32(&h->leave.wakes, 0, relaxed);
	atomic_store_u32(&h->leave.where, HART_HERE, relaxed);
	/* Release: the fields above. Partner: hart_leave_if_asked. */
	atomic_store_u32(&h->leave.how, how, release);
	hart_resched(h);
}

int hart_leave_answer(const struct hart_meta *h)
{
	/* Acquire: all that the hart did. Partner: leave, come_back. */
	uint32_t where = atomic_load_u32(&h->leave.where, acquire);
	int hsm;

	if (where == HART_BACK)
		return h->leave.err;
	if (where == HART_HERE)
		return 1;
	hsm = arch_hart_state(h->hartid);
	if (atomic_load_u32(&h->leave.how, relaxed) == LEAVE_STOP)
		return hsm != ARCH_HSM_STOPPED;
	/* Woken and suspended again counts as suspended. */
	return hsm != ARCH_HSM_SUSPENDED && !atomic_load_u32(&h->leave.wakes, relaxed);
}

static void take_timers(void *from)
{
	timer_migrate(from);
}

static void give_timers_away(struct hart_meta *h)
{
	struct relax wait = RELAX_INIT;
	struct hart_call call;
	int err;

	hart_call_init(&call, take_timers, h);
	err = hart_call_post(h->leave.heir, &call);
	assert(!err);
	while (!hart_call_done(&call)) {
		/* The heir may have been stopped for good by a panic. */
		hart_obey_stop();
		relax_step(&wait);
	}
}

/* Suspends until it may come back (0), or the firmware refuses. */
static int stay_suspended(struct hart_meta *h, bool retentive)
{
	for (;;) {
		int err;

		arch_ipi_clear();
		/* Acquire: after the clearing; and what the one who lets it come has stored. */
		if (atomic_load_u32(&h->leave.resume, acquire))
			return 0;
		err = arch_hart_suspend(retentive);
		if (err)
			return err;
		if (!atomic_load_u32(&h->leave.resume, acquire))
			atomic_add_u32(&h->leave.wakes, 1, relaxed);
	}
}

/* Returns only if it is to come back: 0, or the firmware's refusal. */
static int go(struct hart_meta *h, enum hart_leave_how how)
{
	if (atomic_load_bool(&fails, relaxed)) {
		atomic_store_bool(&fails, false, relaxed);
		return -EIO;
	}
	return how == LEAVE_STOP ? arch_hart_stop() : stay_suspended(h, how == LEAVE_SUSPEND);
}

/* The firmware did not take it. */
static void stay_after_all(struct hart_meta *h, int err)
{
	atomic_store_u32(&h->leave.how, LEAVE_NOT, relaxed);
	hart_open(h);
	h->leave.err = err;
	/* Release: it takes part again. Partner: hart_leave_answer. */
	atomic_store_u32(&h->leave.where, HART_BACK, release);
}

bool hart_leave_if_asked(struct hart_meta *h)
{
	/* Acquire: what is asked for. Partner: hart_leave_ask. */
	enum hart_leave_how how = atomic_load_u32(&h->leave.how, acquire);
	int err;

	if (likely(how == LEAVE_NOT) || !hart_mailbox_close(h))
		return false;
	assert(!h->lock.irq_depth && !h->lock.in_irq && !h->lock.posted_to);
	give_timers_away(h);
	/* Release: see 3. Partner: grace_period. */
	hart_mask_atomic_clear(&harts_online, h->index);
	/* Release: what was done up to here. Partner: hart_leave_answer. */
	atomic_store_u32(&h->leave.where, HART_GONE, release);
	err = go(h, how);
	if (err) {
		stay_after_all(h, err);
	} else {
		hart_join(h);
		irq_enter_hart(h);
	}
	return true;
}

void hart_stay_suspended(struct hart_meta *h)
{
	if (atomic_load_u32(&h->leave.how, relaxed) != LEAVE_SUSPEND_LOST)
		return;
	if (!atomic_load_u32(&h->leave.resume, acquire))
		atomic_add_u32(&h->leave.wakes, 1, relaxed);
	while (stay_suspended(h, false)) {
		/* It was taken once and is refused now: sleeps on its own. */
		arch_ipi_clear();
		if (!atomic_load_u32(&h->leave.resume, acquire))
			arch_wait_ipi(false);
	}
}
