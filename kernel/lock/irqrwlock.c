/* SPDX-License-Identifier: MIT */
/*
 * The interrupt-disabling reader/writer lock (irqrwlock.h).
 *
 * The word
 *
 *	 31        20 19 18 17           2   1      0
 *	+------------+-----+--------------+------+------+
 *	|    kick    |  0  |   readers    |ASKED |WRITER|
 *	+------------+-----+--------------+------+------+
 *
 *	WRITER   a writer owns it; readers is 0 then.
 *	ASKED    the holder of the gate waits: newcomers go to the gate, passing readers excepted.
 *	kick     index + 1 of the gate's holder, while it sleeps on the word (park.h).
 *
 * Whoever can't enter at once takes the gate, an irqlock, and waits for the word holding it: so at
 * most one hart waits on the word, the others queue for the gate, in order, with the irqlock's
 * parking. Passing readers never take the gate (its holder may be a writer that waits for the very
 * reader they nest in); they wait for WRITER to go, which waits for nobody.
 *
 * No starvation: with ASKED set only passing readers enter, and those are handlers and nested
 * readers, which do not come from waiting threads; the gate is given in the irqlock's bounded
 * order.
 *
 * No lost wake-up: kick is set by a CAS that saw the blocker (WRITER, or readers for a writer), and
 * the access that removes the last blocker (write release, last reader's release) takes it. A
 * reader at the gate is blocked by WRITER only, and no reader is in meanwhile, so the release it
 * waits for is the writer's. A writer that was kicked may find passing readers in, and parks again.
 *
 * A release touches the word once; then the memory may be gone.
 */
#include "kernel/lock/irqrwlock.h"

#include "kernel/lock/check_fast.h"
#include "kernel/lock/park.h"
#include "kernel/lock/relax.h"

#define CALLER ((uintptr_t)__builtin_return_address(0))

#define WRITER 1u
#define ASKED 2u
#define READER 4u
#define READERS_MASK 0x3fffcu

static_assert(CONFIG_MAX_HARTS * HELD_MAX < READERS_MASK / READER, "the count cannot overflow");

/* A reader enters, unless a writer is in or, for those that don't pass, somebody waits. SIE off. */
static bool enter_reader(struct irqrwlock *lock, bool passing)
{
	uint32_t blockers = passing ? WRITER : WRITER | ASKED;
	uint32_t word = atomic_load_u32(&lock->word, relaxed);

	while (!(word & blockers)) {
		LOCK_POINT(irqrwlock_reader_take);
		/* Acquire; partner: the release in irqrwlock_write_release. */
		if (atomic_cas_u32(&lock->word, &word, word + READER, acquire))
			return true;
	}
	return false;
}

static bool enter_writer(struct irqrwlock *lock)
{
	uint32_t word = 0;

	LOCK_POINT(irqrwlock_writer_take);
	/* Acquire; partners: both releases. */
	return atomic_cas_u32(&lock->word, &word, WRITER, acquire);
}

/* The gate's holder: until nothing of `blockers` is in the word, then enters by adding `grant`. */
static void enter_from_gate(struct irqrwlock *lock, uint32_t blockers, uint32_t grant)
{
	struct lock_hart *h = lock_hart();
	uint32_t word = atomic_load_u32(&lock->word, relaxed);
	unsigned n = 0;

	for (;;) {
		if (!(word & blockers)) {
			LOCK_POINT(irqrwlock_gate_take);
			/* Acquire; partners: both releases. */
			if (atomic_cas_u32(&lock->word, &word, (word & ~ASKED) + grant, acquire))
				return;
			continue;
		}
		if (!(word & ASKED)) {
			LOCK_POINT(irqrwlock_gate_ask);
			/* Relaxed, as below: only the word itself matters. */
			if (!atomic_cas_u32(&lock->word, &word, word | ASKED, relaxed))
				continue;
		} else if (n < irqlock_tuning.head_spins && !LOCK_CHAOS(irqrwlock_parks)) {
			relax();
			n++;
		} else if (atomic_cas_u32(&lock->word, &word, word | KICK_OF(h->index), relaxed)) {
			lock_stat_of(lock->gate.class, lock, LOCK_PARKED);
			park_looks();
			LOCK_POINT(irqrwlock_gate_park);
			park_while_named(&lock->word, h);
			n = 0;
		} else {
			continue;
		}
		word = atomic_load_u32(&lock->word, relaxed);
	}
}

/* The gate is taken bare: it shares the lock's class, checks and interrupts-off section. */
static void wait_through_gate(
	struct irqrwlock *lock, bool before, uint32_t blockers, uint32_t grant)
{
	uint64_t since = lock_stat_wait_begins();

