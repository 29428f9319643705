/* SPDX-License-Identifier: MIT */
/*
 * Races on data (kernel/lock/race.h): each planted one is reported, its repaired twin is silent.
 * The focus is on the planted bytes, so that nothing else is watched meanwhile.
 */
#include "kernel/lock/irqlock.h"
#include "kernel/lock/race.h"
#include "kernel/lock/relax.h"
#include "kernel/sched/sched.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"
#include "tests/kernel/ktest.h"

#define ROUNDS_MOST (1u << 24) /* last resort for a race that is never seen */
#define ROUNDS_AWAKE 1024u     /* then a nap: the other one's hart may be without a host core */
#define WATCHED_LEAST 100u     /* silence means something only if somebody looked */

DEFINE_LOCK_CLASS(race_class, .name = "test.race", .rank = RANK_UNORDERED,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 1000000,
	.protects = "the counter beside it, in the tests that are right");

/* Two instances of one kind, as a kernel has two queues. */
static struct box {
	struct irqlock lock;
	unsigned long counter; /* under lock, where a test is right */
	unsigned long ready;   /* a flag for value, plain and so wrong */
	atomic_bool published; /* the same, right */
	unsigned long value;
} boxes[2] = {{.lock = IRQLOCK_INIT(&race_class)}, {.lock = IRQLOCK_INIT(&race_class)}};

struct plan {
	void (*round)(unsigned i);
	unsigned harts;
	bool planted;	/* until it was reported; otherwise until enough was watched */
	uint64_t until; /* accesses watched */
};

/* Handlers that counted, and how many are wanted. */
static atomic_u32 nr_ticks, ticks_least;

static bool enough(const struct plan *p)
{
	if (p->planted)
		return lockcheck_counted();
	return race_watched() >= p->until &&
		atomic_load_u32(&nr_ticks, relaxed) >= atomic_load_u32(&ticks_least, relaxed);
}

static void rounds(unsigned i, void *arg)
{
	const struct plan *p = arg;

	for (unsigned n = 0; n < ROUNDS_MOST && !enough(p); n++) {
		p->round(i);
		if (n % ROUNDS_AWAKE == ROUNDS_AWAKE - 1)
			sched_sleep_ns(NS_PER_MS);
		else
			relax();
	}
}

/* How many races were reported while that many harts ran `round`. */
static unsigned races_of(void (*round)(unsigned i), unsigned harts_in, bool planted)
{
	struct plan plan = {round, harts_in, planted, race_watched() + WATCHED_LEAST};
	unsigned by_kind[KIND_COUNT], others = 0;

	boxes[0].counter = boxes[0].ready = boxes[0].value = 0;
	atomic_store_bool(&boxes[0].published, false, relaxed);
	lockcheck_count_begin();
	race_focus(&boxes[0].counter, sizeof(boxes[0]) - offsetof(struct box, counter));
	ktest_parallel(plan.harts, rounds, &plan);
	race_focus(NULL, 0);
	lockcheck_count_end(by_kind, NULL);
	for (unsigned k = 0; k < KIND_COUNT; k++)
		others += k == KIND_RACE ? 0 : by_kind[k];
	ktest_check(others == 0, "%u reports of other kinds", others);
	return by_kind[KIND_RACE];
}

static void expect_race_on(unsigned harts_in, void (*round)(unsigned i))
{
	unsigned seen;

	if (!CONFIG_RACE || ktest_harts() < harts_in) {
		ktest_skip("needs CONFIG=race and two harts");
		return;
	}
	seen = races_of(round, harts_in, true);
	ktest_check(seen > 0, "the race was not reported");
}

static void expect_silence_on(unsigned harts_in, void (*round)(unsigned i))
{
	uint64_t before = race_watched(), watched;
	unsigned seen;

	if (!CONFIG_RACE || ktest_harts() < harts_in) {
		ktest_skip("needs CONFIG=race and two harts");
		return;
	}
	seen = races_of(round, harts_in, false);
	watched = race_watched() - before;
	ktest_check(seen == 0, "%u races reported", seen);
	ktest_check(watched >= WATCHED_LEAST, "%u accesses were watched", (unsigned)watched);
}

static void expect_race(void (*round)(unsigned i))
{
	expect_race_on(2, round);
}

static void expect_silence(void (*round)(unsigned i))
{
	expect_silence_on(2, round);
}

/* ---- A counter ------------------------------------------------------------------------------ */

static void count_unlocked(unsigned i unused_arg)
{
	boxes[0].counter++;
}

static void count_locked(unsigned i unused_arg)
{
	irqlock_acquire(&boxes[0].lock);
	boxes[0].counter++;
	irqlock_release(&boxes[0].lock);
}

static void count_under_any_instance(unsigned i)
{
	irqlock_acquire(&boxes[i % 2].lock);
	boxes[0].counter++;
	irqlock_release(&boxes[i % 2].lock);
}

KTEST(race, unlocked_counter_is_reported)
{
	expect_race(count_unlocked);
}

