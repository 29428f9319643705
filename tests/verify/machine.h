/* SPDX-License-Identifier: MIT */
/*
 * The machine on which the kernel's lock sources are verified, unmodified: harts with interrupts.
 *
 * A program (program_*.c) is one lock or protocol and what uses it. It is linked twice with the
 * same objects, which gcc instruments for its thread sanitizer:
 *   machine_threads.c   harts are pthreads, the run-time library is the thread sanitizer's: many
 *                       rounds, data races on every access, real parallelism.
 *   machine_relacy.cc   harts are relacy's fibers and the instrumentation's calls are answered by
 *                       relacy: every atomic access is a scheduling point, loads see old values as
 *                       far as their order permits, a deadlock is one the moment it is there.
 *                       Thousands of short executions, each by its number.
 *
 * A hart sleeps until its software interrupt is pending: no timer hides a lost wake-up. A pending
 * interrupt is delivered (vm_ipi) where SIE is set: in arch_irq_enable, in arch_pause and, under
 * relacy, before each atomic access. Sending one is a release and clearing it an acquire, as
 * kernel/arch.h says.
 */
#ifndef TESTS_VERIFY_MACHINE_H
#define TESTS_VERIFY_MACHINE_H

#include "kernel/hart/hart.h"
#include "kernel/lock/context.h"
#include "kernel/sched/runq.h"
#include "kernel/sched/thread.h"

/* How many harts the program runs on: -DHARTS=n for the whole program. */
struct vm_hart {
	struct hart_meta meta; /* FIRST: vm_tp */
	struct thread thread;
	struct thread idle;
	struct runq runq;
	unsigned index;
	bool irq_on;
};
extern struct vm_hart vm_harts[HARTS];

/* The hart that runs this; before and after the harts run, hart 0. */
struct vm_hart *vm_self(void);
/* The software interrupt's handler; NULL: it only wakes. */
extern void (*vm_ipi)(void);
/* Runs fn as a handler of this hart, if SIE is set. */
void vm_as_handler(void (*fn)(void));
/* Below n, by the execution's number. */
unsigned vm_random(unsigned n);
/* Times that a hart does its part: few under relacy, many with threads. */
extern unsigned vm_rounds;
/* Which of its cases the program sets up; counts up from 0, the program takes it modulo. */
extern unsigned vm_case;
/*
 * Set by a program whose argument is RVWMO's, not C's: an AMO with .aq and .rl is one operation
 * with all earlier ones before and all later ones behind it, so also an earlier store before a
 * later load. C's acq_rel does not promise that.
 */
extern bool vm_amo_is_fence;
/* Now and then makes some hart's software interrupt pending for no reason. */
void vm_noise(void);
/* Gives the others a chance, as a long computation would. */
void vm_dwell(void);

/* The last thing that a hart does: takes interrupts until every hart has come here. */
void vm_leave(void);

noreturn void vm_fail(const char *what, const char *file, int line);
/* What the program promises. */
#define verify(x) ((x) ? (void)0 : vm_fail(#x, __FILE__, __LINE__))

/* Memory is somebody else's from now on: counts as a plain write to all of it. */
void vm_scribble(void *p, size_t n);

/* ---- The program ----------------------------------------------------------------------------- */

/* Everything is as in a fresh image. Hart 0, alone. */
void program_setup(void);
/* On each hart at once. */
void program_hart(unsigned index);
/* All have returned. Hart 0, alone. */
void program_check(void);

/* ---- machine_threads.c, machine_relacy.cc ---------------------------------------------------- */

unsigned backend_index(void);
unsigned backend_random(unsigned n);
void backend_pause(void);
void backend_send(unsigned to);
bool backend_clear(void);
/* A look, without order. */
bool backend_pending(void);
void backend_wait(void);
/* The tool orders accesses by fences: gcc's thread sanitizer does not, and reports races. */
bool backend_knows_fences(void);
noreturn void backend_fail(const char *text);

/* For them: sets all harts up; delivers what is pending. */
void vm_init(void);
void vm_deliver(void);
/* On hart `index`, around program_hart. */
void vm_run_hart(unsigned index);

#endif
