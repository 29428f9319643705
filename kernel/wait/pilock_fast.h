/* SPDX-License-Identifier: MIT */
/* The common case of a pilock with checks and statistics around it: nothing to check, and free. */
#ifndef KERNEL_WAIT_PILOCK_FAST_H
#define KERNEL_WAIT_PILOCK_FAST_H

#include "kernel/lock/check_fast.h"
#include "kernel/wait/pilock.h"

/* Without checks and statistics it is inline in the flavours; points are in the slow ways only. */
#define PILOCK_HAS_PLAIN_WAY ((CONFIG_LOCKCHECK || CONFIG_LOCKSTAT) && !CONFIG_LOCKPOINTS)

/* True: it is the caller's, recorded and counted. */
static inline __attribute__((always_inline)) bool pilock_acquire_plain(
	struct pilock *l, unsigned flags, uintptr_t pc)
{
	struct lock_thread *t = lock_thread();

	if (!PILOCK_HAS_PLAIN_WAY || unlikely(!check_thread_plain(t, l, l->class, flags)) ||
		unlikely(!pilock_try_fast(l)))
		return false;
	check_thread_record(t, l, l->class, flags, pc);
	pilock_count(l);
	return true;
}

#endif
