/* SPDX-License-Identifier: MIT */
/*
 * The inside of a slab: objects disjoint, aligned and all usable; with checks every misuse is
 * named.
 *
 * Sources: kernel/mm/slabpage.c lib/random.c tests/host/harness.c
 */
#include "tests/host/harness.h"

#include <string.h>

#include "kernel/mm/slabpage.h"
#include "lib/random.h"

static _Alignas(4096) unsigned char memory[4096 << SLAB_ORDER_MAX];
static struct page head;

static void objects_fill_a_slab_without_overlap(size_t size, size_t align, bool checks)
{
	struct slab_shape shape;
	static void *objs[4096];
	unsigned n = 0;

	slab_shape_init(&shape, size, align, checks);
	assert_true(shape.objects > 0 && shape.stride >= size);
	assert_true((size_t)shape.objects * shape.stride <= 4096u << shape.order);
	memset(memory, 0x11, sizeof(memory));
	slab_page_init(&shape, &head, memory);
	while (head.free_head != SLAB_NONE) {
		uintptr_t last;
		unsigned char *obj = slab_page_take(&shape, &head, memory);

		assert_true(slab_page_holds(&shape, memory, obj));
		assert_int_equal((uintptr_t)obj % (align > 16 ? align : 16), 0);
		assert_null(slab_obj_mark_used(&shape, obj, size, 1, &last));
		memset(obj, (int)(n & 0xff), size);
		objs[n++] = obj;
	}
	assert_int_equal(n, shape.objects);
	assert_int_equal(head.in_use, n);
	for (unsigned i = 0; i < n; i++) {
		unsigned char *obj = objs[i];
		uintptr_t last;

		for (size_t b = 0; b < size; b++)
			assert_int_equal(obj[b], i & 0xff);
		assert_null(slab_obj_mark_free(&shape, obj, 2, &last));
		slab_page_put(&shape, &head, memory, obj);
	}
	assert_int_equal(head.in_use, 0);
}

static void every_size_fills_its_slab(void **state)
{
	static const size_t aligns[] = {1, 16, 64, 256};

	(void)state;
	for (size_t size = 1; size <= 2048; size = size < 40 ? size + 1 : size + 37)
		for (unsigned a = 0; a < 4; a++) {
			objects_fill_a_slab_without_overlap(size, aligns[a], false);
			objects_fill_a_slab_without_overlap(size, aligns[a], true);
		}
	objects_fill_a_slab_without_overlap(2048, 4096, false);
	objects_fill_a_slab_without_overlap(2048, 1, true);
}

static void waste_is_at_most_an_eighth_where_it_can_be(void **state)
{
	(void)state;
	for (size_t size = 16; size <= 2048; size += 16) {
		struct slab_shape shape;
		size_t bytes, waste;

		slab_shape_init(&shape, size, 16, false);
		bytes = (size_t)4096 << shape.order;
		waste = bytes - (size_t)shape.objects * shape.stride;
		assert_true(waste <= bytes / 8);
	}
}

static void random_use_gives_each_object_once(void **state)
{
	struct slab_shape shape;
	void *held[256];
	struct rng rng;
	unsigned n = 0;
	uintptr_t last;

	(void)state;
	rng_seed(&rng, host_seed());
	slab_shape_init(&shape, 48, 16, true);
	slab_page_init(&shape, &head, memory);
	for (unsigned step = 0; step < 50000; step++) {
		if (head.free_head != SLAB_NONE && rng_below(&rng, 2)) {
			void *obj = slab_page_take(&shape, &head, memory);

			for (unsigned i = 0; i < n; i++)
				assert_ptr_not_equal(held[i], obj);
			assert_null(slab_obj_mark_used(&shape, obj, 48, step, &last));
			held[n++] = obj;
		} else if (n > 0) {
			unsigned i = (unsigned)rng_below(&rng, n);

			assert_null(slab_obj_mark_free(&shape, held[i], step, &last));
			slab_page_put(&shape, &head, memory, held[i]);
			held[i] = held[--n];
		}
		assert_int_equal(head.in_use, n);
	}
}

