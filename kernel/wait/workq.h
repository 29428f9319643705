/* SPDX-License-Identifier: MIT */
/*
 * A work queue as its two parts see it: work.c (items, flushes, the thread; the rules stand there)
 * and work_hart.c (harts that come and go). Nobody else in the kernel includes this.
 */
#ifndef KERNEL_WAIT_WORKQ_H
#define KERNEL_WAIT_WORKQ_H

#include "kernel/wait/completion.h"
#include "kernel/wait/waitq.h"
#include "kernel/wait/work.h"
#include "lib/list.h"

struct workq {
	struct waitq q; /* its thread waits here for items */
	struct list items GUARDED_BY(&q);
	struct list flushers GUARDED_BY(&q);
	/* Changes under q and only while it is closed; work_thread_here looks without. */
	atomic_ptr thread;
	struct work *running GUARDED_BY(&q); /* an address, not to be followed */
	uint64_t running_ticket GUARDED_BY(&q);
	uint64_t last_ticket GUARDED_BY(&q);
	uint64_t done GUARDED_BY(&q);
	bool open GUARDED_BY(&q); /* takes new items */
	struct hart_meta *hart;	  /* constant */
};

/* On the stack of who waits for the end, or the move, of what has this ticket. */
struct flusher {
	struct list_node node;
	uint64_t ticket;
	bool moved;
	struct completion done;
};

/* What became of an item that is flushed. */
enum workq_end {
	WORKQ_ENDED,
	WORKQ_CANCELLED,
	WORKQ_MOVED,
};

/* Some other queue than `not` that takes items; NULL: none at this moment. */
struct workq *workq_other_open(const struct workq * not);
/* w, claimed, goes to the end of q; w, which is in q, leaves it. */
void workq_link(struct workq *q, struct work *w) REQUIRES(&q->q);
void workq_unlink(struct workq *q, struct work *w) REQUIRES(&q->q);
/* Those of the item that had this ticket. */
void workq_tell_flushers(struct workq *q, uint64_t ticket, enum workq_end how) REQUIRES(&q->q);
/* Waits for the end of what has f->ticket in q; true: it has moved. May sleep. */
bool workq_wait_for_ticket(struct workq *q, struct flusher *f) RELEASES(&q->q);

#endif
