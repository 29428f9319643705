/* SPDX-License-Identifier: MIT */
/* Between the rules of order (check_order.c), the other rules (check.c) and the reports. */
#ifndef KERNEL_LOCK_CHECK_ORDER_H
#define KERNEL_LOCK_CHECK_ORDER_H

#include "kernel/lock/check_graph.h"
#include "kernel/lock/check_internal.h"

/* The acquire that `v` describes is in order as far as context, ownership and rank go. */
void order_acquire(struct lock_hart *h, const struct violation *v, unsigned flags);
/* A test turns simulated interrupts on over raw records. */
void order_irqs_on(const struct held_lock *held, unsigned nr);

/* The cycle, with every edge's pair of backtraces. */
void print_path(const struct graph_path *path);

/* Something of the checker found no room: said once each, and the system goes on. */
enum full_table {
	FULL_NODES,
	FULL_EDGES,
	FULL_HISTORY,
	FULL_TABLES
};
void say_full(enum full_table table);
/* How many of them were said; with `again` they will be said once more. */
unsigned full_said(bool again);

#endif
