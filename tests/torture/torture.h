/* SPDX-License-Identifier: MIT */
/*
 * Torture of the locks: every kind of lock, and of waiting, under all that may happen to it at
 * once, for as many steps as are asked for.
 *
 * One run has one kind and one seed. Its workers (more threads than harts) make step after step;
 * each step arms timers and posts calls now and then, whose handlers take part, as does the handler
 * of a device's source where the tree has one that can be raised at will. Meanwhile the shuffler
 * (shuffle.c) changes priorities and affinities, drains harts, stops and starts them, asks leaf
 * calls of spinners, stops all workers together, and sends mortals: threads that wait interruptibly
 * until they are killed. The supervisor looks at what comes of it.
 *
 * The verdict never looks at a clock:
 *   data     what the lock protects is read and changed in ways that show a second one inside
 *   state    interrupts are as they were before
 *   stuck    no worker and no handler gets any further, in STUCK_LOOKS looks between which every
 *            hart answered a call: a wake-up is lost
 *   unfair   somebody waits while the others get in UNFAIR_PASSES times, and while every hart
 *            answered in UNFAIR_LOOKS looks: a hart that is away can't be passed by that
 *   counts   what was posted ran, once, and what was queued came out
 *
 * Each kind has busted twins: the same code around the same lock with one defect (enum defect) in
 * the wrappers. A run of a twin that finds nothing, or something else, has failed.
 *
 * All that is random comes from the seed; which thread meets which, from the machine.
 */
#ifndef TESTS_TORTURE_TORTURE_H
#define TESTS_TORTURE_TORTURE_H

#include "kernel/hart/call.h"
#include "kernel/lock/atomic.h"
#include "kernel/time/timer.h"
#include "kernel/wait/waitq.h"
#include "lib/linkset.h"
#include "lib/random.h"
#include "tests/torture/finding.h"

#define WORKERS_MAX 64
/* What an unfair twin's steps repeat, so that its victim is passed by many soon. */
#define UNFAIR_STORM 64

enum defect {
	WHOLE = 0,
	NOT_EXCLUSIVE = 1 << 0, /* lets somebody in beside a holder */
	LOST_WAKEUP = 1 << 1,	/* somebody waits for ever */
	UNFAIR = 1 << 2,	/* one is passed by all the others */
	LEAKS_IRQ = 1 << 3,	/* interrupts are not as they were */
	POST_LOST = 1 << 4,	/* what was asked for never runs */
	POST_TWICE = 1 << 5,	/* ... or runs twice */
	TOO_EARLY = 1 << 6,	/* a wait ends before what it waits for */
	DEFECTS = 7
};

/* What a run can find. */
enum found_kind {
	FOUND_DATA,
	FOUND_STATE,
	FOUND_STUCK,
	FOUND_UNFAIR,
	FOUND_LOST,
	FOUND_TWICE,
};

/* A thread that makes steps. */
struct worker {
	unsigned i;
	struct thread *thread;
	struct rng rng;
	atomic_u32 steps;
	/* Entries of all when it began to wait, + 1; 0: it does not. */
	atomic_u32 waits_since;
	atomic_u32 looks_since; /* looks of the supervisor, then */
	uint32_t most_passes;	/* its own */
	atomic_u32 rt_steps;	/* that are left until it is fair again */
	atomic_u32 timer_quota; /* firings that are left until the next step */
	struct timer timer;
	struct rng timer_rng; /* the timer's handler's */
	struct hart_call call;
	struct rng call_rng; /* the call's */
};

