/* SPDX-License-Identifier: MIT */
/*
 * join_under_lock: a thread's end is waited for with a mutex held that the thread takes.
 *
 * What is wrong
 *   A service is stopped under the mutex that guards its state, so that nobody starts it
 *   meanwhile: lock, tell the worker to end, join it, unlock. The worker takes the same mutex once
 *   in a while. If it does so after the stop has begun it waits for the stopper, who waits for it.
 *
 * How it shows
 *   A shutdown that hangs, one time in a few hundred: the worker must be on the wrong side of its
 *   mutex at that moment. The stopper's backtrace shows a join, the worker's a lock, and the
 *   lock's owner is asleep without waiting for any lock.
 *
 * How it is found
 *   By the lock checker: a thread, from its first function to its end, is a node of the graph, and
 *   joining it waits for the node. What the thread has asked for hangs on it: mutex -> thread ->
 *   mutex.
 *
 *	lockcheck: kind=order what=cycle ...
 *
 *   The entry lets the worker finish with the mutex before it joins, so nobody waits at all. All
 *   threads of one function are one node, so any earlier worker will do.
 *
 * The fix
 *   Say under the mutex that it is ending; unlock; join. Who would start the service meanwhile
 *   finds the state "ending" and waits for its end, or fails.
 */
#include "kernel/sched/sched.h"
#include "kernel/task/thread.h"
#include "kernel/wait/mutex.h"
#include "tests/gallery/gallery.h"

GALLERY_CLASS(service_class, "join.service");

static struct mutex service = MUTEX_INIT(&service_class); /* Protects: nr_served */
static unsigned nr_served GUARDED_BY(&service);
static atomic_bool served;

static void worker_serves(void)
{
	mutex_lock(&service);
	nr_served++;
	mutex_unlock(&service);
	atomic_store_bool(&served, true, release); /* partner: stop_service */
}

/* Two functions, as all threads of one are one node for the checker: what the fixed variant does
 * would otherwise be judged by what the other one did. */
static void buggy_worker(void *arg)
{
	(void)arg;
	worker_serves();
}

static void fixed_worker(void *arg)
{
	(void)arg;
	worker_serves();
}

static void stop_service(bool fixed)
{
	struct thread *worker;

	atomic_store_bool(&served, false, relaxed);
	worker = thread_spawn("service", fixed ? fixed_worker : buggy_worker, NULL);
	if (!worker) {
		gallery_fail("no memory for the thread");
		return;
	}
	while (!atomic_load_bool(&served, acquire))
		sched_yield();
	mutex_lock(&service);
	if (!fixed)
		thread_join(worker, NULL);
	mutex_unlock(&service);
	if (fixed)
		thread_join(worker, NULL);
}

GALLERY_CHECKED(
	join_under_lock, "joins a thread under the mutex that it takes", KIND_ORDER, "cycle", 1)
{
	stop_service(fixed);
}
