/* SPDX-License-Identifier: MIT */
/*
 * Mailboxes and general calls; leaf calls are in leaf.c, the interface in call.h.
 *
 * A mailbox is read by its hart only, with SIE off; everybody posts.
 *
 *   flags   one bit for each kind of message. The receiver clears the interrupt's pending bit, then
 *           takes the flags by exchange, then the messages. A sender stores the message, then the
 *           flag, then sends the interrupt. Whatever is stored after the receiver looked is
 *           therefore followed by another interrupt; one that finds nothing does no harm.
 *   calls   a list of struct hart_call, newest first, pushed by compare-and-swap and taken whole by
 *           exchange; MAILBOX_CLOSED when its hart takes no calls. It is closed by
 *           compare-and-swap from NULL only, so no call is ever left in a closed mailbox.
 *   leaf_*  leaf.c.
 *
 * Senders have SIE off from the message to the interrupt, so one that finds its flag set may leave
 * the interrupt to whoever set it: that sender cannot be held up between the two. Waiting senders
 * send again from time to time, and every timer interrupt looks at the flags, so a bit that got
 * lost on the way only costs time.
 *
 * Orders (RVWMO; acquire and release are annotations of the atomics)
 *	message -> flag -> interrupt	the push is a release, so is the flag's "or", and
 *					arch_ipi_send has a fence w,o. Partner: hart_ipi.
 *	pending bit -> flags -> calls	arch_ipi_clear orders later loads after it; both
 *					exchanges are acquires. Partner: mail_send.
 *	fn's stores -> caller		`busy` is cleared by a release after fn, and read by an
 *					acquire in hart_call_done.
 *
 * No locks. Two harts that call each other both have SIE on, so each one's handler serves the
 * other.
 */
#include "kernel/hart/call.h"

#include "kernel/lock/check.h"
#include "kernel/lock/relax.h"
#include "kernel/lock/run.h"
#include "lib/assert.h"
#include "lib/errno.h"

/* A waiting sender that has made no progress for so many steps sends its interrupt again. */
#define RESEND_STEPS (1u << 16)
/* ... and, so often, looks whether the two wait for each other. */
#define LOOK_STEPS (1u << 12)
/* Calls of one hart_call_mask that are under way at once: they lie on the caller's stack. */
#define CALL_BATCH 16

/* Raises `flag` at h, whose message is stored; SIE off. */
static void mail_send(struct hart_meta *h, uint32_t flag)
{
	/* Release: the message before the flag. Partner: the exchange in hart_ipi. */
	if (atomic_or_u32(&h->mailbox.flags, flag, release) & flag)
		return;
	racy_add(this_hart()->stats.ipis_sent, 1, "a statistic: a handler may send as well");
	arch_ipi_send_hart(h->hartid);
}

int hart_call_post(struct hart_meta *h, struct hart_call *call)
{
	uint32_t idle = 0;
	void *head;
	bool on;

	/* Acquire: after the end of its last run (the release in run_calls). */
	if (!atomic_cas_u32(&call->busy, &idle, 1, acquire))
		return -EBUSY;
	on = arch_irq_save();
	head = atomic_load_ptr(&h->mailbox.calls, relaxed);
	do {
		if (head == MAILBOX_CLOSED) {
			arch_irq_restore(on);
			atomic_store_u32(&call->busy, 0, release);
			return -ENODEV;
		}
		call->next = head;
		/* Release: the call's fields before the link. Partner: the exchange in run_calls.
		 */
	} while (!atomic_cas_ptr(&h->mailbox.calls, &head, call, release));
	mail_send(h, IPI_CALL);
	arch_irq_restore(on);
	return 0;
}

void hart_call_wait(const struct hart_meta *h, const struct hart_call *call)
{
	struct lock_wait *mine = &lock_thread()->wait;
	struct relax wait = RELAX_INIT;

	if (hart_call_done(call))
		return;
	wait_begins(mine, WAIT_CALL | (arch_irq_enabled() ? 0 : WAIT_IRQS_OFF), h, NULL, h->index);
	for (unsigned n = 1; !hart_call_done(call); n++) {
		relax_step(&wait);
		if (n % LOOK_STEPS == 0 && wait_closes_cycle_thread)
			wait_closes_cycle_thread();
		if (n % RESEND_STEPS == 0)
			arch_ipi_send_hart(h->hartid);
	}
	wait_ends(mine);
}

/* The waiting forms: a handler, or a holder of an irqlock, could wait for its own hart here. False:
 * a test expected the report. */
static bool may_wait(const char *what, uintptr_t pc)
{
	if (CONFIG_LOCKCHECK)
		return might_wait_at(what, pc);
	assert(arch_irq_enabled() && !in_interrupt());
	return true;
}

