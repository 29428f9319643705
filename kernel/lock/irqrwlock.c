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

/* An acquire on its way. */
struct attempt {
	unsigned flags;
	uintptr_t pc;
	bool before; /* SIE */
	bool plain;  /* check_fast.h */
};

static inline __attribute__((always_inline)) bool begin(struct irqrwlock *lock, struct attempt *a)
{
	struct lock_class *class = lock->gate.class;

	a->before = arch_irq_save();
	if (a->before)
		a->flags |= CHECK_SIE_WAS_ON;
	a->plain = check_irqlock_plain(lock_hart(), lock, class, a->flags);
	if (a->plain || check_acquire(lock, class, a->flags, a->pc))
		return true;
	arch_irq_restore(a->before);
	return false;
}

static inline __attribute__((always_inline)) void entered(
	struct irqrwlock *lock, const struct attempt *a)
{
	struct lock_hart *h = lock_hart();
	bool outermost = !h->irq_depth;

	irq_section_begin(h, a->before);
	if (a->plain)
		check_irqlock_record(h, lock, lock->gate.class, a->flags, a->pc, outermost);
	else
		check_acquired(lock, lock->gate.class, a->flags, a->pc);
	if (a->flags & CHECK_WRITE)
		lock_stat_owner(lock->gate.class, &lock->gate.last_hart, h->index);
	LOCK_EVENT_AT(irqrwlock_acquired, lock, lock->gate.class, a->pc);
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

static inline __attribute__((always_inline)) void read_acquire(
	struct irqrwlock *lock, unsigned flags, uintptr_t pc)
{
	struct attempt a = {.flags = flags, .pc = pc};
	bool passing;

	if (!begin(lock, &a))
		return;
	passing = (flags & CHECK_RECURSIVE) || lock_hart()->in_irq != IRQ_NONE;
	if (LOCK_CHAOS(irqrwlock_read_slow_way) || !enter_reader(lock, passing)) {
		if (passing)
			pass(lock);
		else
			wait_through_gate(lock, a.before, WRITER, READER);
	}
	entered(lock, &a);
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
	struct attempt a = {.flags = CHECK_READ | CHECK_TRY, .pc = CALLER};

	if (!begin(lock, &a))
		return false;
	if (LOCK_CHAOS(irqrwlock_read_try_fails) || !enter_reader(lock, false)) {
		LOCK_POINT(irqrwlock_read_try_failed);
		arch_irq_restore(a.before);
		return false;
	}
	entered(lock, &a);
	return true;
}

void irqrwlock_read_release(struct irqrwlock *lock) UNCHECKED_LOCKING
{
	uint32_t word, left;

	if (!check_irqlock_release(lock, lock->gate.class, CHECK_READ, CALLER))
		return;
	LOCK_EVENT(irqrwlock_read_release, lock, lock->gate.class);
	word = atomic_load_u32(&lock->word, relaxed);
	do {
		left = word - READER;
		if (!(left & READERS_MASK))
			left &= ~KICK_MASK;
		/* Release; partners: enter_writer, enter_from_gate. */
	} while (!atomic_cas_u32(&lock->word, &word, left, release));
	LOCK_POINT(irqrwlock_read_released);
	if (!(left & READERS_MASK))
		park_kick(word);
	irq_section_end(lock_hart());
}

void irqrwlock_write_acquire(struct irqrwlock *lock) UNCHECKED_LOCKING
{
	struct attempt a = {.flags = CHECK_WRITE, .pc = CALLER};

	if (!begin(lock, &a))
		return;
	if (LOCK_CHAOS(irqrwlock_write_slow_way) || !enter_writer(lock))
		wait_through_gate(lock, a.before, WRITER | READERS_MASK, WRITER);
	entered(lock, &a);
}

bool irqrwlock_write_try(struct irqrwlock *lock) UNCHECKED_LOCKING
{
	struct attempt a = {.flags = CHECK_WRITE | CHECK_TRY, .pc = CALLER};

	if (!begin(lock, &a))
		return false;
	if (LOCK_CHAOS(irqrwlock_write_try_fails) || !enter_writer(lock)) {
		LOCK_POINT(irqrwlock_write_try_failed);
		arch_irq_restore(a.before);
		return false;
	}
	entered(lock, &a);
	return true;
}

void irqrwlock_write_release(struct irqrwlock *lock) UNCHECKED_LOCKING
{
	uint32_t old;

	if (!check_irqlock_release(lock, lock->gate.class, CHECK_WRITE, CALLER))
		return;
	LOCK_EVENT(irqrwlock_write_release, lock, lock->gate.class);
	/* Release; partners: the three entries. */
	old = atomic_and_u32(&lock->word, ~(WRITER | KICK_MASK), release);
	LOCK_POINT(irqrwlock_write_released);
	park_kick(old);
	irq_section_end(lock_hart());
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
