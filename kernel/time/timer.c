/* SPDX-License-Identifier: MIT */
/*
 * Timers of the harts: one queue a hart, worked off by that hart's timer interrupt.
 *
 * A timer belongs to the queue that its `queue` names, pending or not; that queue's lock guards it.
 * `queue` changes under two locks, the old and the new queue's, so whoever holds the lock of the
 * queue that is still named owns the timer. While a timer's function runs, its queue is the one of
 * the hart it runs on, and `running` there names it: a start meanwhile, from anywhere, queues it
 * there, so that the function never runs twice at once. After the function has returned the timer
 * is not touched: it may be freed memory.
 *
 * Only a queue's own hart puts timers into it, with SIE off, except while a timer's function runs
 * there; so `earliest_ns` and the hardware are that hart's own and need no lock. Others only take
 * timers out, which leaves earliest_ns too early at worst.
 *
 * Hardware. `programmed_ns` is what the hart's timer was told last; only that hart touches it, with
 * SIE off. It is never later than the first deadline and the tick, except while the interrupt that
 * was programmed is pending or being handled: the handler programs anew at its end. Cancelling
 * leaves the hardware as it is: the early interrupt finds nothing due and programs the right time.
 * A hart that starts or fails to stop has a silent timer: timer_hart_forget.
 */
#include "kernel/time/timer.h"

#include "kernel/hart/hart.h"
#include "kernel/lock/irqlock.h"
#include "kernel/lock/race.h"
#include "kernel/lock/relax.h"
#include "kernel/lock/run.h"
#include "kernel/time/clock.h"
#include "lib/assert.h"

/* One interrupt runs so many timers; if more are due, the next interrupt follows at once. */
#define FIRE_MAX 64
#define TICK_NS (NS_PER_SEC / CONFIG_HZ)

DEFINE_LOCK_CLASS(timerq_class, .name = "timerq", .rank = RANK_TIMER,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 10,
	.protects = "the timers of one hart");

/*
 * timerq.lock (irqlock, rank TIMER)
 *   Protects: the fields marked GUARDED_BY, and the timers whose `queue` is this one.
 *   Taken by: whoever starts or cancels a timer, in any context; the timer interrupt.
 *   Order:    two of them: lower hart index first (timerq_lock_pair). Not held in timer functions.
 * While it is free: the tree holds the pending timers of this hart; none of them is `running`,
 * unless its function started it again.
 */
struct timerq {
	struct irqlock lock;
	struct timerq_tree tree GUARDED_BY(&lock);
	struct timer *running GUARDED_BY(&lock);
	uint64_t fired GUARDED_BY(&lock);
	/* This hart's own, SIE off; others read them for reports. */
	uint64_t earliest_ns; /* not after the first deadline: the interrupt need not look before */
	uint64_t tick_ns;
	uint64_t programmed_ns;
	uint64_t early;
	unsigned index;
} __attribute__((aligned(64)));

static struct timerq timerqs[CONFIG_MAX_HARTS];
static void (*tick_hook)(uint64_t now_ns);

static void arm_tick(void);

void timer_init_hart(struct hart_meta *h)
{
	struct timerq *q = &timerqs[h->index];

	irqlock_init(&q->lock, &timerq_class);
	irqlock_acquire(&q->lock);
	timerq_tree_init(&q->tree);
	irqlock_release(&q->lock);
	q->earliest_ns = UINT64_MAX;
	q->tick_ns = UINT64_MAX;
	q->programmed_ns = UINT64_MAX;
	q->index = h->index;
	h->timerq = q;
	relax_arm_tick = arm_tick;
}

void timer_set_tick_hook(void (*fn)(uint64_t now_ns))
{
	tick_hook = fn;
}

/* ---- Two queues ---------------------------------------------------------------------------- */

/* Both locks, lower hart index first; a == b is one lock. SIE off. */
static void timerq_lock_pair(struct timerq *a, struct timerq *b) UNCHECKED_LOCKING
{
	struct timerq *low = a->index < b->index ? a : b;
	struct timerq *high = low == a ? b : a;

	irqlock_acquire(&low->lock);
	if (high != low)
		irqlock_acquire_second(&high->lock, &low->lock);
}

