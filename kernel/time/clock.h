/* SPDX-License-Identifier: MIT */
/*
 * The clock: nanoseconds since the kernel's first instruction, from the timebase counter, which the
 * harts share (Privileged 3.2.1: harts' time within one tick of each other).
 *
 * The conversions keep 63 significant bits: no drift to speak of and no overflow for 500 years.
 */
#ifndef KERNEL_TIME_CLOCK_H
#define KERNEL_TIME_CLOCK_H

#include "lib/types.h"

#define NS_PER_SEC UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_US UINT64_C(1000)

/* `hz` from the tree; 0 or -EINVAL if it is outside 1 kHz..4 GHz. Boot hart, before any use. */
int clock_init(uint32_t hz);
/* Either, anywhere after clock_init (0 before it). Never decreases on one hart. */
uint64_t clock_now_ns(void);
/* Lengths: truncated to whole ns; the next whole tick after it, so that nothing is ever early.
 * UINT64_MAX where the result does not fit. */
uint64_t ticks_to_ns(uint64_t ticks);
uint64_t ns_to_ticks(uint64_t ns);
/* arch_time() of a moment of the clock (a tick at which it is reached, the first or the second
 * one), and back. */
uint64_t clock_ns_to_time(uint64_t ns);
uint64_t clock_time_to_ns(uint64_t time);
/* Waits in relax_step(). Either; meant for a few microseconds. */
void clock_delay_ns(uint64_t ns);

#endif
