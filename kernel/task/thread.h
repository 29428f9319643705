/* SPDX-License-Identifier: MIT */
/*
 * Kernel threads: made, run, ended, joined, killed. Life cycle and reaping: kernel/task/thread.c.
 *
 * Whoever makes a thread owns it: it is joined once, or detached; until then the pointer is good.
 * The pointer of another's thread is good inside a quiescent-state read section (thread_of_handle).
 */
#ifndef KERNEL_TASK_THREAD_H
#define KERNEL_TASK_THREAD_H

#include "kernel/sched/thread.h"
#include "lib/types.h"

struct hart_meta;

/* The boot hart's idle thread: what kernel_main runs as, before there is memory. */
extern struct thread boot_idle;

/* Once kmalloc and sched_init are there, before the first thread_create. Boot hart. */
void thread_init(void);
/* Starts the kernel's own threads (reaper, qs). After sched_init_hart of the boot hart. */
void thread_start_service(void);
/* The idle thread of a hart that is not up yet, on `stack`; h->idle is set. NULL: no memory. */
struct thread *thread_create_idle(struct hart_meta *h, const struct stack *stack);
/* Makes boot_idle the idle thread of `h`, this hart. `stack`: its bounds, for reports. */
void thread_adopt_boot(struct hart_meta *h, const struct stack *stack);

/*
 * A thread that will run fn(arg), not running yet: fair, default weight, any hart. The name is
 * copied. NULL: no memory, no free slot. Thread, may sleep.
 */
struct thread *thread_create(const char *name, void (*fn)(void *arg), void *arg);
/* The same on a stack of so many pages, near a node for a thread that will run there. */
struct thread *thread_create_sized(
	const char *name, void (*fn)(void *arg), void *arg, unsigned pages, unsigned node);
/* Lets it run; once. Either. */
void thread_run(struct thread *t);
/* Both. */
struct thread *thread_spawn(const char *name, void (*fn)(void *arg), void *arg);
/* Gives back a thread that was created and never run. Thread, may sleep. */
void thread_discard(struct thread *t);

/* Ends the running thread; returning from fn is thread_exit(0). Nothing held. Thread. */
noreturn void thread_exit(int code);
/*
 * Waits for the end of `t` and gives it back: the pointer is dead afterwards. *code (if not NULL):
 * its exit code. 0; -EDEADLK: it is the caller; -EINVAL: detached, or another one joins it. Thread,
 * may sleep.
 */
int thread_join(struct thread *t, int *code);
/* The same; -ETIMEDOUT after `deadline_ns`: `t` is as before. */
int thread_join_timeout(struct thread *t, int *code, uint64_t deadline_ns);
/* Nobody will join it: it goes when it ends. 0 or -EINVAL (detached, or being joined). Either. */
int thread_detach(struct thread *t);
/* Asks `t` to end: its interruptible waits return -EINTR from now on, thread_killed() is true.
 * Either. */
void thread_kill(struct thread *t);
/* Was the running thread killed? Thread. */
bool thread_killed(void);
/* The running thread faulted: abandons its sleeping locks and ends with -EFAULT. First function on
 * an emptied stack (arch_thread_restart), SIE off. */
noreturn void thread_die_faulting(void);

/* Returns after everything that ended before the call (detached threads, slots) was given back.
 * Thread, may sleep. For tests that compare what is free. */
void thread_settle(void);
/* Threads alive, idle ones counted; pages of the thread table, which never shrinks. Either. */
unsigned thread_count(void);
size_t thread_table_pages(void);

/* What `ps` and `top` show of one thread. */
struct thread_info {
	uint32_t handle;
	char name[THREAD_NAME_MAX];
	enum thread_state state;
	enum sched_policy policy;
	unsigned prio, prio_effective, weight;
	unsigned hart; /* where it runs or ran last */
	bool is_idle, killed;
	uint64_t ran_ns, nr_switches;
	struct hart_mask affinity;
	struct stack stack;
};
/* Fills *out with the first thread at or after slot *cursor and moves the cursor behind it; false
 * past the last. Start with *cursor = 0. Either; takes threads.lock for each. */
bool thread_info_next(unsigned *cursor, struct thread_info *out);

#endif
