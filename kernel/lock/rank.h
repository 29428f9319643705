/* SPDX-License-Identifier: MIT */
/*
 * The order of all locks of the kernel, outermost first. A lock may be acquired only while every
 * lock that is held has a smaller rank. Two locks of one rank: only through a named helper with a
 * stated order (irqlock_acquire_second, mutex_lock_second).
 *
 * Sleeping ranks stand before mixed ones, and those before spinning ones: nothing that may sleep is
 * acquired under something that forbids sleeping.
 */
#ifndef KERNEL_LOCK_RANK_H
#define KERNEL_LOCK_RANK_H

enum lock_rank {
	/* Tests and benches only. */
	RANK_UNORDERED = 0, /* not rank-checked; the graph alone says what order they have */
	RANK_UNCHECKED,	    /* nor is there any order to them: for deadlocks that shall come true */

	/* Sleeping */
	RANK_TEST_OUTER, /* tests: taken before anything of the kernel's */
	RANK_SHELL,	 /* kernel/shell: one command line at a time */
	RANK_HART_LIFE,	 /* kernel/hart: one change of the set of online harts at a time */
	RANK_FLUSH,	 /* kernel/wait: work queue flushes */
	RANK_VMAP,	 /* kernel/mm: kernel address ranges and their tables */
	RANK_SLAB_LIST,	 /* kernel/mm: the list of slab caches */
	RANK_TEST_SLEEP, /* tests: taken after the kernel's sleeping locks */

	/* Mixed */
	RANK_TTY, /* kernel/log, drivers/uart: the serial line's users */
	RANK_TEST_MIX,

	/* Spinning (interrupts off) */
	RANK_TEST_SPIN_OUTER,
	RANK_HART_CALL, /* kernel/hart: general calls */
	RANK_IRQ,	/* kernel/irq: handler table */
	RANK_PLIC,	/* drivers/irqchip: enable and priority registers */
	RANK_UART,	/* drivers/uart: rings and registers */
	RANK_WORK,	/* kernel/wait: work queues */
	RANK_MIX_INNER, /* kernel/wait: a mixlock's own state and post queue */
	RANK_WAITQ,	/* kernel/wait: wait queues */
	RANK_PI,	/* kernel/wait: priority inheritance */
	RANK_QS,	/* kernel/sched: quiescent states */
	RANK_TIMER,	/* kernel/time: timer queues */
	RANK_THREADS,	/* kernel/sched: thread table and list */
	RANK_RUNQ,	/* kernel/sched: run queues, lower hart index first */
	RANK_SLAB,	/* kernel/mm: one slab cache */
	RANK_PAGE,	/* kernel/mm: buddy free lists */
	RANK_TEST_SPIN, /* tests: innermost spinning locks */
	RANK_LOG,	/* kernel/log: the log ring */
	RANK_CONSOLE,	/* kernel/log: output to the console device */
	RANK_LAST
};

#define RANK_FIRST_MIXED RANK_TTY
#define RANK_FIRST_SPINNING RANK_TEST_SPIN_OUTER

#endif
