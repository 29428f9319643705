/* SPDX-License-Identifier: MIT */
/*
 * Stopping, starting, suspending and resuming harts while the system runs. The states are drawn in
 * kernel/hart/hart.h.
 *
 * hart_life (mutex, rank HART_LIFE)
 *   Protects: the set of harts that run: one thread at a time changes the state of any of them, but
 *             for STARTING or FAILED -> ONLINE, which the hart does itself as it joins.
 *   Taken by: threads that stop, start, suspend, resume, and the boot as it waits for late ones.
 *   Order:    after the shell's; held over grace periods and the end of work that runs, so neither
 *             work nor what waits for a grace period may take it.
 *
 * A hart leaves
 *
 *	by	step						undone by
 *	caller	1 STOPPING: it counts as gone for new work,	ONLINE; it may need a new
 *		  new routes, new affinities			work thread
 *		2 a grace period: who has looked at its state
 *		  before has acted on it; then nobody is
 *		  pinned to it, or that is forced
 *		3 its interrupts are routed to others, or	irq_enter_hart: they come back
 *		  polled for
 *		4 its work queue closes; what runs ends; the	work_hart_start
 *		  rest goes to another queue
 *		5 its run queue closes and is emptied: idle	sched_hart_accept
 *	itself	6 its mailbox closes, its timers go, it leaves	hart_open; the timers stay where
 *		  harts_online, the firmware takes it:		they are
 *		  kernel/hart/leave.c
 *	caller	7 its memory caches go back; STOPPED or SUSPENDED
 *
 * Up to 6 a step that fails is followed by the undoing of all before it. 7 cannot fail. A hart that
 * the firmware takes at 6, without saying so for long, is out of everything and cannot be called
 * back: it is FAILED, and keeps its caches. It can be started once the firmware has said so.
 *
 * Nothing is lost:
 *	threads		5: under the lock of the run queue they are in; sleepers are placed
 *			elsewhere when they wake up
 *	work		4: claimed items are linked into an open queue, or moved
 *	posts		stay on their mixed lock, which is no hart's; the rest of a queue that was
 *			left to the work thread is an item of work
 *	calls		6: a mailbox closes only when it is empty, and refuses afterwards
 *	timers		6: after the last handler that could start one there
 *	interrupts	3: pending ones are the controller's, and go with the route, or are polled
 *			for (kernel/irq/poll.c); claimed ones are completed where they were claimed
 *	pages		7
 *
 * A hart comes (kernel/hart/start.c, leave.c): it joins, its interrupts come back (irq_enter_hart),
 * it accepts threads, and those that are bound to it return; the caller opens its work queue last.
 */
#include "kernel/task/hart_life.h"

#include "kernel/hart/bringup.h"
#include "kernel/hart/leave.h"
#include "kernel/irq/irq.h"
#include "kernel/mm/page.h"
#include "kernel/mm/slab.h"
#include "kernel/sched/qs.h"
#include "kernel/sched/sched.h"
#include "kernel/task/bringup.h"
#include "kernel/task/thread.h"
#include "kernel/time/clock.h"
#include "kernel/wait/mutex.h"
#include "kernel/wait/work.h"
#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/printf.h"

/* Between two looks whether a hart has gone or come: some HSM calls and interrupts long. */
#define NAP_NS (100 * NS_PER_US)

DEFINE_LOCK_CLASS(hart_life_class, .name = "hart_life", .rank = RANK_HART_LIFE,
	.contexts = LOCK_IN_THREAD, .max_hold_us = 60000000,
	.protects = "the set of harts that run");
static struct mutex hart_life = MUTEX_INIT(&hart_life_class);

/* Bits of steps that are to fail once. */
static atomic_u32 failing;

static int leave(struct hart_meta *h, enum hart_leave_how how, bool force);

void hart_life_init(void)
{
	sched_set_idle_hook(hart_leave_if_asked);
}

bool hart_life_look(void)
{
	bool done;

	mutex_lock(&hart_life);
	done = hart_await_look();
	mutex_unlock(&hart_life);
	return done;
}

