/* SPDX-License-Identifier: MIT */
/*
 * Tokens of churn (churn.h): each goes round between a timer, a mixed lock and a work queue, on
 * whatever hart that leads to, and is in one of them at any time. Once the run is over it arrives
 * as its work runs. Whoever takes one out of its place (a cancel that says so) owns it.
 *
 * churn_lock[] (mixlock)
 *   Protect:  a box each: `posted`, and a == b.
 *   Taken by: the holders, who sleep with it; posted to by the tokens' timers.
 *   Order:    one at a time.
 */
#include "tests/torture/churn.h"

#include "kernel/hart/hart.h"
#include "kernel/sched/preempt.h"
#include "kernel/sched/sched.h"
#include "kernel/time/clock.h"
#include "kernel/time/timer.h"
#include "kernel/wait/mixlock.h"
#include "kernel/wait/work.h"
#include "lib/string.h"
#include "tests/torture/torture.h"

#define TOKENS_MAX 64
#define LOCKS 4
#define ROUND_NS (400 * NS_PER_US)
#define HOLD_NS (150 * NS_PER_US)
/* One in so many waits, or holds, so long that a hart may leave meanwhile. */
#define LONG_ONE_IN 16
#define LONG_NS (50 * NS_PER_MS)

DEFINE_LOCK_CLASS(churn_mix_class, .name = "churn.mix", .rank = RANK_UNORDERED,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 60000000, .post_prio = 2,
	.protects = "a box of numbers");

struct token {
	struct timer timer;
	struct mixwork post;
	struct work work;
	struct rng rng; /* of whoever has the token */
	unsigned box;
	unsigned started_on; /* index of a hart */
};

static struct {
	struct token token[TOKENS_MAX];
	unsigned n;
	struct mixlock lock[LOCKS];
	struct {
		unsigned long posted, a, b; /* guarded by lock[] of the same index */
	} box[LOCKS];
} tokens;

/* A twin's run ends soon after nothing moves any more. */
static uint64_t some_time(struct rng *rng, uint64_t usual_ns)
{
	bool is_long = !churn.twin && rng_one_in(rng, LONG_ONE_IN);

	return rng_below(rng, is_long ? LONG_NS : usual_ns);
}

static void arm(struct token *t)
{
	churn_issue(LEDGER_TIMERS, 1);
	/* On the hart that is noted. */
	preempt_disable();
	t->started_on = this_hart()->index;
	timer_start(&t->timer, clock_now_ns() + some_time(&t->rng, ROUND_NS));
	preempt_enable();
}

static void queue(struct token *t)
{
	churn_issue(LEDGER_WORK, 1);
	churn_check(work_queue(&t->work), "a token was in two places: its work is queued already");
}

static void fired(struct timer *timer)
{
	struct token *t = container_of(timer, struct token, timer);

	churn_done(LEDGER_TIMERS, churn_strikes(LEDGER_TIMERS, true) ? 2 : 1);
	if (t->started_on != this_hart()->index)
		atomic_add_u32(&churn.moved, 1, relaxed);
	t->box = (unsigned)rng_below(&t->rng, LOCKS);
	churn_issue(LEDGER_POSTS, 1);
	/* A twin's post is accepted, and that is all. */
	if (!churn_strikes(LEDGER_POSTS, false))
		churn_check(mixlock_post(&tokens.lock[t->box], &t->post),
			"a token was in two places: it is posted already");
}

static void posted(struct mixwork *w)
{
	struct token *t = container_of(w, struct token, post);

	churn_check(!w->cancelled, "a post was cancelled");
	churn_done(LEDGER_POSTS, churn_strikes(LEDGER_POSTS, true) ? 2 : 1);
	tokens.box[t->box].posted++;
	queue(t);
}

static void worked(struct work *w)
{
	struct token *t = container_of(w, struct token, work);

	churn_done(LEDGER_WORK, churn_strikes(LEDGER_WORK, true) ? 2 : 1);
	if (!churn_over())
		arm(t);
}

void churn_tokens_begin(unsigned n)
{
	struct rng rng;

	memset(&tokens, 0, sizeof(tokens));
	rng_seed(&rng, churn.seed);
	tokens.n = MIN(n, (unsigned)TOKENS_MAX);
	for (unsigned i = 0; i < LOCKS; i++)
		mixlock_init(&tokens.lock[i], &churn_mix_class);
	for (unsigned i = 0; i < tokens.n; i++) {
		struct token *t = &tokens.token[i];

		timer_init(&t->timer, fired);
		mixwork_init(&t->post, posted);
		work_init(&t->work, worked);
		rng_seed(&t->rng, rng_u64(&rng));
	}
	for (unsigned i = 0; i < tokens.n; i++)
		queue(&tokens.token[i]);
}

/* As if a hart that goes had left a timer, or work, behind. */
bool churn_tokens_strike(void)
{
	for (unsigned i = 0; i < tokens.n; i++) {
		struct token *t = &tokens.token[i];

		if (churn.twin->ledger == LEDGER_TIMERS ? timer_cancel(&t->timer)
							: work_cancel(&t->work))
			return true;
	}
	return false;
}

void churn_tokens_end(void)
{
	unsigned long sum = 0;

	for (unsigned i = 0; i < tokens.n; i++) {
		work_flush(&tokens.token[i].work);
		timer_cancel_sync(&tokens.token[i].timer);
	}
	for (unsigned i = 0; i < LOCKS; i++) {
		mixlock_destroy(&tokens.lock[i]);
		churn_check(tokens.box[i].a == tokens.box[i].b, "box %u is torn", i);
		sum += tokens.box[i].posted;
	}
	churn_check(churn.twin || sum == churn_issued(LEDGER_POSTS),
		"%lu posts were accepted, the locks saw %lu", churn_issued(LEDGER_POSTS), sum);
}

/* ---- Threads --------------------------------------------------------------------------------- */

/* Takes a token out of wherever it is, and sends it on from here. */
void churn_meddle(struct rng *rng)
{
	struct token *t = &tokens.token[rng_below(rng, tokens.n)];

	switch (rng_below(rng, 4)) {
	case 0:
		work_flush(&t->work);
		break;
	case 1:
		if (!work_cancel(&t->work))
			break;
		churn_done(LEDGER_WORK, 1);
		queue(t);
		break;
	default:
		if (!timer_cancel(&t->timer))
			break;
		churn_done(LEDGER_TIMERS, 1);
		if (rng_one_in(rng, 2))
			arm(t);
		else
			queue(t);
	}
	if (rng_one_in(rng, 4))
		sched_sleep_ns(rng_below(rng, ROUND_NS));
	else
		sched_yield();
}

void churn_hold(struct rng *rng)
{
	unsigned i = (unsigned)rng_below(rng, LOCKS);

	mixlock_lock(&tokens.lock[i]);
	churn_check(tokens.box[i].a == tokens.box[i].b, "somebody came into box %u", i);
	tokens.box[i].a++;
	if (rng_one_in(rng, 2))
		sched_sleep_ns(some_time(rng, HOLD_NS));
	else
		sched_yield();
	tokens.box[i].b++;
	mixlock_unlock(&tokens.lock[i]);
	sched_yield();
}
