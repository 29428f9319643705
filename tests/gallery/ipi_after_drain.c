/* SPDX-License-Identifier: MIT */
/*
 * ipi_after_drain: the handler empties its mailbox and then clears the pending bit.
 *
 * What is wrong
 *   A sender puts a message into the mailbox and then makes the receiver's interrupt pending. The
 *   handler takes all messages and clears the bit last, when it is done with what the bit stood
 *   for. A message that comes between the last look and the clearing makes the bit pending, and
 *   the handler clears it as if it were the old one. The message lies there, and nobody will look.
 *
 * How it shows
 *   A call on another hart that never comes back, until any other call to that hart brings it
 *   along. On a busy machine it is a latency, on an idle one a standstill: the fewer interrupts
 *   there are, the worse it gets. Several real kernels and two hypervisors have had it.
 *
 * How it is found
 *   By the hunt. The mailbox, the bit and the handler are the entry's own; the handler runs when
 *   the bit is set, as hardware would have it. One change of priorities between its two steps is
 *   enough; then the receiver waits for an interrupt, and the sender for an answer:
 *
 *	hunt: program=gallery_ipi_after_drain ... verdict=deadlock
 *
 *   Seeds to find: 1, with the image that this was written with; each is twelve schedules.
 *
 * The fix
 *   Clear first, then look (with the fence between that the machine needs): a message that comes
 *   after the clearing has a bit of its own, and at worst the handler runs once for nothing. See
 *   arch_ipi_clear, which says so in its contract.
 */
#include "tests/gallery/gallery.h"

#define MESSAGES 4

/* Posted before pending is set (release), looked at after it is cleared (acquire). */
static atomic_u32 posted, served;
static atomic_bool pending;
static bool is_fixed;

static void drain(void)
{
	atomic_store_u32(&served, atomic_load_u32(&posted, acquire), release);
}

static void handler(void)
{
	if (is_fixed)
		(void)atomic_xchg_bool(&pending, false, acq_rel);
	drain();
	hunt_step("emptied the mailbox");
	if (!is_fixed)
		(void)atomic_xchg_bool(&pending, false, acq_rel);
}

static void receiver(void)
{
	while (atomic_load_u32(&served, acquire) < MESSAGES) {
		toy_until("an interrupt", atomic_load_bool(&pending, acquire));
		handler();
	}
}

static void sender(void)
{
	for (uint32_t n = 1; n <= MESSAGES; n++) {
		atomic_store_u32(&posted, n, release);
		hunt_step("left a message");
		(void)atomic_xchg_bool(&pending, true, acq_rel);
		if (n % 2 == 0) /* every second one is waited for */
			toy_until("an answer", atomic_load_u32(&served, acquire) >= n);
	}
}

static void thread(unsigned me)
{
	if (me == 0)
		receiver();
	else
		sender();
}

static void reset(void)
{
	atomic_store_u32(&posted, 0, relaxed);
	atomic_store_u32(&served, 0, relaxed);
	atomic_store_bool(&pending, false, relaxed);
}

GALLERY_HUNTED(ipi_after_drain, "a pending bit cleared after the mailbox is emptied", "deadlock",
	reset, .threads = 2, .thread = thread);
