/* SPDX-License-Identifier: MIT */
/*
 * One step of a wait for another hart: what every wait loop of the kernel does between two looks.
 *
 *	while (!atomic_load_bool(&done, acquire))
 *		relax();
 *
 * Chosen at boot by relax=pause|turn (the same image in both):
 *   pause  a hint to the core. For real harts and for one host thread a hart.
 *   turn   gives the emulator's turn to the next hart: this hart makes its own software interrupt
 *          pending and sleeps until it sees it. For runs that count instructions, where a plain
 *          spin never lets anybody else run.
 *
 * With interrupts off a step also serves leaf requests of other harts (kernel/hart/call.h), so that
 * nobody who waits for this hart's answer waits for the end of its wait. A step never loses a
 * software interrupt: what it took from the pending bit and did not serve is pending again after
 * it.
 */
#ifndef KERNEL_LOCK_RELAX_H
#define KERNEL_LOCK_RELAX_H

#include "lib/types.h"

/* Either, any lock held, SIE as it is (stays so). */
void relax(void);

/*
 * A wait that may be long. After RELAX_SPIN_BOUND steps it calls relax_arm_tick once per that many
 * steps, so that a timer interrupt is near however long the wait takes.
 */
#define RELAX_SPIN_BOUND 4096
struct relax {
	unsigned steps;
};
#define RELAX_INIT ((struct relax){0})
void relax_step(struct relax *r);

/* Boot hart, before other harts run. NULL or "": pause. Returns false on an unknown word. */
bool relax_init(const char *mode);
const char *relax_mode(void);

/*
 * Hooks, filled at boot before other harts run.
 *
 *	relax_serve_leaf	kernel/hart. SIE off: serves this hart's pending leaf requests;
 *				returns whether anything else is posted to its mailbox (which a
 *				software interrupt announces). Takes no lock, never waits for
 *				one. Cheap when there is nothing.
 *	relax_arm_tick		kernel/time. Sees to it that a timer interrupt comes within a
 *				tick on this hart. Either; takes no lock.
 */
extern bool (*relax_serve_leaf)(void);
extern void (*relax_arm_tick)(void);

/* For waits that parked: SIE off. Takes this hart's pending software interrupt, if there is one,
 * and serves leaf requests; before it leaves the wait the caller calls relax_unpark with what the
 * calls returned or'ed together: it makes the interrupt pending again if somebody else's message
 * needs it. */
bool relax_take_ipi(void);
void relax_unpark(bool mail);

#endif
