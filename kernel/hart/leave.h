/* SPDX-License-Identifier: MIT */
/*
 * A hart that leaves: its own part, in its idle thread, and what the one who sends it away sees of
 * it. Protocol: kernel/hart/leave.c. Who does all the rest: kernel/task/hart_life.c.
 */
#ifndef KERNEL_HART_LEAVE_H
#define KERNEL_HART_LEAVE_H

#include "kernel/hart/hart.h"

enum hart_leave_how { /* hart_leave.how: asked of a hart */
	LEAVE_NOT,
	LEAVE_STOP,
	LEAVE_SUSPEND,	    /* SBI 1.0 section 9.4: default retentive */
	LEAVE_SUSPEND_LOST, /* default non-retentive: registers are lost */
};

enum hart_where { /* hart_leave.where: answered */
	HART_HERE,
	HART_GONE, /* nothing of the kernel's is used there any more but what stays for ever */
	HART_BACK, /* the firmware refused (hart_leave.err): it is about to take part again */
	HART_LOST, /* GONE, and nobody waits for it any more: it is FAILED */
};

/*
 * Asks `h`, which runs nothing but its idle thread and gets no threads, to leave; `heir` is online
 * until hart_leave_answer has answered. The hart does it when it idles next. Thread.
 */
void hart_leave_ask(struct hart_meta *h, enum hart_leave_how how, struct hart_meta *heir);
/* 0: it is gone, and the firmware says so; 1: not yet; -Exxx: it is back. Thread. */
int hart_leave_answer(const struct hart_meta *h);
/* The firmware has not said so for long: the hart is FAILED from now on, and joins like a late one
 * if it comes back. False: it has not come that far, or is back. Thread, under the lock of the life
 * of harts. */
bool hart_leave_give_up(struct hart_meta *h);
/* Was it given up like that, and does the firmware still not say so? Either. */
bool hart_leave_stuck(const struct hart_meta *h);

/* In the idle thread, SIE off, before it sleeps: leaves if that was asked for. True: it was away,
 * or nearly so, and is back. */
bool hart_leave_if_asked(struct hart_meta *h);
/* First thing of a hart that comes from the firmware without its registers: if it is to be
 * suspended still, it suspends again and does not return. */
void hart_stay_suspended(struct hart_meta *h);

/* For tests: the next firmware call that would take a hart away fails... */
void hart_leave_fail(void);
/* ... or, from now on, does not begin before this is over. */
void hart_leave_hold(bool on);

#endif