static void timerq_unlock_pair(struct timerq *a, struct timerq *b) UNCHECKED_LOCKING
{
	if (a != b)
		irqlock_release(&b->lock);
	irqlock_release(&a->lock);
}

/* Locks the queue that owns `t`, and `also` if it is given; returns the owner. Unchecked: which
 * lock it is shows only at run time. */
static struct timerq *timerq_lock_owner(struct timer *t, struct timerq *also) UNCHECKED_LOCKING
{
	for (;;) {
		/* Relaxed here and below: the lock orders it, and it is looked at again under it.
		 */
		struct timerq *q = atomic_load_ptr(&t->queue, relaxed);

		timerq_lock_pair(q, also ? also : q);
		if (atomic_load_ptr(&t->queue, relaxed) == q)
			return q;
		timerq_unlock_pair(q, also ? also : q);
	}
}

/* ---- Hardware ------------------------------------------------------------------------------ */

/* Tells the hart's timer. `q` is this hart's, SIE off. */
static void program(struct timerq *q, uint64_t at_ns)
{
	q->programmed_ns = at_ns;
	arch_timer_set(at_ns == UINT64_MAX ? UINT64_MAX : clock_ns_to_time(at_ns));
}

/* At most so late from now on. */
static void program_earlier(struct timerq *q, uint64_t at_ns)
{
	if (at_ns < q->programmed_ns)
		program(q, at_ns);
}

/* A timer of this queue is due then. */
static void look_by(struct timerq *q, uint64_t deadline_ns)
{
	if (deadline_ns < q->earliest_ns)
		q->earliest_ns = deadline_ns;
	program_earlier(q, deadline_ns);
}

void timer_set_tick(uint64_t deadline_ns)
{
	struct timerq *q = this_hart()->timerq;

	q->tick_ns = deadline_ns;
	program_earlier(q, deadline_ns);
}

/* Hook relax_arm_tick: a wait takes long, so something shall happen here within a tick. */
static void arm_tick(void)
{
	bool on = arch_irq_save();

	program_earlier(this_hart()->timerq, clock_now_ns() + TICK_NS);
	arch_irq_restore(on);
}

/* ---- Timers -------------------------------------------------------------------------------- */

void timer_init(struct timer *t, void (*fn)(struct timer *t))
{
	timerq_node_init(&t->node);
	t->fn = fn;
	/* Any queue will do; this hart's is the likely one. */
	atomic_store_ptr(&t->queue, this_hart_unstable()->timerq, relaxed);
}

void timer_start(struct timer *t, uint64_t deadline_ns) UNCHECKED_LOCKING
{
	struct timerq *here, *from, *to;

	/* The hart must not change: its queue and its hardware belong together. */
	irq_off();
	here = this_hart()->timerq;
	from = timerq_lock_owner(t, here);
	if (timerq_node_queued(&t->node))
		timerq_remove(&from->tree, &t->node);
	to = from->running == t ? from : here;
	atomic_store_ptr(&t->queue, to, relaxed);
	timerq_insert(&to->tree, &t->node, deadline_ns);
	timerq_unlock_pair(from, here);
	/* On another hart its function runs now: that interrupt programs at its end. */
	if (to == here)
		look_by(here, deadline_ns);
	irq_on();
}

bool timer_cancel(struct timer *t) UNCHECKED_LOCKING
{
	struct timerq *q = timerq_lock_owner(t, NULL);
	bool was = timerq_node_queued(&t->node);

	if (was)
		timerq_remove(&q->tree, &t->node);
	irqlock_release(&q->lock);
	return was;
}

bool timer_cancel_sync(struct timer *t) UNCHECKED_LOCKING
{
	struct relax wait = RELAX_INIT;
	bool was = false;

	run_awaited(NODE_TIMER, (const void *)t->fn);
	for (;;) {
		struct timerq *q = timerq_lock_owner(t, NULL);
		bool firing = q->running == t;

		if (timerq_node_queued(&t->node)) {
			timerq_remove(&q->tree, &t->node);
			was = true;
		}
		/* It runs on this very hart: then this is called from its function, for ever. */
		assert(!firing || q != this_hart()->timerq);
		irqlock_release(&q->lock);
		if (!firing)
			return was;
		relax_step(&wait);
	}
}

