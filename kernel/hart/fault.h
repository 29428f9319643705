/* SPDX-License-Identifier: MIT */
/*
 * Harts that do wrong on demand: kernel/hart/fault.c. What calls this costs nothing in a kernel
 * without CONFIG_HART_FAULTS, which has none of it.
 */
#ifndef KERNEL_HART_FAULT_H
#define KERNEL_HART_FAULT_H

#include "kernel/hart/hart.h"
#include "lib/hart_fault.h"

/* The boot arguments fault= and hartlate=. Boot hart, after hart_discover. */
void hart_fault_read(const char *args);
/* For tests: these faults and no others (lib/hart_fault.h), from the next start or stop on; who is
 * late goes on now. 0 or -EINVAL: none. Thread; nobody else starts or stops harts meanwhile. */
int hart_fault_set(const char *faults);
/* This hart runs already: what it was to do wrong as it comes is another one's. Boot, before any
 * start. */
void hart_fault_spare(const struct hart_meta *boot);
/* The boot waits for nobody any more: who is late by that goes on. Boot thread. */
void hart_fault_gone_on(void);

/* A start of `h` is about to be issued. Its starter. */
void hart_fault_arm(struct hart_meta *h);
/* ... is to be refused. Its starter. */
bool hart_fault_refused(const struct hart_meta *h);
/* ... has been issued, and is to be issued again. Its starter. */
bool hart_fault_twice(const struct hart_meta *h);
/* It has joined, and is to arrive once more. On it, SIE off. */
bool hart_fault_again(const struct hart_meta *h);
/* It is about to close its mailbox: posts a call to it if one is to be under way then. On it, SIE
 * off. */
void hart_fault_brink(struct hart_meta *h);
/* It is to be stopped like that. Either. */
bool hart_fault_stops(const struct hart_meta *h);
/* It is stopped: has it run that call, before it was gone? Thread. */
bool hart_fault_answered(const struct hart_meta *h);

/* Does what was asked for at this place; returns unless that ends it. On it, SIE off. */
void hart_fault_strike(struct hart_meta *h, enum hart_fault_place place);

static inline void hart_fault_at(struct hart_meta *h, enum hart_fault_place place)
{
	/* Relaxed: stored before the start, or cleared since. */
	if (CONFIG_HART_FAULTS && unlikely(atomic_load_u32(&h->strike[place], relaxed)))
		hart_fault_strike(h, place);
}

#endif
