/* SPDX-License-Identifier: MIT */
/*
 * The mixed lock (mixlock.h).
 *
 * No post is lost: it is appended under pi.wq.lock to a lock that is owned, with QUEUED set in the
 * word; an owner that gives the lock up with QUEUED set comes here, and gives it up, under the same
 * pi.wq.lock, only to nobody with the queue empty, or to somebody together with the queue.
 *
 * Exactly once: `queued` is claimed by the poster's exchange and cleared by the runner's, which
 * comes after the item left the queue and before its function begins. The exchanges also order what
 * was stored before a post, successful or not, before the run that is due.
 *
 * While an item runs the lock has its owner by the word: the poster or holder, a thread or a
 * handler (PILOCK_HANDLER).
 *
 * A queue that is left to the work thread: the lock is nobody's (PILOCK_PASSED) until that thread
 * comes to it, as it may be in the middle of other work, that wants this very lock or ends by a
 * fault. For posts and tries the lock is not free, so the order stays; a thread that locks it gets
 * it at once, and runs the queue as it unlocks it. The work thread then finds nothing to do.
 */
#include "kernel/wait/mixlock.h"

#include "kernel/lock/race.h"
#include "kernel/sched/qs.h"
#include "kernel/wait/pi.h"
#include "kernel/wait/pilock_fast.h"
#include "lib/errno.h"

#define HOLD (CHECK_THREAD | CHECK_MIXED | CHECK_WRITE)
#define CALLER ((uintptr_t)__builtin_return_address(0))

static_assert(
	offsetof(struct mixlock, pi) == 0, "records name the pilock by the mixlock's address");

static bool in_handler(void)
{
	/* Handlers run with interrupts off; with them on, the hart could change under our feet. */
	return !arch_irq_enabled() && lock_hart()->in_irq != IRQ_NONE;
}

static uint32_t handler_word(void)
{
	return PILOCK_HANDLER | (uint32_t)lock_hart()->index << 16;
}

static uint32_t my_word(void)
{
	return in_handler() ? handler_word() : lock_thread()->handle;
}

static unsigned my_bound(void)
{
	if (LOCK_CHAOS(mixlock_short_share))
		return 1;
	/* A thread with interrupts off keeps them waiting as much as a handler does. */
	return arch_irq_enabled() ? MIXLOCK_THREAD_MAX : MIXLOCK_HANDLER_MAX;
}

void mixlock_init(struct mixlock *m, struct lock_class *class) UNCHECKED_LOCKING
{
	/* Unchecked: nobody else knows it yet. */
	pilock_init(&m->pi, PILOCK_MIXLOCK, class);
	m->first = NULL;
	m->last = NULL;
	work_init(&m->drain, mixlock_drain);
}

void mixlock_destroy(struct mixlock *m)
{
	/* Posts whose run is still due: what was passed on runs here, what runs is waited for. */
	while (pilock_owner(&m->pi)) {
		mixlock_lock(m);
		mixlock_unlock(m);
	}
	if (work_cancel_sync(&m->drain))
		check_unpin(m);
	/* Whoever gave the lock up last is through with it. */
	waitq_lock(&m->pi.wq);
	assert(!atomic_load_u32(&m->pi.word, relaxed) && !guarded(&m->pi.wq.lock, m->first));
	waitq_unlock(&m->pi.wq);
}

void mixwork_init(struct mixwork *w, void (*fn)(struct mixwork *w))
{
	*w = (struct mixwork){.fn = fn};
}

/* ---- Posted work ---------------------------------------------------------------------------- */

