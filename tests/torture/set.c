/* SPDX-License-Identifier: MIT */
/*
 * Torture of what excludes (set.h).
 *
 * The data is plain on purpose: it is what the locks protect. A writer leaves its mark, works, and
 * finds it unchanged; then it counts every word of the box up. Readers find all words equal, twice,
 * and no mark. The number of writes is counted beside and compared at the end.
 *
 * Most steps take the last lock alone, so that it is contended; the others spread, so that threads
 * wait along chains.
 *
 * The twins: one in so many acquires does nothing (NOT_EXCLUSIVE); a lock is handed over to nobody
 * (LOST_WAKEUP); the first worker lets everybody pass (UNFAIR).
 */
#include "tests/torture/set.h"

#include "kernel/sched/sched.h"
#include "kernel/time/clock.h"
#include "lib/errno.h"
#include "lib/string.h"

#define WORDS 6
#define HOT (SET_LOCKS - 1)
/* Times that the hot lock is taken in one step of a storm. */
#define STORM UNFAIR_STORM
#define SHORT_WORK 40
#define LONG_WORK 4000
#define WAIT_NAP_NS (50 * NS_PER_US)

static struct box {
	atomic_bool withheld; /* a twin's: handed over to nobody */
	const void *writer;   /* the entry of who is inside */
	unsigned long words[WORDS];
	atomic_ulong writes; /* relaxed: compared at the end */
} boxes[SET_LOCKS + 1];
/* On their way into the grave; relaxed: a wish. */
static atomic_u32 at_grave;

static const struct set_ops *ops(void)
{
	return torture.kind->arg;
}

void set_begin(void)
{
	memset(boxes, 0, sizeof(boxes));
	atomic_store_u32(&at_grave, 0, relaxed);
	for (unsigned i = 0; i < SET_LOCKS + (ops()->enter_robust != NULL); i++)
		ops()->init(i);
}

/* ---- The data ------------------------------------------------------------------------------- */

static bool words_are(const struct box *b, unsigned long value)
{
	for (unsigned i = 0; i < WORDS; i++)
		if (b->words[i] != value)
			return false;
	return true;
}

static void open_box(struct set_entry *e)
{
	struct box *b = &boxes[e->box];

	torture_check(!ops()->irqs_off || !arch_irq_enabled(), FOUND_STATE,
		"interrupts are on under lock %u", e->box);
	torture_check(!b->writer, FOUND_DATA, "two are in box %u", e->box);
	e->seen = b->words[0];
	torture_check(words_are(b, e->seen), FOUND_DATA, "box %u is half written", e->box);
	if (e->write)
		b->writer = e;
}

static void close_box(struct set_entry *e)
{
	struct box *b = &boxes[e->box];

	torture_check(words_are(b, e->seen), FOUND_DATA, "box %u changed under %s", e->box,
		e->write ? "its writer" : "a reader");
	torture_check(b->writer == (e->write ? e : NULL), FOUND_DATA, "somebody came into box %u",
		e->box);
	if (!e->write)
		return;
	for (unsigned i = 0; i < WORDS; i++)
		b->words[i]++;
	b->writer = NULL;
	atomic_add_ulong(&b->writes, 1, relaxed);
}

void set_change(unsigned box)
{
	struct set_entry e = {.box = box, .write = true};

	open_box(&e);
	torture_work(2);
	close_box(&e);
}

/* ---- The locks, and their twins' ------------------------------------------------------------- */

/* `w`: NULL in a handler and for mortals. True: the twin decided, *got. */
static bool twin_takes(struct worker *w, struct rng *rng, struct set_entry *e, bool *got)
{
	*got = false;
	if (torture_strikes(NOT_EXCLUSIVE, rng, 8)) {
		e->skipped = *got = true;
		/* So that the missing exclusion is all that is wrong. */
		if (ops()->irqs_off)
			irq_off();
		return true;
	}
	if (atomic_load_bool(&boxes[e->box].withheld, acquire)) {
		if (w && e->how == HOW_PLAIN && arch_irq_enabled())
			torture_strand();
		return true;
	}
	return w && torture_is_passed(w);
}

