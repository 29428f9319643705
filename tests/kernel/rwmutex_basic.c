/* SPDX-License-Identifier: MIT */
/* The reader/writer mutex: readers together, writers alone, nobody starves. */
#include "kernel/lock/relax.h"
#include "kernel/wait/rwmutex.h"
#include "tests/kernel/wait_util.h"

WAIT_TEST_CLASS(test_rwmutex_class, "test.rwmutex");

static struct {
	struct rwmutex rw;
	unsigned a, b; /* equal while nobody writes */
	atomic_u32 readers, readers_max, writes;
	atomic_bool stop;
	struct wait_log log;
} shelf;

static void shelf_init(void)
{
	rwmutex_init(&shelf.rw, &test_rwmutex_class);
	shelf.a = 0;
	shelf.b = 0;
	atomic_store_u32(&shelf.readers, 0, relaxed);
	atomic_store_u32(&shelf.readers_max, 0, relaxed);
	atomic_store_u32(&shelf.writes, 0, relaxed);
	atomic_store_bool(&shelf.stop, false, relaxed);
	atomic_store_u32(&shelf.log.n, 0, relaxed);
}

static void read_shelf(unsigned n)
{
	uint32_t now = count_up(&shelf.readers) + 1;

	if (now > seen(&shelf.readers_max))
		atomic_store_u32(&shelf.readers_max, now, relaxed);
	ktest_check(shelf.a == shelf.b);
	if (n % 16 == 0)
		sched_sleep_ns(1000);
	ktest_check(shelf.a == shelf.b);
	atomic_add_u32(&shelf.readers, -1u, acq_rel);
}

static void write_shelf(unsigned n)
{
	ktest_check(!seen(&shelf.readers));
	shelf.a++;
	if (n % 16 == 0)
		sched_sleep_ns(1000);
	shelf.b++;
	ktest_check(!seen(&shelf.readers));
	count_up(&shelf.writes);
}

static void use_shelf(unsigned i, void *arg)
{
	unsigned rounds = ktest_each(400);
	uint64_t seed = i;

	(void)arg;
	for (unsigned n = 0; n < rounds; n++) {
		struct wait_limit limit = WAIT_UNTIL(clock_now_ns() + ktest_random(&seed) % 80000);
		bool limited = ktest_random(&seed) % 2;

		if (ktest_random(&seed) % 3) {
			if (rwmutex_read_lock_limit(&shelf.rw, limited ? &limit : &WAIT_PLAIN))
				continue;
			read_shelf(n);
			rwmutex_read_unlock(&shelf.rw);
		} else {
			if (rwmutex_write_lock_limit(&shelf.rw, limited ? &limit : &WAIT_PLAIN))
				continue;
			write_shelf(n);
			rwmutex_write_unlock(&shelf.rw);
		}
	}
}

KTEST(rwmutex, writers_are_alone_with_limits_ending_at_any_moment)
{
	shelf_init();
	ktest_parallel(3 * ktest_harts(), use_shelf, NULL);
	ktest_check(shelf.a == seen(&shelf.writes) && shelf.b == shelf.a);
	ktest_check(!atomic_load_u32(&shelf.rw.count, relaxed));
	wait_check_idle(&shelf.rw.pi, "after the crowd");
}

static void read_and_stay(void *arg)
{
	(void)arg;
	rwmutex_read_lock(&shelf.rw);
	count_up(&shelf.readers);
	while (!atomic_load_bool(&shelf.stop, acquire))
		sched_sleep_ns(100000);
	atomic_add_u32(&shelf.readers, -1u, acq_rel);
	rwmutex_read_unlock(&shelf.rw);
}

