/* SPDX-License-Identifier: MIT */
/*
 * exit_with_lock: a thread leaves by an early return, and its mutex stays locked.
 *
 * What is wrong
 *   A worker takes a mutex, looks whether there is something to do, and returns if there is not.
 *   The return was added later than the lock and does not unlock. The thread ends, and with it the
 *   only one who could give the mutex up. A thread that is killed from outside while it holds a
 *   lock is the same from the lock's point of view.
 *
 * How it shows
 *   The next one to lock waits for ever, for an owner that does not exist, maybe for a new thread
 *   that has got the dead one's number. There is no backtrace of the guilty one any more.
 *
 * How it is found
 *   By the lock checker, at the end of the thread, where its record must be empty; while the
 *   thread's name, and the place where it took the mutex, are still there to be printed:
 *
 *	lockcheck: kind=ownership what=thread-exit class=gallery.exit ...
 *
 *   Every run that takes the early return finds it. clang's analysis (make check) refuses the
 *   function as well, unless it is marked as unchecked like this one.
 *
 * The fix
 *   One exit, with the unlock. For the kill: in this kernel a requested one never ends a thread
 *   that holds something, and a fault marks what the thread held as abandoned, which the next one
 *   is told (mutex_lock_robust).
 */
#include "kernel/task/thread.h"
#include "kernel/wait/mutex.h"
#include "tests/gallery/gallery.h"

GALLERY_CLASS(exit_class, "exit");

static struct mutex todo = MUTEX_INIT(&exit_class); /* Protects: nr_todo */
static unsigned nr_todo GUARDED_BY(&todo);

static void do_next(bool fixed) UNCHECKED_LOCKING
{
	mutex_lock(&todo);
	if (!nr_todo) {
		if (fixed)
			mutex_unlock(&todo);
		return;
	}
	nr_todo--;
	mutex_unlock(&todo);
}

/* Unchecked: who cleans up does not know what there is to clean. */
static void worker(void *arg) UNCHECKED_LOCKING
{
	const bool *fixed = arg;

	do_next(*fixed);
	check_thread_exit(); /* what the end of every thread begins with */
	if (mutex_held_by_me(&todo))
		mutex_unlock(&todo); /* a counted report has left it held */
}

GALLERY_CHECKED(exit_with_lock, "a thread ends with a lock held", KIND_OWNERSHIP, "thread-exit", 1)
{
	struct thread *t = thread_spawn("worker", worker, &fixed);

	if (t)
		thread_join(t, NULL);
	else
		gallery_fail("no memory for the thread");
}
