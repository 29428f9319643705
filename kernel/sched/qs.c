/* SPDX-License-Identifier: MIT */
/*
 * Quiescent-state reclamation: see qs.h for what a read section is.
 *
 * Each hart has a counter in its run queue: +2 at every scheduling decision, +1 when the idle
 * thread goes to sleep and +1 when it wakes, so that odd means asleep. All three are made where no
 * read section is open: a section keeps preemption off, so it lies between two decisions of its
 * hart; handlers, which are sections too, run in the idle thread only after the second +1.
 *
 * One grace period, by the qs thread, for all entries that were there when it began: note the
 * counters, ask each hart that is not asleep to decide, and wait until each was seen asleep, with
 * another count, or not online. A hart that runs one thread without ticks answers by the IPI.
 *
 * Orders. The updater unpublishes an object, posts, and the qs thread has a full fence before it
 * reads the counters. A hart's step is an AMO with acquire and release. The release: what a section
 * read before the step is done when the step is seen (the qs thread reads by acquire), so nobody
 * uses what is reclaimed after it. The acquire: what a section reads after the step comes after it.
 * If the step is seen in a period, then a section after it started from a step that the counters'
 * note (after the unpublishing and the fence) had not seen, or that it had seen: in the first case
 * the note's load is before the AMO in the counter's order, so the unpublishing is before the
 * section's loads; in the second the section is waited for, as the note was even. The same argument
 * holds for the step that ends an idle hart's sleep: noted as odd, the step is after the note, and
 * its handlers see the unpublishing. A hart that comes online does so by AMOs on harts_online and
 * reads shared data after them only.
 *
 * qs.lock (irqlock, rank QS)
 *   Protects: the list of posted entries.
 *   Taken by: qs_call, so also by handlers; the qs thread.
 *   Order:    before run queues: nothing else is taken under it.
 */
#include "kernel/sched/qs.h"

#include "kernel/hart/call.h"
#include "kernel/lock/run.h"
#include "kernel/sched/internal.h"
#include "kernel/time/clock.h"
#include "lib/assert.h"

#define POLL_FIRST_NS (50 * NS_PER_US)
#define POLL_MAX_NS (2 * NS_PER_MS)

DEFINE_LOCK_CLASS(qs_lock_class, .name = "qs", .rank = RANK_QS,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 5,
	.protects = "what waits for a grace period");

static struct {
	struct irqlock lock;
	struct qs_entry *first GUARDED_BY(&lock);
	struct qs_entry **last GUARDED_BY(&lock); /* NULL: the list is empty */
	struct thread *thread GUARDED_BY(&lock);  /* the qs thread, once it runs */
	atomic_ulong periods;
} qs = {.lock = IRQLOCK_INIT(&qs_lock_class)};

void qs_call(struct qs_entry *entry, void (*fn)(struct qs_entry *entry))
{
	struct thread *thread;

	entry->fn = fn;
	entry->next = NULL;
	irqlock_acquire(&qs.lock);
	if (qs.first)
		*qs.last = entry;
	else
		qs.first = entry;
	qs.last = &entry->next;
	thread = qs.thread;
	irqlock_release(&qs.lock);
	if (thread)
		sched_wake(thread);
}

static struct qs_entry *take_all(void)
{
	struct qs_entry *first;

	irqlock_acquire(&qs.lock);
	first = qs.first;
	qs.first = NULL;
	irqlock_release(&qs.lock);
	return first;
}

/* Acquire: what the hart's sections read before it is done. Partner: the AMOs on it. */
static unsigned long count_of(unsigned hart)
{
	return atomic_load_ulong(&runq_of_hart(hart)->quiescent, acquire);
}

static bool has_passed(unsigned hart, unsigned long noted)
{
	unsigned long now = count_of(hart);

	return now != noted || now % 2 || !hart_mask_test(&harts_online, hart);
}

/* Takes every hart that passed out of *pending; true if none is left. */
static bool all_passed(struct hart_mask *pending, const unsigned long *noted)
{
	unsigned hart;

	for_each_hart_in_mask(hart, pending)
		if (has_passed(hart, noted[hart]))
			hart_mask_clear(pending, hart);
	return hart_mask_empty(pending);
}

