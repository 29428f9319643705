/* SPDX-License-Identifier: MIT */
/*
 * Sets of harts, by index.
 *
 * The words are atomics so that a mask which harts change for themselves (harts_online, an address
 * space's mask) can be walked while it changes: a walk then sees each bit as it was at some moment
 * of the walk. Functions without "atomic" in their name are for masks that one context owns: their
 * read-modify-write is not atomic.
 *
 * Ordering: every access here is relaxed but hart_mask_atomic_*, which are full read-modify-writes
 * with acquire and release. Whoever needs more states the fence at the call.
 */
#ifndef KERNEL_HART_MASK_H
#define KERNEL_HART_MASK_H

#include "kernel/lock/atomic.h"
#include "lib/types.h"

#define HART_MASK_WORD_BITS (8 * sizeof(unsigned long))
#define HART_MASK_WORDS ((CONFIG_MAX_HARTS + HART_MASK_WORD_BITS - 1) / HART_MASK_WORD_BITS)

struct hart_mask {
	atomic_ulong bits[HART_MASK_WORDS];
};

static inline unsigned long hart_mask_word(const struct hart_mask *m, unsigned word)
{
	return atomic_load_ulong(&m->bits[word], relaxed);
}

static inline unsigned long hart_mask_bit(unsigned hart)
{
	return 1ul << (hart % HART_MASK_WORD_BITS);
}

static inline bool hart_mask_test(const struct hart_mask *m, unsigned hart)
{
	return hart_mask_word(m, hart / HART_MASK_WORD_BITS) & hart_mask_bit(hart);
}

static inline void hart_mask_set(struct hart_mask *m, unsigned hart)
{
	unsigned word = hart / HART_MASK_WORD_BITS;

	atomic_store_ulong(&m->bits[word], hart_mask_word(m, word) | hart_mask_bit(hart), relaxed);
}

static inline void hart_mask_clear(struct hart_mask *m, unsigned hart)
{
	unsigned word = hart / HART_MASK_WORD_BITS;

	atomic_store_ulong(&m->bits[word], hart_mask_word(m, word) & ~hart_mask_bit(hart), relaxed);
}

static inline void hart_mask_zero(struct hart_mask *m)
{
	for (unsigned i = 0; i < HART_MASK_WORDS; i++)
		atomic_store_ulong(&m->bits[i], 0, relaxed);
}

/* The harts 0..n-1. */
static inline void hart_mask_fill(struct hart_mask *m, unsigned n)
{
	hart_mask_zero(m);
	for (unsigned i = 0; i < n; i++)
		hart_mask_set(m, i);
}

static inline void hart_mask_copy(struct hart_mask *to, const struct hart_mask *from)
{
	for (unsigned i = 0; i < HART_MASK_WORDS; i++)
		atomic_store_ulong(&to->bits[i], hart_mask_word(from, i), relaxed);
}

/* *to = *a & *b; returns whether anything is left. */
static inline bool hart_mask_and(
	struct hart_mask *to, const struct hart_mask *a, const struct hart_mask *b)
{
	unsigned long any = 0;

	for (unsigned i = 0; i < HART_MASK_WORDS; i++) {
		unsigned long both = hart_mask_word(a, i) & hart_mask_word(b, i);

		atomic_store_ulong(&to->bits[i], both, relaxed);
		any |= both;
	}
	return any != 0;
}

static inline bool hart_mask_meet(const struct hart_mask *a, const struct hart_mask *b)
{
	for (unsigned i = 0; i < HART_MASK_WORDS; i++)
		if (hart_mask_word(a, i) & hart_mask_word(b, i))
			return true;
	return false;
}

static inline bool hart_mask_empty(const struct hart_mask *m)
{
	for (unsigned i = 0; i < HART_MASK_WORDS; i++)
		if (hart_mask_word(m, i))
			return false;
	return true;
}

static inline unsigned hart_mask_weight(const struct hart_mask *m)
{
	unsigned n = 0;

	for (unsigned i = 0; i < HART_MASK_WORDS; i++)
		for (unsigned long w = hart_mask_word(m, i); w; w &= w - 1)
			n++;
	return n;
}

/* The first hart of the mask at or after `from`; CONFIG_MAX_HARTS if there is none. */
unsigned hart_mask_find(const struct hart_mask *m, unsigned from);

static inline unsigned hart_mask_first(const struct hart_mask *m)
{
	return hart_mask_find(m, 0);
}

/* The first hart of the mask after `hart`. */
static inline unsigned hart_mask_next(const struct hart_mask *m, unsigned hart)
{
	return hart_mask_find(m, hart + 1);
}

#define for_each_hart_in_mask(i, mask) \
	for ((i) = hart_mask_first(mask); (i) < CONFIG_MAX_HARTS; (i) = hart_mask_next(mask, i))

/* A list such as 0,2-3 of harts below n: 0, or -EINVAL and *out is as it was. */
int hart_mask_parse(const char *text, unsigned n, struct hart_mask *out);
/* The harts below n as such a list, cut to fit; returns `out`. HART_LIST_MAX is room for most. */
#define HART_LIST_MAX 100
char *hart_mask_text(const struct hart_mask *m, unsigned n, char *out, size_t size);

/* For masks that several harts change; acquire and release. They return whether the bit was set. */
static inline bool hart_mask_atomic_set(struct hart_mask *m, unsigned hart)
{
	unsigned long bit = hart_mask_bit(hart);

	return atomic_or_ulong(&m->bits[hart / HART_MASK_WORD_BITS], bit, acq_rel) & bit;
}

static inline bool hart_mask_atomic_clear(struct hart_mask *m, unsigned hart)
{
	unsigned long bit = hart_mask_bit(hart);

	return atomic_and_ulong(&m->bits[hart / HART_MASK_WORD_BITS], ~bit, acq_rel) & bit;
}

#endif
