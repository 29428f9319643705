/* SPDX-License-Identifier: MIT */
/* What harts need of memory, threads and queues: given to them here, for kernel/main.c. */
#ifndef KERNEL_TASK_BRINGUP_H
#define KERNEL_TASK_BRINGUP_H

struct hart_meta;

/* Gives every hart of the tree its hart_meta, queues, stacks and idle thread; after thread_init and
 * sched_init. A hart for which there is no memory is HART_FAILED. Boot hart, SIE off, once. */
void bringup_prepare(void);
/* Starts the other harts and the threads that each has; returns how many are online. Thread, may
 * sleep. */
unsigned bringup_start(void);
/* Sees to it that every hart that is online has a work thread and an open work queue. Thread, may
 * sleep. */
void bringup_complete(void);
/* The same, before long. Either. */
void bringup_look_again(void);
/* The same for one hart, which has come: waits for nobody's work, unless the hart has no work
 * thread. Thread, may sleep. */
void bringup_complete_hart(struct hart_meta *h);
/* Returns when every hart that was started then has come, or was given up. Thread, may sleep. */
void bringup_await_rest(void);

#endif
