/* SPDX-License-Identifier: MIT */
/* What the tests of harts that go and come share. */
#ifndef TESTS_KERNEL_HART_UTIL_H
#define TESTS_KERNEL_HART_UTIL_H

#include "kernel/hart/call.h"
#include "kernel/hart/hart.h"
#include "kernel/task/hart_life.h"
#include "tests/kernel/ktest.h"

static inline enum hart_state hart_state_of(const struct hart_meta *h)
{
	return atomic_load_u32(&h->state, acquire);
}

/* The hart takes part in nothing. */
void check_is_out(struct hart_meta *h);
/* It takes part in everything: threads, calls, timers, work. */
void check_takes_part(struct hart_meta *h);
/* The command `hart` with these words, or with a word and the number of a hart: its status. What it
 * prints is looked at by tests/qemu/test_hart_life.py. */
int hart_words(const char *line);
int hart_command(const char *word, const struct hart_meta *h);
/* Ways to leave, without force; a suspend keeps the hart's state, or loses it. What they return. */
int leave_by_stop(struct hart_meta *h);
int leave_by_suspend(struct hart_meta *h);
int leave_by_lossy_suspend(struct hart_meta *h);
/* The n-th hart that there is, in a circle. For those that are online when no other test stops any:
 * all of them are. */
struct hart_meta *hart_in_circle(unsigned n);
/* For each hart that is online, but not more than four of many. */
void each_hart(void (*fn)(struct hart_meta *h));

#endif
