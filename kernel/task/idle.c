/* SPDX-License-Identifier: MIT */
/*
 * Idle threads: one a hart, on the stack that the hart was booted on. They are never made ready,
 * never end, and are in the table like others, so that reports and owner words can name them.
 */
#include "kernel/hart/hart.h"
#include "kernel/task/task.h"
#include "kernel/task/thread.h"
#include "lib/printf.h"

struct thread boot_idle = {
	.lock = {.handle = THREAD_BOOT_HANDLE},
	.name = "idle",
	.state = {THREAD_RUNNING},
	.is_idle = true,
	.policy = SCHED_FAIR,
	.weight = WEIGHT_DEFAULT,
};

static void become_idle(struct thread *t, struct hart_meta *h, const struct stack *stack)
{
	snprintf(t->name, sizeof(t->name), "idle/%u", h->index);
	t->stack = *stack;
	t->is_idle = true;
	hart_mask_zero(&t->affinity);
	hart_mask_set(&t->affinity, h->index);
	atomic_store_u32(&t->state, THREAD_RUNNING, relaxed);
	h->idle = t;
}

struct thread *thread_create_idle(struct hart_meta *h, const struct stack *stack)
{
	struct task *task = task_take("idle");
	struct thread *t;

	if (!task)
		return NULL;
	t = &task->slot.thread;
	/* The hart is in it from its first instruction on, with interrupts off. */
	t->lock.irq_before = false;
	become_idle(t, h, stack);
	thread_slot_publish(&task->slot);
	return t;
}

void thread_adopt_boot(struct hart_meta *h, const struct stack *stack)
{
	become_idle(&boot_idle, h, stack);
}
