/* SPDX-License-Identifier: MIT */
/* Who waits for whom: chains and cycles of waits (kernel/lock/waiting.h). Theory: chain.c. */
#ifndef KERNEL_WAIT_CHAIN_H
#define KERNEL_WAIT_CHAIN_H

#include "kernel/lock/context.h"
#include "lib/types.h"

/* Longer cycles are not recognised as such; whoever waits in one is found by the watch. */
#define CHAIN_MAX 32

struct chain_member {
	const struct lock_hart *hart;	  /* that waits with interrupts off; NULL: a thread waits */
	const struct lock_thread *thread; /* that waits, or runs on that hart */
	struct wait_seen wait;		  /* the last member of an open chain may have none */
};

/* Each member waits for what the next one has, in a closed one the last for what the first has. */
struct chain {
	unsigned nr;
	bool closed;
	const void *at; /* frame pointer of who found it as he waited, NULL: a watcher did */
	struct chain_member m[CHAIN_MAX];
};

/*
 * Follows the waits from the hart (interrupts off) or the running thread, which has begun its wait,
 * back to it. True: a cycle, in which all waited at one moment, so for ever. Takes no lock;
 * preemption or interrupts off, SIE as it is.
 */
bool chain_closes_hart(struct chain *c);
bool chain_closes_thread(struct chain *c);
/*
 * A circle anywhere among all harts and threads, looked for from each of them: for who has seen
 * that nobody goes on, and is perhaps in none himself. True: the same proof. The same context.
 */
bool chain_find(struct chain *c);
/* The second look of both: each member is in the very wait that the chain has of it, for what the
 * next one has. The same context. */
bool chain_holds(const struct chain *c);
/*
 * The chain that begins with hart `h` or (NULL) with thread `t`, as far as it can be followed: its
 * last member waits for nothing, or for what nobody is known to have. Where several could end a
 * wait it goes on with the first. False: the first one does not wait, or one of them goes on by
 * itself. One look, proof of nothing: for who watches. The same context.
 */
bool chain_follow(struct chain *c, const struct lock_hart *h, const struct lock_thread *t);

/* What it is that is waited for: "crash_a", "the end of a thread", ... */
const char *chain_what(const struct wait_seen *wait);

#endif
