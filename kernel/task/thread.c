/* SPDX-License-Identifier: MIT */
/*
 * Making, running, ending and joining threads.
 *
 *   thread_create -> NEW -> thread_run -> ... -> thread_exit: switched away from for ever
 *	-> its hart has left its stack: DEAD, reap_left -> the reaper gives up its locks: ended
 *	-> thread_join, or the reaper if it is detached: task_free: stack, then, after a grace
 *	   period, slot
 *
 * A thread never gives anything of itself back: its stack is in use until its hart has left it, and
 * whoever waits for a lock of it looks at its struct. Between `ended` and task_free the thread is a
 * zombie: a live slot without a future.
 */
#include "kernel/task/thread.h"

#include "kernel/hart/topology.h"
#include "kernel/lock/check.h"
#include "kernel/lock/run.h"
#include "kernel/mm/page.h"
#include "kernel/mm/stack.h"
#include "kernel/panic.h"
#include "kernel/sched/sched.h"
#include "kernel/task/task.h"
#include "kernel/time/clock.h"
#include "kernel/wait/cycle.h"
#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/printf.h"
#include "lib/string.h"

/* The reaper works, a little at a time, for threads of any priority that join or wait for locks. */
#define REAPER_PRIO PRIO_RT_MAX
#define SETTLE_POLL_NS NS_PER_MS

DEFINE_LOCK_CLASS(task_join_class, .name = "join", .rank = RANK_THREADS,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 5,
	.protects = "who joins and who has ended");
/* task_join_lock protects who joins and who has ended: task.h says it all. */
struct irqlock task_join_lock = IRQLOCK_INIT(&task_join_class);

static_assert(offsetof(struct task, slot) == 0 && offsetof(struct thread_slot, thread) == 0,
	"a thread, its slot and its task have one address");

void thread_init(void)
{
	thread_table_init(sizeof(struct task), &boot_idle);
	sched_set_left_hook(reap_left);
	task_hooks_init();
}

void thread_start_service(void)
{
	struct thread *reaper = thread_spawn("reaper", reap_thread, NULL);
	struct thread *qs = thread_spawn("qs", qs_thread, NULL);

	if (!reaper || !qs)
		panic_as(EXIT_NO_MEMORY, "no memory for the kernel's first threads");
	sched_set_priority(reaper, SCHED_FIFO, REAPER_PRIO);
}

/* ---- Slots --------------------------------------------------------------------------------- */

static unsigned chunk_order(void)
{
	unsigned order = 0;

	while (PAGE_SIZE << order < THREADS_PER_CHUNK * sizeof(struct task))
		order++;
	return order;
}

size_t thread_table_pages(void)
{
	return (size_t)thread_table_chunks() << chunk_order();
}

static struct thread_slot *take_slot(void)
{
	struct thread_slot *slot = thread_slot_take();
	struct page *page;

	while (!slot) {
		page = page_alloc(chunk_order(), MM_ZERO);
		if (!page)
			return NULL;
		if (!thread_table_grow(page_virt(page))) {
			page_free(page);
			return NULL;
		}
		slot = thread_slot_take();
	}
	return slot;
}

struct task *task_take(const char *name)
{
	struct thread_slot *slot = take_slot();
	struct task *task = (struct task *)slot;
	struct thread *t;

	if (!slot)
		return NULL;
	/* The slot is nobody else's until it is live: no lock. */
	t = &slot->thread;
	memset(t, 0, sizeof(*t));
	irqlock_acquire(&task_join_lock);
	task->joiner = NULL;
	task->detached = false;
	task->ended = false;
	irqlock_release(&task_join_lock);
	snprintf(t->name, sizeof(t->name), "%s", name);
	t->lock.handle = thread_slot_handle(slot);
	t->lock.irq_before = true; /* the switch that begins it opens interrupts */
	atomic_store_u32(&t->state, THREAD_NEW, relaxed);
	/* Whose lock guards it until it is placed. */
	atomic_store_ptr(&t->rq, this_hart_unstable()->runq, relaxed);
	t->weight = WEIGHT_DEFAULT;
	hart_mask_fill(&t->affinity, nr_harts);
	rbtree_init(&t->pi_waiters);
	t->task = task;
	return task;
}

void task_put(struct task *task)
{
	thread_slot_put(&task->slot);
}

static void slot_back(struct qs_entry *entry)
{
	task_put(container_of(entry, struct task, qs));
}

void task_free(struct task *task)
{
	struct thread *t = &task->slot.thread;

	thread_slot_retract(&task->slot);
	stack_free(&t->stack);
	qs_call(&task->qs, slot_back);
}

