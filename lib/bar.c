/* SPDX-License-Identifier: MIT */
/* Bars of a chart over time: lib/bar.h. */
#include "lib/bar.h"

static char mark_at(uint64_t time, const uint64_t *at, unsigned nr, const char *marks)
{
	for (unsigned i = nr; i-- > 0;)
		if (at[i] && at[i] <= time)
			return marks[1 + i];
	return marks[0];
}

void bar_draw(char *out, unsigned width, uint64_t from, uint64_t to, const uint64_t *at,
	unsigned nr, const char *marks)
{
	uint64_t span = to > from ? to - from : 0;

	for (unsigned c = 0; c < width; c++) {
		/* span * (c + 1) / width, also where the product does not fit. */
		uint64_t end = span / width * (c + 1) + span % width * (c + 1) / width;

		out[c] = mark_at(from + end, at, nr, marks);
	}
	out[width] = '\0';
}
