/* SPDX-License-Identifier: MIT */
/*
 * Hunting: small programs that run under schedules made from a seed, until one of them goes wrong.
 *
 *	HUNT_PROGRAM(abba, .help = "two irqlocks in both orders", .threads = 2, .rounds = 4,
 *		.begin = abba_begin, .thread = abba_thread, .fails = "deadlock", .within = 50);
 *
 * `make hunt PROG=abba SEEDS=1..200` boots the kernel of the configuration hunt once for each seed,
 * under instruction counting and without external input, so that everything that happens is a
 * function of the image and the seed, bit for bit.
 *
 * A program
 *   begin()    before each round, in a thread, while nothing else runs: makes its state new.
 *   thread(i)  runs in thread i of `threads`; thread i is bound to hart i % harts. All threads of a
 *              round begin together; the round is over when all have returned.
 *   handler()  runs in timer and software interrupts, at moments that the schedule chooses, on any
 *              hart, only during a round. NULL: they come all the same, and may preempt.
 *   end()      after each round, in a thread, while nothing else runs: looks at what came out.
 *
 * Going wrong is: hunt_check() of something false; a deadlock; anything that ends the kernel by
 * itself (an assertion, a panic, a report of the lock checker about what happened). What merely
 * could happen (order, rank and irq reports of the checker) is ignored, or the hunt would end at
 * the first run, unless the program sets `checker`.
 *
 * A deadlock is a lack of progress in virtual time, which makes it exact and cheap: a round that is
 * not over after `limit_us` (HUNT_LIMIT_US), or somebody who waits awake while no event
 * (LOCK_EVENT of kernel/lock/point.h) has come from anybody for HUNT_STALL_US. So a program waits
 * by the kernel's means or through relax(), never in a bare loop, has no timed wait longer than
 * HUNT_STALL_US / 2, and its rounds are short: a few dozen lock operations.
 *
 * Programs say what they do where the kernel cannot know it: hunt_step("has looked") between two
 * actions, which is where the schedule may change, and hunt_waits("lock"), hunt_got("lock") and
 * hunt_gave("lock") for locks of their own making, and hunt_holds("lock"), which is no event, right
 * where the lock is had. The texts are literals; the story of a failing run tells them, and the
 * deadlock card tells who waits for which of these locks, who has it, and why he does not go on.
 *
 * A program that is to be found has `fails` (the verdict: deadlock, wrong, assert, panic,
 * lockcheck) and `within`, a number of seeds, counted from 1, of which one must show it. A program
 * without `fails` passes under every seed. `make test` holds them to it.
 */
#ifndef TESTS_HUNT_HUNT_H
#define TESTS_HUNT_HUNT_H

#include "kernel/lock/point.h"
#include "lib/linkset.h"
#include "lib/types.h"

#define HUNT_THREADS_MAX 8
#define HUNT_LIMIT_US 20000
#define HUNT_STALL_US 1000

struct hunt_program {
	const char *name, *help;
	unsigned threads, rounds;
	void (*begin)(void);
	void (*thread)(unsigned me);
	void (*handler)(void);
	void (*end)(void);
	unsigned limit_us; /* virtual time of one round; 0: HUNT_LIMIT_US */
	bool checker;
	const char *fails;
	unsigned within;
};

#define HUNT_PROGRAM(id, ...) \
	static const struct hunt_program hunt_program_##id = {.name = #id, __VA_ARGS__}; \
	LINKSET_ADD(hunt_program, struct hunt_program, hunt_program_##id)

/* The run goes wrong here, with this text. Either; SIE and locks as they are. */
noreturn void hunt_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
#define hunt_check(cond, ...) \
	do { \
		if (!(cond)) \
			hunt_fail(__VA_ARGS__); \
	} while (0)

/* Either; SIE and locks as they are. `text` is a literal. */
#define hunt_step(text) lock_point_hit(&hunt_points[HUNT_STEP], "" text, NULL, 0)
#define hunt_waits(text) lock_point_hit(&hunt_points[HUNT_WAITS], "" text, NULL, 0)
#define hunt_got(text) lock_point_hit(&hunt_points[HUNT_GOT], "" text, NULL, 0)
#define hunt_gave(text) lock_point_hit(&hunt_points[HUNT_GAVE], "" text, NULL, 0)
/* The caller, thread or handler, has its own lock `text` from now on until hunt_gave. The same. */
void hunt_holds(const char *text);
enum hunt_point {
	HUNT_STEP,
	HUNT_WAITS,
	HUNT_GOT,
	HUNT_GAVE,
	HUNT_HANDLER, /* the engine's own: the program's handler begins */
	HUNT_BEGIN,   /* a round begins */
	HUNT_END,     /* a round is over */
	HUNT_POINTS
};
extern struct lock_point hunt_points[HUNT_POINTS];

/*
 * The kernel's end of the line for a debugger: called once, before event `hunt_stop=EVENT` takes
 * effect. Its frame and `event` are all that there is to it.
 */
void hunt_stop_here(unsigned long event);

#endif