int hart_call(struct hart_meta *h, void (*fn)(void *arg), void *arg)
{
	struct hart_call call;
	int err;

	if (!may_wait(__func__, (uintptr_t)__builtin_return_address(0)))
		return -EDEADLK;
	run_awaited(NODE_NAMED, run_of_hart_call);
	hart_call_init(&call, fn, arg);
	stack_shared_begin();
	err = hart_call_post(h, &call);
	if (!err)
		hart_call_wait(h, &call);
	stack_shared_end();
	return err;
}

int hart_call_mask(const struct hart_mask *mask, void (*fn)(void *arg), void *arg)
{
	struct hart_call calls[CALL_BATCH];
	struct hart_meta *to[CALL_BATCH];
	unsigned hart = hart_mask_first(mask);
	int ran = 0;

	if (!may_wait(__func__, (uintptr_t)__builtin_return_address(0)))
		return 0;
	run_awaited(NODE_NAMED, run_of_hart_call);
	stack_shared_begin();
	while (hart < nr_harts) {
		unsigned n = 0;

		for (; n < CALL_BATCH && hart < nr_harts; hart = hart_mask_next(mask, hart)) {
			to[n] = harts[hart];
			hart_call_init(&calls[n], fn, arg);
			if (to[n] && hart_call_post(to[n], &calls[n]) == 0)
				n++;
		}
		for (unsigned i = 0; i < n; i++)
			hart_call_wait(to[i], &calls[i]);
		ran += (int)n;
	}
	stack_shared_end();
	return ran;
}

void hart_resched(struct hart_meta *h)
{
	bool on = arch_irq_save();

	/* A closed mailbox: the hart runs nothing; it looks for itself when it comes back. */
	if (atomic_load_ptr(&h->mailbox.calls, relaxed) != MAILBOX_CLOSED)
		mail_send(h, IPI_RESCHED);
	arch_irq_restore(on);
}

/* Runs what is posted to this hart, oldest first. SIE off. */
static void run_calls(struct hart_meta *h)
{
	struct hart_call *list, *oldest = NULL;

	list = atomic_load_ptr(&h->mailbox.calls, relaxed);
	if (!list || list == MAILBOX_CLOSED)
		return;
	/* Acquire: every call's fields. Partner: the push in hart_call_post. Only this hart closes
	 * its mailbox, so the list is still one. */
	list = atomic_xchg_ptr(&h->mailbox.calls, NULL, acquire);
	while (list) {
		struct hart_call *next = list->next;

		list->next = oldest;
		oldest = list;
		list = next;
	}
	while (oldest) {
		struct hart_call *call = oldest;
		uint16_t before = run_begin(NODE_NAMED, run_of_hart_call);

		oldest = call->next;
		call->fn(call->arg);
		run_end(before);
		/* Release: what fn stored. Partner: hart_call_done. The call is its owner's again.
		 */
		atomic_store_u32(&call->busy, 0, release);
	}
}

void hart_ipi(void)
{
	struct hart_meta *h = this_hart();
	uint32_t flags;

	arch_ipi_clear();
	/* Acquire: the messages that the flags announce. Partner: mail_send. */
	flags = atomic_xchg_u32(&h->mailbox.flags, 0, acquire);
	hart_leaf_handle(h, true);
	if (flags & IPI_CALL)
		run_calls(h);
	if (flags & IPI_RESCHED)
		h->lock.need_resched = true;
}

void hart_mailbox_open(struct hart_meta *h)
{
	atomic_store_ptr(&h->mailbox.calls, NULL, release);
	/* The open mailbox before whatever this hart reads next (page tables): see leaf_call_mask.
	 */
	fence_full();
	/* A flag that was set while the mailbox was closed, its interrupt lost, would keep all
	 * later senders from sending: the handler takes it. */
	arch_ipi_self();
}

bool hart_mailbox_close(struct hart_meta *h)
{
	void *empty = NULL;

	/* From the close until this hart has opened it again and flushed its TLB, others unmap
	 * without asking it. So it stands on what stays for ever: its idle thread's stack. (A hart
	 * that has none yet is on its boot stack; tests close mailboxes of harts that are not.) */
	assert(h != this_hart() || !h->idle || lock_thread() == (const void *)h->idle);
	/* Acquire and release: what the last calls did stays before the close, which ends
	 * leaf_wait. */
	if (!atomic_cas_ptr(&h->mailbox.calls, &empty, MAILBOX_CLOSED, acq_rel)) {
		assert(empty != MAILBOX_CLOSED);
		return false;
	}
	/* The last that a hart does for others. */
	check_hart_stop();
	return true;
}
