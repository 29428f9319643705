/* SPDX-License-Identifier: MIT */
/*
 * Harts stop, start, are suspended and resumed in the middle of everything, and every single thing
 * is accounted for.
 *
 * Tokens go round for ever: a token's timer fires and posts its item to a mixed lock, the item
 * queues the token's work, the work starts the timer again. When the rounds end, each token must
 * arrive: a lost timer, post or item of work keeps one from it, a doubled one makes the three
 * counts differ. Beside them threads sleep, take a mutex, allocate, call other harts and have them
 * flush, and must all end.
 */
#include "kernel/mm/kmalloc.h"
#include "kernel/sched/sched.h"
#include "kernel/task/thread.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"
#include "kernel/wait/mixlock.h"
#include "kernel/wait/mutex.h"
#include "kernel/wait/work.h"
#include "lib/errno.h"
#include "lib/random.h"
#include "lib/string.h"
#include "tests/kernel/hart_util.h"
#include "tests/kernel/on_hart.h"

#define TOKENS 12
#define WORKERS 6
#define CYCLES 40
#define BLOCK_MAX 3000

DEFINE_LOCK_CLASS(test_cycle_mix_class, .name = "test.cycle.mix", .rank = RANK_UNORDERED,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 60000000,
	.protects = "how many posts ran");
DEFINE_LOCK_CLASS(test_cycle_mutex_class, .name = "test.cycle.mutex", .rank = RANK_UNORDERED,
	.contexts = LOCK_IN_THREAD, .max_hold_us = 60000000, .protects = "two equal numbers");

struct token {
	struct timer timer;
	struct mixwork post;
	struct work work;
	struct rng rng;
	unsigned fired, posted, worked; /* it is in one place at a time */
};

static struct {
	struct token token[TOKENS];
	struct mixlock lock;
	struct mutex mutex;
	unsigned a, b;		/* under mutex, equal outside */
	unsigned long nr_posts; /* under lock */
	atomic_bool over;
	atomic_u32 laps, arrived; /* of tokens; the latter when it is over */
	atomic_u32 accepted, ran; /* calls */
	atomic_u32 rounds[WORKERS];
} load;

/* ---- Tokens ---------------------------------------------------------------------------------- */

static void token_fires(struct timer *t)
{
	struct token *token = container_of(t, struct token, timer);

	token->fired++;
	ktest_check(mixlock_post(&load.lock, &token->post));
}

static void token_posted(struct mixwork *w)
{
	struct token *token = container_of(w, struct token, post);

	ktest_check(!w->cancelled);
	token->posted++;
	load.nr_posts++;
	ktest_check(work_queue(&token->work));
}

static void token_works(struct work *w)
{
	struct token *token = container_of(w, struct token, work);

	token->worked++;
	atomic_add_u32(&load.laps, 1, release);
	if (atomic_load_bool(&load.over, relaxed)) {
		atomic_add_u32(&load.arrived, 1, release);
		return;
	}
	timer_start(&token->timer, clock_now_ns() + rng_below(&token->rng, 300) * NS_PER_US);
}

static void start_tokens(void)
{
	for (unsigned i = 0; i < TOKENS; i++) {
		struct token *t = &load.token[i];

		timer_init(&t->timer, token_fires);
		mixwork_init(&t->post, token_posted);
		work_init(&t->work, token_works);
		rng_seed(&t->rng, i);
		t->fired = 0;
		t->posted = 0;
		t->worked = 0;
		work_queue(&t->work);
	}
}

static void check_tokens(void)
{
	unsigned long sum = 0;

	ktest_check(wait_count(&load.arrived, TOKENS), "%u of %u tokens arrived",
		counted(&load.arrived), TOKENS);
	for (unsigned i = 0; i < TOKENS; i++) {
		struct token *t = &load.token[i];

		work_flush(&t->work);
		timer_cancel_sync(&t->timer);
		ktest_check(t->fired == t->posted && t->posted + 1 == t->worked,
			"token %u: fired %u, posted %u, worked %u", i, t->fired, t->posted,
			t->worked);
		sum += t->posted;
	}
	ktest_check(counted(&load.arrived) == TOKENS && sum == load.nr_posts);
	mixlock_destroy(&load.lock);
}

/* ---- Threads --------------------------------------------------------------------------------- */

static void answer(void *arg unused_arg)
{
	atomic_add_u32(&load.ran, 1, relaxed);
}

static void call_some(struct rng *rng)
{
	int err = hart_call(harts[rng_below(rng, nr_harts)], answer, NULL);

	ktest_check(err == 0 || err == -ENODEV, "%d", err);
	if (!err)
		atomic_add_u32(&load.accepted, 1, relaxed);
}

static void flush_all(struct rng *rng)
{
	struct hart_mask all;

	hart_mask_fill(&all, nr_harts);
	leaf_call_mask(&all, rng_one_in(rng, 2) ? LEAF_TLB_FLUSH : LEAF_FENCE_I);
}

