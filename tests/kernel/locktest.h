/* SPDX-License-Identifier: MIT */
/*
 * The self-test matrix of the lock checker: harness, locks and scripts of its cases.
 *
 * A case is a row (what is done) in a column (to which kind of lock). It runs in isolation: the
 * checker has forgotten the classes of the case, their counters are zero, the locks are new,
 * nothing is held. It states what must come, as one letter: exactly one report of that kind and
 * none of another, or silence. Anything else fails the case: none, another kind, too many, a lock
 * or the interrupts left behind, a script that cannot be read.
 *
 * Classes are rank-unordered, so that the graph judges and not the ranks, except in the rows that
 * are about ranks.
 *
 * Rows come from tables of scripts (locktest_script.c) or from functions. Prints by shell_printf.
 * All of it: one thread, the test's.
 */
#ifndef TESTS_KERNEL_LOCKTEST_H
#define TESTS_KERNEL_LOCKTEST_H

#include "kernel/lock/check.h"
#include "kernel/lock/irqrwlock.h"
#include "kernel/wait/mixlock.h"
#include "kernel/wait/mutex.h"
#include "kernel/wait/rwmutex.h"

/* ---- What must come -------------------------------------------------------------------------- */

#define SILENT '.'
#define CONTEXT 'C'
#define OWNER 'H' /* KIND_OWNERSHIP: who holds it */
#define RANK 'R'
#define ORDER 'O'
#define IRQ 'I'
#define DEADLOCK 'D'
/* At least one of that kind and none of another: where harts meet, each may see the violation. */
#define SEVERAL(letter) ((char)((letter) | 0x20))
#define NO_CASE ' ' /* the row says nothing about this column */
extern const char locktest_letters[KIND_COUNT];

/* ---- Kinds of lock, the columns of most tables ----------------------------------------------- */

enum locktest_kind {
	LT_IRQLOCK,
	LT_WRITE,      /* irqrwlock, as writer */
	LT_READ,       /* ... as reader that may already be one (nested) */
	LT_PLAIN_READ, /* ... as reader that queues behind a waiting writer */
	LT_MUTEX,
	LT_SLEEP_WRITE, /* rwmutex */
	LT_SLEEP_READ,
	LT_MIXLOCK,
	LT_KINDS
};
extern const char *const locktest_kind_names[LT_KINDS];

/* ---- Locks of the cases ---------------------------------------------------------------------- */

/* Each letter is a class; X1 and X2, Y1 and Y2 are two locks of one class. */
enum locktest_name {
	LT_A,
	LT_B,
	LT_C,
	LT_D,
	LT_X1,
	LT_X2,
	LT_Y1,
	LT_Y2,
	LT_Z1,
	LT_NAMES
};

/* One lock of each flavour; a case uses one of them. Protects: nothing, it is there to be taken. */
struct locktest_lock {
	struct lock_class *class;
	struct irqlock irqlock;
	struct irqrwlock irqrwlock;
	struct mutex mutex;
	struct rwmutex rwmutex;
	struct mixlock mixlock;
};
extern struct locktest_lock locktest_locks[LT_NAMES];

/* The address that the checker knows the lock by. */
const void *locktest_address(const struct locktest_lock *l, enum locktest_kind kind);
/* The real lock's functions. acquire and timed may have been refused: ask check_held. */
void locktest_acquire(struct locktest_lock *l, enum locktest_kind kind);
bool locktest_try(struct locktest_lock *l, enum locktest_kind kind);
/* With a deadline far away; kinds of sleeping locks only. False: refused or not offered. */
bool locktest_timed(struct locktest_lock *l, enum locktest_kind kind);
bool locktest_until(struct locktest_lock *l, enum locktest_kind kind, uint64_t deadline_ns);
void locktest_release(struct locktest_lock *l, enum locktest_kind kind);
/* Initialises it, held or not, and puts its state back so that a holder can still release it. */
void locktest_init(struct locktest_lock *l, enum locktest_kind kind);
static inline bool locktest_held(const struct locktest_lock *l, enum locktest_kind kind)
{
	return check_held(locktest_address(l, kind));
}
/* The flags that the kind's locks give the checker. */
unsigned locktest_flags(enum locktest_kind kind);
static inline bool locktest_sleeps(enum locktest_kind kind)
{
	return kind >= LT_MUTEX;
}
/* Makes all flavours of `l` new locks of l->class. None is held. */
void locktest_new(struct locktest_lock *l);
/* As if there had been no room for its class in the graph; until the next reset. */
void locktest_without_node(struct locktest_lock *l);
/* All of them new, forgotten by the checker, unranked, counters zero. */
void locktest_locks_reset(void);
/* Gives the classes of this case ranks that suit `kind`: A outermost; then B and X, of one rank; D
 * a spinning one, behind both. */
void locktest_set_ranks(enum locktest_kind kind);

/* ---- Running cases --------------------------------------------------------------------------- */

#define LOCKTEST_VERDICT_MAX 32

/*
 * Runs body(arg) as a case of its own that must give `want`; true if it did. `verdict`: "ok KIND",
 * or "FAILED:" and what came.
 */
bool locktest_run(char want, void (*body)(const void *arg), const void *arg,
	char verdict[LOCKTEST_VERDICT_MAX]);
/* From a body: the case itself went wrong (a try that had to succeed failed...). Any context. */
void locktest_broken(const char *why);

/* A table: its head, then rows of cells, which are counted in the matrix and fail the test. */
void locktest_table(const char *title, const char *const *columns, unsigned n);
void locktest_row(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void locktest_cell(char want, void (*body)(const void *arg), const void *arg);
/* The cell that came last was one of Linux's cases. */
void locktest_is_of_linux(void);
void locktest_row_end(void);

/* ---- Scripts --------------------------------------------------------------------------------- */

/*
 * A row of cases in the columns of locktest_kind_names. `script`: see locktest_script.c; where it
 * has several events, separated by '|', the row stands for all their permutations (NAME/12,
 * NAME/21). A '%' in the name stands for the kind of handler that the script's %{ } is: hard and
 * ipi, a row for each. `want`: a letter a column; those that it is too short for are NO_CASE.
 */
struct locktest_script {
	const char *name, *script;
	char want[LT_KINDS + 1];
};
void locktest_scripts(const struct locktest_script *rows, unsigned n);
/* These are Linux's, in the columns of these letters (as in scripts), hard ones where a row has
 * '%'.
 */
void locktest_scripts_of_linux(const char *columns, const struct locktest_script *rows, unsigned n);
/* Runs one script of one event, as a case of no table. */
bool locktest_run_script(
	const char *script, enum locktest_kind kind, char want, char verdict[LOCKTEST_VERDICT_MAX]);
/* From now on scripts run with ranked classes, or not. */
void locktest_ranked(bool ranked);

/* ---- The tables ------------------------------------------------------------------------------ */

void locktest_linux_rows(void);
void locktest_context_rows(void);
void locktest_use_rows(void);
void locktest_place_rows(void);
void locktest_wait_rows(void);
void locktest_seq_rows(void);
void locktest_smp_rows(void);

#endif
