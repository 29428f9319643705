/* SPDX-License-Identifier: MIT */
/*
 * The mixed lock and the work queue behind it: threads lock and unlock, threads and handlers post;
 * each true post runs exactly once, under the lock; a run sees what was stored before any post of
 * its item, also one that returned false; nothing stays behind. The last hart is the work thread.
 *
 * Sources: tests/verify/sched.c
 */
#include "kernel/wait/mixlock.h"
#include "kernel/wait/workq.h"

#include <setjmp.h>

#include "tests/verify/machine.h"
#include "tests/verify/sched.h"

#define WORKER (HARTS - 1)
/* More than a handler runs for others, so that a queue has to be passed on. */
#define ITEMS (MIXLOCK_HANDLER_MAX + 4)

DEFINE_LOCK_CLASS(mix_class, .name = "mix", .rank = RANK_TEST_MIX,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 1000, .protects = "the counts");

static struct mixlock mix = MIXLOCK_INIT(&mix_class);
static struct item {
	struct mixwork work;
	/* Relaxed stores before posts: ordered by the posts. `seen`, `ran`: the lock. */
	atomic_u32 stored, accepted;
	uint32_t seen, ran;
} items[ITEMS];
static unsigned inside, locked, lockings[HARTS]; /* plain: the lock's */
static struct work stop;
static jmp_buf out;
static atomic_u32 left;
static bool gone[HARTS]; /* each its own: no posts from it any more */

static void item_fn(struct mixwork *w)
{
	struct item *item = container_of(w, struct item, work);

	verify(mixlock_held_by_me(&mix) && !w->cancelled);
	verify(inside++ == 0);
	item->ran++;
	item->seen = atomic_load_u32(&item->stored, relaxed);
	/* Once in a while it posts itself from its own function. */
	if (item->ran == 1 && item == &items[0] && mixlock_post(&mix, w))
		atomic_add_u32(&item->accepted, 1, relaxed);
	inside--;
}

static void post_one(void)
{
	struct item *item = &items[vm_random(ITEMS)];

	atomic_add_u32(&item->stored, 1, relaxed);
	if (mixlock_post(&mix, &item->work))
		atomic_add_u32(&item->accepted, 1, relaxed);
}

/* Holds the lock for more posts than a handler runs for others: the rest is passed on. */
static void post_many(void)
{
	if (!mixlock_try(&mix))
		return;
	for (unsigned i = 0; i < ITEMS; i++)
		post_one();
	mixlock_unlock(&mix);
}

static void in_handler(void)
{
	arch_ipi_clear();
	if (!gone[vm_self()->index])
		post_one();
}

static void fn_stop(unused_arg struct work *w)
{
	longjmp(out, 1);
}

void program_setup(void)
{
	sched_setup();
	work_init_hart(&vm_harts[WORKER].meta);
	for (unsigned i = 0; i < WORKER; i++)
		vm_harts[i].meta.workq = vm_harts[WORKER].meta.workq;
	/* As if a thread had come: the last hart's own runs work_thread. */
	vm_harts[WORKER].meta.workq->open = true;
	work_init(&stop, fn_stop);
	for (unsigned i = 0; i < ITEMS; i++)
		mixwork_init(&items[i].work, item_fn);
	gone[WORKER] = true;
	vm_ipi = in_handler;
	mix_class.post_prio = vm_case % 2 ? 5 : 0;
}

static void hold(unsigned index)
{
	if (vm_random(2) == 0) {
		if (!mixlock_try(&mix))
			return;
	} else {
		mixlock_lock(&mix);
	}
	verify(inside++ == 0);
	locked++;
	lockings[index]++;
	/* Often nothing: a post's own locks would order what the mixlock has to. */
	for (unsigned n = vm_random(3) * ITEMS / 2; n > 0; n--)
		vm_as_handler(post_one);
	inside--;
	mixlock_unlock(&mix);
}

static void work_part(void)
{
	if (!setjmp(out))
		work_thread(&vm_harts[WORKER].meta);
}

void program_hart(unsigned index)
{
	if (index == WORKER) {
		work_part();
		vm_leave();
		return;
	}
	for (unsigned i = 0; i < vm_rounds; i++) {
		switch (vm_random(6)) {
		case 0:
			post_one();
			break;
		case 1:
			vm_as_handler(post_one);
			break;
		case 2:
			vm_as_handler(post_many);
			break;
		default:
			hold(index);
		}
	}
	gone[index] = true;
	/* Acquire and release: the last one's stop is behind all that was posted. */
	if (atomic_add_u32(&left, 1, acq_rel) == WORKER - 1)
		work_queue(&stop);
	vm_leave();
}

void program_check(void)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < HARTS; i++)
		sum += lockings[i];
	verify(sum == locked);
	for (unsigned i = 0; i < ITEMS; i++) {
		verify(items[i].ran == atomic_load_u32(&items[i].accepted, relaxed));
		verify(items[i].seen == atomic_load_u32(&items[i].stored, relaxed));
	}
	verify(atomic_load_u32(&mix.pi.word, relaxed) == 0 && !mix.first);
}
