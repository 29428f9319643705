/* SPDX-License-Identifier: MIT */
/*
 * Kernel stacks: mapped apart in the vmap area, with an unmapped guard page below each. Painted
 * when they are made, so that the deepest use can be read; freed ones are kept for the next thread.
 */
#ifndef KERNEL_MM_STACK_H
#define KERNEL_MM_STACK_H

#include "kernel/sched/thread.h"

/*
 * Fills s->base, top and generation. 0, -ENOMEM or -EINVAL (pages 0 or more than 64). `name` says
 * what it is for ("thread", "interrupt") and must live on. Thread, may sleep; also before threads
 * run.
 */
int stack_alloc_named(struct stack *s, unsigned pages, const char *name);
int stack_alloc(struct stack *s, unsigned pages);
/* The same with memory near a node, for a thread or hart there; else it is NODE_HERE's. */
int stack_alloc_near(struct stack *s, unsigned pages, const char *name, unsigned node);
/* Nobody runs on it any more. Thread, may sleep. */
void stack_free(struct stack *s);
/* Gives back the stacks that are kept for the next thread. Thread, may sleep. */
void stack_trim(void);

/* Greatest generation given so far: a hart that fences after reading it may use every stack of this
 * or a smaller generation. Either. */
uint64_t stack_generation(void);
/* Bytes ever used of a stack that stays while this runs. Either. */
size_t stack_high_water(const struct stack *s);

enum stack_place {
	STACK_NONE, /* in no stack that mm made */
	STACK_INSIDE,
	STACK_GUARD, /* in the guard page below one */
};
struct stack_info {
	struct stack stack;
	const char *name;
	bool in_use; /* false: kept for the next thread */
};
/* Which stack an address belongs to. Anywhere, also in panic: no locks, never faults. */
enum stack_place stack_lookup(uintptr_t addr, struct stack_info *out);
/* The i-th stack record, false behind the last one; records of no stack have base 0. Anywhere. */
bool stack_iterate(unsigned i, struct stack_info *out);
/* The same with the bytes ever used, of stacks that others may free meanwhile. Thread, may sleep.
 */
bool stack_usage(unsigned i, struct stack_info *out, size_t *used);

#endif
