/* SPDX-License-Identifier: MIT */
/*
 * A scheduler for the sleeping locks of tests/verify: one thread a hart, which runs or sleeps, and
 * timers that end whenever they like. Sleeping and waking are the kernel's own (kernel/sched/
 * wake.c); this is what stands behind them: the decision under the run queue's lock, the switch to
 * idle and back, and where a woken thread is put.
 *
 * A time limit comes to its end when a hart says so (vm_timers), or on its own hart while that is
 * idle; the clock is then where the limit was.
 *
 * Sources: kernel/sched/wake.c kernel/lock/irqlock.c kernel/lock/park.c kernel/lock/relax.c
 * Sources: kernel/lock/context.c kernel/wait/waitq.c kernel/wait/pilock.c kernel/wait/pi.c
 * Sources: kernel/wait/mutex.c kernel/wait/rwmutex.c kernel/wait/mixlock.c kernel/wait/work.c
 * Sources: kernel/wait/completion.c kernel/wait/semaphore.c kernel/wait/condvar.c
 * Sources: kernel/wait/cycle.c kernel/wait/abandon.c kernel/wait/work_hart.c lib/rbtree.c
 */
#include "tests/verify/sched.h"

#include <stdio.h>

#include "kernel/lock/irqlock.h"
#include "kernel/lock/relax.h"
#include "kernel/log.h"
#include "kernel/sched/internal.h"
#include "kernel/sched/table.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"
#include "kernel/wait/chain.h"
#include "tests/verify/machine.h"

DEFINE_LOCK_CLASS(rq_class, .name = "rq", .rank = RANK_RUNQ,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 20, .protects = "a run queue");
DEFINE_LOCK_CLASS(limit_class, .name = "limit", .rank = RANK_TIMER,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 20, .protects = "a time limit");

/* What a hart has armed. */
static struct limit {
	struct irqlock lock;
	struct timer *armed, *firing;
	uint64_t deadline_ns;
} limits[HARTS];
static atomic_u64 now_ns;

void sched_setup(void)
{
	for (unsigned i = 0; i < HARTS; i++) {
		struct vm_hart *h = &vm_harts[i];

		irqlock_init(&h->runq.lock, &rq_class);
		h->runq.accepting = true;
		irqlock_init(&limits[i].lock, &limit_class);
		atomic_store_u32(&h->meta.state, HART_ONLINE, relaxed);
	}
	irqlock_tuning = (struct irqlock_tuning){0, 0, 0, 1, 2, 0, false};
}

/* ---- Time limits ----------------------------------------------------------------------------- */

uint64_t clock_now_ns(void)
{
	return atomic_load_u64(&now_ns, relaxed);
}

void timer_init(struct timer *t, void (*fn)(struct timer *t))
{
	t->fn = fn;
}

void timer_start(struct timer *t, uint64_t deadline_ns)
{
	struct limit *l = &limits[vm_self()->index];

	irqlock_acquire(&l->lock);
	verify(!l->armed);
	l->armed = t;
	l->deadline_ns = deadline_ns;
	irqlock_release(&l->lock);
}

bool timer_cancel_sync(struct timer *t)
{
	struct limit *l = &limits[vm_self()->index];
	bool was;

	irqlock_acquire(&l->lock);
	was = l->armed == t;
	if (was)
		l->armed = NULL;
	while (l->firing == t) {
		irqlock_release(&l->lock);
		relax();
		irqlock_acquire(&l->lock);
	}
	irqlock_release(&l->lock);
	return was;
}

/* As a timer interrupt would: SIE off. */
static void fire(struct limit *l)
{
	struct timer *t;

	irqlock_acquire(&l->lock);
	t = l->armed;
	l->armed = NULL;
	if (t)
		l->firing = t;
	if (t && atomic_load_u64(&now_ns, relaxed) < l->deadline_ns)
		atomic_store_u64(&now_ns, l->deadline_ns, relaxed);
	irqlock_release(&l->lock);
	if (!t)
		return;
	t->fn(t);
	irqlock_acquire(&l->lock);
	l->firing = NULL;
	irqlock_release(&l->lock);
}

static void fire_any(void)
{
	fire(&limits[vm_random(HARTS)]);
}

void vm_timers(void)
{
	if (vm_random(3) == 0)
		vm_as_handler(fire_any);
}

/* ---- Deciding and switching ------------------------------------------------------------------ */

struct runq *thread_runq_lock(struct thread *t) UNCHECKED_LOCKING
{
	struct runq *rq = thread_runq(t);

