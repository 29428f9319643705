/* SPDX-License-Identifier: MIT */
/*
 * The order of timers, apart from locks and hardware: a tree by deadline, first come first within
 * one deadline. Pure; the caller serialises.
 */
#ifndef KERNEL_TIME_TIMERQ_H
#define KERNEL_TIME_TIMERQ_H

#include "lib/rbtree.h"
#include "lib/types.h"

struct timerq_node {
	struct rbnode rb;
	uint64_t deadline_ns;
};

struct timerq_tree {
	struct rbtree tree;
	unsigned nr;
};

void timerq_tree_init(struct timerq_tree *q);
void timerq_node_init(struct timerq_node *node);
bool timerq_node_queued(const struct timerq_node *node);
/* Not queued before. Returns whether it is the first now. */
bool timerq_insert(struct timerq_tree *q, struct timerq_node *node, uint64_t deadline_ns);
/* Queued before. */
void timerq_remove(struct timerq_tree *q, struct timerq_node *node);
/* The first deadline, UINT64_MAX if there is none. */
uint64_t timerq_next_ns(const struct timerq_tree *q);
/* Takes the first node out if its deadline is at or before `now_ns`; NULL otherwise. */
struct timerq_node *timerq_pop_due(struct timerq_tree *q, uint64_t now_ns);

#endif