struct torture_kind {
	const char *name, *help;
	const char *points; /* prefixes of its points in the protocols, one space between them */
	unsigned busted;    /* enum defect of its twins */
	bool unfair;	    /* and promises nothing else */
	unsigned workers;   /* at most; 0: WORKERS_MAX */
	const void *arg;    /* the kind's own */
	/* Before anybody runs, and when nobody does any more: checks what is left. Thread. */
	void (*begin)(void);
	void (*end)(void);
	/* One step of a worker. Thread, may sleep. */
	void (*step)(struct worker *w);
	/* In a handler: of a timer, of a call, of a device. May be NULL. */
	void (*handler)(struct rng *rng);
	/* One step of a mortal, with interruptible waits only. May be NULL. */
	void (*mortal)(struct rng *rng);
	/* Body of a thread that dies of a fault, holding something: `awaited`, a bool *, says
	 * whether workers are to wait for that by then. May be NULL. */
	void (*doomed)(void *awaited);
	/* The first one to come for what it held, if all workers have stopped. */
	void (*heir)(struct rng *rng);
	/* torture_over() is true: wakes everybody, called again until all have ended. May be NULL.
	 */
	void (*unwind)(void);
};
#define TORTURE(name_, busted_, ...) \
	static const struct torture_kind torture_kind_##name_ = { \
		.name = #name_, .busted = (busted_), __VA_ARGS__}; \
	LINKSET_ADD(torture, struct torture_kind, torture_kind_##name_)

/* What happened, for the line about a run. */
enum torture_count {
	COUNT_TIMER,
	COUNT_CALL,
	COUNT_EXTERNAL,
	COUNT_TRY_FAILED,
	COUNT_TIMED_OUT,
	COUNT_KILLED,
	COUNT_DIED,
	COUNT_STUTTER,
	COUNT_DRAIN,
	COUNT_STOP,
	COUNTS
};

struct torture_run {
	const struct torture_kind *kind;
	enum defect defect;
	uint64_t seed;
	uint32_t budget; /* steps of each worker */
	unsigned nr_workers;
	struct worker *workers;
	bool external; /* there is a source that can be raised */
	atomic_bool over, stutter;
	atomic_u32 running, done, stopped;
	atomic_u32 entries;   /* times that somebody got what it waited for */
	atomic_u32 looks;     /* of the supervisor, in each of which every hart answered */
	atomic_u32 deepest;   /* most locks held together */
	uint32_t most_passes; /* in one wait of a worker; at the end */
	atomic_u32 counts[COUNTS];
	struct finding found;
	enum found_kind kind_found; /* of the first finding, by who added it */
};
extern struct torture_run torture;
/* Steps take the same lock again and again, for short: what is rare needs many occasions. */
extern bool torture_storm;
/* Somebody else takes harts away meanwhile: the shuffler does not. */
extern bool torture_harts_taken;
/* Threads die more often, and others come for what they held. */
extern bool torture_deaths;

/* ---- For kinds. Either, unless it says more ------------------------------------------------ */

void torture_found(enum found_kind what, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
#define torture_check(cond, what, ...) \
	do { \
		if (!(cond)) \
			torture_found(what, __VA_ARGS__); \
	} while (0)
static inline bool torture_over(void)
{
	return atomic_load_bool(&torture.over, acquire);
}
static inline void torture_count(enum torture_count what)
{
	atomic_add_u32(&torture.counts[what], 1, relaxed);
}
/* The twin with this defect runs, and this is an occasion for it: one in n. */
static inline bool torture_strikes(enum defect defect, struct rng *rng, unsigned n)
{
	return torture.defect == defect && rng_one_in(rng, n);
}
/* Around a wait of a fair worker that nothing but its success ends. */
void torture_wait_begin(struct worker *w);
void torture_wait_end(struct worker *w);
/* If it waits, it is judged by what comes from here on. Either. */
void torture_wait_anew(struct worker *w);
/* The twin's victim (UNFAIR): waits, judged, while all others get in, and is true. Worker's step.
 */
bool torture_is_passed(struct worker *w);
/* A twin's: what this thread waits for never comes, until the run is over. May sleep. */
void torture_strand(void);
/* Somebody got in. */
static inline void torture_entered(void)
{
	atomic_add_u32(&torture.entries, 1, relaxed);
}
/* Has something to do in between: `n` short steps. */
void torture_work(unsigned n);
/* A deadline for a timed wait, near. */
uint64_t torture_deadline(struct rng *rng);
/* Such a deadline, or a kill, ends the wait. */
static inline struct wait_limit torture_limit(struct rng *rng)
{
	return rng_one_in(rng, 2) ? WAIT_UNTIL(torture_deadline(rng)) : WAIT_INTR;
}
/* Dies of a fault. Thread, nothing held that is not a sleeping lock. */
noreturn void torture_die(void);

/* ---- Between the files of the engine ------------------------------------------------------- */

/* One run; true: it found what its twin should (nothing, if it is whole). Thread, may sleep. */
bool torture_run_once(
	const struct torture_kind *kind, enum defect defect, uint32_t budget, uint64_t seed);
/* The shuffler's body (shuffle.c); ends soon after the run is over. */
void torture_shuffle(void *arg);
/* A handler takes part, as `source` says. Handler. */
void torture_interrupt(enum torture_count source, struct rng *rng);
/* So much was done by workers, and by the handlers that they set off. Either. */
uint32_t torture_progress(void);
const char *torture_defect_name(enum defect defect);

/* The device whose interrupt can be raised at will (alarm.c), for one at a time: false if there is
 * none, or somebody has it. Thread; raise: either. */
bool alarm_open(void (*fn)(void *arg));
void alarm_close(void);
void alarm_raise(void);
void alarm_route(unsigned hart);

#endif
