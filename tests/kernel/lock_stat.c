/* SPDX-License-Identifier: MIT */
/* Every figure of the lock statistics moves when what it counts happens, and only by that. */
#include "kernel/hart/hart.h"
#include "kernel/lock/irqlock.h"
#include "kernel/lock/relax.h"
#include "kernel/lock/stat.h"
#include "kernel/sched/sched.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"
#include "kernel/wait/mutex.h"
#include "tests/kernel/ktest.h"

#define LONG_NS (2 * NS_PER_MS)
/*
 * The host may take a hart away at any point, so that something else is the longest, or another
 * lock takes the place of ours. Then there is another try, a longer one.
 */
#define TRIES 200u

DEFINE_LOCK_CLASS(stat_spin_class, .name = "test.stat.spin", .rank = RANK_TEST_SPIN,
	.contexts = LOCK_IN_THREAD, .max_hold_us = 10000,
	.protects = "nothing: its use is counted");
DEFINE_LOCK_CLASS(stat_sleep_class, .name = "test.stat.sleep", .rank = RANK_TEST_SLEEP,
	.contexts = LOCK_IN_THREAD, .max_hold_us = 10000,
	.protects = "nothing: its use is counted");

/* Protect nothing; taken by the tests below, alone. */
static struct irqlock spin = IRQLOCK_INIT(&stat_spin_class);
static struct mutex sleeping = MUTEX_INIT(&stat_sleep_class);
/* Whose turn it is, or how far the first one is. */
static atomic_u32 step;

static bool begin(void)
{
	if (!CONFIG_LOCKSTAT) {
		ktest_skip("no lock statistics");
		return false;
	}
	/* Not those of all classes: the lock book is made of them. */
	lock_stat_reset_class(&stat_spin_class);
	lock_stat_reset_class(&stat_sleep_class);
	lock_stat_reset_locks();
	lock_stat_reset_sections();
	atomic_store_u32(&step, 0, relaxed);
	return true;
}

static bool begin_two(void)
{
	if (ktest_harts() < 2) {
		ktest_skip("takes two harts");
		return false;
	}
	return begin();
}

static void wait_for_step(uint32_t n)
{
	while (atomic_load_u32(&step, acquire) < n)
		relax();
}

static unsigned long in_all(const struct lock_stat_times *t)
{
	unsigned long n = 0;

	for (unsigned i = 0; i < LOCK_BUCKETS; i++)
		n += t->buckets[i];
	return n;
}

/* How many are in buckets of times that are at least as long. */
static unsigned long at_least(const struct lock_stat_times *t, uint64_t ns)
{
	unsigned long n = 0;

	for (unsigned i = 1; i < LOCK_BUCKETS; i++)
		if (ticks_to_ns(2ull << (i - 1)) > ns)
			n += t->buckets[i];
	return n;
}

static bool find_lock(const void *lock, struct lock_stat_lock *out)
{
	for (unsigned i = 0; i < LOCK_STAT_LOCKS; i++)
		if (lock_stat_lock(i, out) && out->lock == lock)
			return true;
	return false;
}

KTEST(lockstat, acquisitions_are_counted_and_forgotten)
{
	struct lock_stat_times holds;

	if (!begin())
		return;
	for (unsigned i = 0; i < 10; i++) {
		irqlock_acquire(&spin);
		irqlock_release(&spin);
	}
	lock_stat_holds(&stat_spin_class, &holds);
	ktest_check(lock_stat_read(&stat_spin_class, LOCK_ACQUIRED) == 10);
	ktest_check(in_all(&holds) == 10, "%lu holds", in_all(&holds));
	ktest_check(!lock_stat_read(&stat_spin_class, LOCK_CONTENDED));
	lock_stat_reset_class(&stat_spin_class);
	lock_stat_holds(&stat_spin_class, &holds);
	ktest_check(!lock_stat_read(&stat_spin_class, LOCK_ACQUIRED) && !in_all(&holds));
}

static uint64_t longer(unsigned try)
{
	return LONG_NS << MIN(try / 4, 5u);
}

static void hold_long(uint64_t ns)
{
	irqlock_acquire(&spin);
	clock_delay_ns(ns);
	irqlock_release(&spin);
}

/* The hart's longest is at least so long, and has a backtrace. */
static bool is_longest(unsigned hart, enum lock_section what, struct lock_stat_section *s)
{
	return lock_stat_section(hart, what, s) && ticks_to_ns(s->ticks) >= LONG_NS &&
		s->nr_pcs > 1;
}

/* Interrupts are off all the time, and preemption is, too. */
static bool hold_is_longest(unsigned try)
{
	struct lock_stat_section section;
	unsigned hart;

	begin();
	preempt_disable();
	hart = this_hart()->index;
	hold_long(longer(try));
	preempt_enable();
	return is_longest(hart, SECTION_IRQS_OFF, &section) && section.begin &&
		is_longest(hart, SECTION_PREEMPT_OFF, &section);
}

