/* SPDX-License-Identifier: MIT */
/*
 * The gallery of bugs: small protocols with one well-known mistake each, and the same without it.
 *
 *	GALLERY_CHECKED(abba, "two locks in two orders", KIND_ORDER, "cycle", 1)
 *	{
 *		take(fixed ? &a : &b);
 *		...
 *	}
 *
 *	GALLERY_HUNTED(post_lost, "work posted as the holder leaves", "wrong", reset, .threads = 2,
 *		.thread = thread, .end = end);
 *
 * One source, two variants: `fixed` in the first, is_fixed in the second chooses. A mistake is
 * always in a copy of a protocol that is the entry's own, never in the kernel.
 *
 * GALLERY_CHECKED  The lock checker reports it: at least one report of that kind and word, none of
 *                  another kind, in a run in which nothing goes wrong. An entry goes on after its
 *                  reports (they are counted) and leaves nothing held. `gallery` in the shell runs
 *                  these.
 * GALLERY_HUNTED   Harts have to meet badly, so it is looked for by seeds: two programs of the hunt
 *                  (tests/hunt/hunt.h), gallery_NAME, which goes wrong as `fails` says, and
 *                  gallery_NAME_fixed, which passes under every seed. reset() makes the state of a
 *                  round new.
 *
 * The fixed variant gives no report and never fails. Each file's head has the whole story: what is
 * wrong, how it shows, how it is found, what the fix is. `make gallery` proves all of it and prints
 * the table.
 */
#ifndef TESTS_GALLERY_GALLERY_H
#define TESTS_GALLERY_GALLERY_H

#include "kernel/lock/check.h"
#include "kernel/lock/irqlock.h"
#include "kernel/lock/relax.h"
#include "tests/hunt/hunt.h"

struct gallery_bug {
	const char *name, *title;
	enum report_kind kind;
	const char *what;	 /* of the report */
	unsigned harts;		 /* that it needs online */
	void (*run)(bool fixed); /* NULL: it is hunted */
};
LINKSET_DECLARE(gallery_bug, const struct gallery_bug);
#define gallery_for_each(bug) linkset_for_each(gallery_bug, const struct gallery_bug, bug)

#define GALLERY_BUG(name_, ...) \
	static const struct gallery_bug gallery_bug_##name_ = {.name = #name_, __VA_ARGS__}; \
	LINKSET_ADD(gallery_bug, struct gallery_bug, gallery_bug_##name_)

#define GALLERY_CHECKED(name_, title_, kind_, what_, harts_) \
	static void gallery_##name_(bool fixed); \
	GALLERY_BUG(name_, .title = (title_), .kind = (kind_), .what = (what_), .harts = (harts_), \
		.run = gallery_##name_); \
	static void gallery_##name_(bool fixed)

/* A checked entry found that its fixed or its broken protocol did not do what it is there for. The
 * first text counts. Either. */
void gallery_fail(const char *what);

/* Schedules that one seed tries. */
#define GALLERY_ROUNDS 12
#define GALLERY_SEEDS 200

/* `fails_` is a verdict of the hunt; the rest are members of struct hunt_program. */
#define GALLERY_HUNTED(name_, title_, fails_, reset_, ...) \
	static void gallery_begin_##name_(void) \
	{ \
		is_fixed = false; \
		reset_(); \
	} \
	static void gallery_begin_fixed_##name_(void) \
	{ \
		is_fixed = true; \
		reset_(); \
	} \
	GALLERY_BUG(name_, .title = (title_)); \
	HUNT_PROGRAM(gallery_##name_, .help = (title_), .rounds = GALLERY_ROUNDS, \
		.begin = gallery_begin_##name_, .fails = (fails_), .within = GALLERY_SEEDS, \
		__VA_ARGS__); \
	HUNT_PROGRAM(gallery_##name_##_fixed, .help = "the fix of: " title_, \
		.rounds = GALLERY_ROUNDS, .begin = gallery_begin_fixed_##name_, __VA_ARGS__)

/* Waits, as a hunted program has to, for a condition that another hart makes true. `what` is a
 * literal: it is told. The deadlock card shows every such wait, and closes the circle where
 * somebody said that he has what is waited for (hunt_holds). A wake-up, kick or answer that was
 * lost is had by nobody: there is no circle to show, and the card says that. Either. */
#define toy_until(what, cond) \
	do { \
		if (!(cond)) { \
			hunt_waits(what); \
			while (!(cond)) \
				relax(); \
		} \
		hunt_got(what); \
	} while (0)

/* A class of the gallery's own; the graph alone judges the order, unless `rank_` says more. */
#define GALLERY_CLASS_RANK(var_, name_, rank_) \
	DEFINE_LOCK_CLASS(var_, .name = "gallery." name_, .rank = (rank_), \
		.contexts = LOCK_IN_THREAD | LOCK_IN_IRQ, .max_hold_us = 1000000, \
		.protects = "nothing of value: its users are wrong on purpose")
#define GALLERY_CLASS(var_, name_) GALLERY_CLASS_RANK(var_, name_, RANK_UNORDERED)

#endif