static bool take(struct worker *w, struct rng *rng, struct set_entry *e)
{
	/* Real-time threads pass, and others wait for them: only fair ones are judged. */
	bool judged = w && e->how == HOW_PLAIN && !atomic_load_u32(&w->rt_steps, relaxed);
	bool got;

	if (torture.defect && twin_takes(w, rng, e, &got))
		return got;
	if (judged)
		torture_wait_begin(w);
	got = ops()->enter(e);
	if (judged)
		torture_wait_end(w);
	if (got)
		torture_entered();
	else
		torture_count(e->how == HOW_TRY ? COUNT_TRY_FAILED : COUNT_TIMED_OUT);
	return got;
}

static void give(struct rng *rng, struct set_entry *e)
{
	if (e->skipped) {
		if (ops()->irqs_off)
			irq_on();
		return;
	}
	ops()->leave(e);
	if (torture_strikes(LOST_WAKEUP, rng, 64))
		atomic_store_bool(&boxes[e->box].withheld, true, release);
}

/* ---- Visits ---------------------------------------------------------------------------------- */

static enum set_how some_how(struct rng *rng)
{
	switch (rng_below(rng, 8)) {
	case 0:
		return HOW_TRY;
	case 1:
		return ops()->sleeps ? HOW_TIMED : HOW_TRY;
	case 2:
		return ops()->sleeps ? HOW_INTR : HOW_PLAIN;
	default:
		return HOW_PLAIN;
	}
}

static void choose(struct rng *rng, struct set_entry *e, unsigned box, enum set_how how)
{
	*e = (struct set_entry){.box = box, .how = how};
	e->write = !ops()->readers || rng_one_in(rng, 3);
	e->again = !e->write && rng_one_in(rng, 4);
	if (how == HOW_TIMED)
		e->deadline_ns = torture_deadline(rng);
}

static void be_inside(struct rng *rng, struct set_entry *e, unsigned n, bool thread)
{
	for (unsigned i = 0; i < n; i++)
		open_box(&e[i]);
	torture_work((unsigned)rng_below(rng, rng_one_in(rng, 100) ? LONG_WORK : SHORT_WORK));
	if (thread && ops()->sleeps && rng_one_in(rng, 16))
		sched_sleep_ns(rng_below(rng, WAIT_NAP_NS));
	else if (thread && ops()->sleeps && rng_one_in(rng, 8))
		sched_yield();
	for (unsigned i = 0; i < n; i++)
		close_box(&e[i]);
}

static void leave_all(struct rng *rng, struct set_entry *e, unsigned n)
{
	bool forward = rng_one_in(rng, 4);

	for (unsigned i = 0; i < n; i++)
		give(rng, &e[forward ? i : n - 1 - i]);
}

/* `want` different boxes, the lower ones first; fewer, if one of the ways in did not succeed. */
static unsigned take_several(
	struct worker *w, struct rng *rng, struct set_entry *e, unsigned want, bool thread)
{
	unsigned n = 0;

	for (unsigned box = 0; box < SET_LOCKS && n < want; box++) {
		enum set_how how = !thread && ops()->in_handler ? HOW_TRY : some_how(rng);

		if (rng_below(rng, SET_LOCKS - box) >= want - n)
			continue;
		choose(rng, &e[n], box, how);
		if (!take(n ? NULL : w, rng, &e[n]))
			break;
		n++;
	}
	return n;
}

static void note_depth(unsigned depth)
{
	uint32_t deepest = atomic_load_u32(&torture.deepest, relaxed);

	/* Relaxed: the larger one of two that meet may be lost. */
	if (depth > deepest)
		atomic_store_u32(&torture.deepest, depth, relaxed);
}