KTEST(lockstat, a_long_hold_is_the_longest_with_its_backtrace)
{
	struct lock_stat_times holds;
	unsigned try = 0;

	if (!begin())
		return;
	irqlock_acquire(&spin);
	irqlock_release(&spin);
	hold_long(LONG_NS);
	lock_stat_holds(&stat_spin_class, &holds);
	ktest_check(ticks_to_ns(holds.max) >= LONG_NS && ticks_to_ns(holds.ticks) >= LONG_NS);
	ktest_check(holds.nr_pcs > 1, "%u addresses", holds.nr_pcs);
	ktest_check(at_least(&holds, LONG_NS) >= 1 && in_all(&holds) == 2);
	while (!hold_is_longest(try) && ++try < TRIES)
		;
	ktest_check(try < TRIES, "never the longest section of its hart");
}

static bool off_is_longest(unsigned try)
{
	struct lock_stat_section section;
	unsigned hart;

	begin();
	irq_off();
	hart = this_hart()->index;
	clock_delay_ns(longer(try));
	irq_on();
	return is_longest(hart, SECTION_IRQS_OFF, &section);
}

KTEST(lockstat, long_irq_off_without_a_lock_is_seen)
{
	unsigned try = 0;

	if (!begin())
		return;
	while (!off_is_longest(try) && ++try < TRIES)
		;
	ktest_check(try < TRIES, "never the longest section of its hart");
}

static uint64_t handler_ns;

static void long_handler(struct timer *t unused_arg)
{
	clock_delay_ns(handler_ns);
	atomic_store_u32(&step, this_hart()->index + 1, release);
}

static bool handler_is_longest(unsigned try)
{
	static struct timer timer;
	struct lock_stat_section section = {0};
	uint32_t hart;

	begin();
	handler_ns = longer(try);
	timer_init(&timer, long_handler);
	timer_start(&timer, clock_now_ns());
	ktest_check(ktest_eventually(atomic_load_u32(&step, acquire)), "no timer");
	timer_cancel_sync(&timer);
	hart = atomic_load_u32(&step, relaxed) - 1;
	/* It is noted when the interrupt ends, a little after its timer has. */
	for (unsigned looks = 0; looks < 20 && section.kind != IRQ_TIMER; looks++) {
		if (looks)
			sched_sleep_ns(NS_PER_MS);
		if (!lock_stat_section(hart, SECTION_HANDLER, &section) ||
			ticks_to_ns(section.ticks) < LONG_NS)
			section.kind = IRQ_NONE;
	}
	return section.kind == IRQ_TIMER;
}

KTEST(lockstat, a_long_handler_is_seen)
{
	unsigned try = 0;

	if (!begin())
		return;
	while (!handler_is_longest(try) && !ktest_failed() && ++try < TRIES)
		;
	ktest_check(try < TRIES, "never the longest handler of its hart");
}

/* The first one holds the lock until the second sleeps for it. */
static void hold_or_wait(unsigned i, void *arg unused_arg)
{
	unsigned long parked = lock_stat_read(&stat_spin_class, LOCK_PARKED);

	if (i == 0) {
		irqlock_acquire(&spin);
		atomic_store_u32(&step, 1, release);
		while (lock_stat_read(&stat_spin_class, LOCK_PARKED) == parked)
			relax();
		clock_delay_ns(LONG_NS);
		irqlock_release(&spin);
	} else {
		wait_for_step(1);
		irqlock_acquire(&spin);
		irqlock_release(&spin);
	}
}

/* One wait of another hart; true: the lock kept its place among the contended ones. */
static bool wait_once(void (*fn)(unsigned i, void *arg), const void *lock, struct lock_stat_lock *l)
{
	return begin() && ktest_parallel(2, fn, NULL) && find_lock(lock, l) &&
		l->n[LOCK_CONTENDED] && l->waits.max && l->n[LOCK_ACQUIRED] == 2;
}