/* Runs w, which is in no queue, under the lock. */
static void run(struct mixlock *m, struct mixwork *w)
{
	struct lock_thread *t = lock_thread();
	struct lock_class **to = in_handler() ? &lock_hart()->posted_to : &t->posted_to;
	struct lock_class *to_before = *to;
	void (*fn)(struct mixwork *w) = w->fn;
	bool before = t->posted_work;

	/* Relaxed: the owner changes this flag, or a dead one's heir before it became the owner. */
	w->cancelled = atomic_load_u32(&m->pi.word, relaxed) & PILOCK_ABANDONED;
	/* Acquire: sees what posters stored; release: they may use the item again. Partner: the
	 * exchange in mixlock_post. */
	atomic_xchg_u32(&w->queued, 0, acq_rel);
	LOCK_EVENT(mixlock_run, m, m->pi.class);
	racy_write(t->posted_work, true, "a handler leaves it to the thread as it was");
	racy_write(*to, m->pi.class, "as above");
	fn(w);
	racy_write(*to, to_before, "as above");
	racy_write(t->posted_work, before, "as above");
}

static struct mixwork *pop(struct mixlock *m) REQUIRES(&m->pi.wq)
{
	struct mixwork *w = guarded(&m->pi.wq.lock, m->first);

	if (w)
		m->first = w->next;
	return w;
}

static void append(struct mixlock *m, struct mixwork *w) REQUIRES(&m->pi.wq)
{
	w->next = NULL;
	if (guarded(&m->pi.wq.lock, m->first))
		m->last->next = w;
	else
		m->first = w;
	m->last = w;
	m->pi.posts_pending = true;
	LOCK_EVENT(mixlock_append, m, m->pi.class);
}

/* Nobody waits, and the caller has done its share: the rest is for the hart's work thread, or for a
 * thread that locks before that comes. */
static void pass_to_work_thread(struct mixlock *m) RELEASES(&m->pi.wq)
{
	struct thread *t = work_thread_here();
	bool mine;

	LOCK_POINT(mixlock_pass);
	pilock_set_owner_locked(&m->pi, NULL, PILOCK_PASSED);
	/* False if it died just now; its successor takes the work over. */
	if (t && !pi_attach(&m->pi, t))
		t = NULL;
	/* One stretch, so that the work goes to the queue of that thread. Claimed before the lock
	 * can be had by anybody: mixlock_destroy then waits for us. Not claimed: it is still due
	 * from last time, and sees what we stored. */
	irq_off();
	mine = work_claim(&m->drain);
	if (mine)
		check_pin(m, m->pi.class);
	qs_read_begin();
	waitq_unlock(&m->pi.wq);
	LOCK_POINT(mixlock_passed);
	if (mine)
		work_queue_claimed(&m->drain);
	pi_propagate(t);
	qs_read_end();
	irq_on();
}

/* With the rest of the queue. */
static void pass_on(struct mixlock *m) RELEASES(&m->pi.wq)
{
	struct wait_entry *first = waitq_first(&m->pi.wq);

	if (!first) {
		pass_to_work_thread(m);
		return;
	}
	LOCK_POINT(mixlock_pass_to_waiter);
	pilock_grant_locked(&m->pi, first);
	waitq_unlock(&m->pi.wq);
}

/* Runs at most *bound of what is posted; wq.lock held before and after, not in between. */
static void run_posts(struct mixlock *m, unsigned *bound) REQUIRES(&m->pi.wq)
{
	struct mixwork *w;

	for (; *bound > 0 && (w = pop(m)); --*bound) {
		waitq_unlock(&m->pi.wq);
		run(m, w);
		waitq_lock(&m->pi.wq);
	}
}

/* The caller owns the lock: runs at most `bound` of what is posted, gives the lock up or passes it
 * on. As with every pilock, nothing of it is touched once somebody else can have it. */
