/* SPDX-License-Identifier: MIT */
/* Sleeping locks of threads that die: abandoned, told to who asks robustly, recovered. */
#include "kernel/wait/mixlock.h"
#include "kernel/wait/mutex.h"
#include "kernel/wait/rwmutex.h"
#include "tests/kernel/wait_util.h"

WAIT_TEST_CLASS(test_robust_class, "test.robust");
WAIT_TEST_CLASS(test_robust_mix_class, "test.robust.mix");

static struct {
	struct mutex m;
	struct rwmutex rw;
	struct mixlock mix;
	atomic_bool die;
	atomic_u32 holding, dead_seen, whole_seen;
	struct wait_log log;
} grave;

static void grave_init(void)
{
	mutex_init(&grave.m, &test_robust_class);
	rwmutex_init(&grave.rw, &test_robust_class);
	mixlock_init(&grave.mix, &test_robust_mix_class);
	atomic_store_bool(&grave.die, false, relaxed);
	atomic_store_u32(&grave.holding, 0, relaxed);
	atomic_store_u32(&grave.dead_seen, 0, relaxed);
	atomic_store_u32(&grave.whole_seen, 0, relaxed);
	atomic_store_u32(&grave.log.n, 0, relaxed);
}

/* Ends by a fault, as soon as it may. */
static noreturn void die(void)
{
	char *nowhere = NULL;

	count_up(&grave.holding);
	while (!atomic_load_bool(&grave.die, acquire))
		sched_sleep_ns(100000);
	/* The compiler is not to know what this is. */
	__asm__ volatile("" : "+r"(nowhere));
	*nowhere = 0;
	thread_exit(0);
}

static void die_with_mutex(void *arg)
{
	(void)arg;
	mutex_lock(&grave.m);
	die();
}

static void die_as_writer(void *arg)
{
	(void)arg;
	rwmutex_write_lock(&grave.rw);
	die();
}

static void die_as_reader(void *arg)
{
	(void)arg;
	rwmutex_read_lock(&grave.rw);
	die();
}

static void die_with_mixlock(void *arg)
{
	(void)arg;
	mixlock_lock(&grave.mix);
	die();
}

static struct thread *doomed(void (*fn)(void *arg))
{
	struct thread *t = wait_spawn("doomed", fn, NULL, 0);

	ktest_check(t && ktest_eventually(seen(&grave.holding) == 1));
	return t;
}

static void let_die(struct thread *t)
{
	int code = 0;

	atomic_store_bool(&grave.die, true, release);
	thread_join(t, &code);
	ktest_check(code == -EFAULT, "exit code %d", code);
}

KTEST(mutex, dead_holder_is_told_until_the_data_are_whole)
{
	struct thread *t;

	grave_init();
	t = doomed(die_with_mutex);
	ktest_require(t);
	let_die(t);
	ktest_check(!mutex_try(&grave.m));
	ktest_check(mutex_lock_robust(&grave.m) == -EOWNERDEAD);
	ktest_check(mutex_held_by_me(&grave.m));
	mutex_unlock(&grave.m);
	ktest_check(mutex_lock_robust(&grave.m) == -EOWNERDEAD);
	mutex_recover(&grave.m);
	mutex_unlock(&grave.m);
	wait_check_idle(&grave.m.pi, "recovered");
	ktest_check(mutex_lock_robust(&grave.m) == 0);
	mutex_unlock(&grave.m);
	mutex_lock(&grave.m);
	mutex_unlock(&grave.m);
}

static void lock_robust(void *arg)
{
	int rc = mutex_lock_robust(&grave.m);

	(void)arg;
	ktest_check(!rc || rc == -EOWNERDEAD, "%d", rc);
	count_up(rc ? &grave.dead_seen : &grave.whole_seen);
	if (rc)
		mutex_recover(&grave.m);
	mutex_unlock(&grave.m);
}

KTEST(mutex, waiters_of_a_dead_holder_get_it_in_turn)
{
	static const uint8_t prio[] = {0, 0, 30, 0};
	struct thread *t, *waiter[ARRAY_SIZE(prio)];

	grave_init();
	t = doomed(die_with_mutex);
	ktest_require(t);
	for (unsigned i = 0; i < ARRAY_SIZE(prio); i++)
		waiter[i] = wait_spawn("heir", lock_robust, NULL, prio[i]);
	ktest_check(wait_until_queued(&grave.m.pi.wq, ARRAY_SIZE(prio)));
	ktest_check(wait_until_prio(t, 30));
	let_die(t);
	for (unsigned i = 0; i < ARRAY_SIZE(prio); i++)
		thread_join(waiter[i], NULL);
	ktest_check(seen(&grave.dead_seen) == 1 && seen(&grave.whole_seen) == 3, "%u, %u",
		seen(&grave.dead_seen), seen(&grave.whole_seen));
	wait_check_idle(&grave.m.pi, "inherited");
}

KTEST(mutex, plain_acquire_after_a_death_is_reported)
{
	struct thread *t;

	grave_init();
	t = doomed(die_with_mutex);
	ktest_require(t);
	let_die(t);
	ktest_expect_reports(KIND_DEADLOCK);
	mutex_lock(&grave.m);
	ktest_check(ktest_reports_seen() == 1);
	ktest_check(mutex_held_by_me(&grave.m));
	mutex_recover(&grave.m);
	mutex_unlock(&grave.m);
	wait_check_idle(&grave.m.pi, "recovered");
}

