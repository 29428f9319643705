/* SPDX-License-Identifier: MIT */
/*
 * Torture of seqlocks, of work queues, and of quiescent-state reclamation.
 *
 * Seqlock: writers, threads and handlers, store one number into several words with something to do
 * in between; readers find the words equal and never an older number than before.
 *
 * Work: items that everybody queues and some cancel, and one of each worker's own, for which a
 * flush means that its run has ended. Each request runs once or was cancelled.
 *
 * Reclamation: readers look at the current object again and again within one section; it is marked
 * dead only after a grace period.
 *
 * The twins: a writer without the lock, an item that runs where it is asked for (NOT_EXCLUSIVE);
 * the end of a write, of a flush, of a grace period that is never heard of (LOST_WAKEUP); a reader
 * that does not look again, a flush that does not wait, a grace period of no length (TOO_EARLY);
 * requests that are lost or run twice.
 */
#include "kernel/lock/seqlock.h"
#include "kernel/sched/qs.h"
#include "kernel/sched/sched.h"
#include "kernel/wait/work.h"
#include "lib/string.h"
#include "tests/torture/torture.h"

/* ---- seqlock --------------------------------------------------------------------------------- */

#define WORDS 6

DEFINE_LOCK_CLASS(seqlock_class, .name = "torture_seqlock", .rank = RANK_UNORDERED,
	.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 1000,
	.protects = "words that are equal");

/*
 * seq.lock
 *   Protects: words, writer.
 *   Taken by: workers and handlers.
 *   Order:    alone.
 * While nobody writes all words are equal.
 */
static struct {
	struct seqlock lock;
	seq_u64 words[WORDS];
	const void *writer;
	atomic_u32 writes;
	atomic_bool unended; /* a twin's: all wait for the end of a write */
} seq;

static void seq_begin(void)
{
	memset(&seq, 0, sizeof(seq));
	seqlock_init(&seq.lock, &seqlock_class);
}

static void store_words(struct rng *rng)
{
	uint64_t next = seq_read_u64(&seq.words[0]) + 1;

	torture_check(!seq.writer, FOUND_DATA, "two write");
	seq.writer = rng;
	for (unsigned i = 0; i < WORDS; i++) {
		seq_write_u64(&seq.words[i], next);
		torture_work((unsigned)rng_below(rng, 20));
	}
	torture_check(seq.writer == rng, FOUND_DATA, "somebody else wrote");
	seq.writer = NULL;
	atomic_add_u32(&seq.writes, 1, relaxed);
	torture_entered();
}

/* Unchecked: a twin does not take the lock. */
static void seq_write(struct rng *rng) UNCHECKED_LOCKING
{
	if (torture_strikes(NOT_EXCLUSIVE, rng, 8)) {
		/* Off, as a writer has them: the missing exclusion is all that is wrong. */
		irq_off();
		store_words(rng);
		irq_on();
		return;
	}
	seqlock_write_begin(&seq.lock);
	torture_check(!arch_irq_enabled(), FOUND_STATE, "interrupts are on in a writer");
	store_words(rng);
	seqlock_write_end(&seq.lock);
}

/* What it read: consistent, or the twin's. */
static uint64_t seq_read(struct rng *rng)
{
	uint64_t words[WORDS];
	unsigned start;

	do {
		start = seqlock_read_begin(&seq.lock);
		for (unsigned i = 0; i < WORDS; i++) {
			words[i] = seq_read_u64(&seq.words[i]);
			torture_work((unsigned)rng_below(rng, 8));
		}
	} while (!torture_strikes(TOO_EARLY, rng, 2) && seqlock_read_retry(&seq.lock, start));
	for (unsigned i = 1; i < WORDS; i++)
		torture_check(words[i] == words[0], FOUND_DATA, "word %u was %lu beside %lu", i,
			(unsigned long)words[i], (unsigned long)words[0]);
	return words[0];
}

static void seq_step(struct worker *w)
{
	uint64_t before, after;

	if (atomic_load_bool(&seq.unended, relaxed)) {
		torture_strand();
		return;
	}
	before = seq_read(&w->rng);
	if (rng_one_in(&w->rng, 2))
		seq_write(&w->rng);
	if (torture_strikes(LOST_WAKEUP, &w->rng, 64))
		atomic_store_bool(&seq.unended, true, relaxed);
	after = seq_read(&w->rng);
	torture_check(after >= before, FOUND_DATA, "%lu after %lu", (unsigned long)after,
		(unsigned long)before);
}

static void seq_handler(struct rng *rng)
{
	seq_read(rng);
	if (rng_one_in(rng, 2))
		seq_write(rng);
}

