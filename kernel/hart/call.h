/* SPDX-License-Identifier: MIT */
/*
 * Calls on other harts. The protocol and its orders: kernel/hart/call.c.
 *
 * General calls run a function on another hart, from its software-interrupt handler (SIE off, as in
 * any handler: it may take irqlocks, must not sleep). Leaf calls are a few fixed operations that
 * take no locks and allocate nothing; they are also served from every wait loop (relax), so that a
 * hart that waits with interrupts off answers them.
 *
 * A hart that is not online has a closed mailbox: a general call on it fails with -ENODEV, a leaf
 * call counts as served (a hart that comes online flushes everything for itself).
 */
#ifndef KERNEL_HART_CALL_H
#define KERNEL_HART_CALL_H

#include "kernel/hart/hart.h"

struct hart_call {
	struct hart_call *next; /* in the mailbox */
	void (*fn)(void *arg);
	void *arg;
	atomic_u32 busy; /* 1 from the post until fn has returned */
};

static inline void hart_call_init(struct hart_call *call, void (*fn)(void *), void *arg)
{
	call->next = NULL;
	call->fn = fn;
	call->arg = arg;
	atomic_store_u32(&call->busy, 0, relaxed);
}

/* The call ran (or was never posted): its memory is the caller's again. Acquire: what fn stored is
 * visible. Either. */
static inline bool hart_call_done(const struct hart_call *call)
{
	return !atomic_load_u32(&call->busy, acquire);
}

/*
 * Posts a caller-owned call and returns: 0, -EBUSY if it is posted already, -ENODEV if h's mailbox
 * is closed. The memory is busy until hart_call_done. Either, also with irqlocks held: waits for
 * nobody.
 */
int hart_call_post(struct hart_meta *h, struct hart_call *call);

/* Waits until a posted call has run; sends its interrupt again if that takes long. With interrupts
 * off, `h` may be waiting for this hart in the same way: hart_call asserts that they are on. */
void hart_call_wait(const struct hart_meta *h, const struct hart_call *call);

/*
 * Runs fn(arg) on `h` (this hart too: through its own software interrupt) and waits until it has
 * returned. 0 or -ENODEV. Thread, SIE on, no irqlock held, not in posted work (the lock checker
 * reports it): two harts may call each other.
 */
int hart_call(struct hart_meta *h, void (*fn)(void *arg), void *arg);
/* The same on every hart of the mask, in batches; harts with a closed mailbox are left out.
 * Returns on how many harts it ran. fn runs on several harts at once. */
int hart_call_mask(const struct hart_mask *mask, void (*fn)(void *arg), void *arg);

enum leaf_op {
	LEAF_TLB_FLUSH = 1 << 0, /* the whole TLB of the hart */
	LEAF_FENCE_I = 1 << 1,
	LEAF_STOP = 1 << 2,	 /* for good; the hart leaves its trace first */
	LEAF_BACKTRACE = 1 << 3, /* the hart writes its trace (hart_trace_of) */
};

/*
 * Has every hart of the mask (this one too, if it is in it) do `op`, and waits until all have;
 * serves its own mailbox meanwhile. Requests to one hart merge. Earlier stores of the caller are
 * visible to the operation. Either, SIE on or off, any lock held. Not for LEAF_STOP.
 */
void leaf_call_mask(const struct hart_mask *mask, enum leaf_op op);

/* Does what other harts ask of this one by leaf calls. SIE off. Returns whether its mailbox holds
 * anything else, for which the software interrupt must stay pending. Hook relax_serve_leaf. */
bool hart_leaf_serve(void);

/* Has `h` look at need_resched. Either, any lock held. No effect on a hart that is not online. */
void hart_resched(struct hart_meta *h);

/*
 * Panic: every other online hart stops for good and leaves its trace. Waits for them by progress;
 * returns how many did not answer (their traces do not say `stopped`). Any context, SIE off, takes
 * no lock. Only the one hart that ends the system calls it, so that nobody stops that one.
 */
unsigned hart_stop_others(void);

#define HART_TRACE_MAX 24

/* What a hart was doing when it was last asked. Written by the hart, read after its answer. */
struct hart_trace {
	bool valid;
	bool stopped;	   /* by LEAF_STOP: for good */
	bool from_handler; /* pcs are of what the IPI interrupted; else of a wait loop */
	uint8_t nr_pcs;
	const void *thread;		/* struct thread that ran */
	const struct trap_frame *frame; /* what was interrupted, NULL in a wait loop */
	uintptr_t pcs[HART_TRACE_MAX];
};
const struct hart_trace *hart_trace_of(const struct hart_meta *h);

/* ---- For the life of a hart (kernel/hart/) --------------------------------------------------- */

#define MAILBOX_CLOSED ((void *)1)

/* Opens this hart's mailbox. Full fence afterwards: partner leaf_call_mask. SIE off. */
void hart_mailbox_open(struct hart_meta *h);
/* Closes it if nothing is posted; otherwise false: the software interrupt that runs that is pending
 * or about to be. SIE off, in the idle thread (asserted): until the hart has opened it again and
 * flushed its TLB it must use nothing that others may unmap. */
bool hart_mailbox_close(struct hart_meta *h);
/* The software interrupt's work (kernel/irq/entry.c). SIE off. */
void hart_ipi(void);
/* Does the leaf calls asked of this hart `h`. SIE off. */
void hart_leaf_handle(struct hart_meta *h, bool from_handler);
/* A hart that has opened its mailbox while a panic stops everybody does not come back. */
void hart_obey_stop(void);

#endif