static void release_posts(struct mixlock *m, unsigned bound, uintptr_t pc)
{
	uint32_t mine = my_word();
	bool passed;

	LOCK_EVENT_AT(mixlock_unlock, m, m->pi.class, pc);
	for (;;) {
		waitq_lock(&m->pi.wq);
		run_posts(m, &bound);
		check_release(m, m->pi.class, HOLD, pc);
		if (m->first) {
			pass_on(m);
			return;
		}
		m->pi.posts_pending = false;
		passed = pilock_pass_or_clear(&m->pi);
		waitq_unlock(&m->pi.wq);
		if (passed || pilock_give_up(&m->pi, mine))
			return;
		check_acquired(m, m->pi.class, HOLD | CHECK_TRY, pc);
	}
}

/* True: the lock was free and is the caller's. False: w is queued. *changed: for pi_propagate. */
static bool take_or_append(struct mixlock *m, struct mixwork *w, struct thread **changed)
	REQUIRES(&m->pi.wq)
{
	bool dead;

	for (;;) {
		if (pilock_take_locked(&m->pi, my_word(), true))
			return true;
		if (!pilock_mark_queued(&m->pi))
			continue;
		append(m, w);
		*changed = pilock_inherit_locked(&m->pi, &dead);
		if (!dead)
			return false;
		LOCK_POINT(mixlock_owner_died);
		/* The owner's end was not known here, so nothing was queued before w. */
		pop(m);
		m->pi.posts_pending = false;
	}
}

bool mixlock_post(struct mixlock *m, struct mixwork *w)
{
	struct lock_class *class = m->pi.class;
	struct thread *changed = NULL;
	bool mine;

	if (!check_acquire(m, class, HOLD | CHECK_TRY, CALLER))
		return false;
	/* From here on: a poster that claimed w and was preempted would keep others' posts of it
	 * from running. */
	qs_read_begin();
	/* Release: the run that is due sees what we stored before; partner: run(). */
	LOCK_POINT(mixlock_post);
	if (atomic_xchg_u32(&w->queued, 1, acq_rel)) {
		LOCK_POINT(mixlock_post_again);
		qs_read_end();
		return false;
	}
	waitq_lock(&m->pi.wq);
	mine = take_or_append(m, w, &changed);
	waitq_unlock(&m->pi.wq);
	pi_propagate(changed);
	qs_read_end();
	if (!mine)
		return true;
	pilock_count(&m->pi);
	check_acquired(m, class, HOLD | CHECK_TRY, CALLER);
	LOCK_EVENT(mixlock_post_takes, m, class);
	run(m, w);
	release_posts(m, my_bound(), CALLER);
	return true;
}

/* The work thread's part, of a lock that was passed on with its queue, if nobody came before. */
void mixlock_drain(struct work *work)
{
	struct mixlock *m = container_of(work, struct mixlock, drain);
	struct thread *changed = NULL;
	bool mine;

	qs_read_begin();
	waitq_lock(&m->pi.wq);
	mine = pilock_take_passed(&m->pi, &changed);
	waitq_unlock(&m->pi.wq);
	check_unpin(m); /* not mine: it is not touched any more */
	pi_propagate(changed);
	qs_read_end();
	if (!mine)
		return;
	LOCK_EVENT(mixlock_drain, m, m->pi.class);
	check_acquired(m, m->pi.class, HOLD | CHECK_TRY, CALLER);
	release_posts(m, MIXLOCK_THREAD_MAX, CALLER);
}

void mixlock_release_dead(struct mixlock *m)
{
	check_acquired(m, m->pi.class, HOLD | CHECK_TRY, CALLER);
	release_posts(m, MIXLOCK_THREAD_MAX, CALLER);
}

/* ---- The lock ------------------------------------------------------------------------------- */

static int acquire(struct mixlock *m, const struct wait_limit *limit, uintptr_t pc)
{
	struct lock_class *class = m->pi.class;
	int rc = 0;

	if (!check_acquire(m, class, HOLD, pc))
		return -EDEADLK;
	LOCK_POINT(mixlock_lock);
	if (LOCK_CHAOS(mixlock_slow_way) || !pilock_try_fast(&m->pi))
		rc = pilock_lock_slow(&m->pi, limit);
	if (rc && rc != -EOWNERDEAD)
		return rc;
	pilock_count(&m->pi);
	check_acquired(m, class, HOLD, pc);
	LOCK_EVENT_AT(mixlock_locked, m, class, pc);
	return rc;
}

