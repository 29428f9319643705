/* SPDX-License-Identifier: MIT */
/* What tests of harts share: threads bound to a hart, pairs of online harts, patient waiting. */
#ifndef TESTS_KERNEL_ON_HART_H
#define TESTS_KERNEL_ON_HART_H

#include "kernel/hart/hart.h"
#include "kernel/lock/atomic.h"
#include "lib/types.h"

struct thread;

/* A thread that runs fn(arg) on that hart only, NULL if it cannot be made. To be joined. */
struct thread *spawn_on(unsigned hart, const char *name, void (*fn)(void *arg), void *arg);

/*
 * Binds the test's own thread to the first online hart, and lets it go again. For tests that keep
 * another hart from taking interrupts: a thread that slept there would not wake up.
 */
void bind_to_first(void);
void unbind(void);

/* The n-th online hart, from 0; NULL: there are not so many. */
struct hart_meta *online_hart(unsigned n);
unsigned online_count(void);

/* A counter's value; what was stored before it was counted up is visible. */
static inline unsigned counted(const atomic_u32 *counter)
{
	return atomic_load_u32(counter, acquire);
}

/*
 * Sleeps until *counter has reached `want`. As long as the counter moves there is patience; false
 * if it has not moved over very many sleeps: the last resort against a test that hangs.
 */
bool wait_count(const atomic_u32 *counter, uint32_t want);

#endif
