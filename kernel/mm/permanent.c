/* SPDX-License-Identifier: MIT */
/*
 * Memory that is never given back, near a node: for what each hart has for itself. Pieces are cut
 * from blocks one after the other, so that harts of one node share blocks, and no piece shares a
 * cache line with another.
 *
 * Boot hart, before a second thread runs: no locks.
 */
#include "kernel/hart/topology.h"
#include "kernel/mm/page.h"

#define BLOCK_ORDER 1
#define LINE 64u

/* What is left of the last block of each node. */
static struct {
	char *at;
	size_t left;
} blocks[NODES_MAX];

void *mm_permanent(size_t size, unsigned node)
{
	struct page *page;
	void *piece;

	size = align_up(size, (size_t)LINE);
	if (size > PAGE_SIZE << BLOCK_ORDER)
		return NULL;
	if (blocks[node].left < size) {
		page = page_alloc_near(node, BLOCK_ORDER, MM_ZERO);
		if (!page)
			return NULL;
		mm_account(MM_USER_TABLE, 1l << BLOCK_ORDER);
		blocks[node].at = page_virt(page);
		blocks[node].left = PAGE_SIZE << BLOCK_ORDER;
	}
	piece = blocks[node].at;
	blocks[node].at += size;
	blocks[node].left -= size;
	return piece;
}
