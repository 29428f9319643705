/* SPDX-License-Identifier: MIT */
/* Priority inheritance: along chains, and undone by every way in which a wait can end. */
#include "kernel/hart/call.h"
#include "kernel/wait/mixlock.h"
#include "kernel/wait/mutex.h"
#include "kernel/wait/pi.h"
#include "kernel/wait/rwmutex.h"
#include "tests/kernel/wait_util.h"

WAIT_TEST_CLASS_UNCHECKED(test_pi_class, "test.pi"); /* chains and rings, in any order */
WAIT_TEST_CLASS(test_pi_mix_class, "test.pi.mix");

/* Longer than what a handler walks. */
#define CHAIN (PI_HANDLER_LINKS + 4)
#define POST_PRIO 70

/* Member i holds lock i and waits for lock i - 1; member 0 waits for the word to go. */
static struct {
	struct mutex m[CHAIN];
	struct thread *t[CHAIN];
	atomic_u32 holding;
	atomic_bool go;
	const struct hart_mask *only; /* harts that its threads run on, NULL: any */
} chain;

static void go_where_told(void)
{
	if (chain.only)
		ktest_check(!sched_set_affinity(current_thread(), chain.only));
}

static void chain_member(void *arg)
{
	unsigned i = (unsigned)(uintptr_t)arg;

	go_where_told();
	mutex_lock(&chain.m[i]);
	count_up(&chain.holding);
	if (i == 0) {
		while (!atomic_load_bool(&chain.go, acquire))
			sched_sleep_ns(NS_PER_MS);
	} else {
		mutex_lock(&chain.m[i - 1]);
		mutex_unlock(&chain.m[i - 1]);
	}
	mutex_unlock(&chain.m[i]);
}

/* Builds the chain of fair threads; false: no memory. */
static bool chain_begin(void)
{
	atomic_store_u32(&chain.holding, 0, relaxed);
	atomic_store_bool(&chain.go, false, relaxed);
	for (unsigned i = 0; i < CHAIN; i++) {
		mutex_init(&chain.m[i], &test_pi_class);
		chain.t[i] = wait_spawn("link", chain_member, (void *)(uintptr_t)i, 0);
		if (!chain.t[i])
			return false;
		ktest_check(ktest_eventually(seen(&chain.holding) == i + 1));
		if (i)
			ktest_check(wait_until_queued(&chain.m[i - 1].pi.wq, 1));
	}
	return true;
}

static void chain_end(void)
{
	atomic_store_bool(&chain.go, true, release);
	for (unsigned i = 0; i < CHAIN; i++)
		thread_join(chain.t[i], NULL);
	for (unsigned i = 0; i < CHAIN; i++)
		wait_check_idle(&chain.m[i].pi, "a link");
}

static void chain_has(unsigned prio)
{
	for (unsigned i = 0; i < CHAIN; i++)
		ktest_check(wait_until_prio(chain.t[i], prio), "link %u has %u, not %u", i,
			chain.t[i]->prio_effective, prio);
}

static int result;
static atomic_bool waited;

static void wait_for_last(void *arg)
{
	const struct wait_limit *limit = arg;

	result = mutex_lock_limit(&chain.m[CHAIN - 1], limit);
	atomic_store_bool(&waited, true, release);
	if (!result)
		mutex_unlock(&chain.m[CHAIN - 1]);
}

KTEST(pi, chain_inherits_and_release_undoes_it)
{
	struct thread *t;

	if (!chain_begin())
		return;
	t = wait_spawn("boss", wait_for_last, &WAIT_PLAIN, 60);
	ktest_require(t);
	chain_has(60);
	atomic_store_bool(&chain.go, true, release);
	thread_join(t, NULL);
	chain_end();
	ktest_check(!result, "%d", result);
}

DEFINE_LOCK_CLASS(test_pi_post_class, .name = "test.pi.post", .rank = RANK_UNORDERED,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 1000000, .post_prio = POST_PRIO,
	.protects = "the head of a chain");
static struct mixlock head = MIXLOCK_INIT(&test_pi_post_class);
static struct mixwork posted;
static unsigned boosted;

static void hold_head(void *arg)
{
	go_where_told();
	mixlock_lock(&head);
	wait_for_last(arg);
	mixlock_unlock(&head);
}

