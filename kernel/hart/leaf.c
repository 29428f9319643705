/* SPDX-License-Identifier: MIT */
/*
 * Leaf calls: what a hart does for others at once, even while it waits with interrupts off. They
 * take no lock, allocate nothing, and are served by the software interrupt's handler and by
 * relax().
 *
 * Requests to one hart merge: `leaf_ops` holds what is wanted, `leaf_asked` counts requests
 * (tickets) and `leaf_done` says up to which ticket everything was done.
 *
 *	asker	1 ors the operation into leaf_ops (release)
 *		2 takes a ticket (release)
 *		3 raises the flag, sends the interrupt
 *	server	1 reads leaf_asked (acquire)
 *		2 takes leaf_ops by exchange (acquire)
 *		3 does it all
 *		4 stores what it read at 1 to leaf_done (release)
 *
 * A server that reads a ticket at 1 also finds its operation at 2, or has found it in an earlier
 * round, which came after the asker's earlier stores as well (both steps of the asker are
 * releases, both of the server acquires). Tickets wrap around: compared by difference.
 *
 * The server runs with SIE off from 1 to 4: a handler in between would report tickets of which this
 * round holds the operations, not yet done.
 *
 * Closed mailboxes. The asker's stores (say, a page table entry removed), then a full fence, then
 * the look at the mailbox; the hart that comes online opens its mailbox, then a full fence, then it
 * flushes and reads page tables. Not both can miss the other: either the asker sees it open and
 * asks, or the hart sees the stores.
 */
#include "kernel/hart/call.h"

#include "kernel/lock/relax.h"

#define RESEND_STEPS (1u << 16)
/* hart_stop_others gives up after so long without one more answer: so many steps AND so much time,
 * since a step may be a few ns or a turn of the emulator. */
#define STOP_STEPS 200000u
#define STOP_SECONDS 3u

static struct hart_trace traces[CONFIG_MAX_HARTS];
/* A panic stops everybody: a hart that comes online now stops itself. */
static atomic_u32 stopping;
/* The ticket of each hart's stop: others may ask a hart for more after it has stopped. Whoever ends
 * the system writes it. */
static unsigned long stop_ticket[CONFIG_MAX_HARTS];

const struct hart_trace *hart_trace_of(const struct hart_meta *h)
{
	return &traces[h->index];
}

static void trace_write(struct hart_meta *h, bool from_handler)
{
	struct hart_trace *trace = &traces[h->index];

	trace->from_handler = from_handler;
	trace->thread = h->lock.thread;
	trace->frame = from_handler ? arch_hart_frame(h) : NULL;
	trace->nr_pcs = trace->frame
		? (uint8_t)arch_backtrace_frame(trace->frame, trace->pcs, HART_TRACE_MAX)
		: (uint8_t)arch_backtrace(NULL, trace->pcs, HART_TRACE_MAX);
	trace->valid = true;
}

static noreturn void stop_for_good(void)
{
	arch_irq_disable();
	for (;;) {
		arch_ipi_clear();
		arch_wait_ipi(false);
	}
}

static void leaf_do(struct hart_meta *h, uint32_t ops, bool from_handler)
{
	if (ops & LEAF_TLB_FLUSH)
		arch_tlb_flush_all();
	if (ops & LEAF_FENCE_I)
		arch_icache_flush();
	if (ops & (LEAF_BACKTRACE | LEAF_STOP))
		trace_write(h, from_handler);
	if (ops & LEAF_STOP)
		traces[h->index].stopped = true;
}

void hart_leaf_handle(struct hart_meta *h, bool from_handler)
{
	struct hart_mailbox *m = &h->mailbox;
	/* Acquire: the operations of every ticket up to this one. Partner: leaf_post. */
	unsigned long asked = atomic_load_ulong(&m->leaf_asked, acquire);
	uint32_t ops;

	if (asked == atomic_load_ulong(&m->leaf_done, relaxed))
		return;
	/* Acquire: the askers' stores, also of those whose ticket is not in `asked` yet. */
	ops = atomic_xchg_u32(&m->leaf_ops, 0, acquire);
	leaf_do(h, ops, from_handler);
	/* Release: the operations are done. Partner: leaf_wait. */
	atomic_store_ulong(&m->leaf_done, asked, release);
	if (ops & LEAF_STOP)
		stop_for_good();
}

bool hart_leaf_serve(void)
{
	struct hart_meta *h = this_hart();

	hart_leaf_handle(h, false);
	/* Relaxed: only whether somebody else's interrupt must stay; its handler takes the
	 * messages. The scheduler's own request has no flag: need_resched is this hart's, SIE is
	 * off. */
	return (atomic_load_u32(&h->mailbox.flags, relaxed) & ~(uint32_t)IPI_LEAF) ||
		h->lock.need_resched;
}

