/* SPDX-License-Identifier: MIT */
/*
 * mutex_in_handler: an interrupt handler takes a lock of threads.
 *
 * What is wrong
 *   A device's request table is guarded by a mutex, since its threads hold it for long. Its
 *   handler finishes requests, so it takes the mutex as well. A handler has no thread to put to
 *   sleep: if the mutex is taken it puts the thread to sleep that it happened to interrupt, in the
 *   middle of whatever that was doing, or spins for one that cannot run. And the mutex's owner
 *   would be that thread, which knows nothing about it: it may take it again, or end with it.
 *
 * How it shows
 *   Mostly not at all, as the mutex is mostly free. Otherwise as a recursion in innocent code, as
 *   an owner that never took the lock, or as a hart that hangs in a handler.
 *
 * How it is found
 *   By the lock checker at the first call in a handler, contended or not, on one hart:
 *
 *	lockcheck: kind=context what=context class=gallery.handler.requests ...
 *
 *   The report's backtrace goes from the mutex through the handler into what was interrupted.
 *
 * The fix
 *   What threads hold for long and handlers need to touch is what mixed locks are for: a handler
 *   posts its work to the lock. It runs at once if nobody has it, and otherwise is run by the
 *   holder before the lock is free. Where a handler may as well do nothing it tries.
 */
#include "kernel/hart/call.h"
#include "kernel/wait/mixlock.h"
#include "kernel/wait/mutex.h"
#include "tests/gallery/gallery.h"

GALLERY_CLASS(requests_class, "handler.requests");
GALLERY_CLASS(mixed_class, "handler.mixed");

static struct mutex requests = MUTEX_INIT(&requests_class); /* Protects: nr_finished (buggy) */
static struct mixlock mixed = MIXLOCK_INIT(&mixed_class);   /* Protects: nr_finished (fixed) */
static unsigned nr_finished;

static void finish_posted(struct mixwork *w)
{
	(void)w;
	nr_finished++;
}
static struct mixwork finish_work = MIXWORK_INIT(finish_posted);

/* In a handler. Unchecked: a report that is only counted refuses the mutex. */
static void request_is_done(void *arg) UNCHECKED_LOCKING
{
	const bool *fixed = arg;

	if (*fixed) {
		mixlock_post(&mixed, &finish_work);
		return;
	}
	mutex_lock(&requests);
	if (!mutex_held_by_me(&requests))
		return;
	nr_finished++;
	mutex_unlock(&requests);
}

GALLERY_CHECKED(mutex_in_handler, "a handler takes a lock of threads", KIND_CONTEXT, "context", 1)
{
	unsigned before = nr_finished;

	hart_call(this_hart_unstable(), request_is_done, &fixed);
	if (fixed && nr_finished != before + 1)
		gallery_fail("the posted work did not run once");
}
