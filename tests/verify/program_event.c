/* SPDX-License-Identifier: MIT */
/*
 * What is built on the wait queue and has no owner: semaphore, completion (on the stack of who
 * waits), condition variable, wait_event; one in each case. No wake-up and no unit is
 * lost, what was stored before is seen, and the waker is through when the waiter's frame goes.
 *
 * Sources: tests/verify/sched.c
 */
#include "kernel/time/clock.h"
#include "kernel/wait/completion.h"
#include "kernel/wait/condvar.h"
#include "kernel/wait/mutex.h"
#include "kernel/wait/semaphore.h"
#include "tests/verify/machine.h"
#include "tests/verify/sched.h"

DEFINE_LOCK_CLASS(wq_class, .name = "wq", .rank = RANK_WAITQ,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 20, .protects = "the waiters");
DEFINE_LOCK_CLASS(m_class, .name = "m", .rank = RANK_TEST_SLEEP, .contexts = LOCK_IN_THREAD,
	.max_hold_us = 1000, .protects = "the box");

static void (*part)(unsigned index, unsigned round);

/* ---- Semaphore: one unit, which protects the count ------------------------------------------- */

static struct semaphore sem = SEMAPHORE_INIT(&wq_class, 1);
static unsigned count, downs[HARTS];

static void use_semaphore(unsigned index, unused_arg unsigned round)
{
	unsigned way = vm_random(4);

	vm_timers();
	if (way == 0 && !semaphore_try(&sem))
		return;
	if (way == 1 && semaphore_down_timeout(&sem, clock_now_ns() + 1))
		return;
	if (way > 1)
		semaphore_down(&sem);
	count++;
	downs[index]++;
	vm_dwell();
	semaphore_up(&sem);
}

/* ---- Completion, on the stack of who asks ---------------------------------------------------- */

static struct request {
	struct completion done;
	unsigned question, answer;
} *requests[HARTS]; /* under `box` */
static struct mutex box = MUTEX_INIT(&m_class);

static atomic_u32 asked;

/* The last hart answers all that the others will ask. */
static void answer(void)
{
	while (atomic_load_u32(&asked, relaxed) < (HARTS - 1) * vm_rounds) {
		unsigned index = vm_random(HARTS - 1);
		struct request *r;

		mutex_lock(&box);
		r = requests[index];
		requests[index] = NULL;
		mutex_unlock(&box);
		if (!r) {
			vm_pause();
			continue;
		}
		atomic_add_u32(&asked, 1, relaxed);
		r->answer = r->question + 1;
		complete(&r->done);
	}
}

static void ask(unsigned index, unsigned round)
{
	struct request r = {.question = round};

	if (index == HARTS - 1) {
		if (round == 0)
			answer();
		return;
	}
	completion_init(&r.done, &wq_class);
	mutex_lock(&box);
	requests[index] = &r;
	mutex_unlock(&box);
	wait_for_completion(&r.done);
	verify(r.answer == round + 1);
	vm_scribble(&r, sizeof(r));
}

/* ---- Condition variable: a box of one -------------------------------------------------------- */

static struct condvar filled = CONDVAR_INIT(&wq_class), emptied = CONDVAR_INIT(&wq_class);
static unsigned in_box, put, got; /* under `box` */

static void use_box(unsigned index, unsigned round)
{
	mutex_lock(&box);
	if (index == 0) {
		while (in_box)
			condvar_wait(&emptied, &box);
		in_box = round + 1;
		put += in_box;
		condvar_signal(&filled);
	} else if (index == 1) {
		while (!in_box)
			condvar_wait(&filled, &box);
		got += in_box;
		in_box = 0;
		condvar_signal(&emptied);
	}
	mutex_unlock(&box);
}

/* ---- wait_event: one sets a flag, the others wait for it ------------------------------------- */

static struct waitq flag_wq = WAITQ_INIT(&wq_class);
static atomic_u32 flag;
static unsigned told; /* plain: ordered by the flag */

static void in_handler(void)
{
	told++;
	/* Release; partner: the acquire in the condition. */
	atomic_add_u32(&flag, 1, release);
	waitq_wake_all(&flag_wq);
}

static void use_flag(unsigned index, unsigned round)
{
	if (index == 0) {
		vm_as_handler(in_handler);
		return;
	}
	wait_event(&flag_wq, atomic_load_u32(&flag, acquire) > round);
	if (round + 1 == vm_rounds)
		verify(told == vm_rounds);
}

void program_setup(void)
{
	static void (*const parts[])(unsigned, unsigned) = {use_semaphore, ask, use_box, use_flag};

	sched_setup();
	part = parts[vm_case % ARRAY_SIZE(parts)];
}

void program_hart(unsigned index)
{
	for (unsigned i = 0; i < vm_rounds; i++)
		part(index, i);
	vm_leave();
}

void program_check(void)
{
	unsigned sum = 0;

	for (unsigned i = 0; i < HARTS; i++)
		sum += downs[i];
	verify(sum == count && semaphore_count(&sem) == 1 && put == got);
	verify(!rbtree_first(&sem.wq.waiters) && !rbtree_first(&flag_wq.waiters));
	verify(!rbtree_first(&filled.wq.waiters) && !rbtree_first(&emptied.wq.waiters));
}
