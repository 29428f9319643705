/* SPDX-License-Identifier: MIT */
/*
 * What the boot arguments say about which harts are brought up, and how. Pure: kernel/hart/modes.c
 * does it.
 *
 *	harts=[MODE][,LIST]	MODE and LIST as below, in this order
 *	maxharts=N		no more than N at boot, the boot hart counted, and none by demand
 *				beyond N
 *
 * MODE
 *   parallel	(the default) every start is issued, then the arrivals are awaited
 *   sequential	a start is issued when the hart before it runs
 *   tree	a hart that runs starts two more
 *   lazy	only the boot hart; the others one by one as there is demand for them
 *		(kernel/task/lazy.c)
 *   cold	only the boot hart, and no other is ever started before it is asked for
 * LIST is indices such as 0,2,5-7: those are brought up at boot, by MODE. Without it that is all of
 * them, or with lazy and cold the boot hart alone. The boot hart runs whatever LIST says.
 *
 * Whoever is left out has been started once and stopped, because a hart that never was started
 * spins in OpenSBI 1.1 and slows the whole machine; but for `cold`, whose sense is to measure first
 * starts.
 */
#ifndef KERNEL_HART_PLAN_H
#define KERNEL_HART_PLAN_H

#include "kernel/hart/mask.h"

enum bring_mode {
	BRING_PARALLEL,
	BRING_SEQUENTIAL,
	BRING_TREE,
	BRING_LAZY,
	BRING_COLD
};

struct bring_plan {
	enum bring_mode mode;
	bool listed;
	struct hart_mask list; /* if `listed` */
	unsigned most;	       /* at least 1 */
};

/* The value of harts=, for harts 0..nr-1. 0, or -EINVAL: *plan is as it was. */
int plan_parse(const char *text, unsigned nr, struct bring_plan *plan);
/* Who is to run when the boot is through, of harts 0..nr-1: `boot` among them. */
void plan_wanted(
	const struct bring_plan *plan, unsigned nr, unsigned boot, struct hart_mask *wanted);
const char *plan_mode_name(enum bring_mode mode);

#endif
