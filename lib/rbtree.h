/* SPDX-License-Identifier: MIT */
/*
 * Red-black trees; the nodes lie in the elements, and the leftmost one is kept at hand. No locks:
 * whoever owns a tree says which lock guards it.
 *
 * Equal keys stay in the order of their insertion. A node is linked or not; a zeroed or initialised
 * one is not, and rbtree_remove leaves it so. Depth is at most 2 log2(n + 1).
 */
#ifndef LIB_RBTREE_H
#define LIB_RBTREE_H

#include "lib/types.h"

struct rbnode {
	uintptr_t parent_bits; /* parent, bit 0: black, bit 1: linked */
	struct rbnode *left, *right;
};

struct rbtree {
	struct rbnode *root;
	struct rbnode *leftmost;
};

#define RBTREE_INIT {NULL, NULL}

/* Whether a comes before b. Must not change while either is linked. */
typedef bool rbtree_less(const struct rbnode *a, const struct rbnode *b);

static inline void rbtree_init(struct rbtree *t)
{
	t->root = NULL;
	t->leftmost = NULL;
}

static inline bool rbtree_empty(const struct rbtree *t)
{
	return !t->root;
}

/* Smallest node, NULL if there is none. O(1). */
static inline struct rbnode *rbtree_first(const struct rbtree *t)
{
	return t->leftmost;
}

static inline void rbnode_init(struct rbnode *n)
{
	n->parent_bits = 0;
	n->left = NULL;
	n->right = NULL;
}

static inline bool rbnode_linked(const struct rbnode *n)
{
	return n->parent_bits & 2;
}

/* Asserts that n is not linked. Returns whether it is the new first one. */
bool rbtree_insert(struct rbtree *t, struct rbnode *n, rbtree_less *less);
/* Asserts that n is linked; it has to be in t. */
void rbtree_remove(struct rbtree *t, struct rbnode *n);
struct rbnode *rbtree_last(const struct rbtree *t);
/* Neighbours in order, NULL at the ends. */
struct rbnode *rbtree_next(const struct rbnode *n);
struct rbnode *rbtree_prev(const struct rbnode *n);

/*
 * First node for which before(node, ctx) is false, NULL if there is none: lower bound of whatever
 * ctx stands for. `before` has to be true up to some node and false from there on.
 */
struct rbnode *rbtree_lower_bound(const struct rbtree *t,
	bool (*before)(const struct rbnode *n, const void *ctx), const void *ctx);

/*
 * Whether links, colours, black heights, order and the cached first node are as they should be, and
 * the tree has `count` nodes. For tests and debug configurations: O(n), recursive.
 */
bool rbtree_valid(const struct rbtree *t, rbtree_less *less, size_t count);

#define rbtree_entry(node, type, member) container_of(node, type, member)
#define rbtree_for_each(pos, tree) \
	for (struct rbnode *pos = rbtree_first(tree); pos; pos = rbtree_next(pos))

#endif
