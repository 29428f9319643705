/* SPDX-License-Identifier: MIT */
/*
 * The irqlock's algorithm: one word, a queue of harts, a sleeping head that may be passed.
 *
 * The word
 *
 *	 31        20 19         8 7      2   1      0
 *	+------------+------------+--------+------+------+
 *	|    kick    |    tail    | steals |ASLEEP|LOCKED|
 *	+------------+------------+--------+------+------+
 *
 *	LOCKED  somebody owns the lock.
 *	tail    index + 1 of the last hart of the queue; 0: no queue.
 *	ASLEEP  the queue's head is parked, or was woken and has not said yet that it is awake.
 *	steals  how often this head was passed while it was asleep, in units of steal_weight: each
 *	        hart counts its every steal_weight-th steal (of any lock) only.
 *	kick    index + 1 of the head, while it waits for a kick (park.h); 0: nobody.
 *
 * Invariants: kick != 0 implies LOCKED and ASLEEP. No tail: ASLEEP, steals and kick are 0.
 * Every change of the word is a read-modify-write.
 *
 * Who may take the lock (all by compare-and-swap, so at most one)
 *	the head of the queue, when it is not LOCKED;
 *	a newcomer, when it is not LOCKED and there is no queue, or (policy QUEUE) the head is
 *	ASLEEP and `steals` is below max_steals. Counting is per head, not per sleep, so a head
 *	is passed at most (max_steals + harts) * steal_weight times.
 *
 * A hart's node: its states, and who changes them
 *
 *	join -> NODE_WAIT ------- CAS by predecessor ----> NODE_HEAD
 *	            |
 *	       CAS by itself, when it has spun enough
 *	            v
 *	        NODE_PARKED ----- store by predecessor --> NODE_HEAD_ASLEEP
 *
 *	(A hart that joins an empty queue is head without a predecessor.)
 *
 * A head becomes owner by the CAS that also takes itself off the queue (tail = 0 if it was the
 * last), and then makes its successor the head. A successor that is parked is not woken yet: the
 * new owner sets ASLEEP and kick in the word for it, and its release, which takes the kick together
 * with giving up the lock, sends it. So the wake-up's latency passes while newcomers may steal.
 *
 * Proof sketch
 *   Exclusion. LOCKED is set only by a CAS from a value without it, cleared only by the owner.
 *   No lost wake-up, head. The head sleeps only while kick names it. Kick was set, by the head or
 *     by its predecessor as owner, while LOCKED; the release that clears LOCKED reads and clears
 *     kick in the same access and sends to whom it named. So whenever the lock is free, kick is 0:
 *     either it never named the head since it last looked, or the head has been sent to.
 *   No lost wake-up, others. NODE_PARKED ends by the predecessor's store, which it does as owner
 *     after it set kick to us in the word: its release sends to us after that store.
 *   No stale store. Our node is written by our predecessor only until it made us head, and `next`
 *     by our successor only once, which we wait for before we make it head. Both are over before
 *     irqlock_wait returns and the node may be used for another lock.
 *   Spurious wake-ups. Both sleeps are loops. A late kick is an interrupt without a message.
 *   Lifetime. A release is one access; afterwards only lock_harts is read. A waiter touches the
 *     word while it waits, which whoever frees the memory must exclude, as ever.
 *   Interrupts. From the join to the release they are off. A newcomer is not linked: it may be
 *     interrupted, preempted and moved between two attempts. Leaf requests are served in every
 *     loop (relax, park), so the owner of the lock may wait for the waiters' answers.
 *
 * Stealing costs fairness for throughput: with more harts than host cores, passing the lock on in
 * strict order waits for the host's scheduler at every step (ticket and MCS locks: 1/50 of the
 * throughput).
 */
#include "kernel/lock/irqlock.h"

#include "kernel/arch.h"
#include "kernel/lock/park.h"
#include "kernel/lock/relax.h"

bool (*wait_closes_cycle_hart)(void);
bool (*wait_closes_cycle_thread)(void);

