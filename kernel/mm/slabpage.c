/* SPDX-License-Identifier: MIT */
/* The inside of a slab. */
#include "kernel/mm/slabpage.h"

#include "lib/assert.h"
#include "lib/string.h"

#define MIN_ALIGN 16
#define PAGE_BYTES 4096u

#define RED_BYTE 0xbb
#define RED_WORD UINT64_C(0xbbbbbbbbbbbbbbbb)
#define POISON_FREE 0x6b
#define POISON_NEW 0xa5
#define STATE_FREE 0xf4eeu
#define STATE_USED 0x05edu

struct trailer {
	uint64_t red;
	uint16_t state;
	uint16_t next;
	uint16_t used;
	uintptr_t pc;
};

static uint16_t *next_of(const struct slab_shape *shape, void *memory, unsigned i);
static struct trailer *trailer_of(const struct slab_shape *shape, void *obj);
static unsigned order_for(uint32_t stride);
static const char *check_red(const struct slab_shape *shape, void *obj, size_t from);
static bool all_bytes(const void *at, int byte, size_t n);

void slab_shape_init(struct slab_shape *shape, size_t size, size_t align, bool checks)
{
	uint32_t bytes = (uint32_t)size;

	assert(size > 0 && size <= 2048 && align <= PAGE_BYTES);
	*shape = (struct slab_shape){.size = bytes, .checks = checks};
	if (checks) {
		shape->trailer = align_up(bytes, (uint32_t)_Alignof(struct trailer));
		bytes = shape->trailer + (uint32_t)sizeof(struct trailer);
	}
	shape->stride = align_up(bytes, MAX((uint32_t)align, (uint32_t)MIN_ALIGN));
	shape->order = (uint8_t)order_for(shape->stride);
	shape->objects = (uint16_t)((PAGE_BYTES << shape->order) / shape->stride);
}

void slab_page_init(const struct slab_shape *shape, struct page *head, void *memory)
{
	head->free_head = 0;
	head->in_use = 0;
	for (unsigned i = 0; i < shape->objects; i++) {
		char *obj = (char *)memory + i * shape->stride;

		if (shape->checks) {
			memset(obj, POISON_FREE, shape->size);
			memset(obj + shape->size, RED_BYTE, shape->trailer - shape->size);
			*trailer_of(shape, obj) = (struct trailer){
				.red = RED_WORD, .state = STATE_FREE};
		}
		*next_of(shape, memory, i) = i + 1u < shape->objects ? (uint16_t)(i + 1)
								     : SLAB_NONE;
	}
}

void *slab_page_take(const struct slab_shape *shape, struct page *head, void *memory)
{
	unsigned i = head->free_head;

	assert(i < shape->objects);
	head->free_head = *next_of(shape, memory, i);
	head->in_use++;
	return (char *)memory + i * shape->stride;
}

void slab_page_put(const struct slab_shape *shape, struct page *head, void *memory, void *obj)
{
	unsigned i = (unsigned)((char *)obj - (char *)memory) / shape->stride;

	assert(head->in_use > 0);
	*next_of(shape, memory, i) = head->free_head;
	head->free_head = (uint16_t)i;
	head->in_use--;
}

bool slab_page_holds(const struct slab_shape *shape, const void *memory, const void *obj)
{
	uintptr_t offset = (uintptr_t)obj - (uintptr_t)memory;

	return offset < (uintptr_t)shape->objects * shape->stride && offset % shape->stride == 0;
}

const char *slab_obj_mark_used(
	const struct slab_shape *shape, void *obj, size_t used, uintptr_t pc, uintptr_t *last_pc)
{
	struct trailer *t = trailer_of(shape, obj);
	const char *wrong;

	if (!shape->checks)
		return NULL;
	*last_pc = t->pc;
	wrong = check_red(shape, obj, shape->size);
	if (wrong)
		return wrong;
	if (t->state != STATE_FREE)
		return "a free object does not say so: its red zone was overwritten";
	if (!all_bytes(obj, POISON_FREE, shape->size))
		return "written after it was freed";
	memset(obj, POISON_NEW, used);
	memset((char *)obj + used, RED_BYTE, shape->size - used);
	t->state = STATE_USED;
	t->used = (uint16_t)used;
	t->pc = pc;
	return NULL;
}

const char *slab_obj_mark_free(
	const struct slab_shape *shape, void *obj, uintptr_t pc, uintptr_t *last_pc)
{
	struct trailer *t = trailer_of(shape, obj);
	const char *wrong;

	if (!shape->checks)
		return NULL;
	*last_pc = t->pc;
	if (t->state == STATE_FREE)
		return "freed twice";
	if (t->state != STATE_USED || t->used > shape->size)
		return "written behind its end (state)";
	wrong = check_red(shape, obj, t->used);
	if (wrong)
		return wrong;
	memset(obj, POISON_FREE, shape->size);
	t->state = STATE_FREE;
	t->pc = pc;
	return NULL;
}

size_t slab_obj_size(const struct slab_shape *shape, const void *obj)
{
	return shape->checks ? trailer_of(shape, (void *)obj)->used : shape->size;
}

static const char *check_red(const struct slab_shape *shape, void *obj, size_t from)
{
	if (!all_bytes((char *)obj + from, RED_BYTE, shape->trailer - from) ||
		trailer_of(shape, obj)->red != RED_WORD)
		return "written behind its end";
	return NULL;
}

static struct trailer *trailer_of(const struct slab_shape *shape, void *obj)
{
	return (struct trailer *)((char *)obj + shape->trailer);
}

static uint16_t *next_of(const struct slab_shape *shape, void *memory, unsigned i)
{
	char *obj = (char *)memory + i * shape->stride;

	return shape->checks ? &trailer_of(shape, obj)->next : (uint16_t *)obj;
}

/* Smallest slab that wastes at most an eighth and holds eight objects, or else the largest. */
static unsigned order_for(uint32_t stride)
{
	for (unsigned order = 0; order < SLAB_ORDER_MAX; order++) {
		uint32_t bytes = PAGE_BYTES << order;

		if (bytes / stride >= 8 && bytes % stride <= bytes / 8)
			return order;
	}
	return SLAB_ORDER_MAX;
}

static bool all_bytes(const void *at, int byte, size_t n)
{
	const unsigned char *p = at;

	while (n-- > 0)
		if (*p++ != byte)
			return false;
	return true;
}
