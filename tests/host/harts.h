/* SPDX-License-Identifier: MIT */
/*
 * pthreads as harts, for tests that run the kernel's lock sources unmodified: the downcalls about
 * software interrupts, on futexes. A sleeping hart is woken by its interrupt only: no timer hides a
 * lost wake-up.
 */
#ifndef TESTS_HOST_HARTS_H
#define TESTS_HOST_HARTS_H

#include "kernel/lock/context.h"

#define HOST_HARTS_MAX 16

/* Registers `n` harts with the locks (hartids that are no indices) on the first call. */
void harts_init(unsigned n);
/* Runs fn(hart index) on n pthreads, each as that hart, and waits for all. Ends the program if
 * they make no progress for ten minutes. */
void harts_run(unsigned n, void (*fn)(unsigned index));
/* A thread's own pseudo-random number (seeded by host_seed and the hart). */
uint32_t hart_random(void);
/* Software interrupts that were sent since harts_init. */
uint32_t harts_ipis(void);
/* Makes random harts' software interrupts pending for no reason, now and then. */
void hart_make_noise(void);

#endif