KTEST(race, locked_counter_is_silent)
{
	expect_silence(count_locked);
}

KTEST(race, counter_under_the_lock_of_another_instance_is_reported)
{
	expect_race(count_under_any_instance);
}

/* ---- A counter of a thread and of its hart's handler ----------------------------------------- */

#define TICK_NS (50 * KTEST_SLOW * NS_PER_US)

static struct timer ticker;
static void (*tick_counts)(unsigned i);

static void tick(struct timer *t)
{
	tick_counts(0);
	atomic_add_u32(&nr_ticks, 1, relaxed);
	timer_start(t, clock_now_ns() + TICK_NS);
}

/* The thread starts its hart's timer itself, and stays there. */
static void count_under_ticks(void (*count)(unsigned i))
{
	if (!tick_counts) {
		tick_counts = count;
		timer_start(&ticker, clock_now_ns() + TICK_NS);
	}
	count(0);
}

static void count_unlocked_under_ticks(unsigned i unused_arg)
{
	count_under_ticks(count_unlocked);
}

static void count_locked_under_ticks(unsigned i unused_arg)
{
	count_under_ticks(count_locked);
}

static void with_ticks(
	void (*expect)(unsigned harts_in, void (*round)(unsigned i)), void (*round)(unsigned i))
{
	timer_init(&ticker, tick);
	tick_counts = NULL;
	atomic_store_u32(&nr_ticks, 0, relaxed);
	atomic_store_u32(&ticks_least, 10, relaxed);
	expect(1, round);
	timer_cancel_sync(&ticker);
	ktest_check(!CONFIG_RACE || atomic_load_u32(&nr_ticks, relaxed), "no tick came");
	atomic_store_u32(&ticks_least, 0, relaxed);
}

KTEST(race, counter_of_a_thread_and_its_handler_is_reported)
{
	with_ticks(expect_race_on, count_unlocked_under_ticks);
}

KTEST(race, counter_of_a_thread_and_its_handler_under_a_lock_is_silent)
{
	with_ticks(expect_silence_on, count_locked_under_ticks);
}

/* ---- Marks ----------------------------------------------------------------------------------- */

/* A marked reader beside a writer under the lock: it says itself that it races. */
static void count_and_peek(unsigned i)
{
	if (i == 0)
		count_locked(i);
	else
		(void)racy_read(boxes[0].counter, "a test of the mark");
}

static void count_and_peek_unmarked(unsigned i)
{
	unsigned long n;

	if (i == 0) {
		count_locked(i);
		return;
	}
	n = boxes[0].counter;
	__asm__ volatile("" : : "r"(n));
}

KTEST(race, marked_read_is_silent)
{
	expect_silence(count_and_peek);
}

KTEST(race, unmarked_read_is_reported)
{
	expect_race(count_and_peek_unmarked);
}

/* ---- Publishing ----------------------------------------------------------------------------- */

/* Hart 0 makes the value and says so, hart 1 uses it and takes the word back. */
static void publish_plainly(unsigned i)
{
	if (i == 0 && !boxes[0].ready) {
		boxes[0].value++;
		boxes[0].ready = 1;
	} else if (i == 1 && boxes[0].ready) {
		boxes[0].value++;
		boxes[0].ready = 0;
	}
}

static void publish_in_order(unsigned i)
{
	/* Acquire, and release below; each is the other's partner. */
	bool ready = atomic_load_bool(&boxes[0].published, acquire);

	if (i == 0 && !ready) {
		boxes[0].value++;
		atomic_store_bool(&boxes[0].published, true, release);
	} else if (i == 1 && ready) {
		boxes[0].value++;
		atomic_store_bool(&boxes[0].published, false, release);
	}
}

KTEST(race, plain_flag_of_a_value_is_reported)
{
	expect_race(publish_plainly);
}

KTEST(race, ordered_flag_of_a_value_is_silent)
{
	expect_silence(publish_in_order);
}

/* ---- Made once ------------------------------------------------------------------------------ */

/* The look without the lock is the mistake. Hart 1 unmakes it, under the lock. */
static void make_once_plainly(unsigned i)
{
	if (i == 0 && boxes[0].ready)
		return;
	irqlock_acquire(&boxes[0].lock);
	boxes[0].value = 1;
	boxes[0].ready = i == 0;
	irqlock_release(&boxes[0].lock);
}

static void make_once_in_order(unsigned i)
{
	/* Acquire; partner: the release below. */
	if (i == 0 && atomic_load_bool(&boxes[0].published, acquire))
		return;
	irqlock_acquire(&boxes[0].lock);
	boxes[0].value = 1;
	atomic_store_bool(&boxes[0].published, i == 0, release);
	irqlock_release(&boxes[0].lock);
}

KTEST(race, plain_double_checked_init_is_reported)
{
	expect_race(make_once_plainly);
}

KTEST(race, ordered_double_checked_init_is_silent)
{
	expect_silence(make_once_in_order);
}
