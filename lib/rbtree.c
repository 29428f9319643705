/* SPDX-License-Identifier: MIT */
/*
 * Red-black trees: lib/rbtree.h.
 *
 * Invariants: the root is black; a red node has black children (a missing child counts as black);
 * every way from the root to a missing child passes the same number of black nodes.
 *
 * insert and remove first link as in any binary tree, then repair upwards. Repairs that mirror each
 * other are one text: `side` says which child the trouble is, `!side` is the other one.
 */
#include "lib/rbtree.h"
#include "lib/assert.h"

#define BLACK 1ul
#define LINKED 2ul
#define BITS 3ul

static_assert(_Alignof(struct rbnode) >= 4, "two bits of a parent pointer are ours");

enum side {
	LEFT,
	RIGHT
};

static struct rbnode *parent(const struct rbnode *n)
{
	return (struct rbnode *)(n->parent_bits & ~BITS);
}

static void set_parent(struct rbnode *n, const struct rbnode *p)
{
	n->parent_bits = (uintptr_t)p | (n->parent_bits & BITS);
}

static bool is_red(const struct rbnode *n)
{
	return n && !(n->parent_bits & BLACK);
}

static void set_black(struct rbnode *n)
{
	n->parent_bits |= BLACK;
}

static void set_red(struct rbnode *n)
{
	n->parent_bits &= ~BLACK;
}

static void copy_colour(struct rbnode *n, const struct rbnode *from)
{
	n->parent_bits = (n->parent_bits & ~BLACK) | (from->parent_bits & BLACK);
}

static struct rbnode **child(struct rbnode *n, enum side side)
{
	return side == LEFT ? &n->left : &n->right;
}

static enum side side_of(const struct rbnode *p, const struct rbnode *n)
{
	return p->left == n ? LEFT : RIGHT;
}

/* Puts `new`, which may be NULL, where `old` hangs. */
static void replace(struct rbtree *t, struct rbnode *old, struct rbnode *new)
{
	struct rbnode *p = parent(old);

	if (!p)
		t->root = new;
	else
		*child(p, side_of(p, old)) = new;
	if (new)
		set_parent(new, p);
}

/* n goes down to `side`; its child of the other side takes its place. */
static void rotate(struct rbtree *t, struct rbnode *n, enum side side)
{
	struct rbnode *up = *child(n, !side);
	struct rbnode *inner = *child(up, side);

	replace(t, n, up);
	*child(up, side) = n;
	set_parent(n, up);
	*child(n, !side) = inner;
	if (inner)
		set_parent(inner, n);
}

static struct rbnode *outermost(struct rbnode *n, enum side side)
{
	while (n && *child(n, side))
		n = *child(n, side);
	return n;
}

/* The neighbour of n in order, on `side`. */
static struct rbnode *neighbour(const struct rbnode *n, enum side side)
{
	struct rbnode *at = (struct rbnode *)n, *p;

	if (*child(at, side))
		return outermost(*child(at, side), !side);
	for (p = parent(at); p && side_of(p, at) == side; p = parent(at))
		at = p;
	return p;
}

/* n is red; only it may have a red parent. */
static void repair_insert(struct rbtree *t, struct rbnode *n)
{
	struct rbnode *p, *grand, *uncle;

	while (is_red(p = parent(n))) {
		enum side side;

		grand = parent(p); /* is there: p is red, so not the root */
		side = side_of(grand, p);
		uncle = *child(grand, !side);
		if (is_red(uncle)) {
			set_black(p);
			set_black(uncle);
			set_red(grand);
			n = grand;
			continue;
		}
		if (side_of(p, n) != side) {
			rotate(t, p, side);
			p = n;
		}
		set_black(p);
		set_red(grand);
		rotate(t, grand, !side);
		break;
	}
	set_black(t->root);
}