#define LOCKED IRQLOCK_LOCKED
#define ASLEEP 2u
#define STEAL_ONE 4u
#define STEALS_SHIFT 2
#define STEALS_MASK (0x3fu << STEALS_SHIFT)
#define TAIL_SHIFT 8
#define TAIL_MASK (0xfffu << TAIL_SHIFT)
#define TAIL_OF(index) (((index) + 1u) << TAIL_SHIFT)

static_assert((LOCKED | ASLEEP | STEALS_MASK | TAIL_MASK | KICK_MASK) == UINT32_MAX, "the word");
static_assert(IRQLOCK_KICK == KICK_MASK, "the inline part agrees");

enum node_state {
	NODE_WAIT = 1,
	NODE_PARKED,
	NODE_HEAD,
	NODE_HEAD_ASLEEP,
};

/*
 * Measured with 2, 4 and 16 harts on 2 host cores; a step is 50-100 ns there. What mattered: a
 * newcomer steals at once if it may (else every steal costs a step), looks rarely while it waits
 * (each look takes the word's line from the owner), and queued waiters park early.
 */
struct irqlock_tuning irqlock_tuning = {
	.newcomer_spins = 600,
	.newcomer_pause = 32,
	.queued_spins = 40,
	.head_spins = 40,
	.max_steals = 60,
	.steal_weight = 100,
	.park_with_timer = true,
};

static bool takeable(uint32_t word, enum irqlock_policy policy)
{
	if (word & LOCKED)
		return false;
	if (!(word & TAIL_MASK))
		return true;
	return policy == IRQLOCK_QUEUE &&
		((word & ASLEEP) || LOCK_CHAOS(irqlock_pass_awake_head)) &&
		(word & STEALS_MASK) >> STEALS_SHIFT < irqlock_tuning.max_steals;
}

/*
 * What a steal adds to the word: every steal_weight-th one of a hart is counted, as the field is
 * small while the bound need not be. `uncounted_steals` changes only once a steal has succeeded.
 */
static inline uint32_t steal_price(const struct lock_hart *h)
{
	return h->uncounted_steals + 1 >= irqlock_tuning.steal_weight ? STEAL_ONE : 0;
}

/*
 * Takes the lock if a newcomer may; *word is its last value seen. SIE off. Inline: on a contended
 * lock whose head sleeps every acquire comes through here.
 */
static inline __attribute__((always_inline)) bool take_as_newcomer(
	struct irqlock *lock, uint32_t *word)
{
	struct lock_hart *h = lock_hart();
	uint32_t price;

	do {
		if (!takeable(*word, irqlock_policy(lock)))
			return false;
		price = *word & TAIL_MASK ? steal_price(h) : 0;
		LOCK_POINT(irqlock_newcomer_take);
		/* Acquire; partner: irqlock_give. */
	} while (!atomic_cas_u32(&lock->word, word, (*word | LOCKED) + price, acquire));
	if (*word & TAIL_MASK) {
		h->uncounted_steals = price ? 0 : h->uncounted_steals + 1;
		lock_stat_of(lock->class, lock, LOCK_STOLEN);
		LOCK_POINT(irqlock_steal);
	}
	return true;
}

bool irqlock_try_slow(struct irqlock *lock)
{
	uint32_t word = atomic_load_u32(&lock->word, relaxed);

	return take_as_newcomer(lock, &word);
}

void irqlock_kick(uint32_t old)
{
	LOCK_POINT(irqlock_kick);
	park_kick(old);
}

/* Attempts with interrupts as they were at entry (`before`) in between. SIE off at call and return.
 */
static bool wait_as_newcomer(struct irqlock *lock, bool before, enum irqlock_policy policy)
{
	unsigned spins = policy == IRQLOCK_FIFO ? 0 : irqlock_tuning.newcomer_spins;
	unsigned pause = 1;
	uint32_t word;

	if (policy != IRQLOCK_TAS && LOCK_CHAOS(irqlock_queue_at_once))
		return false;
	LOCK_POINT(irqlock_newcomer_wait);
	for (unsigned n = 0; policy == IRQLOCK_TAS || n < spins;) {
		arch_irq_restore(before);
		do {
			for (unsigned i = 0; i < pause; i++, n++)
				relax();
			if (pause < irqlock_tuning.newcomer_pause)
				pause *= 2;
			/* Relaxed: the compare-and-swap that takes it is the acquire. */
			word = atomic_load_u32(&lock->word, relaxed);
		} while (!takeable(word, policy) && (policy == IRQLOCK_TAS || n < spins));
		arch_irq_disable();
		if (take_as_newcomer(lock, &word))
			return true;
	}
	return false;
}