/* ---- Life ---------------------------------------------------------------------------------- */

struct thread *thread_create(const char *name, void (*fn)(void *arg), void *arg)
{
	return thread_create_sized(name, fn, arg, CONFIG_STACK_PAGES, NODE_HERE);
}

struct thread *thread_create_sized(
	const char *name, void (*fn)(void *arg), void *arg, unsigned pages, unsigned node)
{
	struct task *task;
	struct thread *t;

	/* While booting the boot hart's idle thread makes the first ones. */
	if (!current_thread()->is_idle)
		might_sleep();
	task = task_take(name);
	if (!task)
		return NULL;
	t = &task->slot.thread;
	if (stack_alloc_near(&t->stack, pages, t->name, node)) {
		task_put(task);
		return NULL;
	}
	t->lock.stack_top = t->stack.top;
	t->fn = fn;
	t->arg = arg;
	arch_thread_init(t);
	thread_slot_publish(&task->slot);
	return t;
}

void thread_run(struct thread *t)
{
	sched_start(t);
}

struct thread *thread_spawn(const char *name, void (*fn)(void *arg), void *arg)
{
	struct thread *t = thread_create(name, fn, arg);

	if (t)
		thread_run(t);
	return t;
}

void thread_discard(struct thread *t)
{
	might_sleep();
	assert(atomic_load_u32(&t->state, relaxed) == THREAD_NEW);
	task_free(task_of(t));
}

noreturn void thread_start(struct thread *prev)
{
	struct thread *t;

	sched_finish_switch(prev);
	t = current_thread();
	run_begin(NODE_THREAD, (const void *)t->fn);
	t->fn(t->arg);
	thread_exit(0);
}

noreturn void thread_exit(int code)
{
	might_sleep();
	check_thread_exit();
	current_thread()->exit_code = code;
	sched_exit();
}

noreturn void thread_die_faulting(void)
{
	/* The stack is empty and no irqlock is held (kernel_fault saw to that); what it holds of
	 * sleeping locks the reaper gives up. */
	arch_irq_enable();
	current_thread()->exit_code = -EFAULT;
	sched_exit();
}

void thread_kill(struct thread *t)
{
	/* Relaxed: sched_wake_intr has the fence before it looks whether t sleeps. */
	atomic_store_u32(&t->killed, 1, relaxed);
	sched_wake_intr(t);
}

bool thread_killed(void)
{
	return atomic_load_u32(&current_thread()->killed, relaxed);
}

/* ---- Joining ------------------------------------------------------------------------------- */

static int join_begin(struct task *task)
{
	int err = 0;

	irqlock_acquire(&task_join_lock);
	if (&task->slot.thread == current_thread())
		err = -EDEADLK;
	else if (task->detached || task->joiner)
		err = -EINVAL;
	else
		task->joiner = current_thread();
	irqlock_release(&task_join_lock);
	return err;
}

/* Has it ended? If not and `give_up`, the caller no longer joins it. */
static bool join_look(struct task *task, bool give_up)
{
	bool ended;

	irqlock_acquire(&task_join_lock);
	ended = task->ended;
	if (!ended && give_up)
		task->joiner = NULL;
	irqlock_release(&task_join_lock);
	return ended;
}

int thread_join_timeout(struct thread *t, int *code, uint64_t deadline_ns)
{
	struct task *task = task_of(t);
	bool ended;
	int err;

	might_sleep();
	err = join_begin(task);
	if (err)
		return err;
	if (deadline_ns == UINT64_MAX) {
		run_awaited(NODE_THREAD, (const void *)t->fn);
		run_awaited(NODE_NAMED, run_of_reaper);
	}
	wait_begins(&lock_thread()->wait,
		WAIT_THREAD | (deadline_ns == UINT64_MAX ? 0 : WAIT_TIMED), t, NULL,
		t->lock.handle);
	cycle_look();
	for (;;) {
		bool late = deadline_ns != UINT64_MAX && clock_now_ns() >= deadline_ns;

		sched_prepare_sleep(THREAD_SLEEPING);
		ended = join_look(task, late);
		if (ended || late)
			break;
		schedule_until(deadline_ns);
	}
	sched_cancel_sleep();
	wait_ends(&lock_thread()->wait);
	if (!ended)
		return -ETIMEDOUT;
	if (code)
		*code = t->exit_code;
	task_free(task);
	return 0;
}

int thread_join(struct thread *t, int *code)
{
	return thread_join_timeout(t, code, UINT64_MAX);
}

void thread_settle(void)
{
	might_sleep();
	while (!reap_settled())
		sched_sleep_ns(SETTLE_POLL_NS);
	qs_barrier();
}
