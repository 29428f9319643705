/* SPDX-License-Identifier: MIT */
/*
 * The inside of a slab: 2^order pages cut into objects of one size. Pure: the caller serialises,
 * and gives the slab's head descriptor and memory. Also compiled for the host.
 *
 * A free object holds the number of the next free one: in its first bytes, or, with checks, in the
 * trailer behind it, because then every byte of a free object is poison.
 *
 * With checks each object is followed by a red zone (from the bytes that were asked for up to the
 * trailer, and the trailer's first word), by its state and by who changed that last:
 *
 *	| used bytes | red up to the trailer | red word | state, next, used | pc |
 */
#ifndef KERNEL_MM_SLABPAGE_H
#define KERNEL_MM_SLABPAGE_H

#include "kernel/mm/buddy.h"

#define SLAB_NONE UINT16_MAX /* no object in a link */
#define SLAB_ORDER_MAX 3

struct slab_shape {
	uint32_t size;	  /* of an object, as asked for */
	uint32_t stride;  /* from one to the next */
	uint32_t trailer; /* offset of the trailer in an object, with checks */
	uint16_t objects; /* in a slab */
	uint8_t order;	  /* of a slab */
	bool checks;
};

/* `size` in 1..2048, `align` a power of two in 1..4096 (at least 16 is used). */
void slab_shape_init(struct slab_shape *shape, size_t size, size_t align, bool checks);
/* A fresh slab: every object free. */
void slab_page_init(const struct slab_shape *shape, struct page *head, void *memory);
/* Takes a free object; there must be one (head->free_head is not SLAB_NONE). */
void *slab_page_take(const struct slab_shape *shape, struct page *head, void *memory);
void slab_page_put(const struct slab_shape *shape, struct page *head, void *memory, void *obj);
/* Whether `obj` is where an object begins. */
bool slab_page_holds(const struct slab_shape *shape, const void *memory, const void *obj);

/*
 * Checks of one object as it is given out (`used` of its bytes), or given back, by `pc`: NULL, or
 * what is wrong (then nothing was changed). Without checks both are empty. *last_pc: who changed
 * its state before.
 */
const char *slab_obj_mark_used(
	const struct slab_shape *shape, void *obj, size_t used, uintptr_t pc, uintptr_t *last_pc);
const char *slab_obj_mark_free(
	const struct slab_shape *shape, void *obj, uintptr_t pc, uintptr_t *last_pc);

/* Bytes of an object that its owner may use. */
size_t slab_obj_size(const struct slab_shape *shape, const void *obj);

#endif