KTEST(rwmutex, readers_hold_it_together)
{
	struct thread *t[5];

	shelf_init();
	for (unsigned i = 0; i < 5; i++)
		t[i] = wait_spawn("reader", read_and_stay, NULL, 0);
	ktest_check(ktest_eventually(seen(&shelf.readers) == 5));
	ktest_check(!rwmutex_write_try(&shelf.rw));
	ktest_check(rwmutex_read_try(&shelf.rw));
	rwmutex_read_unlock(&shelf.rw);
	atomic_store_bool(&shelf.stop, true, release);
	for (unsigned i = 0; i < 5; i++)
		thread_join(t[i], NULL);
	ktest_check(rwmutex_write_try(&shelf.rw));
	ktest_check(rwmutex_write_held_by_me(&shelf.rw) && !rwmutex_read_try(&shelf.rw));
	rwmutex_write_unlock(&shelf.rw);
}

/* Readers that come one upon the other, for ever. */
static void read_on_and_on(void *arg)
{
	(void)arg;
	while (!atomic_load_bool(&shelf.stop, relaxed)) {
		rwmutex_read_lock(&shelf.rw);
		sched_yield();
		relax();
		rwmutex_read_unlock(&shelf.rw);
	}
}

KTEST(rwmutex, writer_does_not_starve_behind_readers)
{
	unsigned n = ktest_harts() + 1;
	struct thread *t[9];

	shelf_init();
	n = MIN(n, ARRAY_SIZE(t));
	for (unsigned i = 0; i < n; i++)
		t[i] = wait_spawn("reader", read_on_and_on, NULL, 0);
	for (unsigned i = 0; i < 50; i++) {
		rwmutex_write_lock(&shelf.rw);
		shelf.a++;
		rwmutex_write_unlock(&shelf.rw);
	}
	atomic_store_bool(&shelf.stop, true, relaxed);
	for (unsigned i = 0; i < n; i++)
		thread_join(t[i], NULL);
	ktest_check(shelf.a == 50);
}

static void write_and_log(void *arg)
{
	rwmutex_write_lock(&shelf.rw);
	wait_log_add(&shelf.log, (unsigned)(uintptr_t)arg);
	rwmutex_write_unlock(&shelf.rw);
}

/* Readers are in at the same time: each takes a place of its own. */
static void read_and_log(void *arg)
{
	rwmutex_read_lock(&shelf.rw);
	shelf.log.who[count_up(&shelf.log.n)] = (unsigned)(uintptr_t)arg;
	rwmutex_read_unlock(&shelf.rw);
}

KTEST(rwmutex, readers_and_writers_stand_in_one_queue_by_priority)
{
	static const uint8_t prio[] = {10, 40, 20, 30};
	struct thread *t[4];

	shelf_init();
	rwmutex_write_lock(&shelf.rw);
	for (unsigned i = 0; i < 4; i++) {
		t[i] = wait_spawn("queued", i % 2 ? read_and_log : write_and_log,
			(void *)(uintptr_t)i, prio[i]);
		ktest_check(t[i] && wait_until_queued(&shelf.rw.pi.wq, i + 1));
	}
	rwmutex_write_unlock(&shelf.rw);
	for (unsigned i = 0; i < 4; i++)
		thread_join(t[i], NULL);
	/* A reader lets the next one in before it logs itself, so only writers' places are exact:
	 * the readers, 1 and 3, were first, then writer 2, then writer 0. */
	ktest_check(shelf.log.who[2] == 2 && shelf.log.who[3] == 0, "%u %u %u %u", shelf.log.who[0],
		shelf.log.who[1], shelf.log.who[2], shelf.log.who[3]);
}

KTEST(rwmutex, writer_that_gives_up_lets_the_readers_in_again)
{
	struct wait_limit soon = WAIT_UNTIL(0);
	struct thread *t;

	shelf_init();
	t = wait_spawn("reader", read_and_stay, NULL, 0);
	ktest_require(t);
	ktest_check(ktest_eventually(seen(&shelf.readers) == 1));
	soon.deadline_ns = clock_now_ns() + NS_PER_MS;
	ktest_check(rwmutex_write_lock_limit(&shelf.rw, &soon) == -ETIMEDOUT);
	ktest_check(rwmutex_read_try(&shelf.rw));
	rwmutex_read_unlock(&shelf.rw);
	atomic_store_bool(&shelf.stop, true, release);
	thread_join(t, NULL);
	wait_check_idle(&shelf.rw.pi, "after the reader");
}