	lock_stat_of(lock->gate.class, lock, LOCK_CONTENDED);
	LOCK_EVENT(irqrwlock_contended, lock, lock->gate.class);
	if (!irqlock_take(&lock->gate))
		irqlock_wait_uncounted(&lock->gate, before);
	lock_hart()->gate = &lock->gate;
	wait_begins(&lock_hart()->wait, WAIT_IRQRWLOCK, lock, lock->gate.class, 0);
	enter_from_gate(lock, blockers, grant);
	wait_ends(&lock_hart()->wait);
	lock_hart()->gate = NULL;
	LOCK_POINT(irqrwlock_gate_leave);
	irqlock_give(&lock->gate);
	lock_stat_waited(lock->gate.class, lock, since);
}

/* What is plain (check_fast.h) needs no call; points and chaos are in the slow ways only. */
#define HAS_PLAIN_WAY (!CONFIG_LOCKPOINTS)
#define INLINE static inline __attribute__((always_inline))

/* An acquire on its way: SIE is off now, and was `before`. */
struct attempt {
	struct irqrwlock *lock;
	unsigned flags;
	uintptr_t pc;
	bool before;
};

INLINE struct attempt attempt(struct irqrwlock *lock, unsigned flags, uintptr_t pc)
{
	bool before = arch_irq_save();

	return (struct attempt){lock, flags | (before ? CHECK_SIE_WAS_ON : 0), pc, before};
}

/* Neither what it holds nor what it asks for needs a look. */
INLINE bool is_plain(const struct attempt *a)
{
	return HAS_PLAIN_WAY &&
		likely(check_irqlock_plain(lock_hart(), a->lock, a->lock->gate.class, a->flags));
}

INLINE void entered_plain(const struct attempt *a)
{
	struct lock_class *class = a->lock->gate.class;
	struct lock_hart *h = lock_hart();
	bool outermost = !h->irq_depth;

	irq_section_begin(h, a->before);
	check_irqlock_record(h, a->lock, class, a->flags, a->pc, outermost);
	if (a->flags & CHECK_WRITE)
		lock_stat_owner(class, a->lock, &a->lock->gate.last_hart, h->index);
}

static bool may_enter(const struct attempt *a)
{
	struct lock_class *class = a->lock->gate.class;

	if (check_irqlock_plain(lock_hart(), a->lock, class, a->flags) ||
		check_acquire(a->lock, class, a->flags, a->pc))
		return true;
	arch_irq_restore(a->before);
	return false;
}

static void entered(const struct attempt *a)
{
	struct lock_class *class = a->lock->gate.class;

	irq_section_begin(lock_hart(), a->before);
	check_acquired(a->lock, class, a->flags, a->pc);
	if (a->flags & CHECK_WRITE)
		lock_stat_owner(class, a->lock, &a->lock->gate.last_hart, lock_hart()->index);
	LOCK_EVENT_AT(irqrwlock_acquired, a->lock, class, a->pc);
}

void irqrwlock_init(struct irqrwlock *lock, struct lock_class *class)
{
	check_init(lock);
	irqlock_init(&lock->gate, class);
	atomic_store_u32(&lock->word, 0, relaxed);
}

/* Waits for the writer to leave, past whoever waits at the gate. SIE off. */
static void pass(struct irqrwlock *lock)
{
	struct lock_hart *h = lock_hart();
	uint64_t since = lock_stat_wait_begins();

	lock_stat_of(lock->gate.class, lock, LOCK_CONTENDED);
	wait_begins(&h->wait, WAIT_IRQRWLOCK, lock, lock->gate.class, 0);
	for (unsigned n = 0; !enter_reader(lock, true); n++) {
		if (n == irqlock_tuning.newcomer_spins)
			park_looks();
		LOCK_WAITING(irqrwlock_passing_wait);
		relax();
	}
	wait_ends(&h->wait);
	lock_stat_waited(lock->gate.class, lock, since);
}

/* Whoever may already be a reader here, or interrupts one. */
INLINE bool passes(unsigned flags)
{
	return (flags & CHECK_RECURSIVE) || lock_hart()->in_irq != IRQ_NONE;
}

static __attribute__((noinline)) void read_slow(struct attempt a)
{
	bool passing = passes(a.flags);

	if (!may_enter(&a))
		return;
	if (LOCK_CHAOS(irqrwlock_read_slow_way) || !enter_reader(a.lock, passing)) {
		if (passing)
			pass(a.lock);
		else
			wait_through_gate(a.lock, a.before, WRITER, READER);
	}
	entered(&a);
}

INLINE void read_acquire(struct irqrwlock *lock, unsigned flags, uintptr_t pc)
{
	struct attempt a = attempt(lock, flags, pc);

	if (is_plain(&a) && enter_reader(lock, passes(flags)))
		entered_plain(&a);
	else
		read_slow(a);
}

void irqrwlock_read_acquire(struct irqrwlock *lock) UNCHECKED_LOCKING
{
	read_acquire(lock, CHECK_READ, CALLER);
}

void irqrwlock_read_acquire_nested(struct irqrwlock *lock) UNCHECKED_LOCKING
{
	read_acquire(lock, CHECK_READ | CHECK_RECURSIVE, CALLER);
}

