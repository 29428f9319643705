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
 *   2 the timers    the heir takes them, in its software interrupt, by calls that this hart posts
 *                   and waits for: after the calls, which may start timers. Each call takes a few,
 *                   so that many timers don't keep the heir's interrupts off; no new ones come.
 *                   Whoever serves the heir's own requests need not be this hart, whose mailbox is
 *                   closed.
 *   3 the masks     the bit of harts_online goes by an AMO with release: all read sections of this
 *                   hart are over (kernel/sched/qs.c).
 *   4 the firmware  HART_GONE, then the HSM call (SBI 1.0 sections 9.2 and 9.4).
 *
 * From 1 on the hart counts as having flushed its TLB, so it uses nothing that others may unmap:
 * only the kernel's image, hart_metas, its own idle stack and devices' registers, which stay for
 * ever. It flushes when it opens its mailbox again (hart_open).
 *
 * If the firmware refuses, the hart answers HART_BACK, opens and joins again; timers stay with the
 * heir.
 *
 * If the firmware takes it and never says that it has it, it is given up: GONE -> HART_LOST,
 * against GONE -> HART_BACK, both by compare-and-swap, so one of the two gives way. A hart that
 * finds itself given up and is in the kernel after all comes in as one that starts.
 *
 * A suspended hart takes software interrupts only (sie), so what wakes it is one of those, or
 * nothing at all. It comes back if hart_leave.resume is set, else it counts and suspends again; if
 * the firmware took it before and refuses now, it sleeps on its own.
 * `resume` is stored before the interrupt is sent, and looked at after the pending bit is cleared;
 * one that comes after the look ends the suspension at once. With its registers lost it comes in at
 * the hart entry, like one that starts, and finds the same question there (hart_stay_suspended).
 *
 * The one who asks stores `how` last (release); the hart stores `where` last (release), but for
 * HART_BACK, after which the one who asked waits until it takes threads.
 */
#include "kernel/hart/leave.h"

#include "kernel/hart/bringup.h"
#include "kernel/hart/call.h"
#include "kernel/hart/fault.h"
#include "kernel/irq/irq.h"
#include "kernel/lock/relax.h"
#include "kernel/time/timer.h"
#include "lib/assert.h"
#include "lib/errno.h"

static atomic_bool fails, held;

void hart_leave_fail(void)
{
	atomic_store_bool(&fails, true, relaxed);
}

