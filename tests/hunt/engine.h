/* SPDX-License-Identifier: MIT */
/*
 * Between the files of tests/hunt: the schedule (schedule.c), the machinery that makes harts follow
 * it (engine.c), what is recorded and printed of a run (record.c), who has and awaits the program's
 * own locks (toys.c), and the programs' runner (command.c).
 */
#ifndef TESTS_HUNT_ENGINE_H
#define TESTS_HUNT_ENGINE_H

#include "kernel/lock/context.h"
#include "tests/hunt/hunt.h"

#define HUNT_HARTS 16
#define HUNT_LOWEST 100000u /* first priority behind all others; then downwards */

/* ---- The schedule: what happens at a hart's n-th event of a round ---------------------------- */

enum entry_kind {
	ENTRY_LOWER, /* R.H:E    the hart goes behind all others */
	ENTRY_TIMER, /* R.H:E+N  a timer interrupt comes to it after N ticks */
	ENTRY_IPI,   /* R.H:E!N  it sends a software interrupt to hart N */
};

struct entry {
	uint8_t hart, kind;
	bool applied;
	uint16_t round, n;
	uint32_t event; /* of that hart in that round, from 1 */
};

/* By seed, for so many harts. Thread, as the next two. */
void schedule_init(uint64_t seed, unsigned harts);
/* The entries of a list in place of the seed's ("0.0:12,2.1:7+30", "none"); -EINVAL. */
int schedule_from_text(const char *text);
/* Makes the entries of this round. `lengths`: events of each hart in the round before. */
void schedule_round(unsigned round, const uint32_t *lengths);
/* Priority of each hart in this round: greater goes first. */
unsigned schedule_priority(unsigned hart);
/* What is due at event `event` of `hart`; NULL: nothing (more). SIE off. */
const struct entry *schedule_next(unsigned hart, uint32_t event);
/* A line for each entry that was applied, as schedule_from_text reads it. Anywhere. */
void schedule_report(void);

/* ---- The engine ------------------------------------------------------------------------------ */

/* From here on events are recorded. `body` is what the program's threads run. Thread. */
void engine_arm(const struct hunt_program *program, void (*body)(void *arg), uint64_t stop_event);
/* A round begins, once its schedule has been made: that is followed, and the program's handler runs
 * in interrupts, until it is over. Thread. */
void engine_round_prepare(unsigned round);
void engine_round_begin(void);
void engine_round_end(void);
/* The run is over: nothing is recorded any more. Anywhere; only the first call counts. */
void engine_freeze(const char *verdict);
/* NULL while the run goes on. */
const char *engine_verdict(void);
/* Everybody stands still: ends the system, with the card of the waits that begin with this hart or
 * thread. Anywhere. */
noreturn void engine_deadlock(
	const char *how, const struct lock_hart *hart, const struct lock_thread *thread);

/* ---- The record ------------------------------------------------------------------------------ */

/* Notes an event; returns its number among all, from 1. SIE off. */
unsigned long record_event(
	const struct lock_point *p, const void *lock, const struct lock_class *class, uintptr_t pc);
/* arch_time() of the last event with progress, or of record_begin. Either. */
uint64_t record_progress(void);
void record_begin(void);
void record_end(void);
void record_tell_story(void);
/* For the story only: an entry of the schedule was applied. SIE off. */
void record_entry(const struct entry *e);
/* The lines for the host, at the end of the machine. Anywhere. */
void record_report(const struct hunt_program *program, uint64_t seed, const char *verdict);

/* ---- The program's own locks ----------------------------------------------------------------- */

/* A point of the program's was passed, with this text; interrupts were `irqs_on`. SIE off. */
void toys_note(const struct lock_point *p, const char *text, bool irqs_on);
/* A round begins. */
void toys_forget(void);
/* The card. Anywhere. */
void toys_report(void);

#endif