bool irqrwlock_read_try(struct irqrwlock *lock) UNCHECKED_LOCKING
{
	struct attempt a = attempt(lock, CHECK_READ | CHECK_TRY, CALLER);

	if (!may_enter(&a))
		return false;
	if (LOCK_CHAOS(irqrwlock_read_try_fails) || !enter_reader(lock, false)) {
		LOCK_POINT(irqrwlock_read_try_failed);
		arch_irq_restore(a.before);
		return false;
	}
	entered(&a);
	return true;
}

/* Returns the word with whom to wake, which only the last one out does. */
INLINE uint32_t leave_reader(struct irqrwlock *lock)
{
	uint32_t word = atomic_load_u32(&lock->word, relaxed), left;

	do {
		left = word - READER;
		if (!(left & READERS_MASK))
			left &= ~KICK_MASK;
		/* Release; partners: enter_writer, enter_from_gate. */
	} while (!atomic_cas_u32(&lock->word, &word, left, release));
	return left & READERS_MASK ? 0 : word;
}

INLINE uint32_t leave_writer(struct irqrwlock *lock)
{
	/* Release; partners: the three entries. */
	return atomic_and_u32(&lock->word, ~(WRITER | KICK_MASK), release);
}

/* The lock is given up. */
static __attribute__((noinline)) void left_and_kick(uint32_t old)
{
	park_kick(old);
	irq_section_end(lock_hart());
}

INLINE void left_plain(uint32_t old)
{
	if (unlikely(old & KICK_MASK))
		left_and_kick(old);
	else
		irq_section_end(lock_hart());
}

static __attribute__((noinline)) void read_release_slow(struct irqrwlock *lock, uintptr_t pc)
{
	uint32_t old;

	if (!check_irqlock_release(lock, lock->gate.class, CHECK_READ, pc))
		return;
	LOCK_EVENT_AT(irqrwlock_read_release, lock, lock->gate.class, pc);
	old = leave_reader(lock);
	LOCK_POINT(irqrwlock_read_released);
	left_and_kick(old);
}

void irqrwlock_read_release(struct irqrwlock *lock) UNCHECKED_LOCKING
{
	if (HAS_PLAIN_WAY &&
		check_irqlock_release_plain(lock_hart(), lock, lock->gate.class, CHECK_READ))
		left_plain(leave_reader(lock));
	else
		read_release_slow(lock, CALLER);
}

static __attribute__((noinline)) void write_slow(struct attempt a)
{
	if (!may_enter(&a))
		return;
	if (LOCK_CHAOS(irqrwlock_write_slow_way) || !enter_writer(a.lock))
		wait_through_gate(a.lock, a.before, WRITER | READERS_MASK, WRITER);
	entered(&a);
}

void irqrwlock_write_acquire(struct irqrwlock *lock) UNCHECKED_LOCKING
{
	struct attempt a = attempt(lock, CHECK_WRITE, CALLER);

	if (is_plain(&a) && enter_writer(lock))
		entered_plain(&a);
	else
		write_slow(a);
}

bool irqrwlock_write_try(struct irqrwlock *lock) UNCHECKED_LOCKING
{
	struct attempt a = attempt(lock, CHECK_WRITE | CHECK_TRY, CALLER);

	if (!may_enter(&a))
		return false;
	if (LOCK_CHAOS(irqrwlock_write_try_fails) || !enter_writer(lock)) {
		LOCK_POINT(irqrwlock_write_try_failed);
		arch_irq_restore(a.before);
		return false;
	}
	entered(&a);
	return true;
}

static __attribute__((noinline)) void write_release_slow(struct irqrwlock *lock, uintptr_t pc)
{
	uint32_t old;

	if (!check_irqlock_release(lock, lock->gate.class, CHECK_WRITE, pc))
		return;
	LOCK_EVENT_AT(irqrwlock_write_release, lock, lock->gate.class, pc);
	old = leave_writer(lock);
	LOCK_POINT(irqrwlock_write_released);
	left_and_kick(old);
}

void irqrwlock_write_release(struct irqrwlock *lock) UNCHECKED_LOCKING
{
	if (HAS_PLAIN_WAY &&
		check_irqlock_release_plain(lock_hart(), lock, lock->gate.class, CHECK_WRITE))
		left_plain(leave_writer(lock));
	else
		write_release_slow(lock, CALLER);
}

bool irqrwlock_is_free(const struct irqrwlock *lock)
{
	return !(atomic_load_u32(&lock->word, relaxed) & (WRITER | READERS_MASK));
}

bool irqrwlock_held_by_me(const struct irqrwlock *lock)
{
	if (arch_irq_enabled())
		return false;
	if (CONFIG_LOCKCHECK)
		return check_held(lock);
	return atomic_load_u32(&lock->word, relaxed) & (WRITER | READERS_MASK);
}