KTEST(lockstat, a_wait_for_an_irqlock_is_counted_for_class_and_lock)
{
	struct lock_stat_times waits;
	struct lock_stat_lock l;
	unsigned try = 0;

	if (!begin_two())
		return;
	while (!wait_once(hold_or_wait, &spin, &l) && !ktest_failed() && ++try < TRIES)
		;
	ktest_require(try < TRIES, "never among the contended ones");
	lock_stat_waits(&stat_spin_class, &waits);
	ktest_check(lock_stat_read(&stat_spin_class, LOCK_CONTENDED) == 1);
	ktest_check(lock_stat_read(&stat_spin_class, LOCK_PARKED) >= 1);
	/* The first acquire of the two may be one, too. */
	ktest_check(lock_stat_read(&stat_spin_class, LOCK_BOUNCED) - 1 <= 1);
	ktest_check(ticks_to_ns(waits.max) >= LONG_NS && waits.ticks == waits.max);
	ktest_check(waits.nr_pcs > 1 && in_all(&waits) == 1 && at_least(&waits, LONG_NS) == 1);
	ktest_check(l.class == &stat_spin_class && l.n[LOCK_CONTENDED] == 1 && l.n[LOCK_PARKED]);
	ktest_check(l.waits.ticks == waits.ticks && l.waits.max == waits.max);
	ktest_check(l.waits.nr_pcs > 1 && at_least(&l.waits, LONG_NS) == 1);
	/* The first one's hold ended after the place was taken; then the second one had it. */
	ktest_check(l.n[LOCK_BOUNCED] == 1, "%lu", l.n[LOCK_BOUNCED]);
	ktest_check(ticks_to_ns(l.holds.max) >= LONG_NS && l.holds.nr_pcs > 1);
	ktest_check(l.holds.ticks >= l.holds.max && at_least(&l.holds, LONG_NS) >= 1);
}

static void hold_or_wait_asleep(unsigned i, void *arg unused_arg)
{
	if (i == 0) {
		mutex_lock(&sleeping);
		atomic_store_u32(&step, 1, release);
		while (!(atomic_load_u32(&sleeping.pi.word, relaxed) & PILOCK_QUEUED))
			sched_sleep_ns(NS_PER_MS);
		sched_sleep_ns(LONG_NS);
		mutex_unlock(&sleeping);
	} else {
		wait_for_step(1);
		mutex_lock(&sleeping);
		mutex_unlock(&sleeping);
	}
}

KTEST(lockstat, a_wait_for_a_mutex_is_counted_for_class_and_lock)
{
	struct lock_stat_times waits, holds;
	struct lock_stat_lock l;
	unsigned try = 0;

	if (!begin())
		return;
	while (!wait_once(hold_or_wait_asleep, &sleeping, &l) && !ktest_failed() && ++try < TRIES)
		;
	ktest_require(try < TRIES, "never among the contended ones");
	lock_stat_waits(&stat_sleep_class, &waits);
	lock_stat_holds(&stat_sleep_class, &holds);
	ktest_check(lock_stat_read(&stat_sleep_class, LOCK_ACQUIRED) == 2);
	ktest_check(lock_stat_read(&stat_sleep_class, LOCK_CONTENDED) == 1);
	ktest_check(lock_stat_read(&stat_sleep_class, LOCK_PARKED) >= 1);
	ktest_check(ticks_to_ns(waits.max) >= LONG_NS && in_all(&waits) == 1);
	ktest_check(ticks_to_ns(holds.max) >= LONG_NS && in_all(&holds) == 2);
	ktest_check(l.n[LOCK_CONTENDED] == 1 && l.waits.max == waits.max);
	ktest_check(l.holds.max == holds.max && l.holds.ticks == holds.ticks);
}

/* In turns, each on its hart. */
static void take_turns(unsigned i, void *arg unused_arg)
{
	for (uint32_t n = 0; n < 5; n++) {
		wait_for_step(2 * n + i);
		irqlock_acquire(&spin);
		irqlock_release(&spin);
		mutex_lock(&sleeping);
		mutex_unlock(&sleeping);
		atomic_add_u32(&step, 1, acq_rel);
	}
}

KTEST(lockstat, bounces_between_harts_are_counted)
{
	if (!begin_two() || !ktest_parallel(2, take_turns, NULL))
		return;
	/* The first acquire of all may be one, too. */
	ktest_check(lock_stat_read(&stat_spin_class, LOCK_BOUNCED) - 9 <= 1, "%lu",
		lock_stat_read(&stat_spin_class, LOCK_BOUNCED));
	ktest_check(lock_stat_read(&stat_sleep_class, LOCK_BOUNCED) - 9 <= 1, "%lu",
		lock_stat_read(&stat_sleep_class, LOCK_BOUNCED));
	ktest_check(!lock_stat_read(&stat_spin_class, LOCK_CONTENDED));
}

static void always_contended(const void *lock, unsigned n)
{
	while (n--)
		lock_stat_of(&stat_spin_class, lock, LOCK_CONTENDED);
}

/* More locks than there is room for, and one that is worse than all of them. */
KTEST(lockstat, the_most_contended_lock_keeps_its_place)
{
	static const char locks[8 * LOCK_STAT_LOCKS];
	struct lock_stat_lock l;

	if (!begin())
		return;
	for (unsigned i = 0; i < sizeof(locks); i++) {
		always_contended(&locks[i], 1);
		always_contended(&spin, 2);
	}
	ktest_require(find_lock(&spin, &l));
	ktest_check(l.n[LOCK_CONTENDED] > sizeof(locks), "%lu", l.n[LOCK_CONTENDED]);
	ktest_check(lock_stat_crowded() >= sizeof(locks) - LOCK_STAT_LOCKS, "%lu were said",
		lock_stat_crowded());
}