static void seq_end(void)
{
	uint64_t n = seq_read_u64(&seq.words[0]);

	torture_check(n == atomic_load_u32(&seq.writes, relaxed), FOUND_DATA, "%lu of %u writes",
		(unsigned long)n, (unsigned)atomic_load_u32(&seq.writes, relaxed));
}

TORTURE(seqlock, NOT_EXCLUSIVE | LOST_WAKEUP | LEAKS_IRQ | TOO_EARLY,
	.help = "seqlock: writers in handlers, readers without locks", .points = "seqlock_",
	.begin = seq_begin, .end = seq_end, .step = seq_step, .handler = seq_handler);

/* ---- work ------------------------------------------------------------------------------------ */

#define ITEMS 8

static struct item {
	struct work work;
	struct rng rng; /* its function's, of which one runs at a time */
	atomic_u32 inside;
	atomic_u32 due, ran, cancelled; /* relaxed: compared at the end */
	atomic_ulong asked, answered;	/* a worker's own */
} items[ITEMS + WORKERS_MAX];

static void run_item(struct item *item, struct rng *rng)
{
	torture_check(!atomic_xchg_u32(&item->inside, 1, relaxed), FOUND_DATA,
		"an item runs beside itself");
	atomic_add_u32(&item->ran, 1, relaxed);
	torture_work((unsigned)rng_below(rng, 100));
	if (rng_one_in(rng, 32))
		sched_yield();
	atomic_store_u32(&item->inside, 0, relaxed);
	/* Release; partner: whoever flushed. */
	atomic_store_ulong(&item->answered, atomic_load_ulong(&item->asked, acquire), release);
}

static void queue_item(struct item *item, struct rng *rng);

static void item_fn(struct work *w)
{
	struct item *item = container_of(w, struct item, work);

	run_item(item, &item->rng);
	if (torture_strikes(POST_TWICE, &item->rng, 16))
		run_item(item, &item->rng);
	if (rng_one_in(&item->rng, 32) && !torture_over())
		queue_item(item, &item->rng);
}

static void queue_item(struct item *item, struct rng *rng)
{
	if (torture_strikes(POST_LOST, rng, 16) || work_queue(&item->work))
		atomic_add_u32(&item->due, 1, relaxed);
}

static void work_kind_begin(void)
{
	memset(items, 0, sizeof(items));
	for (unsigned i = 0; i < ARRAY_SIZE(items); i++) {
		work_init(&items[i].work, item_fn);
		rng_seed(&items[i].rng, torture.seed + i);
	}
}

static void flush_own(struct worker *w)
{
	struct item *mine = &items[ITEMS + w->i];
	unsigned long asked = atomic_load_ulong(&mine->asked, relaxed) + 1;

	/* Release; partner: run_item. */
	atomic_store_ulong(&mine->asked, asked, release);
	queue_item(mine, &w->rng);
	if (torture_strikes(LOST_WAKEUP, &w->rng, 8))
		torture_strand();
	if (!torture_strikes(TOO_EARLY, &w->rng, 4))
		work_flush(&mine->work);
	/* A request that was lost was not made. */
	torture_check(
		torture.defect == POST_LOST || atomic_load_ulong(&mine->answered, acquire) >= asked,
		FOUND_DATA, "a flush ended before the run");
}

static void cancel_own(struct worker *w)
{
	struct item *mine = &items[ITEMS + w->i];

	queue_item(mine, &w->rng);
	atomic_add_u32(&mine->cancelled, work_cancel_sync(&mine->work), relaxed);
	torture_check(
		!atomic_load_u32(&mine->inside, acquire), FOUND_DATA, "a cancelled item runs");
}

static void work_kind_step(struct worker *w)
{
	struct item *item = &items[rng_below(&w->rng, ITEMS)];

	switch (rng_below(&w->rng, 8)) {
	case 0:
		if (work_cancel(&item->work))
			atomic_add_u32(&item->cancelled, 1, relaxed);
		break;
	case 1:
		flush_own(w);
		break;
	case 2:
		cancel_own(w);
		break;
	case 3:
		work_flush(&item->work);
		break;
	default:
		if (torture_strikes(NOT_EXCLUSIVE, &w->rng, 4))
			run_item(item, &w->rng);
		else
			queue_item(item, &w->rng);
	}
	torture_entered();
}

static void work_kind_handler(struct rng *rng)
{
	struct item *item = &items[rng_below(rng, ITEMS)];

	if (rng_one_in(rng, 4) && work_cancel(&item->work))
		atomic_add_u32(&item->cancelled, 1, relaxed);
	else
		queue_item(item, rng);
}

static void work_kind_end(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(items); i++) {
		struct item *item = &items[i];
		unsigned due, ran;

		work_flush(&item->work);
		due = atomic_load_u32(&item->due, relaxed);
		ran = atomic_load_u32(&item->ran, relaxed) +
			atomic_load_u32(&item->cancelled, relaxed);
		torture_check(ran >= due, FOUND_LOST, "%u of %u requests ran", ran, due);
		torture_check(ran <= due, FOUND_TWICE, "%u requests ran %u times", due, ran);
	}
}

