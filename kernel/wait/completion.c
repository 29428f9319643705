/* SPDX-License-Identifier: MIT */
/* The completion (completion.h): a count of ends that nobody has waited for yet. */
#include "kernel/wait/completion.h"

#include "lib/errno.h"

#define DONE_ALL UINT_MAX

static void end_one_wait(struct completion *c);

void completion_init(struct completion *c, struct lock_class *class) UNCHECKED_LOCKING
{
	/* Unchecked: nobody else knows it yet. */
	waitq_init(&c->wq, class);
	c->done = 0;
	c->by = 0;
}

void completion_expect(struct completion *c, const struct thread *t)
{
	waitq_lock(&c->wq);
	c->by = t->lock.handle;
	waitq_unlock(&c->wq);
}

void completion_reset(struct completion *c)
{
	waitq_lock(&c->wq);
	assert(!waitq_first(&c->wq));
	c->done = 0;
	waitq_unlock(&c->wq);
}

void complete(struct completion *c)
{
	event_signalled(c->wq.lock.class, true);
	end_one_wait(c);
}

void completion_look_again(struct completion *c)
{
	event_signalled(c->wq.lock.class, false);
	end_one_wait(c);
}

static void end_one_wait(struct completion *c)
{
	waitq_lock(&c->wq);
	if (!waitq_wake_locked(&c->wq, 1) && c->done != DONE_ALL) {
		LOCK_POINT(completion_nobody_waits);
		c->done++;
		assert(c->done != DONE_ALL);
	}
	waitq_unlock(&c->wq);
}

void complete_all(struct completion *c)
{
	event_signalled(c->wq.lock.class, true);
	waitq_lock(&c->wq);
	c->done = DONE_ALL;
	LOCK_POINT(completion_for_all);
	waitq_wake_locked(&c->wq, UINT_MAX);
	waitq_unlock(&c->wq);
}

static bool take(struct completion *c) REQUIRES(&c->wq)
{
	if (!c->done)
		return false;
	if (c->done != DONE_ALL)
		c->done--;
	return true;
}

void wait_for_completion(struct completion *c)
{
	wait_for_completion_limit(c, &WAIT_PLAIN);
}

int wait_for_completion_timeout(struct completion *c, uint64_t deadline_ns)
{
	return wait_for_completion_limit(c, &WAIT_UNTIL(deadline_ns));
}

int wait_for_completion_intr(struct completion *c)
{
	return wait_for_completion_limit(c, &WAIT_INTR);
}

int wait_for_completion_limit(struct completion *c, const struct wait_limit *limit)
{
	struct wait_entry e;
	int rc = 0;

	might_sleep();
	if (limit->deadline_ns == WAIT_FOREVER)
		event_awaited(c, c->wq.lock.class);
	waitq_begin(&c->wq, &e, true);
	e.who = c->by;
	if (!take(c)) {
		LOCK_EVENT(completion_wait, c, c->wq.lock.class);
		rc = waitq_sleep(&c->wq, &e, limit); /* 0: this one was ours */
	}
	waitq_end(&c->wq, &e);
	return rc;
}

bool completion_try(struct completion *c)
{
	bool got;

	waitq_lock(&c->wq);
	got = !LOCK_CHAOS(completion_try_fails) && take(c);
	waitq_unlock(&c->wq);
	return got;
}

bool completion_done(struct completion *c)
{
	bool done;

	waitq_lock(&c->wq);
	done = c->done;
	waitq_unlock(&c->wq);
	return done;
}
