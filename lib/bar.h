/* SPDX-License-Identifier: MIT */
/* A bar of a chart over time, as text. Pure. */
#ifndef LIB_BAR_H
#define LIB_BAR_H

#include "lib/types.h"

/*
 * Stages of something, one after the other: at[i] is when stage i began, 0: it did not (or that is
 * not known). out gets `width` characters and the terminator: each stands for an equal part of the
 * time [from, to], and is marks[1 + i] of the last stage that had begun by the end of that part,
 * marks[0] if none had. `marks` has nr + 1 characters; width > 0. A stage that is over within one
 * character is not seen.
 */
void bar_draw(char *out, unsigned width, uint64_t from, uint64_t to, const uint64_t *at,
	unsigned nr, const char *marks);

#endif