void hart_life_fail(enum hart_step step)
{
	if (step == HART_STEP_FIRMWARE)
		hart_leave_fail();
	else if (step == HART_STEP_START)
		hart_start_fail();
	else
		atomic_or_u32(&failing, 1u << step, relaxed);
}

static bool fails(enum hart_step step)
{
	return atomic_and_u32(&failing, ~(1u << step), relaxed) & 1u << step;
}

static enum hart_state state_of(const struct hart_meta *h)
{
	/* Acquire: what the hart stored before it joined. Partner: hart_join. */
	return atomic_load_u32(&h->state, acquire);
}

static void set_state(struct hart_meta *h, enum hart_state state)
{
	/* Release: what was done before it says so; readers that act on it look under a lock. */
	atomic_store_u32(&h->state, state, release);
}

/* ---- What may be asked of a hart ------------------------------------------------------------- */

/* One that is OFFLINE after the boot was left cold, or is due and not ready yet. */
static bool in_transit(const struct hart_meta *h, enum hart_state s)
{
	return s == HART_STARTING || s == HART_STOPPING || hart_is_due(h);
}

/* Whether a hart can leave: 0 or the error. */
static int may_leave(const struct hart_meta *h)
{
	enum hart_state s = state_of(h);

	if (in_transit(h, s))
		return -EBUSY;
	if (s == HART_FAILED)
		return -ENODEV;
	return s == HART_ONLINE ? 0 : -EALREADY;
}

/* Whether a hart that is where `from` says can come. */
static int may_come(const struct hart_meta *h, enum hart_state from)
{
	enum hart_state s = state_of(h);

	if (in_transit(h, s))
		return -EBUSY;
	if (s == HART_ONLINE)
		return -EALREADY;
	if (s == HART_FAILED && from == HART_STOPPED && (hart_leave_stuck(h) || hart_is_hung(h)))
		return -EBUSY;
	if ((s == HART_FAILED || s == HART_OFFLINE) && from == HART_STOPPED)
		return h->idle && h->arch.self ? 0 : -ENODEV;
	return s == from ? 0 : -EINVAL;
}

/* Some other hart that stays; NULL: there is none. */
static struct hart_meta *other_online(const struct hart_meta *not_this)
{
	for_each_hart(h)
		if (h != not_this && hart_is_online(h))
			return h;
	return NULL;
}

/* A hart that has joined accepts threads a moment later. */
static void wait_until_accepting(const struct hart_meta *h)
{
	while (!sched_hart_accepts(h))
		sched_sleep_ns(NAP_NS);
}

/* ---- Pinned threads -------------------------------------------------------------------------- */

static bool is_pinned(const struct hart_meta *h, const struct thread_info *t)
{
	if (t->is_idle || t->state == THREAD_DEAD || !hart_mask_test(&t->affinity, h->index))
		return false;
	for_each_hart(other)
		if (other != h && hart_is_online(other) &&
			hart_mask_test(&t->affinity, other->index))
			return false;
	return !work_is_thread_of(h, t->handle);
}

unsigned hart_pinned(const struct hart_meta *h, char *names, size_t size)
{
	struct thread_info t;
	unsigned cursor = 0, n = 0;
	size_t used = 0;

	if (size)
		names[0] = '\0';
	if (!other_online(h))
		return 0;
	while (thread_info_next(&cursor, &t)) {
		if (!is_pinned(h, &t))
			continue;
		if (used < size)
			used += (size_t)snprintf(
				names + used, size - used, "%s%s", n ? ", " : "", t.name);
		n++;
	}
	return n;
}

/* ---- Leaving --------------------------------------------------------------------------------- */

int hart_stop(struct hart_meta *h, bool force)
{
	int err = may_leave(h);

	if (err)
		return err;
	mutex_lock(&hart_life);
	err = leave(h, LEAVE_STOP, force);
	if (!err)
		h->stats.stops++;
	mutex_unlock(&hart_life);
	return err;
}

int hart_suspend(struct hart_meta *h, bool retentive, bool force)
{
	int err = may_leave(h);

	if (err)
		return err;
	mutex_lock(&hart_life);
	err = leave(h, retentive ? LEAVE_SUSPEND : LEAVE_SUSPEND_LOST, force);
	if (!err)
		h->stats.suspends++;
	mutex_unlock(&hart_life);
	return err;
}

