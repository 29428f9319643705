/* SPDX-License-Identifier: MIT */
/* Costs of memory, and how much of it the kernel uses. */
#include "kernel/mm/kmalloc.h"
#include "kernel/mm/page.h"
#include "kernel/shell/command.h"
#include "lib/errno.h"
#include "tests/bench/bench.h"

static bool page_pair(void)
{
	struct page *page = page_alloc(0, 0);

	if (!page)
		return false;
	page_free(page);
	return true;
}

static bool kmalloc_pair(size_t size)
{
	void *p = kmalloc(size, 0);

	if (!p)
		return false;
	kfree(p);
	return true;
}

static int measure_memory(int argc, char **argv)
{
	unsigned failed = 0;

	(void)argc;
	(void)argv;
	bench_print10("page_pair", BENCH_COST10(BENCH_N, failed += !page_pair()), "ns");
	bench_print10("kmalloc_64_pair", BENCH_COST10(BENCH_N, failed += !kmalloc_pair(64)), "ns");
	bench_print10(
		"kmalloc_1024_pair", BENCH_COST10(BENCH_N, failed += !kmalloc_pair(1024)), "ns");
	return failed ? -ENOMEM : 0;
}
BENCH(memory, "page alloc and free, kmalloc and kfree", measure_memory);
