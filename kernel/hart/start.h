/* SPDX-License-Identifier: MIT */
/* What start.c and park.c, one hart, and modes.c, all of them, share. By one thread at a time,
 * unless said. */
#ifndef KERNEL_HART_START_H
#define KERNEL_HART_START_H

#include "kernel/hart/bringup.h"

/* hart_meta.park: what a hart does that arrives. The starter asks; the hart stores PARK_DONE, by
 * compare-and-swap, and is stopped after that. */
enum hart_park {
	PARK_NOT,
	PARK_ASKED,
	PARK_DONE
};

/* How long nobody needs to arrive. */
extern uint64_t start_patience_ns, start_hold_ns;
void start_nap(void);
/* The boot waits for nobody any more. */
void start_gone_on(void);
/* It has been said of this hart that it is missing. */
void start_is_missing(const struct hart_meta *h);

/* Issues one start, of a hart whose state is `from`: 0; -EAGAIN: it is not ready for one yet, ask
 * again later; else the firmware's refusal: it is FAILED. Any hart, either; one caller a hart. */
int start_issue(struct hart_meta *h, uint32_t from);
/* A hart that stopped again without having been in the kernel is started again, one that was is
 * given up; for those that wait. 0 or as above. */
int start_repeat_if_lost(struct hart_meta *h);
/* STARTING -> STOPPED for a hart that has parked. False: it has, and the firmware does not say that
 * it has it. */
bool start_settle_parked(struct hart_meta *h);
/* STARTING -> FAILED unless it has arrived meanwhile. */
bool start_give_up(struct hart_meta *h, int err);

#endif