/* Notes the counters of the harts that are online and not asleep, and asks those to decide. Of all
 * harts in turn, a few instructions each: most are asleep, and a search for the next bit costs more
 * than a look at it. */
static void note_counters(
	const struct hart_mask *online, struct hart_mask *pending, unsigned long *noted)
{
	hart_mask_zero(pending);
	for (unsigned hart = 0; hart < nr_harts; hart++) {
		unsigned long count;

		if (!hart_mask_test(online, hart))
			continue;
		count = count_of(hart);
		if (count % 2)
			continue;
		noted[hart] = count;
		hart_mask_set(pending, hart);
		hart_resched(harts[hart]);
	}
}

/* Only in the qs thread. Its own hart answers as the others do: by the switch when it sleeps. */
static void grace_period(void)
{
	static unsigned long noted[CONFIG_MAX_HARTS];
	struct hart_mask online, pending;
	uint64_t nap = POLL_FIRST_NS;

	/*
	 * Who is not in the copy is not waited for: why that is right, by RVWMO's order of all
	 * memory operations. The unpublishing U comes before this load L of harts_online: U, the
	 * post's release of qs.lock, take_all's acquire of it, L. If L finds a hart's bit clear,
	 * that is
	 *	not set yet	the AMO that sets it comes after L (had it come before, L would
	 *			have read it), and what that hart's sections load comes after
	 *			the AMO (acquire): after U, so they do not find the object; or
	 *	cleared		what its sections had loaded comes before the AMO that clears it
	 *			(release), and that one before L: they are over.
	 * The same holds, hart by hart, for the counters below in place of L, and the fence makes
	 * it so for each of them whatever was read in between. Partners: the AMOs on both.
	 */
	hart_mask_copy(&online, &harts_online);
	fence_full();
	note_counters(&online, &pending, noted);
	while (!all_passed(&pending, noted)) {
		sched_sleep_ns(nap);
		nap = MIN(nap * 2, POLL_MAX_NS);
	}
	/* The last counter before what the entries' functions give back. */
	fence_full();
	atomic_add_ulong(&qs.periods, 1, relaxed);
}

static void run_entry(struct qs_entry *entry)
{
	uint16_t before = run_begin(NODE_NAMED, run_of_grace_period);

	run_history_begin();
	entry->fn(entry);
	run_history_end();
	run_end(before);
}

noreturn void qs_thread(void *arg)
{
	(void)arg;
	irqlock_acquire(&qs.lock);
	qs.thread = current_thread();
	irqlock_release(&qs.lock);
	for (;;) {
		struct qs_entry *entry, *next;

		sched_prepare_sleep(THREAD_SLEEPING);
		entry = take_all();
		if (!entry) {
			schedule();
			continue;
		}
		sched_cancel_sleep();
		grace_period();
		for (; entry; entry = next) {
			next = entry->next;
			run_entry(entry);
		}
	}
}

struct qs_waiter {
	struct qs_entry entry;
	struct thread *thread;
	atomic_bool done;
};

static void wake_waiter(struct qs_entry *entry)
{
	struct qs_waiter *w = container_of(entry, struct qs_waiter, entry);
	struct thread *t = w->thread;

	/* The waiter's frame may be gone after the store; the section keeps its thread from being
	 * another one. */
	qs_read_begin();
	/* Release: the grace period before the waiter goes on. Partner: qs_synchronize. */
	atomic_store_bool(&w->done, true, release);
	sched_wake(t);
	qs_read_end();
}

void qs_synchronize(void)
{
	struct qs_waiter w = {.thread = current_thread()};

	might_sleep();
	run_awaited(NODE_NAMED, run_of_grace_period);
	stack_shared_begin();
	qs_call(&w.entry, wake_waiter);
	for (;;) {
		sched_prepare_sleep(THREAD_SLEEPING);
		if (atomic_load_bool(&w.done, acquire))
			break;
		schedule();
	}
	sched_cancel_sleep();
	stack_shared_end();
}

/* Entries run in the order of their posts. */
void qs_barrier(void)
{
	qs_synchronize();
}

uint64_t qs_periods(void)
{
	return atomic_load_ulong(&qs.periods, relaxed);
}