/* Becomes the last of the queue; *predecessor is NULL if also the first. False: took the lock
 * instead. */
static bool join(struct irqlock *lock, struct lock_hart *h, struct lock_hart **predecessor)
{
	uint32_t word, joined;

	/* Relaxed: published by the release of the link below (our predecessor reads `state` only
	 * after it) and of the compare-and-swap (our successor writes `next` only after it). */
	atomic_store_u32(&h->node.next, 0, relaxed);
	atomic_store_u32(&h->node.state, NODE_WAIT, relaxed);
	word = atomic_load_u32(&lock->word, relaxed);
	do {
		if (take_as_newcomer(lock, &word))
			return false;
		joined = (word & ~TAIL_MASK) | TAIL_OF(h->index);
		LOCK_POINT(irqlock_join);
		/* Acquire: our store to the predecessor's node comes after its initialisation. */
	} while (!atomic_cas_u32(&lock->word, &word, joined, acq_rel));
	*predecessor = NULL;
	if (word & TAIL_MASK) {
		LOCK_WINDOW(irqlock_link);
		*predecessor = lock_harts[((word & TAIL_MASK) >> TAIL_SHIFT) - 1];
		/* Release; partner: the load of `next` in pass_headship. */
		atomic_store_u32(&(*predecessor)->node.next, h->index + 1, release);
	}
	return true;
}

/* Until the predecessor makes us head: spins on our own node, then sleeps. */
static void wait_for_headship(struct irqlock *lock, struct lock_hart *h)
{
	uint32_t state = NODE_WAIT;

	for (unsigned n = 0; n < irqlock_tuning.queued_spins; n++) {
		if (LOCK_CHAOS(irqlock_park_at_once))
			break;
		/* Acquire; partner: the release in pass_headship. */
		if (atomic_load_u32(&h->node.state, acquire) == NODE_HEAD)
			return;
		relax();
	}
	LOCK_WINDOW(irqlock_park);
	/* Fails only if we have become head meanwhile: acquire on failure, as above. */
	if (!atomic_cas_u32(&h->node.state, &state, NODE_PARKED, acquire)) {
		LOCK_POINT(irqlock_head_before_park);
		return;
	}
	lock_stat_of(lock->class, lock, LOCK_PARKED);
	park_looks();
	park_while_state(&h->node.state, NODE_PARKED);
}

/* The new owner, who was head and is off the queue, makes its successor the head. */
static void pass_headship(struct irqlock *lock, struct lock_hart *h)
{
	struct lock_hart *successor;
	uint32_t next, state = NODE_WAIT;

	/* The successor is between its compare-and-swap and its link store, with interrupts off.
	 * Acquire: partner is that store's release, so its node is initialised. */
	while ((next = atomic_load_u32(&h->node.next, acquire)) == 0) {
		LOCK_WAITING(irqlock_successor_links);
		relax();
	}
	lock_stat(lock->class, LOCK_HANDED_OFF);
	LOCK_POINT(irqlock_pass_headship);
	successor = lock_harts[next - 1];
	/* Release; partner: wait_for_headship. */
	if (atomic_cas_u32(&successor->node.state, &state, NODE_HEAD, release))
		return;
	/* It sleeps. Word first: when it reads its state (acquire), it sees itself named or the
	 * kick taken. Relaxed: the release of the store orders it. */
	atomic_or_u32(&lock->word, ASLEEP | KICK_OF(successor->index), relaxed);
	LOCK_POINT(irqlock_head_asleep);
	atomic_store_u32(&successor->node.state, NODE_HEAD_ASLEEP, release);
}

