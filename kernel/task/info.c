/* SPDX-License-Identifier: MIT */
/*
 * What commands and reports may know of threads.
 */
#include "kernel/lock/check.h"
#include "kernel/lock/race.h"
#include "kernel/sched/sched.h"
#include "kernel/task/task.h"
#include "kernel/task/thread.h"
#include "lib/string.h"

unsigned thread_count(void)
{
	return thread_table_live();
}

#define figure(x) racy_read(x, "a snapshot, each figure right for itself")

/* Under threads.lock: the thread stays. Its scheduling fields may change meanwhile. */
static void fill(struct thread *t, void *arg)
{
	struct thread_info *out = arg;

	*out = (struct thread_info){
		.handle = t->lock.handle,
		.state = atomic_load_u32(&t->state, relaxed),
		.policy = figure(t->policy),
		.prio = figure(t->prio),
		.prio_effective = figure(t->prio_effective),
		.weight = figure(t->weight),
		.hart = sched_hart_of(t),
		.is_idle = t->is_idle,
		.killed = atomic_load_u32(&t->killed, relaxed),
		.nr_switches = figure(t->nr_switches),
		.stack = t->stack,
	};
	memcpy(out->name, t->name, sizeof(out->name));
	hart_mask_copy(&out->affinity, &t->affinity);
	if (atomic_load_ptr(&t->rq, relaxed))
		out->ran_ns = sched_thread_ran_ns(t);
}

bool thread_info_next(unsigned *cursor, struct thread_info *out)
{
	return thread_table_visit(cursor, fill, out);
}

static const char *name_of(const struct lock_thread *t)
{
	return ((const struct thread *)t)->name;
}

static struct lock_thread *find(bool (*match)(const struct lock_thread *t, void *arg), void *arg)
{
	for (unsigned i = 0, end = thread_table_end(); i < end; i++) {
		struct thread *t = thread_table_peek(i);

		if (t && racy_read(t->lock.handle, "its maker may be about to fill it in") &&
			match(&t->lock, arg))
			return &t->lock;
	}
	return NULL;
}

void task_hooks_init(void)
{
	lockcheck_thread_name = name_of;
	lockcheck_find_thread = find;
}
