/* SPDX-License-Identifier: MIT */
/* Threads from their making to the return of their slot. */
#include "kernel/mm/kmalloc.h"
#include "kernel/sched/qs.h"
#include "kernel/time/clock.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "tests/kernel/sched_util.h"

#define STORM_ROUNDS 60

static void exit_with(void *arg)
{
	thread_exit((int)(intptr_t)arg);
}

static void do_nothing(void *arg)
{
	(void)arg;
}

KTEST(thread, join_returns_the_exit_code)
{
	struct thread *t = thread_spawn("seven", exit_with, (void *)7);
	int code = -1;

	ktest_require(t);
	ktest_check(thread_join(t, &code) == 0 && code == 7, "code %d", code);
	t = thread_spawn("nothing", do_nothing, NULL);
	ktest_require(t);
	ktest_check(thread_join(t, &code) == 0 && code == 0, "code %d", code);
}

KTEST(thread, join_of_itself_is_refused)
{
	ktest_check(thread_join(current_thread(), NULL) == -EDEADLK);
}

static void wait_for_flag(void *arg)
{
	atomic_bool *flag = arg;

	while (!atomic_load_bool(flag, acquire))
		sched_sleep_ns(100000);
}

KTEST(thread, join_with_timeout_gives_up_and_can_come_back)
{
	atomic_bool flag = {{0}};
	struct thread *t = thread_spawn("wait", wait_for_flag, &flag);
	int code = -1;

	ktest_require(t);
	ktest_check(thread_join_timeout(t, &code, clock_now_ns() + 2 * NS_PER_MS) == -ETIMEDOUT);
	ktest_check(thread_join_timeout(t, &code, 0) == -ETIMEDOUT);
	ktest_check(code == -1);
	atomic_store_bool(&flag, true, release);
	ktest_check(thread_join(t, &code) == 0 && code == 0);
}

KTEST(thread, detached_thread_is_not_joinable_and_goes)
{
	atomic_bool flag = {{0}};
	unsigned before = thread_count();
	struct thread *t = thread_spawn("wait", wait_for_flag, &flag);

	ktest_require(t);
	ktest_check(thread_count() == before + 1);
	ktest_check(thread_detach(t) == 0);
	ktest_check(thread_detach(t) == -EINVAL);
	ktest_check(thread_join(t, NULL) == -EINVAL);
	atomic_store_bool(&flag, true, release);
	ktest_check(ktest_eventually(thread_count() == before));
}

KTEST(thread, detach_after_the_end_frees_it)
{
	unsigned before = thread_count();
	struct thread *t = thread_spawn("nothing", do_nothing, NULL);

	ktest_require(t);
	ktest_check(ktest_eventually(atomic_load_u32(&t->state, relaxed) == THREAD_DEAD));
	ktest_check(thread_detach(t) == 0);
	ktest_check(ktest_eventually(thread_count() == before));
}

KTEST(thread, discarded_thread_never_runs)
{
	unsigned before = thread_count();
	int ran = 0;
	struct thread *t = thread_create("never", exit_with, &ran);

	ktest_require(t);
	thread_discard(t);
	ktest_check(thread_count() == before && !ran);
}

static void until_killed(void *arg)
{
	unsigned *woken = arg;

	while (!thread_killed()) {
		sched_sleep_until(UINT64_MAX, true);
		++*woken;
	}
	thread_exit(-EINTR);
}

KTEST(thread, kill_reaches_a_thread_that_waits)
{
	for (unsigned i = 0; i < 20; i++) {
		unsigned woken = 0;
		struct thread *t = thread_spawn("victim", until_killed, &woken);
		int code = 0;

		ktest_require(t);
		if (i % 2)
			ktest_check(ktest_eventually(
				atomic_load_u32(&t->state, relaxed) == THREAD_SLEEPING_INTR));
		thread_kill(t);
		thread_join(t, &code);
		ktest_check(code == -EINTR && woken <= 1, "code %d, woken %u", code, woken);
	}
}

/* ---- Handles ------------------------------------------------------------------------------- */

static struct thread *find(uint32_t handle)
{
	struct thread *t;

	qs_read_begin();
	t = thread_of_handle(handle);
	qs_read_end();
	return t;
}

KTEST(thread, handle_names_a_thread_until_it_is_gone)
{
	atomic_bool flag = {{0}};
	struct thread *t = thread_spawn("named", wait_for_flag, &flag);
	uint32_t handle;

	ktest_require(t);
	handle = t->lock.handle;
	ktest_check(handle != 0 && (handle & 3) == 0);
	ktest_check(find(handle) == t && find(handle | 3) == t);
	ktest_check(find(current_thread()->lock.handle) == current_thread());
	ktest_check(find(0) == NULL && find(UINT32_MAX) == NULL);
	atomic_store_bool(&flag, true, release);
	thread_join(t, NULL);
	ktest_check(find(handle) == NULL);
}

#define SLOT_NAMES (1u << 16) /* the part of a handle that names the slot */
#define REUSES 20

