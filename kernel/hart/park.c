/* SPDX-License-Identifier: MIT */
/*
 * Parking: harts that are started once and stop as soon as they arrive, because one that was never
 * started costs all others (modes.c).
 *
 * A hart that is asked to park (hart_meta.park) says that it arrived, and then stops: it takes
 * part in nothing, opens no mailbox, joins no mask. The starter sees PARK_DONE and, from the
 * firmware, STOPPED: then it is a stopped hart like any other. It may be told in time not to park
 * after all: both sides change the word by compare-and-swap.
 *
 * One after the other, when all have come. On its way to its place of rest each hart passes a
 * lock of the firmware's (OpenSBI 1.1: a ticket lock, of all harts but the first; they passed it
 * when the machine was switched on as well). Where harts outnumber the host's cores by far, those
 * that queue there spin until the host has run each in its turn: 5 s with 64 of them on two cores,
 * for which a start of a hart that is STOPPED already waits. So a hart that parks sleeps here while
 * others are still on their way out of the firmware, and then until its slot: slots are SLOT_NS
 * apart, of which the way through the lock takes a tenth. It is a courtesy: a hart that never comes
 * holds the others up for ARRIVAL_NAPS, and one that is late for its slot harms nobody.
 *
 * No locks: who takes a slot moves `last_slot` by compare-and-swap. Relaxed, as `arrivals` and the
 * looks at other harts: nothing is read behind them, and one out of date costs a nap.
 */
#include "kernel/hart/call.h"
#include "kernel/hart/fault.h"
#include "kernel/hart/start.h"
#include "kernel/log.h"
#include "kernel/time/clock.h"
#include "lib/assert.h"

#define SLOT_NS NS_PER_MS
#define ARRIVAL_NAP_NS (4 * NS_PER_MS)
/* So many since the last arrival: one second. */
#define ARRIVAL_NAPS 250

/* When the last slot begins that somebody has, arch_time() as far as it fits: compared by
 * difference. */
static atomic_ulong last_slot;
static atomic_u32 arrivals;

bool start_settle_parked(struct hart_meta *h)
{
	uint32_t starting = HART_STARTING;

	/* Acquire: what the hart stored before. Partner: hart_park_if_asked. */
	if (atomic_load_u32(&h->park, acquire) != PARK_DONE)
		return true;
	if (arch_hart_state(h->hartid) != ARCH_HSM_STOPPED)
		return false;
	atomic_store_u32(&h->park, PARK_NOT, relaxed);
	/* Given up meanwhile: that it stays. */
	atomic_cas_u32(&h->state, &starting, HART_STOPPED, relaxed);
	return true;
}

static bool is_to_come(const struct hart_meta *h)
{
	return hart_is_due(h) ||
		(atomic_load_u32(&h->state, relaxed) == HART_STARTING &&
			atomic_load_u32(&h->park, relaxed) != PARK_DONE);
}

static void sleep_until_all_are_here(void)
{
	uint32_t seen = atomic_add_u32(&arrivals, 1, relaxed) + 1, now;
	unsigned first = 0, naps = 0;

	while (naps < ARRIVAL_NAPS) {
		while (first < nr_harts && !is_to_come(harts[first]))
			first++;
		if (first == nr_harts)
			return;
		arch_sleep_until(arch_time() + ns_to_ticks(ARRIVAL_NAP_NS));
		now = atomic_load_u32(&arrivals, relaxed);
		naps = now == seen ? naps + 1 : 0;
		seen = now;
	}
}

static void sleep_until_slot(void)
{
	unsigned long slot = (unsigned long)ns_to_ticks(SLOT_NS), ahead, now, last;

	last = atomic_load_ulong(&last_slot, relaxed);
	do {
		now = (unsigned long)arch_time();
		ahead = last + slot - now;
		/* Over, or from so long ago that the difference has wrapped around. */
		if (ahead > nr_harts * slot)
			ahead = 0;
	} while (!atomic_cas_ulong(&last_slot, &last, now + ahead, relaxed));
	arch_sleep_until(arch_time() + ahead);
}

void hart_park_if_asked(struct hart_meta *h)
{
	uint32_t asked = PARK_ASKED;

	assert(h == this_hart());
	if (atomic_load_u32(&h->park, relaxed) != PARK_ASKED)
		return;
	h->arrived = arch_time();
	h->parked_ticks = h->arrived - h->start_called;
	/* Release: it has arrived. Partner: start_settle_parked. */
	if (!atomic_cas_u32(&h->park, &asked, PARK_DONE, release))
		return;
	log_line(LOG_DEBUG, "hartid %lu is here and stops until it is wanted",
		(unsigned long)h->hartid);
	hart_fault_at(h, FAULT_AT_PARK);
	sleep_until_all_are_here();
	sleep_until_slot();
	arch_hart_stop();
	log_warn("hartid %lu: the firmware does not stop it: it joins", (unsigned long)h->hartid);
	atomic_store_u32(&h->park, PARK_NOT, relaxed);
}