static void do_nothing(struct mixwork *w unused_arg)
{
}

static void post_to_head(void *arg unused_arg)
{
	mixlock_post(&head, &posted);
	for (unsigned i = 0; i < CHAIN; i++)
		boosted += chain.t[i]->prio_effective == POST_PRIO;
}

/* Neither the hart's work thread nor a member that has queued itself and still walks its own links
 * can go on before the handler that counts is over: they are all of that hart. */
KTEST(pi, a_post_walks_few_links_in_the_handler_and_the_rest_follows)
{
	struct hart_meta *h = harts[hart_mask_first(&harts_online)];
	struct hart_mask only;
	struct thread *t;

	hart_mask_zero(&only);
	hart_mask_set(&only, h->index);
	chain.only = &only;
	if (!chain_begin()) {
		chain.only = NULL;
		return;
	}
	boosted = 0;
	mixwork_init(&posted, do_nothing);
	t = wait_spawn("head", hold_head, &WAIT_PLAIN, 0);
	ktest_check(t && wait_until_queued(&chain.m[CHAIN - 1].pi.wq, 1));
	hart_call(h, post_to_head, NULL);
	ktest_check(boosted == PI_HANDLER_LINKS, "%u links boosted in the handler", boosted);
	chain_has(POST_PRIO);
	atomic_store_bool(&chain.go, true, release);
	if (t)
		thread_join(t, NULL);
	chain_end();
	chain.only = NULL;
	wait_check_idle(&head.pi, "the head");
}

/* One wait with a limit; whether the chain's end was seen to inherit by it. */
static bool time_out(uint64_t ns)
{
	struct wait_limit limit = WAIT_UNTIL(clock_now_ns() + ns);
	struct thread *t;
	bool inherited = false;

	atomic_store_bool(&waited, false, relaxed);
	t = wait_spawn("boss", wait_for_last, &limit, 60);
	if (!t)
		return false;
	while (!atomic_load_bool(&waited, acquire)) {
		inherited |= prio_of(chain.t[0]) == 60;
		sched_sleep_ns(NS_PER_MS / 10);
	}
	thread_join(t, NULL);
	ktest_check(result == -ETIMEDOUT, "%d", result);
	chain_has(0);
	return inherited;
}

KTEST(pi, timeout_undoes_a_chain)
{
	uint64_t ns = 10 * NS_PER_MS;
	bool inherited = false;

	if (!chain_begin())
		return;
	/* Again, with more time, until the chain was seen to inherit before the limit came. */
	for (unsigned try = 0; try < 12 && !inherited; try++, ns *= 2)
		inherited = time_out(ns);
	ktest_check(inherited, "the chain never inherits");
	chain_end();
}

KTEST(pi, kill_undoes_a_chain)
{
	struct thread *t;

	if (!chain_begin())
		return;
	t = wait_spawn("boss", wait_for_last, &WAIT_INTR, 60);
	ktest_require(t);
	chain_has(60);
	thread_kill(t);
	thread_join(t, NULL);
	ktest_check(result == -EINTR, "%d", result);
	chain_has(0);
	chain_end();
}

KTEST(pi, change_of_a_waiters_priority_goes_along_the_chain)
{
	struct thread *t;

	if (!chain_begin())
		return;
	t = wait_spawn("boss", wait_for_last, &WAIT_INTR, 10);
	ktest_require(t);
	chain_has(10);
	sched_set_priority(t, SCHED_FIFO, 70);
	chain_has(70);
	sched_set_priority(t, SCHED_RR, 5);
	chain_has(5);
	/* A link's own priority counts from there on towards the owner. */
	sched_set_priority(chain.t[2], SCHED_FIFO, 40);
	ktest_check(wait_until_prio(chain.t[0], 40) && wait_until_prio(chain.t[1], 40) &&
		wait_until_prio(chain.t[2], 40));
	ktest_check(chain.t[3]->prio_effective == 5 && chain.t[4]->prio_effective == 5);
	sched_set_priority(chain.t[2], SCHED_FAIR, PRIO_FAIR);
	chain_has(5);
	sched_set_priority(t, SCHED_FAIR, PRIO_FAIR);
	chain_has(0);
	thread_kill(t);
	thread_join(t, NULL);
	chain_end();
}