static void allocate_some(struct rng *rng)
{
	size_t n = 1 + rng_below(rng, BLOCK_MAX);
	unsigned char *block = kmalloc(n, 0), fill = (unsigned char)rng_u32(rng);

	if (!block)
		return;
	memset(block, fill, n);
	sched_yield();
	for (size_t i = 0; i < n; i++)
		ktest_check(block[i] == fill, "byte %zu of %zu", i, n);
	kfree(block);
}

static void count_under_mutex(void)
{
	mutex_lock(&load.mutex);
	ktest_check(load.a == load.b);
	load.a++;
	sched_yield();
	load.b++;
	mutex_unlock(&load.mutex);
}

/* Somewhere, for a while. */
static void move_self(struct rng *rng)
{
	struct hart_mask mask;

	hart_mask_zero(&mask);
	hart_mask_set(&mask, (unsigned)rng_below(rng, nr_harts));
	if (rng_one_in(rng, 2) || sched_set_affinity(current_thread(), &mask)) {
		hart_mask_fill(&mask, nr_harts);
		sched_set_affinity(current_thread(), &mask);
	}
}

static void work_along(void *arg)
{
	unsigned i = (unsigned)(uintptr_t)arg;
	struct rng rng;

	rng_seed(&rng, 100 + i);
	while (!atomic_load_bool(&load.over, relaxed)) {
		switch (rng_below(&rng, 6)) {
		case 0:
			call_some(&rng);
			break;
		case 1:
			flush_all(&rng);
			break;
		case 2:
			allocate_some(&rng);
			break;
		case 3:
			move_self(&rng);
			break;
		case 4:
			count_under_mutex();
			break;
		default:
			sched_sleep_ns(rng_below(&rng, 100000));
		}
		atomic_add_u32(&load.rounds[i], 1, release);
	}
}

/* ---- Cycles ---------------------------------------------------------------------------------- */

static bool is_fine(int err)
{
	/* The last one; a thread has just bound itself to it; where it is already. */
	return err == 0 || err == -EINVAL || err == -EPERM || err == -EALREADY;
}

/* Returns whether it changed anything. */
static bool change_one(struct rng *rng)
{
	struct hart_meta *h = harts[rng_below(rng, nr_harts)];
	bool force = rng_one_in(rng, 2);
	int err;

	switch (hart_state_of(h)) {
	case HART_ONLINE:
		err = rng_one_in(rng, 2) ? hart_stop(h, force)
					 : hart_suspend(h, rng_one_in(rng, 2), force);
		break;
	case HART_STOPPED:
		err = hart_start(h);
		break;
	case HART_SUSPENDED:
		err = hart_resume(h);
		break;
	default:
		return false;
	}
	ktest_check(is_fine(err), "hart %u: %d", h->index, err);
	return err == 0;
}

static void all_back(void)
{
	for_each_hart(h) {
		if (hart_state_of(h) == HART_STOPPED)
			ktest_check(hart_start(h) == 0);
		if (hart_state_of(h) == HART_SUSPENDED)
			ktest_check(hart_resume(h) == 0);
	}
}

static bool all_work_along(void)
{
	for (unsigned i = 0; i < WORKERS; i++)
		if (!counted(&load.rounds[i]))
			return false;
	return true;
}

static void cycle(void)
{
	struct rng rng;

	rng_seed(&rng, 1);
	ktest_check(ktest_eventually(all_work_along()));
	for (unsigned n = 0; n < CYCLES && !ktest_failed();)
		n += change_one(&rng);
	all_back();
}

KTEST(hart_life, harts_that_come_and_go_under_load_lose_nothing)
{
	struct thread *workers[WORKERS];
	unsigned n = online_count(), laps;

	if (n < 2)
		return ktest_skip("one hart");
	memset(&load, 0, sizeof(load));
	mixlock_init(&load.lock, &test_cycle_mix_class);
	mutex_init(&load.mutex, &test_cycle_mutex_class);
	start_tokens();
	for (unsigned i = 0; i < WORKERS; i++) {
		workers[i] = thread_spawn("along", work_along, (void *)(uintptr_t)i);
		ktest_check(workers[i], "no memory");
	}
	cycle();
	laps = counted(&load.laps);
	ktest_check(ktest_eventually(counted(&load.laps) != laps), "the tokens stand still");
	atomic_store_bool(&load.over, true, relaxed);
	for (unsigned i = 0; i < WORKERS; i++)
		if (workers[i])
			thread_join(workers[i], NULL);
	check_tokens();
	ktest_check(load.a == load.b);
	ktest_check(counted(&load.ran) == counted(&load.accepted), "%u calls ran, %u accepted",
		counted(&load.ran), counted(&load.accepted));
	ktest_check(online_count() == n, "%u harts of %u", online_count(), n);
	for_each_hart(h)
		if (hart_is_online(h))
			check_takes_part(h);
}
