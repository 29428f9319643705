/* SPDX-License-Identifier: MIT */
/* Walking sets of harts. */
#include "kernel/hart/mask.h"

unsigned hart_mask_find(const struct hart_mask *m, unsigned from)
{
	while (from < CONFIG_MAX_HARTS) {
		unsigned bit = from % HART_MASK_WORD_BITS;
		unsigned long left = hart_mask_word(m, from / HART_MASK_WORD_BITS) >> bit;

		if (left)
			return MIN(
				from + (unsigned)__builtin_ctzl(left), (unsigned)CONFIG_MAX_HARTS);
		from += HART_MASK_WORD_BITS - bit;
	}
	return CONFIG_MAX_HARTS;
}