/* ---- Several locks, several waiters --------------------------------------------------------- */

static void lock_one(void *arg)
{
	mutex_lock(arg);
	mutex_unlock(arg);
}

KTEST(pi, owner_has_the_highest_of_all_its_waiters)
{
	struct thread *self = current_thread(), *t[4];
	struct mutex a, b;

	mutex_init(&a, &test_pi_class);
	mutex_init(&b, &test_pi_class);
	mutex_lock(&a);
	mutex_lock(&b);
	t[0] = wait_spawn("a20", lock_one, &a, 20);
	t[1] = wait_spawn("b30", lock_one, &b, 30);
	t[2] = wait_spawn("a50", lock_one, &a, 50);
	t[3] = wait_spawn("b10", lock_one, &b, 10);
	ktest_check(wait_until_queued(&a.pi.wq, 2) && wait_until_queued(&b.pi.wq, 2));
	ktest_check(wait_until_prio(self, 50));
	mutex_unlock(&a);
	ktest_check(self->prio_effective == 30, "%u", self->prio_effective);
	mutex_unlock(&b);
	ktest_check(self->prio_effective == 0, "%u", self->prio_effective);
	for (unsigned i = 0; i < 4; i++)
		if (t[i])
			thread_join(t[i], NULL);
	wait_check_idle(&a.pi, "a");
	wait_check_idle(&b.pi, "b");
}

KTEST(pi, owner_falls_back_to_the_next_waiter)
{
	struct wait_limit limit = WAIT_INTR;
	struct thread *self = current_thread(), *low, *high;

	if (!chain_begin())
		return;
	/* The chain's last lock has a waiter of 20 and one of 60 that is killed. */
	low = wait_spawn("low", lock_one, &chain.m[CHAIN - 1], 20);
	high = wait_spawn("high", wait_for_last, &limit, 60);
	ktest_require(low && high);
	chain_has(60);
	thread_kill(high);
	thread_join(high, NULL);
	chain_has(20);
	atomic_store_bool(&chain.go, true, release);
	thread_join(low, NULL);
	chain_end();
	ktest_check(self->prio_effective == self->prio);
}

static void write_one(void *arg)
{
	rwmutex_write_lock(arg);
	rwmutex_write_unlock(arg);
}

static void read_one(void *arg)
{
	rwmutex_read_lock(arg);
	rwmutex_read_unlock(arg);
}

static void mix_one(void *arg)
{
	mixlock_lock(arg);
	mixlock_unlock(arg);
}

KTEST(pi, writers_and_mixlock_owners_inherit)
{
	struct thread *self = current_thread(), *t[3];
	struct rwmutex rw;
	struct mixlock mix;

	rwmutex_init(&rw, &test_pi_class);
	mixlock_init(&mix, &test_pi_mix_class);
	rwmutex_write_lock(&rw);
	mixlock_lock(&mix);
	t[0] = wait_spawn("reader", read_one, &rw, 15);
	ktest_check(wait_until_prio(self, 15));
	t[1] = wait_spawn("writer", write_one, &rw, 25);
	ktest_check(wait_until_prio(self, 25));
	t[2] = wait_spawn("mixer", mix_one, &mix, 35);
	ktest_check(wait_until_prio(self, 35));
	mixlock_unlock(&mix);
	ktest_check(self->prio_effective == 25, "%u", self->prio_effective);
	rwmutex_write_unlock(&rw);
	ktest_check(self->prio_effective == 0, "%u", self->prio_effective);
	for (unsigned i = 0; i < 3; i++)
		if (t[i])
			thread_join(t[i], NULL);
	wait_check_idle(&rw.pi, "rwmutex");
	wait_check_idle(&mix.pi, "mixlock");
}

/* ---- Storm ---------------------------------------------------------------------------------- */

#define STORM_LOCKS 4

static struct mutex storm[STORM_LOCKS];