	irqlock_acquire(&rq->lock);
	return rq;
}

static void fire_own(void)
{
	fire(&limits[vm_self()->index]);
}

/* As kernel/sched/idle.c: looks once more with SIE off; odd while asleep, handlers come after. */
static void sleep_unless_ready(struct runq *rq) UNCHECKED_LOCKING
{
	bool ready;

	arch_irq_disable();
	irqlock_acquire(&rq->lock);
	ready = rq->fair_first;
	irqlock_release(&rq->lock);
	if (!ready) {
		atomic_add_ulong(&rq->quiescent, 1, acq_rel);
		arch_wait_ipi(false);
		atomic_add_ulong(&rq->quiescent, 1, acq_rel);
	}
	if (!vm_ipi)
		arch_ipi_clear();
	arch_irq_enable();
}

/* The idle thread's part, until somebody is queued here. */
static void idle_once(struct runq *rq, struct limit *own) UNCHECKED_LOCKING
{
	bool armed;

	irqlock_release(&rq->lock);
	irqlock_acquire(&own->lock);
	armed = own->armed;
	irqlock_release(&own->lock);
	if (armed && vm_random(2)) {
		vm_as_handler(fire_own);
	} else if (armed) {
		vm_pause();
	} else {
		sleep_unless_ready(rq);
	}
	atomic_add_ulong(&rq->quiescent, 2, acq_rel);
	irqlock_acquire(&rq->lock);
}

void reschedule_call(void) UNCHECKED_LOCKING
{
	struct vm_hart *h = vm_self();
	struct thread *t = &h->thread;
	struct runq *rq = &h->runq;
	enum thread_state state;

	verify(arch_irq_enabled() && !t->lock.preempt_depth);
	irqlock_acquire(&rq->lock);
	atomic_add_ulong(&rq->quiescent, 2, acq_rel);
	state = thread_state(t);
	/* Relaxed: partner sched_wake_intr comes through the lock. */
	if (state_is_sleep(state) &&
		!(state == THREAD_SLEEPING_INTR && atomic_load_u32(&t->killed, relaxed))) {
		rq->curr = rq->idle;
		h->meta.lock.thread = &h->idle.lock;
		h->idle.lock.irq_before = true;
		while (!rq->fair_first)
			idle_once(rq, &limits[h->index]);
		rq->fair_first = NULL;
		rq->curr = t;
		h->meta.lock.thread = &t->lock;
	}
	atomic_store_u32(&t->state, THREAD_RUNNING, relaxed);
	irqlock_release(&rq->lock);
}

void schedule(void)
{
	reschedule_call();
}

unsigned sched_choose(unused_arg const struct thread *t, unsigned last)
{
	return last;
}

bool sched_allowed_anywhere(unused_arg const struct thread *t)
{
	return true;
}

unsigned sched_enqueue(struct runq *rq, struct thread *t, unused_arg enum placing how)
{
	verify(!rq->fair_first);
	rq->fair_first = t;
	return rq->hart + 1;
}

void sched_place(unused_arg struct thread *t, unused_arg unsigned to, unused_arg enum placing how)
{
	verify(!"a thread leaves its hart");
}

void hart_resched(struct hart_meta *h)
{
	arch_ipi_send_hart(h->hartid);
}

void sched_preempt_poke(void)
{
}

void sched_set_effective_priority(struct thread *t, unsigned prio) UNCHECKED_LOCKING
{
	struct runq *rq = thread_runq_lock(t);

	t->prio_effective = (uint8_t)prio;
	irqlock_release(&rq->lock);
}

void sched_set_pi_hook(unused_arg void (*fn)(struct thread *t))
{
}

struct thread *thread_table_peek(unsigned index)
{
	return &vm_harts[index].thread;
}

unsigned thread_table_end(void)
{
	return HARTS;
}

/* Nobody looks for deadlocks: if one is there, the harts stop. */
bool chain_closes_hart(unused_arg struct chain *c)
{
	return false;
}

bool chain_closes_thread(unused_arg struct chain *c)
{
	return false;
}

bool chain_find(unused_arg struct chain *c)
{
	return false;
}

/* A guess there as here. */
bool sched_thread_running(unused_arg const struct thread *t)
{
	return vm_random(2);
}

struct thread *thread_of_handle(uint32_t handle)
{
	unsigned index = (handle >> THREAD_FLAG_BITS) - 1;

	return index < HARTS ? &vm_harts[index].thread : NULL;
}

void log_line(unused_arg enum log_level level, unused_arg const char *fmt, ...)
{
}
