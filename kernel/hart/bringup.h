/* SPDX-License-Identifier: MIT */
/*
 * Between finding a hart in the tree and having it: what the rooms above kernel/hart do for it.
 *
 * kernel/hart knows no memory and no threads. It keeps what the tree says of each hart; the room
 * that has memory (kernel/task/bringup.c) gives each a hart_meta with stacks, queues and an idle
 * thread, and hands it back by hart_attach. The boot hart's hart_meta is static.
 */
#ifndef KERNEL_HART_BRINGUP_H
#define KERNEL_HART_BRINGUP_H

#include "kernel/hart/hart.h"
#include "kernel/hart/plan.h"
#include "lib/fdt.h"

/* What the tree says about the hart of this index. Constant after hart_discover. */
const struct fdt_hart *hart_found(unsigned index);
/* h (zeroed but for what is the caller's) becomes the hart of this index: not started yet. */
void hart_attach(struct hart_meta *h, unsigned index);
/* Called by a hart that came online after the boot had gone on, or just then; on it, SIE off. */
void hart_set_late_hook(void (*late)(struct hart_meta *h));
/* After how long without any arrival the missing ones are given up. Returns what it was. */
uint64_t hart_set_patience(uint64_t ns);
/* May who has waited for one hart since then, with so many naps, give it up? Both must be many: the
 * clock may have run while no hart did. */
bool hart_waited_long(uint64_t since_ns, unsigned naps);
/* After how long without any arrival hart_start_all returns, if that is earlier. */
void hart_set_hold(uint64_t ns);
/* How the two below wait, in the thread that calls them: sleeps for about so long. */
void hart_set_nap(void (*nap)(uint64_t ns));
/*
 * Starts a hart that is STOPPED or FAILED, and waits for it: 0, it is ONLINE; or the firmware's
 * refusal, it is where it was; or -EBUSY, the firmware is still stopping it, it is where it was; or
 * -ETIMEDOUT, it is FAILED and may still come; or -EFAULT, it is FAILED, for it died before it
 * joined. The same for one that is SUSPENDED, which may have
 * FAILED on its way there or back. Thread, may sleep, under the lock of the life of harts.
 */
int hart_bring_up(struct hart_meta *h);
int hart_call_back(struct hart_meta *h);
/* What a hart that comes does first, or one that did not go after all: opens its mailbox, is in
 * harts_online, has flushed. On it, SIE off. */
void hart_open(struct hart_meta *h);
/* First thing of a hart that was started: if it is asked to, it stops and does not return. SIE off.
 */
void hart_park_if_asked(struct hart_meta *h);
/* It takes part in nothing yet, so a fault of it harms nobody else: it may stop for it. On it. */
bool hart_may_die(const struct hart_meta *h);
/* It was given up, and is in the kernel, or on its way, in the firmware's eyes: nothing can be done
 * but wait. Either. */
bool hart_is_hung(const struct hart_meta *h);
/* After it has joined: starts those that are below it in the tree, while the boot brings harts up
 * by one. SIE off, or the boot thread. */
void hart_start_children(const struct hart_meta *h);

/* The boot arguments harts= and maxharts=. Boot hart, after hart_discover. */
void hart_read_plan(const char *args);
const struct bring_plan *hart_plan(void);
/* The boot has still to start it, or could not yet. */
bool hart_is_due(const struct hart_meta *h);

/* For tests: the firmware refuses the next start. */
void hart_start_fail(void);

/* Harts of the tree that are not among nr_harts: disabled, unsuited, or too many. */
struct hart_skips {
	unsigned disabled, unsuited, malformed, beyond;
};
extern struct hart_skips hart_skips;

#endif