TORTURE(work, NOT_EXCLUSIVE | LOST_WAKEUP | LEAKS_IRQ | POST_LOST | POST_TWICE | TOO_EARLY,
	.help = "work queue: queued anywhere, cancelled, flushed", .points = "work_",
	.begin = work_kind_begin, .end = work_kind_end, .step = work_kind_step,
	.handler = work_kind_handler);

/* ---- qs -------------------------------------------------------------------------------------- */

/* A stranded worker keeps one, and all of them may be stranded. */
#define OBJECTS (2 * WORKERS_MAX)
#define ALIVE 0x600du
#define DEAD 0xdeadu

static struct object {
	struct qs_entry entry;
	atomic_u32 used;
	unsigned state; /* ALIVE until reclaimed */
	struct rng rng; /* its reclaim's */
} objects[OBJECTS];

static struct {
	atomic_ptr current; /* struct object; release: its state */
	atomic_u32 due, ran;
} qs_run;

static void qs_kind_begin(void)
{
	memset(objects, 0, sizeof(objects));
	memset(&qs_run, 0, sizeof(qs_run));
	for (unsigned i = 0; i < OBJECTS; i++)
		rng_seed(&objects[i].rng, torture.seed + i);
	objects[0].state = ALIVE;
	atomic_store_u32(&objects[0].used, 1, relaxed);
	atomic_store_ptr(&qs_run.current, &objects[0], release);
}

static struct object *take_object(void)
{
	for (unsigned i = 0; i < OBJECTS; i++) {
		/* Acquire; partner: the release of give_back. */
		if (atomic_load_u32(&objects[i].used, relaxed) ||
			atomic_xchg_u32(&objects[i].used, 1, acquire))
			continue;
		objects[i].state = ALIVE;
		return &objects[i];
	}
	return NULL;
}

static void bury(struct object *o)
{
	torture_check(o->state == ALIVE, FOUND_TWICE, "an object is reclaimed twice");
	o->state = DEAD;
}

static void give_back(struct object *o)
{
	atomic_store_u32(&o->used, 0, release);
}

static void reclaim(struct qs_entry *entry)
{
	struct object *o = container_of(entry, struct object, entry);

	atomic_add_u32(&qs_run.ran, 1, relaxed);
	bury(o);
	if (torture_strikes(POST_TWICE, &o->rng, 16))
		bury(o);
	give_back(o);
}

static void look(struct rng *rng)
{
	const struct object *o;

	qs_read_begin();
	/* Acquire; partner: the exchange of replace. */
	o = atomic_load_ptr(&qs_run.current, acquire);
	for (unsigned n = (unsigned)rng_below(rng, 8); n; n--) {
		torture_check(o->state == ALIVE, FOUND_DATA, "an object died in a read section");
		torture_work((unsigned)rng_below(rng, 60));
	}
	qs_read_end();
}

static void replace(struct rng *rng)
{
	struct object *next = take_object(), *old;

	if (!next)
		return;
	old = atomic_xchg_ptr(&qs_run.current, next, acq_rel);
	if (torture_strikes(TOO_EARLY, rng, 2)) {
		bury(old);
		give_back(old);
	} else if (rng_one_in(rng, 4)) {
		if (torture_strikes(LOST_WAKEUP, rng, 4))
			torture_strand();
		qs_synchronize();
		bury(old);
		give_back(old);
	} else {
		atomic_add_u32(&qs_run.due, 1, relaxed);
		if (!torture_strikes(POST_LOST, rng, 16))
			qs_call(&old->entry, reclaim);
	}
	torture_entered();
}

static void qs_kind_step(struct worker *w)
{
	for (unsigned n = 0; n < 8; n++)
		look(&w->rng);
	if (rng_one_in(&w->rng, 4))
		replace(&w->rng);
	if (rng_one_in(&w->rng, 64))
		qs_barrier();
}

static void qs_kind_end(void)
{
	unsigned due = atomic_load_u32(&qs_run.due, relaxed), ran;

	qs_barrier();
	ran = atomic_load_u32(&qs_run.ran, relaxed);
	torture_check(ran >= due, FOUND_LOST, "%u of %u calls ran", ran, due);
	torture_check(ran <= due, FOUND_TWICE, "%u calls ran %u times", due, ran);
}

TORTURE(qs, LOST_WAKEUP | LEAKS_IRQ | POST_LOST | POST_TWICE | TOO_EARLY,
	.help = "quiescent states: sections, grace periods, calls", .points = "",
	.begin = qs_kind_begin, .end = qs_kind_end, .step = qs_kind_step, .handler = look);