bool rbtree_insert(struct rbtree *t, struct rbnode *n, rbtree_less *less)
{
	struct rbnode *p = NULL, **link = &t->root;
	bool first = true;

	assert(!rbnode_linked(n));
	while (*link) {
		p = *link;
		if (less(n, p)) {
			link = &p->left;
		} else {
			link = &p->right;
			first = false;
		}
	}
	*link = n;
	n->left = NULL;
	n->right = NULL;
	n->parent_bits = (uintptr_t)p | LINKED;
	if (first)
		t->leftmost = n;
	repair_insert(t, n);
	return first;
}

/* The way through the `side` child of p, which may be missing, lacks one black node. */
static void repair_remove(struct rbtree *t, struct rbnode *p, struct rbnode *n)
{
	while (p && !is_red(n)) {
		enum side side = side_of(p, n);
		struct rbnode *other = *child(p, !side); /* is there: its way has more black */

		if (is_red(other)) {
			set_black(other);
			set_red(p);
			rotate(t, p, side);
			other = *child(p, !side);
		}
		if (!is_red(other->left) && !is_red(other->right)) {
			set_red(other);
			n = p;
			p = parent(n);
			continue;
		}
		if (!is_red(*child(other, !side))) {
			set_black(*child(other, side));
			set_red(other);
			rotate(t, other, !side);
			other = *child(p, !side);
		}
		copy_colour(other, p);
		set_black(p);
		set_black(*child(other, !side));
		rotate(t, p, side);
		return;
	}
	if (n)
		set_black(n);
}

/* n has two children: its successor, which has no left child, takes its place and colour. */
static void remove_inner(struct rbtree *t, struct rbnode *n)
{
	struct rbnode *next = outermost(n->right, LEFT);
	struct rbnode *below = next->right, *p = parent(next);
	bool was_red = is_red(next);

	if (p == n) {
		p = next;
	} else {
		replace(t, next, below);
		next->right = n->right;
		set_parent(next->right, next);
	}
	replace(t, n, next);
	next->left = n->left;
	set_parent(next->left, next);
	copy_colour(next, n);
	if (!was_red)
		repair_remove(t, p, below);
}

void rbtree_remove(struct rbtree *t, struct rbnode *n)
{
	struct rbnode *below = n->left ? n->left : n->right;

	assert(rbnode_linked(n));
	if (t->leftmost == n)
		t->leftmost = rbtree_next(n);
	if (n->left && n->right) {
		remove_inner(t, n);
	} else {
		replace(t, n, below);
		if (!is_red(n))
			repair_remove(t, parent(n), below);
	}
	rbnode_init(n);
}

struct rbnode *rbtree_last(const struct rbtree *t)
{
	return outermost(t->root, RIGHT);
}

struct rbnode *rbtree_next(const struct rbnode *n)
{
	return neighbour(n, RIGHT);
}

struct rbnode *rbtree_prev(const struct rbnode *n)
{
	return neighbour(n, LEFT);
}

struct rbnode *rbtree_lower_bound(const struct rbtree *t,
	bool (*before)(const struct rbnode *n, const void *ctx), const void *ctx)
{
	struct rbnode *n = t->root, *best = NULL;

	while (n) {
		if (before(n, ctx)) {
			n = n->right;
		} else {
			best = n;
			n = n->left;
		}
	}
	return best;
}

/* Black height of the tree below n, -1 if something is wrong in it; counts its nodes. */
static int check_below(const struct rbnode *n, const struct rbnode *p, size_t *count)
{
	int left, right;

	if (!n)
		return 0;
	if (!rbnode_linked(n) || parent(n) != p || (is_red(n) && is_red(p)))
		return -1;
	++*count;
	left = check_below(n->left, n, count);
	right = check_below(n->right, n, count);
	if (left < 0 || left != right)
		return -1;
	return left + !is_red(n);
}

bool rbtree_valid(const struct rbtree *t, rbtree_less *less, size_t count)
{
	const struct rbnode *previous = NULL;
	size_t found = 0;

	if (is_red(t->root) || check_below(t->root, NULL, &found) < 0 || found != count)
		return false;
	if (t->leftmost != outermost(t->root, LEFT))
		return false;
	rbtree_for_each(n, t) {
		if (previous && less(n, previous))
			return false;
		previous = n;
	}
	return true;
}