bool timer_pending(struct timer *t) UNCHECKED_LOCKING
{
	struct timerq *q = timerq_lock_owner(t, NULL);
	bool pending = timerq_node_queued(&t->node);

	irqlock_release(&q->lock);
	return pending;
}

/* Both locked. */
static void move_first(struct timerq *from, struct timerq *to) REQUIRES(&from->lock)
	REQUIRES(&to->lock)
{
	struct timerq_node *node = timerq_pop_due(&from->tree, UINT64_MAX);
	struct timer *t = container_of(node, struct timer, node);

	atomic_store_ptr(&t->queue, to, relaxed);
	timerq_insert(&to->tree, node, node->deadline_ns);
}

bool timer_migrate(struct hart_meta *from_hart) UNCHECKED_LOCKING
{
	struct timerq *from = from_hart->timerq, *here;
	uint64_t next;
	bool more;

	irq_off();
	here = this_hart()->timerq;
	assert(from != here);
	timerq_lock_pair(from, here);
	assert(!from->running);
	for (unsigned n = 0; n < TIMER_MOVES_MAX && from->tree.nr; n++)
		move_first(from, here);
	more = from->tree.nr;
	next = timerq_next_ns(&here->tree);
	timerq_unlock_pair(from, here);
	look_by(here, next);
	irq_on();
	return more;
}

void timer_hart_forget(void)
{
	struct timerq *q = this_hart()->timerq;

	program(q, MIN(q->earliest_ns, q->tick_ns));
}

/* Runs what is due at now_ns, at most FIRE_MAX. Out of line: most interrupts find nothing due. */
static __attribute__((noinline)) void fire_due(struct timerq *q, uint64_t now_ns)
{
	struct timerq_node *node;

	irqlock_acquire_in_irq(&q->lock);
	for (unsigned n = 0; n < FIRE_MAX && (node = timerq_pop_due(&q->tree, now_ns)); n++) {
		struct timer *t = container_of(node, struct timer, node);
		void (*fn)(struct timer *t) = t->fn;
		uint16_t before;

		q->running = t;
		q->fired++;
		irqlock_release_in_irq(&q->lock);
		before = run_begin(NODE_TIMER, (const void *)fn);
		fn(t);
		run_end(before);
		irqlock_acquire_in_irq(&q->lock);
		q->running = NULL;
	}
	q->earliest_ns = timerq_next_ns(&q->tree);
	irqlock_release_in_irq(&q->lock);
}

void timers_interrupt(void)
{
	struct timerq *q = this_hart_unstable()->timerq; /* SIE is off */
	uint64_t now_ns = clock_now_ns();

	if (unlikely(now_ns < q->programmed_ns))
		q->early++;
	/* The tick first: what the hook starts is then among what fire_due looks at last. Neither
	 * touches the hardware for a later time than programmed_ns, which is past. */
	if (q->tick_ns <= now_ns) {
		q->tick_ns = UINT64_MAX;
		if (tick_hook)
			tick_hook(now_ns);
	}
	if (q->earliest_ns <= now_ns)
		fire_due(q, now_ns);
	program(q, MIN(q->earliest_ns, q->tick_ns));
}

uint64_t timer_promised_ns(const struct hart_meta *h)
{
	return racy_read(h->timerq->programmed_ns, "a look, repeated at the next beat");
}

void timer_info(const struct hart_meta *h, struct timerq_info *out)
{
	struct timerq *q = h->timerq;

	irqlock_acquire(&q->lock);
	out->nr_pending = q->tree.nr;
	out->next_ns = timerq_next_ns(&q->tree);
	out->fired = q->fired;
	irqlock_release(&q->lock);
	out->tick_ns = racy_read(q->tick_ns, "its hart's own; for a command");
	out->programmed_ns = racy_read(q->programmed_ns, "as above");
	out->early = racy_read(q->early, "as above");
}
