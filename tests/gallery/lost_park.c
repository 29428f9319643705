/* SPDX-License-Identifier: MIT */
/*
 * lost_park: who gives a lock up looks for a parked waiter before it gives up.
 *
 * What is wrong
 *   A waiter that has spun for long enough parks: it says "parked", looks once more whether the
 *   lock is still taken, and sleeps until it is kicked. That half is right. The holder takes the
 *   word "parked" first, to know whom to kick, and gives the lock up afterwards. If the waiter
 *   parks between the two it sees the lock taken, as it is, and sleeps; and the holder has already
 *   seen that nobody is parked. The lock is free, and its only waiter sleeps.
 *
 * How it shows
 *   A hart in wfi with interrupts off, waiting for a free lock. With a timer tick that ends the
 *   wfi it is only a delay of a tick, now and then, and looks like a slow machine: so it may stay
 *   for years. Without the tick it hangs.
 *
 * How it is found
 *   By the hunt, with one change of priorities between the holder's two steps. The waiter's sleep
 *   is not ended by any timer here, as it must not need one:
 *
 *	hunt: program=gallery_lost_park ... verdict=deadlock
 *
 *   Seeds to find: 7, with the image that this was written with; each is twelve schedules.
 *
 * The fix
 *   Give up first, then take "parked". Then either the waiter's second look finds the lock free,
 *   or its "parked" came before the giver's look. On weakly ordered machines the pair also needs a
 *   full fence on each side, or, as in kernel/lock/park.h, one word for both, which is changed in
 *   one access and has no between at all.
 */
#include "tests/gallery/gallery.h"

/* The two words. seq_cst: each side stores one and loads the other one. */
static atomic_bool taken, parked;
static atomic_bool kicked; /* release by the giver, acquire by the waiter */
static bool is_fixed;

static void kick_parked(void)
{
	if (atomic_xchg_bool(&parked, false, seq_cst))
		atomic_store_bool(&kicked, true, release);
}

static void holder(void)
{
	hunt_step("is inside");
	if (!is_fixed)
		kick_parked();
	hunt_step("is about to give the lock up");
	(void)atomic_xchg_bool(&taken, false, seq_cst);
	if (is_fixed)
		kick_parked();
}

static void waiter(void)
{
	hunt_step("comes for the lock");
	if (!atomic_xchg_bool(&taken, true, seq_cst))
		return;
	hunt_step("found it taken");
	(void)atomic_xchg_bool(&parked, true, seq_cst);
	hunt_step("said that it parks");
	if (atomic_load_bool(&taken, seq_cst))
		toy_until("a kick", atomic_load_bool(&kicked, acquire));
}

static void thread(unsigned me)
{
	if (me == 0)
		holder();
	else
		waiter();
}

static void reset(void)
{
	atomic_store_bool(&taken, true, relaxed); /* the holder's, from before */
	atomic_store_bool(&parked, false, relaxed);
	atomic_store_bool(&kicked, false, relaxed);
}

GALLERY_HUNTED(lost_park, "the giver looks for the parked before it gives", "deadlock", reset,
	.threads = 2, .thread = thread);
