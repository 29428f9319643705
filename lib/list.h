/* SPDX-License-Identifier: MIT */
/*
 * Circular doubly linked lists with an anchor; the nodes lie in the elements. No locks: whoever
 * owns a list says which lock guards it.
 *
 * A node is linked or not; list_remove leaves it unlinked, and so is a zeroed or initialised one.
 * Pushing a linked node is a bug and asserted.
 */
#ifndef LIB_LIST_H
#define LIB_LIST_H

#include "lib/assert.h"
#include "lib/types.h"

struct list_node {
	struct list_node *next, *prev;
};

struct list {
	struct list_node head;
};

#define LIST_INIT(name) \
	{ \
		{ \
			&(name).head, &(name).head \
		} \
	}

static inline void list_init(struct list *l)
{
	l->head.next = &l->head;
	l->head.prev = &l->head;
}

static inline void list_node_init(struct list_node *n)
{
	n->next = n;
	n->prev = n;
}

static inline bool list_node_linked(const struct list_node *n)
{
	return n->next && n->next != n;
}

static inline bool list_empty(const struct list *l)
{
	return l->head.next == &l->head;
}

/* `next` may be the anchor: then n becomes the last one. */
static inline void list_insert_before(struct list_node *next, struct list_node *n)
{
	assert(!list_node_linked(n));
	n->next = next;
	n->prev = next->prev;
	next->prev->next = n;
	next->prev = n;
}

static inline void list_insert_after(struct list_node *prev, struct list_node *n)
{
	list_insert_before(prev->next, n);
}

static inline void list_push_front(struct list *l, struct list_node *n)
{
	list_insert_before(l->head.next, n);
}

static inline void list_push_back(struct list *l, struct list_node *n)
{
	list_insert_before(&l->head, n);
}

/* Does nothing to a node that is not linked. */
static inline void list_remove(struct list_node *n)
{
	if (!list_node_linked(n))
		return;
	assert(n->next->prev == n && n->prev->next == n);
	n->next->prev = n->prev;
	n->prev->next = n->next;
	list_node_init(n);
}

static inline struct list_node *list_first(const struct list *l)
{
	return list_empty(l) ? NULL : l->head.next;
}

static inline struct list_node *list_last(const struct list *l)
{
	return list_empty(l) ? NULL : l->head.prev;
}

/* The neighbours of a linked node, NULL at the ends. */
static inline struct list_node *list_next(const struct list *l, const struct list_node *n)
{
	return n->next == &l->head ? NULL : n->next;
}

static inline struct list_node *list_prev(const struct list *l, const struct list_node *n)
{
	return n->prev == &l->head ? NULL : n->prev;
}

static inline struct list_node *list_pop_front(struct list *l)
{
	struct list_node *n = list_first(l);

	if (n)
		list_remove(n);
	return n;
}

static inline struct list_node *list_pop_back(struct list *l)
{
	struct list_node *n = list_last(l);

	if (n)
		list_remove(n);
	return n;
}

/* Moves all nodes of `from` to the end of `to`, in order; `from` is empty then. */
static inline void list_splice_back(struct list *to, struct list *from)
{
	if (list_empty(from))
		return;
	from->head.next->prev = to->head.prev;
	to->head.prev->next = from->head.next;
	from->head.prev->next = &to->head;
	to->head.prev = from->head.prev;
	list_init(from);
}

/* Counts them: O(n). */
static inline size_t list_length(const struct list *l)
{
	size_t n = 0;

	for (const struct list_node *i = l->head.next; i != &l->head; i = i->next)
		n++;
	return n;
}

#define list_entry(node, type, member) container_of(node, type, member)
#define list_first_entry(list, type, member) \
	({ \
		struct list_node *first_ = list_first(list); \
		first_ ? list_entry(first_, type, member) : NULL; \
	})

#define list_for_each(pos, list) \
	for (pos = (list)->head.next; pos != &(list)->head; pos = pos->next)

/*
 * `pos` is a pointer to the element type, declared by the caller. After a loop that was not left by
 * break it points at no element. The plain form must not remove `pos`; the safe form may remove it
 * (and nothing else).
 */
#define list_for_each_entry(pos, list, member) \
	for (pos = list_pos_((list)->head.next, pos, member); \
		list_pos_node_(pos, member) != &(list)->head; \
		pos = list_pos_(list_pos_node_(pos, member)->next, pos, member))

#define list_for_each_entry_safe(pos, tmp, list, member) \
	for (pos = list_pos_((list)->head.next, pos, member), \
	    tmp = list_pos_(list_pos_node_(pos, member)->next, pos, member); \
		list_pos_node_(pos, member) != &(list)->head; \
		pos = tmp, tmp = list_pos_(list_pos_node_(pos, member)->next, pos, member))

/* Through integers, so that the anchor, which lies in no element, may pass through `pos`. */
#define list_pos_(node, pos, member) \
	((__typeof__(pos))((uintptr_t)(node) - offsetof(__typeof__(*(pos)), member)))
#define list_pos_node_(pos, member) \
	((struct list_node *)((uintptr_t)(pos) + offsetof(__typeof__(*(pos)), member)))

#endif
