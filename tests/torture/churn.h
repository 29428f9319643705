/* SPDX-License-Identifier: MIT */
/*
 * Churn: every hart, the boot hart too, stops, starts, is suspended and resumed at random while the
 * kernel is under load, and a ledger of each kind of thing shows that none is lost or doubled.
 *
 * A cycle is one hart that left and came back. Two threads (churn_cycle.c) make them, each hart and
 * each way by chance; meanwhile
 *	churn_token.c	tokens go round: a timer fires, posts to a mixed lock, the post queues work,
 *			the work starts the timer; others cancel and move them
 *	churn_load.c	threads call other harts, make and end threads, take and give back memory,
 *			raise a device's interrupt, torture locks (engine.c) and run shell commands
 * At the end all harts come back, everybody ends, and the ledgers are closed.
 *
 * A ledger counts what was begun (a timer armed, a call accepted, a page taken) and what became of
 * it; once all is quiet both are equal, or something was lost (fewer) or doubled (more). Two
 * more ledgers compare what the kernel itself says before and after: free memory, living threads.
 * No verdict looks at a clock: a thing counts as lost when nothing in any ledger has moved for many
 * looks, in each of which every hart answered a call.
 *
 * A ledger in which nothing happened shows nothing, so a long run asks for something in each.
 *
 * Each ledger has busted twins: the same run in which one thing, once, as a hart has just gone, is
 * left behind or done twice. A twin passes if that ledger says so, and no other one.
 */
#ifndef TESTS_TORTURE_CHURN_H
#define TESTS_TORTURE_CHURN_H

#include "kernel/hart/mask.h"
#include "kernel/lock/atomic.h"
#include "lib/random.h"
#include "lib/types.h"
#include "tests/torture/finding.h"

struct hart_meta;

enum churn_ledger {
	LEDGER_TIMERS,
	LEDGER_POSTS,
	LEDGER_WORK,
	LEDGER_CALLS,
	LEDGER_INTERRUPTS,
	LEDGER_THREADS,
	LEDGER_PAGES,
	LEDGER_HARTS,
	LEDGER_MEMORY, /* what the kernel says, before and after */
	LEDGER_ALIVE,
	LEDGERS
};

/* How a hart leaves. */
enum churn_way {
	WAY_STOP,
	WAY_RETENTIVE, /* suspended, keeps its registers */
	WAY_LOSSY,     /* suspended, comes back as if started */
	CHURN_WAYS
};

/* What a twin does wrong: something of this ledger is lost, or done twice; `also` is what other
 * ledgers show of that. */
struct churn_twin {
	const char *name;
	enum churn_ledger ledger;
	bool twice;
	unsigned also; /* bits */
};
extern const struct churn_twin churn_twins[];
extern const unsigned nr_churn_twins;

struct churn_run {
	const struct churn_twin *twin; /* NULL: all is as it should be */
	uint64_t seed;
	uint32_t target;	/* cycles */
	struct hart_mask harts; /* that take part: were online when it began */
	unsigned nr_harts;
	bool external;	    /* there is a source that can be raised */
	atomic_bool over;   /* everybody ends */
	atomic_bool judged; /* what twins held back is let go */
	atomic_u32 running; /* threads of the load */
	atomic_u32 cycles, refused, late;
	atomic_u32 tortured, commands; /* runs of the locks' torture; commands of the shell */
	atomic_u32 leaves[CONFIG_MAX_HARTS][CHURN_WAYS];
	atomic_u32 moved;  /* timers that fired on another hart than where they were started */
	atomic_u32 strike; /* enum churn_strike */
	struct finding found;
};
extern struct churn_run churn;

/* A twin's defect: not yet; at the next occasion; done. */
enum churn_strike {
	STRIKE_NOT_YET,
	STRIKE_NEXT,
	STRIKE_DONE,
};

/* ---- Ledgers (churn_ledger.c). Either -------------------------------------------------------- */

void churn_issue(enum churn_ledger ledger, unsigned long n);
void churn_done(enum churn_ledger ledger, unsigned long n);
unsigned long churn_issued(enum churn_ledger ledger);
/* All that was ever counted: it stands still when nothing happens. */
unsigned long churn_motion(void);
/* Ledgers with something on its way, or lost, or doubled. */
unsigned churn_open(void);
void churn_ledgers_reset(void);
/* Notes what the kernel says of itself: before anything runs, and after everything has ended, which
 * waits for what comes back a little later. Thread, may sleep. */
void churn_level_before(void);
void churn_level_after(void);
/* True: all ledgers are as they should be: even, or as the twin makes them. `text`: what the first
 * one says that is not, or the twin's. Thread. */
bool churn_balanced(const struct churn_twin *twin, char *text, size_t size);
/* The same for the two that are the kernel's own. */
bool churn_level_is_right(char *text, size_t size);
void churn_print_ledgers(void);

/* ---- For the load ---------------------------------------------------------------------------- */

static inline bool churn_over(void)
{
	return atomic_load_bool(&churn.over, acquire);
}
/* The twin with this defect does wrong now, this once. Either. */
bool churn_strikes(enum churn_ledger ledger, bool twice);
/* A check beside the ledgers. Either. */
void churn_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
#define churn_check(cond, ...) \
	do { \
		if (!(cond)) \
			churn_fail(__VA_ARGS__); \
	} while (0)
/* Some hart of those that take part, whatever its state. */
struct hart_meta *churn_some_hart(struct rng *rng);
/* The calling thread goes somewhere else, for a while or for good. */
void churn_move_self(struct rng *rng);
/* A thread of the load: counted in `running`, detached. False: no memory. */
bool churn_start(const char *name, void (*fn)(struct rng *rng));

/* churn_cycle.c: one change of some hart, and sometimes a pause. Thread. */
void churn_change(struct rng *rng);
/* Those that are away or late; waits for them. */
void churn_bring_all_back(void);
/* A twin's, after that: one stays away. */
void churn_lose_hart(void);
/* After a long run: every hart has left in every way, and all of the load has run. */
void churn_check_load(void);
/* How often harts left so, and the least that any of them left in any way. */
unsigned churn_leaves(enum churn_way way);
unsigned churn_least_leaves(void);

/* churn_token.c: all begin; one is lost where it is, if one can be; all have arrived. */
void churn_tokens_begin(unsigned n);
bool churn_tokens_strike(void);
void churn_tokens_end(void);
/* Threads: meddle with tokens; hold the locks that are posted to. */
void churn_meddle(struct rng *rng);
void churn_hold(struct rng *rng);

/* churn_load.c: threads, and what is to be done before and after. */
void churn_load_begin(void);
void churn_load_end(void);
/* What a twin kept is given back. */
void churn_load_release(void);
bool churn_load_start(unsigned harts);

/* churn.c: one run; true: it passed. Thread, may sleep. */
bool churn_run_once(const struct churn_twin *twin, uint32_t cycles, uint64_t seed);

#endif
