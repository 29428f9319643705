/* SPDX-License-Identifier: MIT */
/* Sleeping on a lock word or a queue node, and the kick that ends it (park.h). */
#include "kernel/lock/park.h"

#include "kernel/arch.h"
#include "kernel/lock/irqlock.h"
#include "kernel/lock/point.h"
#include "kernel/lock/relax.h"

/* For no reason, or for an interrupt: both callers loop. */
static void sleep_once(void)
{
	if (LOCK_CHAOS(park_wakes_at_once) || LOCK_SLEPT())
		return;
	arch_wait_ipi(irqlock_tuning.park_with_timer);
}

/*
 * Both loops: first the pending bit is taken (and leaf requests served), then the word is looked
 * at, then the hart sleeps: a kick that comes after the look finds the bit clear and makes the
 * sleep return at once.
 *
 * The loads are acquire; partner: the giver-up's release (irqlock_give), or the predecessor's
 * store of our node's state (pass_headship).
 */
void park_while_named(const atomic_u32 *word, const struct lock_hart *h)
{
	bool mail = false;

	for (;;) {
		mail |= relax_take_ipi();
		if ((atomic_load_u32(word, acquire) & KICK_MASK) != KICK_OF(h->index))
			break;
		sleep_once();
	}
	relax_unpark(mail);
}

void park_while_state(const atomic_u32 *state, uint32_t parked)
{
	bool mail = false;

	for (;;) {
		mail |= relax_take_ipi();
		if (atomic_load_u32(state, acquire) != parked)
			break;
		sleep_once();
	}
	relax_unpark(mail);
}

void park_kick(uint32_t old_word)
{
	unsigned named = old_word >> KICK_SHIFT;

	if (!named)
		return;
	LOCK_POINT(park_kick);
	arch_ipi_send_hart(lock_harts[named - 1]->hartid);
}