/* Steps 1 and 2. */
static int announce(struct hart_meta *h, bool force)
{
	set_state(h, HART_STOPPING);
	qs_synchronize();
	return force || !hart_pinned(h, NULL, 0) ? 0 : -EPERM;
}

/* It stays. Its work thread may have died meanwhile, and was not replaced on a hart that goes. */
static void unannounce(struct hart_meta *h)
{
	set_state(h, HART_ONLINE);
	/* The state before the look for threads. Partner: work_thread_is_lost. */
	fence_full();
	bringup_look_again();
}

static int leave_irqs(struct hart_meta *h)
{
	if (fails(HART_STEP_IRQ))
		return -ENXIO;
	irq_leave_hart(h);
	return 0;
}

static int leave_work(struct hart_meta *h)
{
	return fails(HART_STEP_WORK) || work_hart_stop(h) ? -EAGAIN : 0;
}

static int leave_threads(struct hart_meta *h)
{
	return fails(HART_STEP_DRAIN) || sched_hart_drain(h) ? -EAGAIN : 0;
}

/* What the firmware says has a meaning of its own. */
static int refusal(int err)
{
	return err == -EINVAL || err == -EPERM || err == -EALREADY ? -EIO : err;
}

/* Step 6, which the hart undoes itself. -ETIMEDOUT: it is FAILED, and nothing is to be undone. */
static int leave_itself(struct hart_meta *h, enum hart_leave_how how, struct hart_meta *heir)
{
	uint64_t since = clock_now_ns();
	int answer;

	hart_leave_ask(h, how, heir);
	for (unsigned naps = 1; (answer = hart_leave_answer(h)) > 0; naps++) {
		if (hart_waited_long(since, naps) && hart_leave_give_up(h))
			return -ETIMEDOUT;
		sched_sleep_ns(NAP_NS);
	}
	return refusal(answer);
}

/* All of it; holds hart_life. */
static int leave(struct hart_meta *h, enum hart_leave_how how, bool force)
{
	struct hart_meta *heir = other_online(h);
	int err = may_leave(h);

	if (err)
		return err;
	if (!heir)
		return -EINVAL;
	wait_until_accepting(h);
	wait_until_accepting(heir);
	err = announce(h, force);
	if (err)
		goto undo_announce;
	err = leave_irqs(h);
	if (err)
		goto undo_announce;
	err = leave_work(h);
	if (err)
		goto undo_irqs;
	err = leave_threads(h);
	if (err)
		goto undo_work;
	err = leave_itself(h, how, heir);
	if (err == -ETIMEDOUT)
		return err;
	if (err)
		goto undo_threads;
	page_cache_drain(h->index);
	slab_drain_hart(h->index);
	set_state(h, how == LEAVE_STOP ? HART_STOPPED : HART_SUSPENDED);
	return 0;

undo_threads:
	/* It does so itself; this makes sure that it has. */
	wait_until_accepting(h);
undo_work:
	work_hart_start(h);
undo_irqs:
	irq_enter_hart(h);
undo_announce:
	unannounce(h);
	irq_spread(); /* only now it counts */
	return err;
}

/* ---- Coming ---------------------------------------------------------------------------------- */

/* `from`: where a hart is that `bring` brings up. */
static int come(struct hart_meta *h, enum hart_state from, int (*bring)(struct hart_meta *h))
{
	int err = may_come(h, from);

	if (err)
		return err;
	mutex_lock(&hart_life);
	err = may_come(h, from);
	if (!err)
		err = refusal(bring(h));
	if (!err) {
		hart_mask_atomic_clear(&sched_reserve, h->index);
		wait_until_accepting(h);
		bringup_complete_hart(h);
	}
	mutex_unlock(&hart_life);
	return err;
}

int hart_start(struct hart_meta *h)
{
	return come(h, HART_STOPPED, hart_bring_up);
}

int hart_resume(struct hart_meta *h)
{
	return come(h, HART_SUSPENDED, hart_call_back);
}
