/* SPDX-License-Identifier: MIT */
/*
 * Sleeping locks whose holder died.
 *
 * Each becomes abandoned: the next `*_lock_robust` gets it with -EOWNERDEAD and says `*_recover`
 * once the data are whole; the plain forms report. Work that is posted to an abandoned mixed lock
 * runs with work->cancelled set. What a dead reader of an rwmutex held is given back: it changed
 * nothing.
 */
#ifndef KERNEL_WAIT_ABANDON_H
#define KERNEL_WAIT_ABANDON_H

#include "kernel/wait/waitq.h"

/* What waiting_entry of a thread whose locks were given up points to, until its slot is used anew.
 */
extern struct wait_entry wait_entry_dead;

/*
 * Gives up every lock of `t`, which has ended and will never run again, whose handle still names
 * it. Work posted to its mixed locks is run here. The reaper; thread, may sleep.
 */
void wait_abandon_all(struct thread *t);

#endif
