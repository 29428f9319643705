/* SPDX-License-Identifier: MIT */
/*
 * Cycles of churn (churn.h): one change of a hart after the other, by several threads.
 *
 * What may be answered to a change, as others ask as well: it is the last hart, it is on its way,
 * it is there already, a thread has just bound itself to it. A start or a stop that takes longer
 * than the kernel has patience for (-ETIMEDOUT: the firmware is slow where the host is busy) is no
 * loss: the hart joins when it comes, or can be started once it has stopped. Anything else is a
 * finding.
 */
#include "tests/torture/churn.h"

#include "kernel/sched/sched.h"
#include "kernel/task/hart_life.h"
#include "kernel/time/clock.h"
#include "lib/errno.h"

#define PAUSE_NS (200 * NS_PER_US)
#define LOOK_NS NS_PER_MS
/* Cycles before a twin strikes. */
#define TWIN_CYCLES 4u
/* With so many cycles for each hart it has left in every way, or cannot: that chance passes by a
 * way that is one in four is 1 in 10^12. */
#define CYCLES_FOR_ALL 100u

static enum hart_state state_of(const struct hart_meta *h)
{
	return atomic_load_u32(&h->state, acquire);
}

/* What the twin's hart_stop does wrong, from one of its first cycles on, once. */
static void leave_behind(void)
{
	const struct churn_twin *twin = churn.twin;
	uint32_t not_yet = STRIKE_NOT_YET;

	if (!twin || atomic_load_u32(&churn.cycles, relaxed) < TWIN_CYCLES ||
		!atomic_cas_u32(&churn.strike, &not_yet, STRIKE_NEXT, acq_rel))
		return;
	if (twin->twice || (twin->ledger != LEDGER_TIMERS && twin->ledger != LEDGER_WORK))
		return;
	/* No token may be there at this moment. */
	atomic_store_u32(
		&churn.strike, churn_tokens_strike() ? STRIKE_DONE : STRIKE_NOT_YET, release);
}

static void note_refusal(const struct hart_meta *h, const char *what, int err)
{
	if (err == -ETIMEDOUT) {
		/* It is FAILED, and is waited for, or brought back, at the end. */
		atomic_add_u32(&churn.late, 1, relaxed);
		return;
	}
	churn_check(err == -EINVAL || err == -EPERM || err == -EALREADY || err == -EBUSY ||
			err == -EAGAIN,
		"hart %u, %s: error %d", h->index, what, err);
	atomic_add_u32(&churn.refused, 1, relaxed);
}

static void take_away(struct hart_meta *h, struct rng *rng)
{
	bool retentive = rng_one_in(rng, 2), force = rng_one_in(rng, 2);
	enum churn_way way = rng_one_in(rng, 2) ? WAY_STOP : retentive ? WAY_RETENTIVE : WAY_LOSSY;
	int err = way == WAY_STOP ? hart_stop(h, force) : hart_suspend(h, retentive, force);

	if (err) {
		note_refusal(h, way == WAY_STOP ? "stop" : "suspend", err);
		return;
	}
	atomic_add_u32(&churn.leaves[h->index][way], 1, relaxed);
	churn_issue(LEDGER_HARTS, 1);
	leave_behind();
}

static void bring_back(struct hart_meta *h, enum hart_state from)
{
	int err = from == HART_SUSPENDED ? hart_resume(h) : hart_start(h);

	/* Late, it joins when it comes. One that was late has been counted. */
	if (from != HART_FAILED && (!err || err == -ETIMEDOUT))
		churn_done(LEDGER_HARTS, 1);
	if (err) {
		note_refusal(h, from == HART_SUSPENDED ? "resume" : "start", err);
		return;
	}
	atomic_add_u32(&churn.cycles, 1, relaxed);
}

void churn_change(struct rng *rng)
{
	struct hart_meta *h = churn_some_hart(rng);
	enum hart_state state = state_of(h);

	if (state == HART_ONLINE)
		take_away(h, rng);
	else if (state == HART_STOPPED || state == HART_SUSPENDED)
		bring_back(h, state);
	if (rng_one_in(rng, 4))
		sched_sleep_ns(rng_below(rng, PAUSE_NS));
}

/* ---- The end --------------------------------------------------------------------------------- */

/* It was late as it left, and the firmware has it by now. */
static bool has_left(const struct hart_meta *h, enum hart_state state)
{
	int hsm = arch_hart_state(h->hartid);

	return state == HART_FAILED && (hsm == ARCH_HSM_STOPPED || hsm == ARCH_HSM_SUSPENDED);
}

/* FAILED: it was late, and joins by itself, or has left. */
void churn_bring_all_back(void)
{
	unsigned hart;

	for_each_hart_in_mask(hart, &churn.harts) {
		enum hart_state state;

		while ((state = state_of(harts[hart])) != HART_ONLINE) {
			if (state == HART_STOPPED || state == HART_SUSPENDED ||
				has_left(harts[hart], state))
				bring_back(harts[hart], state);
			sched_sleep_ns(LOOK_NS);
		}
	}
}

void churn_lose_hart(void)
{
	unsigned hart;

	for_each_hart_in_mask(hart, &churn.harts) {
		if (!churn_strikes(LEDGER_HARTS, false))
			return;
		if (hart_stop(harts[hart], true) == 0)
			churn_issue(LEDGER_HARTS, 1);
	}
}

static unsigned leaves_of(unsigned hart, enum churn_way way)
{
	return atomic_load_u32(&churn.leaves[hart][way], relaxed);
}

unsigned churn_leaves(enum churn_way way)
{
	unsigned hart, n = 0;

	for_each_hart_in_mask(hart, &churn.harts)
		n += leaves_of(hart, way);
	return n;
}

unsigned churn_least_leaves(void)
{
	unsigned hart, least = UINT_MAX;

	for_each_hart_in_mask(hart, &churn.harts)
		for (unsigned way = 0; way < CHURN_WAYS; way++)
			least = MIN(least, leaves_of(hart, way));
	return least;
}

void churn_check_load(void)
{
	if (churn.twin || atomic_load_u32(&churn.cycles, relaxed) < CYCLES_FOR_ALL * churn.nr_harts)
		return;
	churn_check(churn_least_leaves() > 0, "some hart never left in some way");
	/* A timer that nobody takes along is lost; one that moves fires elsewhere. */
	churn_check(atomic_load_u32(&churn.moved, relaxed) > 0,
		"no timer ever moved with a hart that left");
	churn_check(atomic_load_u32(&churn.tortured, relaxed) > 0, "no lock was tortured");
	churn_check(atomic_load_u32(&churn.commands, relaxed) > 0, "no command has run");
	for (unsigned i = 0; i < LEDGER_MEMORY; i++)
		churn_check(churn_issued(i) > 0 || (i == LEDGER_INTERRUPTS && !churn.external),
			"nothing has happened in ledger %u", i);
}