static bool mailbox_closed(const struct hart_meta *h)
{
	/* Acquire: what the hart did before it closed. Partner: hart_mailbox_close. */
	return atomic_load_ptr(&h->mailbox.calls, acquire) == MAILBOX_CLOSED;
}

/* Asks `h` for `op`, the interrupt is still to be sent; false if it takes no calls. SIE off. */
static bool leaf_post(struct hart_meta *h, enum leaf_op op)
{
	if (mailbox_closed(h))
		return false;
	/* Releases: see the head of the file. Partner: hart_leaf_handle. */
	atomic_or_u32(&h->mailbox.leaf_ops, op, release);
	atomic_add_ulong(&h->mailbox.leaf_asked, 1, release);
	atomic_or_u32(&h->mailbox.flags, IPI_LEAF, release);
	return true;
}

/* Whether everything that was asked of `h` up to `ticket` is done. */
static bool leaf_answered(const struct hart_meta *h, unsigned long ticket)
{
	/* Acquire: the operations' effects. Partner: the store in hart_leaf_handle. */
	unsigned long done = atomic_load_ulong(&h->mailbox.leaf_done, acquire);

	return (long)(done - ticket) >= 0 || mailbox_closed(h);
}

/* At least the ticket of what the caller has posted, by coherence. */
static unsigned long last_ticket(const struct hart_meta *h)
{
	return atomic_load_ulong(&h->mailbox.leaf_asked, relaxed);
}

static void leaf_wait(const struct hart_meta *h)
{
	unsigned long ticket = last_ticket(h);
	struct relax wait = RELAX_INIT;

	for (unsigned n = 1; !leaf_answered(h, ticket); n++) {
		relax_step(&wait);
		if (n % RESEND_STEPS == 0)
			arch_ipi_send_hart(h->hartid);
	}
}

void leaf_call_mask(const struct hart_mask *mask, enum leaf_op op)
{
	struct hart_mask asked;
	struct hart_meta *self;
	unsigned i;
	bool on;

	hart_mask_zero(&asked);
	/* The caller's stores before the look at the mailboxes. Partner: hart_mailbox_open. */
	fence_full();
	on = arch_irq_save();
	self = this_hart();
	for_each_hart_in_mask(i, mask) {
		if (i >= nr_harts || !harts[i])
			continue;
		if (harts[i] == self)
			leaf_do(self, op, false);
		else if (leaf_post(harts[i], op))
			hart_mask_set(&asked, i);
	}
	if (!hart_mask_empty(&asked)) {
		self->stats.ipis_sent += hart_mask_weight(&asked);
		arch_ipi_send(&asked);
	}
	arch_irq_restore(on);
	for_each_hart_in_mask(i, &asked)
		leaf_wait(harts[i]);
}

/* Harts of `asked` that have stopped leave it; returns whether there was one. */
static bool stop_collect(struct hart_mask *asked)
{
	bool progress = false;
	unsigned i;

	for_each_hart_in_mask(i, asked) {
		struct hart_meta *h = harts[i];

		if (!leaf_answered(h, stop_ticket[i]))
			continue;
		hart_mask_clear(asked, i);
		progress = true;
	}
	return progress;
}

unsigned hart_stop_others(void)
{
	uint64_t patience = (uint64_t)arch_info.timebase_hz * STOP_SECONDS;
	uint64_t since = arch_time();
	struct hart_meta *self = this_hart_unstable();
	struct hart_mask asked;
	unsigned steps = 0;

	hart_mask_zero(&asked);
	atomic_store_u32(&stopping, 1, relaxed);
	/* `stopping` before the look at the mailboxes. Partner: hart_obey_stop, behind an open. */
	fence_full();
	for_each_hart(h) {
		if (h == self || traces[h->index].stopped || !leaf_post(h, LEAF_STOP))
			continue;
		stop_ticket[h->index] = last_ticket(h);
		hart_mask_set(&asked, h->index);
	}
	arch_ipi_send(&asked);
	while (!hart_mask_empty(&asked) && (steps < STOP_STEPS || arch_time() - since < patience)) {
		steps++;
		if (stop_collect(&asked)) {
			steps = 0;
			since = arch_time();
		}
		relax();
	}
	return hart_mask_weight(&asked);
}

void hart_obey_stop(void)
{
	/* Its mailbox was open for a moment: who asked it to stop meanwhile waits for its answer,
	 * after which the first line does not return. */
	while (atomic_load_u32(&stopping, relaxed)) {
		hart_leaf_handle(this_hart(), false);
		arch_ipi_clear();
		if (leaf_answered(this_hart(), last_ticket(this_hart())))
			arch_wait_ipi(false);
	}
}