KTEST(rwmutex, dead_writer_is_told_and_a_dead_reader_lets_go)
{
	struct thread *t;

	grave_init();
	t = doomed(die_as_writer);
	ktest_require(t);
	ktest_check(!rwmutex_read_try(&grave.rw));
	let_die(t);
	ktest_check(!rwmutex_read_try(&grave.rw));
	ktest_check(rwmutex_write_lock_robust(&grave.rw) == -EOWNERDEAD);
	rwmutex_recover(&grave.rw);
	rwmutex_write_unlock(&grave.rw);

	grave_init();
	t = doomed(die_as_reader);
	ktest_require(t);
	ktest_check(!rwmutex_write_try(&grave.rw));
	let_die(t);
	rwmutex_write_lock(&grave.rw);
	rwmutex_write_unlock(&grave.rw);
	ktest_check(!atomic_load_u32(&grave.rw.count, relaxed));
	wait_check_idle(&grave.rw.pi, "after readers and writers");
}

KTEST(rwmutex, unlock_without_recover_keeps_readers_and_writers_warned)
{
	struct thread *t;

	grave_init();
	t = doomed(die_as_writer);
	ktest_require(t);
	let_die(t);
	ktest_check(rwmutex_write_lock_robust(&grave.rw) == -EOWNERDEAD);
	rwmutex_write_unlock(&grave.rw);
	ktest_check(!rwmutex_read_try(&grave.rw) && !rwmutex_write_try(&grave.rw));
	if (CONFIG_LOCKCHECK) {
		ktest_expect_reports(KIND_DEADLOCK);
		ktest_check(rwmutex_read_lock_limit(&grave.rw, &WAIT_PLAIN) == -EOWNERDEAD);
		ktest_check(ktest_reports_seen() == 1);
		ktest_expect_reports(KIND_DEADLOCK);
		rwmutex_write_lock(&grave.rw);
		ktest_check(ktest_reports_seen() == 1);
		rwmutex_write_unlock(&grave.rw);
	}
	ktest_check(!rwmutex_read_try(&grave.rw));
	ktest_check(rwmutex_write_lock_robust(&grave.rw) == -EOWNERDEAD);
	rwmutex_recover(&grave.rw);
	rwmutex_write_unlock(&grave.rw);
	ktest_check(rwmutex_read_try(&grave.rw));
	rwmutex_read_unlock(&grave.rw);
	ktest_check(!atomic_load_u32(&grave.rw.count, relaxed));
	wait_check_idle(&grave.rw.pi, "recovered");
}

/* ---- Mixed locks ---------------------------------------------------------------------------- */

#define POSTS 100

static struct mixwork posts[POSTS];
static atomic_u32 posts_run, posts_cancelled;

static void posted(struct mixwork *w)
{
	wait_log_add(&grave.log, (unsigned)(w - posts));
	if (w->cancelled)
		count_up(&posts_cancelled);
	count_up(&posts_run); /* last: who sees it sees the other count */
}

static void post_all(void)
{
	atomic_store_u32(&posts_run, 0, relaxed);
	atomic_store_u32(&posts_cancelled, 0, relaxed);
	for (unsigned i = 0; i < POSTS; i++) {
		mixwork_init(&posts[i], posted);
		ktest_check(mixlock_post(&grave.mix, &posts[i]));
	}
}

KTEST(mix, posts_of_a_dead_holder_run_once_and_cancelled)
{
	struct thread *t;

	grave_init();
	t = doomed(die_with_mixlock);
	ktest_require(t);
	post_all();
	ktest_check(seen(&posts_run) == 0);
	let_die(t);
	/* More than one thread's share: the rest goes to a work thread. */
	ktest_check(ktest_eventually(seen(&posts_run) == POSTS), "%u", seen(&posts_run));
	ktest_check(seen(&posts_cancelled) == POSTS, "%u", seen(&posts_cancelled));
	for (unsigned i = 0; i < ARRAY_SIZE(grave.log.who); i++)
		ktest_check(grave.log.who[i] == i);
	/* Until it is recovered, what is posted runs at once and is told. */
	ktest_check(mixlock_post(&grave.mix, &posts[7]));
	ktest_check(ktest_eventually(seen(&posts_cancelled) == POSTS + 1));
	ktest_check(mixlock_lock_robust(&grave.mix) == -EOWNERDEAD);
	mixlock_recover(&grave.mix);
	ktest_check(mixlock_post(&grave.mix, &posts[8]));
	mixlock_unlock(&grave.mix);
	ktest_check(seen(&posts_run) == POSTS + 2 && seen(&posts_cancelled) == POSTS + 1);
	wait_check_idle(&grave.mix.pi, "recovered");
	mixlock_destroy(&grave.mix);
}

KTEST(mix, post_that_finds_the_holder_dead_runs_cancelled)
{
	struct thread *t;

	grave_init();
	t = doomed(die_with_mixlock);
	ktest_require(t);
	let_die(t);
	post_all();
	ktest_check(ktest_eventually(seen(&posts_run) == POSTS));
	ktest_check(seen(&posts_cancelled) == POSTS, "%u", seen(&posts_cancelled));
	ktest_check(mixlock_lock_robust(&grave.mix) == -EOWNERDEAD);
	mixlock_recover(&grave.mix);
	mixlock_unlock(&grave.mix);
	wait_check_idle(&grave.mix.pi, "recovered");
	mixlock_destroy(&grave.mix);
}
