/* SPDX-License-Identifier: MIT */
/* Sets of physical ranges. */
#include "kernel/mm/memmap.h"

#include "lib/errno.h"
#include "lib/string.h"

int range_set_add(struct range_set *s, uint64_t base, uint64_t end)
{
	unsigned first = 0, last;

	if (base >= end)
		return 0;
	/* [first, last): the ranges that the new one touches. */
	while (first < s->n && s->r[first].end < base)
		first++;
	for (last = first; last < s->n && s->r[last].base <= end; last++) {
		base = MIN(base, s->r[last].base);
		end = MAX(end, s->r[last].end);
	}
	if (first == last && s->n == RANGE_SET_MAX)
		return -ENOSPC;
	memmove(&s->r[first + 1], &s->r[last], (s->n - last) * sizeof(s->r[0]));
	s->r[first] = (struct mem_range){base, end};
	s->n = s->n - (last - first) + 1;
	return 0;
}

bool range_set_next_free(const struct range_set *in, const struct range_set *out, uint64_t *pos,
	struct mem_range *piece)
{
	for (unsigned i = 0; i < in->n; i++) {
		uint64_t base = MAX(in->r[i].base, *pos), end = in->r[i].end;

		for (unsigned j = 0; j < out->n && base < end; j++) {
			if (out->r[j].end <= base)
				continue;
			if (out->r[j].base > base) {
				end = MIN(end, out->r[j].base);
				break;
			}
			base = out->r[j].end;
		}
		if (base < end) {
			*piece = (struct mem_range){base, end};
			*pos = end;
			return true;
		}
	}
	return false;
}

uint64_t range_set_find(const struct range_set *in, const struct range_set *out, uint64_t size,
	uint64_t align, uint64_t low, uint64_t high)
{
	struct mem_range piece;
	uint64_t pos = low;

	while (range_set_next_free(in, out, &pos, &piece)) {
		uint64_t base = align_up(piece.base, align);
		uint64_t end = MIN(piece.end, high);

		if (base >= piece.base && base < end && end - base >= size)
			return base;
		if (piece.end >= high)
			break;
	}
	return 0;
}

uint64_t range_set_size(const struct range_set *s)
{
	uint64_t size = 0;

	for (unsigned i = 0; i < s->n; i++)
		size += s->r[i].end - s->r[i].base;
	return size;
}

uint64_t range_set_overlap(const struct range_set *s, uint64_t base, uint64_t end)
{
	uint64_t size = 0;

	for (unsigned i = 0; i < s->n; i++) {
		uint64_t from = MAX(s->r[i].base, base), to = MIN(s->r[i].end, end);

		if (from < to)
			size += to - from;
	}
	return size;
}