void hart_leave_hold(bool on)
{
	atomic_store_bool(&held, on, relaxed);
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

/* The firmware says that it has it. */
static bool is_away(const struct hart_meta *h)
{
	int hsm = arch_hart_state(h->hartid);

	if (atomic_load_u32(&h->leave.how, relaxed) == LEAVE_STOP)
		return hsm == ARCH_HSM_STOPPED;
	/* Woken and suspended again counts as suspended. */
	return hsm == ARCH_HSM_SUSPENDED || atomic_load_u32(&h->leave.wakes, relaxed);
}

int hart_leave_answer(const struct hart_meta *h)
{
	/* Acquire: all that the hart did. Partners: hart_leave_if_asked, stay_after_all. */
	uint32_t where = atomic_load_u32(&h->leave.where, acquire);

	if (where == HART_BACK)
		return h->leave.err;
	return where == HART_HERE || !is_away(h);
}

bool hart_leave_give_up(struct hart_meta *h)
{
	uint32_t gone = HART_GONE;

	if (atomic_load_u32(&h->leave.where, relaxed) != HART_GONE)
		return false;
	h->failure = -ETIMEDOUT;
	/* Before the hart can see that it was given up: it joins as one that is FAILED. */
	atomic_store_u32(&h->state, HART_FAILED, relaxed);
	/* Release: FAILED. Partner: stay_after_all. */
	if (atomic_cas_u32(&h->leave.where, &gone, HART_LOST, release))
		return true;
	atomic_store_u32(&h->state, HART_STOPPING, relaxed);
	return false;
}

bool hart_leave_stuck(const struct hart_meta *h)
{
	return atomic_load_u32(&h->state, relaxed) == HART_FAILED &&
		atomic_load_u32(&h->leave.where, relaxed) == HART_LOST && !is_away(h);
}

struct portion {
	struct hart_meta *from;
	bool more; /* stored by the heir; it is read after the call is done */
};

static void take_timers(void *arg)
{
	struct portion *p = arg;

	p->more = timer_migrate(p->from);
}

static void give_timers_away(struct hart_meta *h)
{
	struct portion portion = {.from = h, .more = true};
	struct relax wait = RELAX_INIT;
	struct hart_call call;

	hart_call_init(&call, take_timers, &portion);
	while (portion.more) {
		int err = hart_call_post(h->leave.heir, &call);

		assert(!err);
		while (!hart_call_done(&call)) {
			/* The heir may have been stopped for good by a panic. */
			hart_obey_stop();
			relax_step(&wait);
		}
	}
}

/* Suspends it, or stops it: then it returns only if that failed. */
static int ask_firmware(enum hart_leave_how how)
{
	while (atomic_load_bool(&held, relaxed))
		relax();
	if (atomic_load_bool(&fails, relaxed)) {
		atomic_store_bool(&fails, false, relaxed);
		return -EIO;
	}
	return how == LEAVE_STOP ? arch_hart_stop() : arch_hart_suspend(how == LEAVE_SUSPEND);
}

/* Suspends until it may come back (0), or the firmware refuses. `again`: it took it before; then,
 * if it refuses, the hart sleeps on its own. */
static int stay_suspended(struct hart_meta *h, enum hart_leave_how how, bool again)
{
	for (;; again = true) {
		int err;

		arch_ipi_clear();
		/* Acquire: after the clearing; and what the one who lets it come has stored. */
		if (atomic_load_u32(&h->leave.resume, acquire))
			return 0;
		err = ask_firmware(how);
		if (err && !again)
			return err;
		if (err)
			arch_wait_ipi(false);
		if (!atomic_load_u32(&h->leave.resume, acquire))
			atomic_add_u32(&h->leave.wakes, 1, relaxed);
	}
}

/* The firmware did not take it. False: it has been given up meanwhile. */
static bool stay_after_all(struct hart_meta *h, int err)
{
	uint32_t gone = HART_GONE;

	h->leave.err = err;
	atomic_store_u32(&h->leave.how, LEAVE_NOT, relaxed);
	/* Release: the fields above. Partner: hart_leave_answer. Acquire: that it is FAILED.
	 * Partner: hart_leave_give_up. It opens behind that: once, whoever wins. */
	if (!atomic_cas_u32(&h->leave.where, &gone, HART_BACK, acq_rel))
		return false;
	hart_open(h);
	return true;
}

bool hart_leave_if_asked(struct hart_meta *h)
{
	/* Acquire: what is asked for. Partner: hart_leave_ask. */
	enum hart_leave_how how = atomic_load_u32(&h->leave.how, acquire);
	int err;

	if (likely(how == LEAVE_NOT))
		return false;
	if (CONFIG_HART_FAULT_STOP)
		hart_fault_brink(h);
	if (!hart_mailbox_close(h))
		return false;
	assert(!h->lock.irq_depth && !h->lock.in_irq && !h->lock.posted_to);
	give_timers_away(h);
	/* Release: see 3. Partner: grace_period. */
	hart_mask_atomic_clear(&harts_online, h->index);
	/* Release: what was done up to here. Partner: hart_leave_answer. */
	atomic_store_u32(&h->leave.where, HART_GONE, release);
	/* Returns if it is to come back: 0, or the firmware's refusal. */
	err = how == LEAVE_STOP ? ask_firmware(how) : stay_suspended(h, how, false);
	if (!err || !stay_after_all(h, err)) {
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
	stay_suspended(h, LEAVE_SUSPEND_LOST, true);
}