void set_heir(struct rng *rng)
{
	struct set_entry e = {.box = SET_GRAVE, .write = true};
	struct box *b = &boxes[SET_GRAVE];
	int rc;

	atomic_add_u32(&at_grave, 1, relaxed);
	rc = ops()->enter_robust();
	atomic_add_u32(&at_grave, (uint32_t)-1, relaxed);
	if (rc == -EOWNERDEAD) {
		for (unsigned i = 1; i < WORDS; i++)
			b->words[i] = b->words[0];
		b->writer = NULL;
		ops()->recover();
	}
	be_inside(rng, &e, 1, true);
	ops()->leave(&e);
}

/* For a twin's victim to be passed by many they need not meet each other. */
static void storm(struct worker *w)
{
	bool meet = torture.defect != UNFAIR || !w->i;
	struct set_entry e;

	for (unsigned n = 0; n < STORM && !torture_over(); n++) {
		choose(&w->rng, &e, meet ? HOT : w->i % HOT, meet ? HOW_PLAIN : HOW_TRY);
		if (!take(w, &w->rng, &e))
			continue;
		open_box(&e);
		close_box(&e);
		give(&w->rng, &e);
	}
}

void set_step(struct worker *w)
{
	struct rng *rng = &w->rng;
	struct set_entry e[SET_LOCKS];
	unsigned n;

	if (torture.defect == UNFAIR || (torture_storm && rng_one_in(rng, 2))) {
		storm(w);
		return;
	}
	if (ops()->enter_robust && rng_one_in(rng, torture_deaths ? 2 : 32)) {
		set_heir(rng);
		return;
	}
	if (rng_one_in(rng, 8)) {
		n = take_several(w, rng, e, 2 + (unsigned)rng_below(rng, SET_LOCKS - 1), true);
	} else {
		choose(rng, &e[0], rng_one_in(rng, 4) ? (unsigned)rng_below(rng, HOT) : HOT,
			some_how(rng));
		n = take(w, rng, &e[0]);
	}
	note_depth(n);
	be_inside(rng, e, n, true);
	leave_all(rng, e, n);
}

/* Where only threads may take the locks, their waits are interrupted, and that is all. */
void set_handler(struct rng *rng)
{
	struct set_entry e[2];
	unsigned n;

	if (!ops()->irqs_off && !ops()->in_handler)
		return;
	n = take_several(NULL, rng, e, 1 + rng_one_in(rng, 4), false);
	be_inside(rng, e, n, false);
	leave_all(rng, e, n);
}

void set_mortal(struct rng *rng)
{
	struct set_entry e;

	choose(rng, &e, HOT, HOW_INTR);
	if (!take(NULL, rng, &e))
		return;
	be_inside(rng, &e, 1, true);
	give(rng, &e);
}

void set_doomed(void *awaited)
{
	struct box *b = &boxes[SET_GRAVE];

	if (ops()->enter_robust() == -EOWNERDEAD)
		ops()->recover();
	b->writer = b;
	b->words[0]++;
	/* Whoever is on the way waits, two naps later. */
	for (unsigned naps = 0; *(bool *)awaited && naps < 2 && !torture_over();) {
		sched_sleep_ns(WAIT_NAP_NS);
		naps = atomic_load_u32(&at_grave, relaxed) ? naps + 1 : 0;
	}
	torture_die();
}

static void check_box(unsigned i)
{
	struct set_entry e = {.box = i, .write = true};
	struct box *b = &boxes[i];

	/* Free, and whoever left it left nothing undone. */
	if (!ops()->enter(&e))
		return;
	torture_check(!b->writer && words_are(b, b->words[0]), FOUND_DATA, "box %u is torn", i);
	torture_check(b->words[0] == atomic_load_ulong(&b->writes, relaxed), FOUND_DATA,
		"box %u has %lu of %lu writes", i, b->words[0],
		atomic_load_ulong(&b->writes, relaxed));
	ops()->leave(&e);
}

void set_end(void)
{
	for (unsigned i = 0; i < SET_LOCKS; i++)
		check_box(i);
}