static unsigned char *used_object(struct slab_shape *shape, size_t size)
{
	unsigned char *obj;
	uintptr_t last;

	slab_shape_init(shape, size, 16, true);
	slab_page_init(shape, &head, memory);
	obj = slab_page_take(shape, &head, memory);
	assert_null(slab_obj_mark_used(shape, obj, size, 1, &last));
	return obj;
}

static void a_write_behind_the_end_is_seen(void **state)
{
	(void)state;
	for (size_t size = 1; size < 64; size++) {
		struct slab_shape shape;
		unsigned char *obj = used_object(&shape, size);
		uintptr_t last = 0;

		obj[size]++;
		assert_non_null(slab_obj_mark_free(&shape, obj, 2, &last));
		assert_int_equal(last, 1);
		obj[size]--;
		assert_null(slab_obj_mark_free(&shape, obj, 2, &last));
	}
}

static void a_write_behind_what_was_asked_for_is_seen(void **state)
{
	(void)state;
	for (size_t used = 1; used < 64; used++) {
		struct slab_shape shape;
		unsigned char *obj;
		uintptr_t last = 0;

		slab_shape_init(&shape, 64, 16, true);
		slab_page_init(&shape, &head, memory);
		obj = slab_page_take(&shape, &head, memory);
		assert_null(slab_obj_mark_used(&shape, obj, used, 5, &last));
		assert_int_equal(slab_obj_size(&shape, obj), used);
		memset(obj, 0, used);
		obj[used]++;
		assert_string_equal(
			slab_obj_mark_free(&shape, obj, 6, &last), "written behind its end");
		obj[used]--;
		assert_null(slab_obj_mark_free(&shape, obj, 6, &last));
	}
}

static void a_second_free_is_seen(void **state)
{
	struct slab_shape shape;
	unsigned char *obj = used_object(&shape, 40);
	uintptr_t last;

	(void)state;
	assert_null(slab_obj_mark_free(&shape, obj, 77, &last));
	assert_string_equal(slab_obj_mark_free(&shape, obj, 3, &last), "freed twice");
	assert_int_equal(last, 77);
}

static void a_write_after_free_is_seen_at_every_byte(void **state)
{
	struct slab_shape shape;
	unsigned char *obj = used_object(&shape, 40);
	uintptr_t last;

	(void)state;
	assert_null(slab_obj_mark_free(&shape, obj, 2, &last));
	for (unsigned i = 0; i < 40; i++) {
		obj[i] ^= 1;
		assert_string_equal(slab_obj_mark_used(&shape, obj, 40, 3, &last),
			"written after it was freed");
		obj[i] ^= 1;
	}
	assert_null(slab_obj_mark_used(&shape, obj, 40, 3, &last));
}

static void pointers_into_objects_are_no_objects(void **state)
{
	struct slab_shape shape;

	(void)state;
	slab_shape_init(&shape, 96, 16, false);
	assert_true(slab_page_holds(&shape, memory, memory));
	assert_true(slab_page_holds(&shape, memory, memory + 96));
	assert_false(slab_page_holds(&shape, memory, memory + 16));
	assert_false(slab_page_holds(&shape, memory, memory + shape.objects * shape.stride));
	assert_false(slab_page_holds(&shape, memory, memory - 96));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_size_fills_its_slab),
		cmocka_unit_test(waste_is_at_most_an_eighth_where_it_can_be),
		cmocka_unit_test(random_use_gives_each_object_once),
		cmocka_unit_test(a_write_behind_the_end_is_seen),
		cmocka_unit_test(a_write_behind_what_was_asked_for_is_seen),
		cmocka_unit_test(a_second_free_is_seen),
		cmocka_unit_test(a_write_after_free_is_seen_at_every_byte),
		cmocka_unit_test(pointers_into_objects_are_no_objects),
	};

	return cmocka_run_group_tests_name("slab", tests, NULL, NULL);
}
