/* SPDX-License-Identifier: MIT */
/* The order of timers: see timerq.h. */
#include "kernel/time/timerq.h"

static bool earlier(const struct rbnode *a, const struct rbnode *b)
{
	return rbtree_entry(a, struct timerq_node, rb)->deadline_ns <
		rbtree_entry(b, struct timerq_node, rb)->deadline_ns;
}

void timerq_tree_init(struct timerq_tree *q)
{
	rbtree_init(&q->tree);
	q->nr = 0;
}

void timerq_node_init(struct timerq_node *node)
{
	rbnode_init(&node->rb);
	node->deadline_ns = UINT64_MAX;
}

bool timerq_node_queued(const struct timerq_node *node)
{
	return rbnode_linked(&node->rb);
}

bool timerq_insert(struct timerq_tree *q, struct timerq_node *node, uint64_t deadline_ns)
{
	node->deadline_ns = deadline_ns;
	q->nr++;
	return rbtree_insert(&q->tree, &node->rb, earlier);
}

void timerq_remove(struct timerq_tree *q, struct timerq_node *node)
{
	rbtree_remove(&q->tree, &node->rb);
	q->nr--;
}

static struct timerq_node *first(const struct timerq_tree *q)
{
	struct rbnode *rb = rbtree_first(&q->tree);

	return rb ? rbtree_entry(rb, struct timerq_node, rb) : NULL;
}

uint64_t timerq_next_ns(const struct timerq_tree *q)
{
	const struct timerq_node *node = first(q);

	return node ? node->deadline_ns : UINT64_MAX;
}

struct timerq_node *timerq_pop_due(struct timerq_tree *q, uint64_t now_ns)
{
	struct timerq_node *node = first(q);

	if (!node || node->deadline_ns > now_ns)
		return NULL;
	timerq_remove(q, node);
	return node;
}