static __attribute__((noinline)) int acquire_plain(
	struct mixlock *m, const struct wait_limit *limit, uintptr_t pc)
{
	int rc = acquire(m, limit, pc);

	if (rc != -EOWNERDEAD)
		return rc;
	pilock_not_robust(&m->pi);
	return 0;
}

/* Unchecked, here and below: the pilock inside is the lock, which clang cannot know. */
void mixlock_lock_slow(struct mixlock *m) UNCHECKED_LOCKING
{
	if (!pilock_acquire_plain(&m->pi, HOLD, CALLER))
		acquire_plain(m, &WAIT_PLAIN, CALLER);
}

int mixlock_lock_limit(struct mixlock *m, const struct wait_limit *limit) UNCHECKED_LOCKING
{
	return acquire_plain(m, limit, CALLER);
}

int mixlock_lock_robust(struct mixlock *m) UNCHECKED_LOCKING
{
	return acquire(m, &WAIT_PLAIN, CALLER);
}

bool mixlock_try(struct mixlock *m) UNCHECKED_LOCKING
{
	struct lock_class *class = m->pi.class;
	uint32_t free = 0;

	if (!check_acquire(m, class, HOLD | CHECK_TRY, CALLER))
		return false;
	/* Acquire; partner: the release of the unlock before. */
	if (LOCK_CHAOS(mixlock_try_fails) ||
		!atomic_cas_u32(&m->pi.word, &free, my_word(), acquire)) {
		LOCK_POINT(mixlock_try_failed);
		return false;
	}
	pilock_count(&m->pi);
	check_acquired(m, class, HOLD | CHECK_TRY, CALLER);
	LOCK_EVENT(mixlock_tried, m, class);
	return true;
}

static __attribute__((noinline)) void unlock_checked(struct mixlock *m, uintptr_t pc)
{
	uint32_t mine = my_word();

	if (pilock_owner(&m->pi) != mine) {
		check_thread_release(m, m->pi.class, HOLD, pc);
		assert(CONFIG_LOCKCHECK); /* and a test expected the report */
		return;
	}
	/* Nobody is behind it: off the record before the lock can be had. Relaxed: only the word.
	 */
	if (!CONFIG_LOCKPOINTS && atomic_load_u32(&m->pi.word, relaxed) == mine) {
		if (!check_thread_release(m, m->pi.class, HOLD, pc))
			return;
		if (pilock_give_up(&m->pi, mine))
			return;
		check_acquired(m, m->pi.class, HOLD | CHECK_TRY, pc);
	}
	release_posts(m, my_bound(), pc);
}

/* The lock is off its owner's record, and somebody has queued behind it. */
static __attribute__((noinline)) void unlock_queued(struct mixlock *m, uintptr_t pc)
{
	check_acquired(m, m->pi.class, HOLD | CHECK_TRY, pc);
	release_posts(m, my_bound(), pc);
}

void mixlock_unlock_slow(struct mixlock *m) UNCHECKED_LOCKING
{
	struct lock_thread *t = lock_thread();

	/* The same, where that needs no call. */
	if (!PILOCK_HAS_PLAIN_WAY || atomic_load_u32(&m->pi.word, relaxed) != t->handle ||
		!check_thread_release_plain(t, m, m->pi.class, HOLD))
		unlock_checked(m, CALLER);
	else if (!pilock_give_up(&m->pi, t->handle))
		unlock_queued(m, CALLER);
}

void mixlock_recover(struct mixlock *m)
{
	pilock_recover(&m->pi);
}

bool mixlock_held_by_me(const struct mixlock *m)
{
	return pilock_owner(&m->pi) == my_word();
}
