/* SPDX-License-Identifier: MIT */
/* What the tests of kernel/wait share. */
#include "tests/kernel/wait_util.h"

struct thread *wait_spawn(const char *name, void (*fn)(void *arg), void *arg, unsigned prio)
{
	struct thread *t = thread_create(name, fn, arg);

	if (!t) {
		ktest_fail(__FILE__, __LINE__, "no memory for thread %s", name);
		return NULL;
	}
	if (prio)
		sched_set_priority(t, SCHED_FIFO, prio);
	thread_run(t);
	return t;
}

unsigned wait_queue_length(struct waitq *wq)
{
	unsigned n = 0;

	waitq_lock(wq);
	rbtree_for_each(node, &wq->waiters)
		n++;
	waitq_unlock(wq);
	return n;
}

bool wait_until_queued(struct waitq *wq, unsigned n)
{
	return ktest_eventually(wait_queue_length(wq) == n);
}

unsigned prio_of(const struct thread *t)
{
	unsigned prio;

	/* A section, so that every look is a load of its own. */
	preempt_disable();
	prio = t->prio_effective;
	preempt_enable();
	return prio;
}

bool wait_until_prio(const struct thread *t, unsigned prio)
{
	return ktest_eventually(prio_of(t) == prio);
}

void wait_check_idle(struct pilock *l, const char *what)
{
	waitq_lock(&l->wq);
	ktest_check(!atomic_load_u32(&l->word, relaxed), "%s: word %x", what,
		(unsigned)atomic_load_u32(&l->word, relaxed));
	ktest_check(!waitq_first(&l->wq), "%s: somebody waits", what);
	ktest_check(!l->donee && !rbnode_linked(&l->donation), "%s: somebody inherits", what);
	ktest_check(!l->posts_pending, "%s: work is pending", what);
	waitq_unlock(&l->wq);
}
