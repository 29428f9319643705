/* SPDX-License-Identifier: MIT */
/*
 * Harts that go and come at run time. Who does which step: kernel/task/hart_life.c.
 *
 * All four: thread, may sleep, nothing held that ranks after HART_LIFE, not from work; one at a
 * time. After an error the hart is where it was, unless it says otherwise. Errors of all of them:
 *   -ENODEV      it never had what a hart needs (no memory at boot, or it never came)
 *   -EBUSY       it is on its way: starting, stopping, being suspended or resumed; or the firmware
 *                has it and does not say so (hart_leave_stuck); or it was started, has been given
 *                up, and runs nobody knows where (hart_is_hung)
 *   -EALREADY    it is there already
 */
#ifndef KERNEL_TASK_HART_LIFE_H
#define KERNEL_TASK_HART_LIFE_H

#include "kernel/hart/hart.h"

/*
 * Takes `h` out of everything and gives it to the firmware: STOPPED, also in HSM's eyes. Its
 * threads go elsewhere, also the caller; so do its timers, its work and its interrupts. Also:
 *   -EINVAL      it is the last one that runs
 *   -EPERM       threads may run on no other one (hart_pinned), and not `force`; with it they run
 *                anywhere until it is back
 *   -EAGAIN      no other one takes its work, for want of a thread for that, or its threads
 *   -EIO, ...    the firmware refuses
 *   -ETIMEDOUT   the firmware takes it and does not say that it has it: it is out of everything,
 *                and FAILED; it joins if it comes back
 */
int hart_stop(struct hart_meta *h, bool force);
/* The same, and the firmware suspends it (SBI 1.0 section 9.4), until hart_resume. */
int hart_suspend(struct hart_meta *h, bool retentive, bool force);
/* A stopped hart, or one that failed, takes part again, as after the boot. -ETIMEDOUT: it does not
 * come; it is FAILED, and joins when it does. -EFAULT: it died before it joined, and is FAILED. */
int hart_start(struct hart_meta *h);
/* The same for a suspended one. */
int hart_resume(struct hart_meta *h);

/* Threads that may run on `h` and on no other of the harts that are online, the kernel's own ones
 * for it not counted: how many, and as many names as fit. 0 if there is no other. Thread or
 * handler. */
unsigned hart_pinned(const struct hart_meta *h, char *names, size_t size);

/* For tests: the next time that this step is done it fails. */
enum hart_step {
	HART_STEP_IRQ,
	HART_STEP_WORK,
	HART_STEP_DRAIN,
	HART_STEP_FIRMWARE,
	HART_STEPS,
	HART_STEP_START = HART_STEPS, /* of a hart that comes */
};
void hart_life_fail(enum hart_step step);

/* For kernel/task/bringup.c. */
void hart_life_init(void);
/* hart_await_look under the lock. */
bool hart_life_look(void);

#endif
