/* SPDX-License-Identifier: MIT */
/*
 * Work for threads: what a handler wants done where one may sleep. A queue and a thread per hart.
 *
 *	static void refill(struct work *w) { ... }
 *	work_init(&w, refill);
 *	work_queue(&w);			either; runs once, soon, in a thread of this hart
 *
 * The item is the caller's. It is free again, for work_queue or for the allocator, from the moment
 * its function is called. One item's function never runs twice at once. Items of one hart run in
 * order.
 *
 * A function may take locks of ranks after FLUSH only: whoever flushes may hold those before it.
 */
#ifndef KERNEL_WAIT_WORK_H
#define KERNEL_WAIT_WORK_H

#include "kernel/lock/atomic.h"
#include "lib/list.h"
#include "lib/types.h"

struct hart_meta;
struct thread;

struct work {
	void (*fn)(struct work *w);
	atomic_u32 queued;     /* 1: waits in a queue, or is on its way there */
	atomic_ptr home;       /* struct workq where it was queued last, NULL: none yet */
	atomic_ptr in;	       /* struct workq where it waits, NULL: in none; set under its lock */
	struct list_node node; /* the lock of `in` */
	uint64_t ticket;       /* the lock of `in` */
};

#define WORK_INIT(fn_) {.fn = (fn_)}
/* Not queued. Either. */
void work_init(struct work *w, void (*fn)(struct work *w));

/*
 * Queues it on this hart. False: it is queued already, and will see everything that was stored
 * before this call. Either; takes workq.lock (rank WORK).
 */
bool work_queue(struct work *w);
/*
 * The two halves of it, for who has to decide under a lock that workq.lock may not be taken under:
 * true: the item is the caller's to queue, which it does by work_queue_claimed in the same stretch
 * of interrupts off. Until then a flush waits awake.
 */
bool work_claim(struct work *w);
void work_queue_claimed(struct work *w);
/* Returns after every run that was asked for before the call has ended. Not from its own function
 * (reported). Thread, may sleep; the item exists until it returns. */
void work_flush(struct work *w);
/* Takes it off its queue. True: it was there, and that request will not run. Either. */
bool work_cancel(struct work *w);
/*
 * The same, also of what its function queues again meanwhile: unless somebody else queues it, it
 * neither waits nor runs when this returns. How many requests will not run. Not from its own
 * function. Thread, may sleep.
 */
unsigned work_cancel_sync(struct work *w);

/* ---- For main.c and the life of harts -------------------------------------------------------- */

/* Gives `h` its queue. Before it starts. */
void work_init_hart(struct hart_meta *h);
/* Body of the thread that serves the queue of `hart` (struct hart_meta *), bound to that hart. */
void work_thread(void *hart);
/* `t`, whose body is work_thread and which does not run yet, is that of `h`: its queue takes items
 * from now on. */
void work_thread_comes(struct hart_meta *h, struct thread *t);
/*
 * The hart is about to stop: its queue takes nothing more, what waits in it goes to an online
 * hart's, and what runs has ended when this returns. Thread, may sleep. -EBUSY: there is no other
 * queue.
 */
int work_hart_stop(struct hart_meta *h);
/* It is online again: its queue takes items, if it has a thread. */
void work_hart_start(struct hart_meta *h);
/* The thread that serves this hart's queue, NULL: none. Preemption off. */
struct thread *work_thread_here(void);
/* Whether the thread of this handle serves the queue of `h`. Either. */
bool work_is_thread_of(const struct hart_meta *h, uint32_t handle);
/* Called when a work thread died of a fault, after its queue was closed: starts another one. Set
 * once. */
extern void (*work_thread_lost)(struct hart_meta *h);
/* For abandon.c: t ended; if it served a queue, that is closed and what waits goes elsewhere. */
void work_thread_died(struct thread *t);
/* Items waiting, and run so far, for reports and tests. */
unsigned work_pending(struct hart_meta *h);
uint64_t work_done(struct hart_meta *h);

#endif
