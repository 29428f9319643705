/* SPDX-License-Identifier: MIT */
/*
 * Which source should go to which hart, by the interrupts that each brought since the last look: a
 * question about numbers, asked under irq.lock by route.c, and by a test on the host.
 */
#ifndef KERNEL_IRQ_BALANCE_H
#define KERNEL_IRQ_BALANCE_H

#include "kernel/hart/mask.h"

/* Below so many interrupts on the busiest hart between two looks nothing is worth a move. */
#define IRQ_WORTH_A_MOVE 128
/* What was moved stays for so many looks. */
#define IRQ_RESTS 4

struct irq_balance_source {
	uint32_t events;	       /* since the last look */
	unsigned hart;		       /* index it is routed to */
	bool rests;		       /* may not move now */
	const struct hart_mask *harts; /* it may go to those of them that are online */
};

/*
 * Looks for the busiest source of the busiest online hart that is worth a move to the least busy
 * hart of its own: *source gets its number and *hart that hart. False: all stays. load[] is room
 * for CONFIG_MAX_HARTS numbers. Either.
 *
 * Worth a move: it is more than an eighth of what the busiest hart has, and leaves the new hart at
 * least a quarter below that, so that the same interrupts never bring it back.
 */
bool irq_balance_pick(const struct irq_balance_source *sources, unsigned n,
	const struct hart_mask *online, uint32_t *load, unsigned *source, unsigned *hart);

#endif