/* The head waits for the owner, and takes the lock. */
static void wait_as_head(struct irqlock *lock, struct lock_hart *h)
{
	uint32_t word = atomic_load_u32(&lock->word, relaxed);
	unsigned n = 0;

	for (;;) {
		if (!(word & LOCKED)) {
			bool last = (word & TAIL_MASK) == TAIL_OF(h->index);
			uint32_t taken = LOCKED | (last ? 0 : word & TAIL_MASK);

			LOCK_POINT(irqlock_head_take);
			/* Acquire; partner: irqlock_give. */
			if (!atomic_cas_u32(&lock->word, &word, taken, acquire))
				continue;
			if (!last)
				pass_headship(lock, h);
			return;
		}
		if (word & ASLEEP) {
			/* Awake: no more stealing, no kick. Relaxed: only the word itself matters.
			 */
			uint32_t awake = word & ~(ASLEEP | KICK_MASK);

			LOCK_POINT(irqlock_head_awake);
			if (!atomic_cas_u32(&lock->word, &word, awake, relaxed))
				continue;
			n = 0;
		} else if (n < irqlock_tuning.head_spins && !LOCK_CHAOS(irqlock_head_parks)) {
			relax();
			n++;
		} else if (atomic_cas_u32(&lock->word, &word, word | ASLEEP | KICK_OF(h->index),
				   relaxed)) {
			lock_stat_of(lock->class, lock, LOCK_PARKED);
			park_looks();
			LOCK_POINT(irqlock_head_park);
			park_while_named(&lock->word, h);
		} else {
			continue;
		}
		word = atomic_load_u32(&lock->word, relaxed);
	}
}

static void wait_in_turn(struct irqlock *lock, bool before)
{
	enum irqlock_policy policy = irqlock_policy(lock);
	struct lock_hart *h, *predecessor;

	if (wait_as_newcomer(lock, before, policy))
		return;
	h = lock_hart(); /* stable: SIE is off from here to the release */
	assert(lock_harts[h->index] == h);
	if (CONFIG_LOCKSTAT)
		h->linked_since = arch_time();
	if (!join(lock, h, &predecessor))
		return;
	wait_begins(&h->wait, WAIT_IRQLOCK, lock, lock->class, 0);
	if (predecessor)
		wait_for_headship(lock, h);
	wait_as_head(lock, h);
	wait_ends(&h->wait);
}

/* Not inline: its frame would cost irqlock_wait more than the steal itself. */
static __attribute__((noinline)) void wait_counted(struct irqlock *lock, bool before)
{
	uint64_t since = lock_stat_wait_begins();

	lock_stat_of(lock->class, lock, LOCK_CONTENDED);
	LOCK_EVENT(irqlock_contended, lock, lock->class);
	wait_in_turn(lock, before);
	lock_stat_waited(lock->class, lock, since);
}

void irqlock_wait_uncounted(struct irqlock *lock, bool before)
{
	uint32_t word = atomic_load_u32(&lock->word, relaxed);

	if (!take_as_newcomer(lock, &word))
		wait_in_turn(lock, before);
}

void irqlock_wait(struct irqlock *lock, bool before)
{
	uint32_t word = atomic_load_u32(&lock->word, relaxed);

	/* Under contention the usual case is a free lock with a sleeping head. */
	if (!take_as_newcomer(lock, &word))
		wait_counted(lock, before);
}

void irqlock_init(struct irqlock *lock, struct lock_class *class)
{
	irqlock_init_policy(lock, class, IRQLOCK_BY_CLASS);
}

void irqlock_init_policy(struct irqlock *lock, struct lock_class *class, enum irqlock_policy policy)
{
	check_init(lock);
	/* Relaxed: whoever publishes the lock orders it. */
	atomic_store_u32(&lock->word, 0, relaxed);
	lock->class = class;
	lock->policy = (uint8_t)policy;
	lock->last_hart = 0;
}

bool irqlock_held_by_me(const struct irqlock *lock)
{
	if (arch_irq_enabled())
		return false;
	if (CONFIG_LOCKCHECK)
		return check_held(lock);
	return irqlock_is_locked(lock);
}
