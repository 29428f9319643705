/* SPDX-License-Identifier: MIT */
/*
 * What a hart may be made to do wrong, as people write it (the boot argument fault=). Who does it:
 * kernel/hart/fault.c.
 *
 *	FAULT[,FAULT...]
 *	FAULT  hartN:hang@PLACE
 *	       hartN:die@PLACE
 *	       hartN:late@PLACE[+MS]
 *	       hartN:twice
 *	       hartN:stop@ipi
 *	       hartN:refuse
 *	PLACE  entry, mmu, traps, park, sched
 */
#ifndef LIB_HART_FAULT_H
#define LIB_HART_FAULT_H

#include "lib/types.h"

/* For boot.S, too: 0 is none. The first three have a place. */
enum hart_fault_kind {
	HART_HANGS = 1, /* stays there for ever */
	HART_DIES,	/* an exception there; not at `park`: it is done by then */
	HART_LATE,	/* stays there for so long, or until the boot has gone on without it */
	HART_TWICE,	/* is started twice, and arrives twice */
	HART_STOPS,	/* is stopped while an IPI to it is under way */
	HART_REFUSED,	/* the firmware does not start it */
};

/* The first three are the stages of arch/stage.h, in their order. */
enum hart_fault_place {
	FAULT_AT_ENTRY,
	FAULT_AT_MMU,
	FAULT_AT_TRAPS,
	FAULT_AT_PARK, /* it has said that it parks, and does not stop yet */
	FAULT_AT_JOIN, /* `sched`: all that is left to do is to join */
	FAULT_PLACES
};

struct hart_fault {
	unsigned hart;
	enum hart_fault_kind kind;
	enum hart_fault_place place; /* of the first three kinds */
	bool delayed;		     /* HART_LATE: by delay_ms, counted from its start */
	uint32_t delay_ms;
};

#define HART_FAULT_DELAY_MAX_MS 3600000u

/* The fault at the start of *text, which moves behind it and its comma. 0; -ENOENT: the text is
 * empty; -EINVAL: none stands there, both are as they were. A comma at the end is none either. */
int hart_fault_next(const char **text, struct hart_fault *fault);

#endif
