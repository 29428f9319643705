/* SPDX-License-Identifier: MIT */
/*
 * Torture of what excludes: a set of eight locks, each with a box of data, taken one at a time or
 * up to all of them together, the lower index first. For irqlock, irqrwlock, mutex, rwmutex and
 * mixlock; the kind's own part is a struct set_ops.
 */
#ifndef TESTS_TORTURE_SET_H
#define TESTS_TORTURE_SET_H

#include "kernel/lock/class.h"
#include "tests/torture/torture.h"

#define SET_LOCKS 8
/* One more: which threads hold as they die. It is only ever taken robustly. */
#define SET_GRAVE SET_LOCKS

enum set_how {
	HOW_PLAIN,
	HOW_TRY,
	HOW_TIMED,
	HOW_INTR,
};

struct set_entry {
	unsigned box;
	enum set_how how;
	bool write;
	bool again;   /* a reader that enters once more */
	bool skipped; /* a twin's: it never had the lock */
	uint64_t deadline_ns;
	unsigned long seen; /* by a reader */
};

struct set_ops {
	bool irqs_off;	 /* while it is held; handlers take it, too */
	bool in_handler; /* handlers may try it */
	bool readers;	 /* several may be in together */
	bool sleeps;	 /* holders may sleep; timed and interruptible forms are there */
	void (*init)(unsigned i);
	bool (*enter)(const struct set_entry *e);
	void (*leave)(const struct set_entry *e);
	/* Of the grave; NULL: there is none. */
	int (*enter_robust)(void);
	void (*recover)(void);
};

/* Members of a struct torture_kind, whose `arg` is a struct set_ops. */
void set_begin(void);
void set_end(void);
void set_step(struct worker *w);
void set_handler(struct rng *rng);
void set_mortal(struct rng *rng);
void set_doomed(void *awaited);
void set_heir(struct rng *rng);

#define SET_KIND .begin = set_begin, .end = set_end, .step = set_step, .handler = set_handler
#define SET_KIND_SLEEPS .mortal = set_mortal, .doomed = set_doomed, .heir = set_heir

/* Changes the data of a box, whose lock the caller has. */
void set_change(unsigned box);

/* A class for each lock of the set and one for the grave: torture_NAME_0... The order between them
 * is that of their index; no rank says so, as several sets may be in use. */
#define SET_CLASS(name_, i_, ...) \
	DEFINE_LOCK_CLASS(name_##_class_##i_, .name = "torture_" #name_ "_" #i_, \
		.rank = RANK_UNORDERED, .max_hold_us = 1000, .protects = "a box of data", \
		__VA_ARGS__)
#define SET_CLASSES(name_, ...) \
	SET_CLASS(name_, 0, __VA_ARGS__); \
	SET_CLASS(name_, 1, __VA_ARGS__); \
	SET_CLASS(name_, 2, __VA_ARGS__); \
	SET_CLASS(name_, 3, __VA_ARGS__); \
	SET_CLASS(name_, 4, __VA_ARGS__); \
	SET_CLASS(name_, 5, __VA_ARGS__); \
	SET_CLASS(name_, 6, __VA_ARGS__); \
	SET_CLASS(name_, 7, __VA_ARGS__); \
	SET_CLASS(name_, grave, __VA_ARGS__); \
	static struct lock_class *const name_##_classes[SET_LOCKS + 1] = {&name_##_class_0, \
		&name_##_class_1, &name_##_class_2, &name_##_class_3, &name_##_class_4, \
		&name_##_class_5, &name_##_class_6, &name_##_class_7, &name_##_class_grave}

#endif
