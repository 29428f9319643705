/* SPDX-License-Identifier: MIT */
/*
 * wait_for_completer: a thread waits for an event with the mutex held that who signals it takes.
 *
 * What is wrong
 *   A request is written into a table, under the table's mutex, and its sender waits for the
 *   answer before it lets go of the table. The answering thread takes the mutex to find the
 *   request. There is one lock only, so nobody looks for an order; the other half of the cycle is
 *   the completion.
 *
 * How it shows
 *   Most answers are there before the sender begins to wait (a fast device, a cache), and then all
 *   is well. The first slow answer hangs both, and everybody who wants the table.
 *
 * How it is found
 *   By the lock checker: a completion is a node of its graph. Waiting for it under a mutex is the
 *   edge mutex -> completion, also when the wait is over at once; signalling it under a mutex is
 *   the edge completion -> mutex ("it does not come before the mutex was had").
 *
 *	lockcheck: kind=order what=cycle class=gallery.completer.event ...
 *
 *   The entry signals first and waits afterwards: nothing sleeps, and the report comes all the
 *   same.
 *
 * The fix
 *   Wait with nothing held that the event's way leads through: the request stays in the table, the
 *   mutex does not. Where a condition over the table's data is waited for, a condition variable
 *   gives the mutex up for exactly that time.
 */
#include "kernel/wait/completion.h"
#include "kernel/wait/mutex.h"
#include "tests/gallery/gallery.h"

GALLERY_CLASS(table_class, "completer.table");
DEFINE_LOCK_CLASS(event_class, .name = "gallery.completer.event", .rank = RANK_WAITQ,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 1000,
	.protects = "the waiters of a planted bug");

static struct mutex table = MUTEX_INIT(&table_class); /* Protects: answer */
static unsigned answer GUARDED_BY(&table);
static struct completion answered = COMPLETION_INIT(&event_class);

static void answer_request(void)
{
	mutex_lock(&table);
	answer = 42;
	complete(&answered);
	mutex_unlock(&table);
}

static void await_answer(bool fixed)
{
	if (fixed)
		wait_for_completion(&answered);
	mutex_lock(&table);
	if (!fixed)
		wait_for_completion(&answered);
	answer = 0;
	mutex_unlock(&table);
}

GALLERY_CHECKED(wait_for_completer, "waits under the mutex that the signaller takes", KIND_ORDER,
	"cycle", 1)
{
	answer_request();
	await_answer(fixed);
}