/* Nested sets, limits, changes of priority: afterwards nobody has more than its own. */
static void storm_member(unsigned i, void *arg)
{
	struct thread *self = current_thread();
	unsigned rounds = ktest_each(200);
	uint64_t seed = i + 1;

	(void)arg;
	for (unsigned n = 0; n < rounds; n++) {
		unsigned held = 0, prio = ktest_random(&seed) % 4 * 10;

		sched_set_priority(self, prio ? SCHED_RR : SCHED_FAIR, prio);
		for (unsigned l = 0; l < STORM_LOCKS; l++) {
			uint64_t end = clock_now_ns() + ktest_random(&seed) % 60000;

			if (ktest_random(&seed) % 3 == 0)
				continue;
			if (!mutex_lock_timeout(&storm[l], end))
				held |= 1u << l;
		}
		if (n % 8 == 0)
			sched_sleep_ns(2000);
		for (unsigned l = 0; l < STORM_LOCKS; l++)
			if (held & 1u << l)
				mutex_unlock(&storm[l]);
		ktest_check(self->prio_effective == self->prio, "%u, own %u", self->prio_effective,
			self->prio);
	}
	sched_set_priority(self, SCHED_FAIR, PRIO_FAIR);
}

KTEST(pi, nothing_inherited_is_left_after_a_storm)
{
	for (unsigned l = 0; l < STORM_LOCKS; l++)
		mutex_init(&storm[l], &test_pi_class);
	ktest_parallel(3 * ktest_harts(), storm_member, NULL);
	for (unsigned l = 0; l < STORM_LOCKS; l++)
		wait_check_idle(&storm[l].pi, "after the storm");
}

/* ---- Cycles --------------------------------------------------------------------------------- */

/* Member i holds m[i] and asks for the next one; the last closes the cycle. */
static struct {
	struct mutex m[3];
	atomic_u32 holding;
	atomic_bool go;
	int result[3];
	uint64_t limit_ns; /* of member 0; 0: none */
} ring;

static void ring_member(void *arg)
{
	unsigned i = (unsigned)(uintptr_t)arg;
	struct wait_limit limit = WAIT_INTR;

	mutex_lock(&ring.m[i]);
	count_up(&ring.holding);
	while (!atomic_load_bool(&ring.go, acquire))
		sched_sleep_ns(100000);
	if (i == 0 && ring.limit_ns)
		limit.deadline_ns = clock_now_ns() + ring.limit_ns;
	ring.result[i] = mutex_lock_limit(&ring.m[(i + 1) % 3], &limit);
	if (!ring.result[i])
		mutex_unlock(&ring.m[(i + 1) % 3]);
	mutex_unlock(&ring.m[i]);
}

static void run_ring(uint64_t limit_ns)
{
	struct thread *t[3];

	ring.limit_ns = limit_ns;
	atomic_store_u32(&ring.holding, 0, relaxed);
	atomic_store_bool(&ring.go, false, relaxed);
	for (unsigned i = 0; i < 3; i++) {
		mutex_init(&ring.m[i], &test_pi_class);
		t[i] = wait_spawn("ring", ring_member, (void *)(uintptr_t)i, 0);
		ktest_require(t[i]);
	}
	ktest_check(ktest_eventually(seen(&ring.holding) == 3));
	atomic_store_bool(&ring.go, true, release);
	for (unsigned i = 0; i < 3; i++)
		thread_join(t[i], NULL);
	for (unsigned i = 0; i < 3; i++)
		wait_check_idle(&ring.m[i].pi, "the ring");
}

KTEST(pi, closing_a_cycle_is_reported_by_who_closes_it)
{
	unsigned closed = 0;

	for (unsigned round = 0; round < 10; round++) {
		ktest_expect_reports(KIND_DEADLOCK);
		run_ring(0);
		ktest_check(ktest_reports_seen() >= 1);
		for (unsigned i = 0; i < 3; i++) {
			ktest_check(!ring.result[i] || ring.result[i] == -EDEADLK, "%d",
				ring.result[i]);
			closed += ring.result[i] == -EDEADLK;
		}
	}
	ktest_check(closed >= 10, "%u", closed);
}

KTEST(pi, cycle_that_ends_by_a_timeout_is_no_deadlock)
{
	ktest_expect_reports(KIND_DEADLOCK);
	run_ring(20 * NS_PER_MS);
	ktest_check(ktest_reports_seen() == 0);
	ktest_check(ring.result[0] == -ETIMEDOUT || !ring.result[0], "%d", ring.result[0]);
	ktest_check(!ring.result[1] && !ring.result[2], "%d %d", ring.result[1], ring.result[2]);
}
