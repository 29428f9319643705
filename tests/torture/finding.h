/* SPDX-License-Identifier: MIT */
/*
 * What a run finds: the first finding is told, the others are counted. They come from many threads
 * and handlers at once; what is wrong has mostly one cause, and shows more than once.
 */
#ifndef TESTS_TORTURE_FINDING_H
#define TESTS_TORTURE_FINDING_H

#include "kernel/lock/atomic.h"
#include "lib/printf.h"
#include "lib/types.h"

struct finding {
	/* Relaxed: read after all have ended, or as a hint to end. */
	atomic_u32 n;
	char text[160]; /* the first one's; written by whoever raised n from 0 */
};

static inline bool finding_any(const struct finding *f)
{
	return atomic_load_u32(&f->n, relaxed);
}

/* True: this is the first one. Either. */
static inline bool finding_add(struct finding *f, const char *fmt, va_list ap)
{
	if (atomic_add_u32(&f->n, 1, relaxed))
		return false;
	vsnprintf(f->text, sizeof(f->text), fmt, ap);
	return true;
}

#endif