/* Makes threads until some slots were used twice; `last` has the handle that each slot had before.
 */
static void use_slots(uint32_t *last)
{
	unsigned reused = 0;

	for (unsigned i = 0; reused < REUSES; i++) {
		struct thread *t = thread_spawn("use", do_nothing, NULL);
		uint32_t handle, before;

		/* Free slots are used in turn: all of them first. */
		ktest_require(
			t && i < THREAD_MAX + REUSES, "%u threads, %u slots twice", i, reused);
		handle = t->lock.handle;
		before = last[handle % SLOT_NAMES / 4];
		ktest_check(handle != before && find(handle) == t);
		ktest_check(!before || !find(before), "a handle of the slot's use before is alive");
		last[handle % SLOT_NAMES / 4] = handle;
		reused += before != 0;
		thread_join(t, NULL);
		ktest_check(!find(handle));
		if (i % 32 == 31)
			thread_settle();
	}
}

KTEST(thread, slot_used_again_has_another_handle)
{
	uint32_t *last = kzalloc(SLOT_NAMES / 4 * sizeof(*last), 0);

	ktest_require(last);
	use_slots(last);
	kfree(last);
}

KTEST(thread, idle_threads_have_handles_of_their_own)
{
	for_each_hart(h) {
		struct thread *idle = h->idle;

		ktest_check(idle && idle->is_idle && idle->lock.handle);
		ktest_check(idle && find(idle->lock.handle) == idle);
	}
}

/* ---- Storms -------------------------------------------------------------------------------- */

/* Makes threads, kills some, detaches some, joins the rest. */
static void storm(unsigned i, void *arg)
{
	uint64_t seed = i + 1;

	(void)arg;
	for (unsigned round = 0; round < STORM_ROUNDS; round++) {
		struct thread *t[4];
		unsigned woken[4] = {0};

		for (unsigned n = 0; n < 4; n++) {
			t[n] = n % 2 ? thread_spawn("storm", until_killed, &woken[n])
				     : thread_spawn("storm", exit_with, (void *)(intptr_t)n);
			if (!t[n]) {
				ktest_fail(__FILE__, __LINE__, "no memory");
				return;
			}
		}
		if (ktest_random(&seed) % 2)
			sched_yield();
		for (unsigned n = 0; n < 4; n++) {
			int code = 99;

			if (n % 2)
				thread_kill(t[n]);
			if (n == 2 && ktest_random(&seed) % 2) {
				thread_detach(t[n]);
				continue;
			}
			thread_join(t[n], &code);
			ktest_check(code == (n % 2 ? -EINTR : (int)n), "code %d of %u", code, n);
		}
	}
}

KTEST(thread, storm_of_exits_kills_and_joins_leaves_nothing)
{
	unsigned before = thread_count();
	unsigned n = MIN(ktest_harts() * 2, 8u);

	ktest_check(ktest_parallel(n, storm, NULL));
	ktest_check(ktest_eventually(thread_count() == before), "%u threads, %u before",
		thread_count(), before);
}

/* How often the list shows `t`, or UINT_MAX: somebody came or went meanwhile. */
static unsigned times_shown(const struct thread *t)
{
	unsigned before = thread_count(), cursor = 0, n = 0, seen = 0;
	struct thread_info info;

	while (thread_info_next(&cursor, &info)) {
		n++;
		if (info.handle != t->lock.handle)
			continue;
		seen++;
		ktest_check(strcmp(info.name, "shown") == 0 && !info.is_idle);
	}
	return n == before && n == thread_count() ? seen : UINT_MAX;
}

KTEST(thread, info_shows_every_live_thread_once)
{
	atomic_bool flag = {{0}};
	struct thread *t = thread_spawn("shown", wait_for_flag, &flag);
	unsigned seen;

	ktest_require(t);
	for (unsigned try = 0; (seen = times_shown(t)) == UINT_MAX && try < 1000; try++)
		sched_sleep_ns(NS_PER_MS);
	ktest_check(seen == 1, "%u times", seen);
	atomic_store_bool(&flag, true, release);
	thread_join(t, NULL);
}

KTEST(thread, long_names_are_cut)
{
	struct thread *t = thread_create(
		"a name that is much longer than what fits", do_nothing, NULL);

	ktest_require(t);
	ktest_check(strlen(t->name) == THREAD_NAME_MAX - 1);
	thread_discard(t);
}

/* What a thread was given is there when it starts, on whatever hart. */
static void check_arg(void *arg)
{
	uint64_t *value = arg;

	*value = *value == 0x1234567890abcdef ? 1 : 0;
}

KTEST(thread, argument_arrives_on_every_hart)
{
	unsigned times = ktest_harts() * ktest_each(4);

	for (unsigned i = 0; i < times; i++) {
		uint64_t value = 0x1234567890abcdef;
		struct thread *t = create_on(
			online_hart(i % ktest_harts()), "arg", check_arg, &value);

		ktest_require(t);
		thread_run(t);
		thread_join(t, NULL);
		ktest_check(value == 1);
	}
}
