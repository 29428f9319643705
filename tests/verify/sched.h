/* SPDX-License-Identifier: MIT */
/* One thread a hart, that sleeps and is woken (sched.c). */
#ifndef TESTS_VERIFY_SCHED_H
#define TESTS_VERIFY_SCHED_H

/* First thing in program_setup. */
void sched_setup(void);
/* Now and then brings somebody's time limit to its end, in a handler of this hart. */
void vm_timers(void);

#endif
