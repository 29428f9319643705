/* SPDX-License-Identifier: MIT */
/* What the files behind lib/fdt.h share. */
#ifndef LIB_FDT_INTERNAL_H
#define LIB_FDT_INTERNAL_H

#include <libfdt.h>

#include "lib/errno.h"
#include "lib/fdt.h"
#include "lib/string.h"

/* An error of libfdt as one of ours; what is no error stays as it is. */
static inline int fdt_result(int offset)
{
	if (offset >= 0)
		return offset;
	return offset == -FDT_ERR_NOTFOUND ? -ENOENT : -EINVAL;
}

/* The number in n (0 to 2) cells. They lie at multiples of 4 only if the tree keeps its promises.
 */
static inline uint64_t fdt_cells(const void *data, unsigned n)
{
	const fdt32_t *cell = data;
	uint64_t value = 0;

	while (n--)
		value = value << 32 | fdt32_ld(cell++);
	return value;
}

/* chain[0] = root, ... chain[depth] = node. Returns depth, or -EINVAL. */
int fdt_ancestors(const void *fdt, int node, int chain[FDT_MAX_DEPTH]);

/* Entry i of a node's reg, as its parent's cells lay it out, not translated. */
int fdt_reg_entry(
	const void *fdt, int parent, int node, unsigned i, uint64_t *addr, uint64_t *size);

#endif
