/* SPDX-License-Identifier: MIT */
/* The deadlock card: who waits for whom, with what in hand. */
#ifndef KERNEL_PANIC_CARD_H
#define KERNEL_PANIC_CARD_H

#include "kernel/hart/hart.h"
#include "kernel/wait/chain.h"

/*
 * Prints a card for every member of the chain: what it waits for and where, what it holds and where
 * it got that, and whether interrupts are on there. After the other harts were stopped. Anywhere;
 * takes no lock.
 */
void card_print(const struct chain *c);

/* The backtrace of what hart `h`, another one, does; marked if it is only what it left behind. */
void card_print_hart(const struct hart_meta *h);

/* "a thread", "the timer interrupt", ... */
const char *card_context(const struct lock_hart *h);

#endif
