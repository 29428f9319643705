/* SPDX-License-Identifier: MIT */
/*
 * Memory before the page allocator: what the tree says there is and what is taken, the allocator
 * for page tables and descriptors, the final page tables.
 *
 * One hart, SIE off, no locks. Memory that the early page tables do not show is not touched before
 * arch_paging_init returned: page tables come from the memory behind the kernel's image, which
 * they do show (kernel/arch.h).
 */
#include "kernel/mm/early.h"

#include "kernel/hart/topology.h"
#include "kernel/log.h"
#include "kernel/mm/inject.h"
#include "kernel/mm/page.h"
#include "kernel/panic.h"
#include "lib/errno.h"
#include "lib/fdt.h"
#include "lib/string.h"

/* Page frame numbers have 32 bits. */
#define PHYS_LIMIT ((uint64_t)BUDDY_NONE << PAGE_SHIFT)

extern char kernel_start[], kernel_end[];

struct early_map early_map;

/* Which node the tree's ranges belong to; where two overlap, the earlier one has it. */
static struct node_span {
	uint64_t base, end;
	unsigned node;
} spans[RANGE_SET_MAX];
static unsigned nr_spans;

static unsigned node_at(uint64_t pa);
static uint64_t next_border(uint64_t pa, uint64_t limit);
static void read_memory(void);
static void read_reservations(void);
static void reserve(uint64_t base, uint64_t end, const char *what);
static void map_memory(void);
static phys_t early_table(void);

void mm_early_init(void)
{
	uint64_t start, end;

	read_memory();
	start = virt_to_phys(kernel_start);
	end = virt_to_phys(kernel_end);
	early_map.kernel_bytes = align_up(end, PAGE_SIZE) - align_down(start, PAGE_SIZE);
	reserve(start, end, "the kernel");
	start = virt_to_phys(arch_info.fdt);
	reserve(start, start + arch_info.fdt_size, "the device tree");
	if (!fdt_initrd(arch_info.fdt, &start, &end))
		reserve(start, end, "the initrd");
	read_reservations();
	map_memory();
}

void mm_init(void)
{
	inject_init();
	page_init();
	kmalloc_init();
	vmap_init();
}

phys_t early_alloc(size_t size, phys_t low, phys_t high)
{
	uint64_t bytes = align_up((uint64_t)size, PAGE_SIZE);
	uint64_t base = range_set_find(
		&early_map.ram, &early_map.reserved, bytes, PAGE_SIZE, low, high);

	if (!base)
		return 0;
	reserve(base, base + bytes, "boot memory");
	early_map.boot_bytes += bytes;
	return base;
}

uint64_t early_node_end(uint64_t base, uint64_t limit, unsigned *node)
{
	uint64_t end = base;

	*node = node_at(base);
	do
		end = next_border(end, limit);
	while (end < limit && node_at(end) == *node);
	return end;
}

static unsigned node_at(uint64_t pa)
{
	for (unsigned i = 0; i < nr_spans; i++)
		if (pa >= spans[i].base && pa < spans[i].end)
			return spans[i].node;
	return 0;
}

/* The first place behind pa where a range of the tree begins or ends; `limit` if none is before. */
static uint64_t next_border(uint64_t pa, uint64_t limit)
{
	for (unsigned i = 0; i < nr_spans; i++) {
		if (spans[i].base > pa)
			limit = MIN(limit, spans[i].base);
		if (spans[i].end > pa)
			limit = MIN(limit, spans[i].end);
	}
	return limit;
}

static void read_memory(void)
{
	uint64_t limit = MIN((uint64_t)arch_phys_end, PHYS_LIMIT), start, size;
	struct fdt_memory_iter it;
	int err;

	fdt_memory_begin(&it, arch_info.fdt);
	while ((err = fdt_memory_next(&it, &start, &size)) != -ENOENT) {
		uint64_t base, end;

		if (err)
			continue; /* main.c has said so */
		/* Half pages at the edges are left out. */
		base = align_up(MAX(start, (uint64_t)arch_phys_base), PAGE_SIZE);
		end = align_down(MIN(start + size, limit), PAGE_SIZE);
		if (end < align_down(start + size, PAGE_SIZE))
			log_warn("memory: above 0x%llx it cannot be reached",
				(unsigned long long)limit);
		if (nr_spans < RANGE_SET_MAX && base < end)
			spans[nr_spans++] = (struct node_span){
				base, end, fdt_numa_node(&topology, arch_info.fdt, it.found)};
		if (range_set_add(&early_map.ram, base, end))
			log_warn("memory: more than %u ranges, one is left out", RANGE_SET_MAX);
	}
	if (!early_map.ram.n)
		panic_as(EXIT_BAD_TREE, "the device tree names no memory");
}

static void read_reservations(void)
{
	struct fdt_reserved_iter it;
	struct fdt_reserved res;
	int err;

	fdt_reserved_begin(&it, arch_info.fdt);
	while ((err = fdt_reserved_next(&it, &res)) != -ENOENT) {
		if (err) {
			log_warn("memory: a malformed reservation of the tree is left out");
			continue;
		}
		log_info("reserved: 0x%llx..0x%llx (%s)", (unsigned long long)res.start,
			(unsigned long long)(res.start + res.size), res.name);
		reserve(res.start, res.start + res.size, res.name);
		if (res.no_map &&
			range_set_add(&early_map.no_map, align_down(res.start, PAGE_SIZE),
				align_up(res.start + res.size, PAGE_SIZE)))
			panic_as(EXIT_BAD_TREE, "more than %u unmapped areas", RANGE_SET_MAX);
	}
}

static void reserve(uint64_t base, uint64_t end, const char *what)
{
	if (range_set_add(
		    &early_map.reserved, align_down(base, PAGE_SIZE), align_up(end, PAGE_SIZE)))
		panic_as(EXIT_BAD_TREE, "no room to reserve %s: more than %u areas", what,
			RANGE_SET_MAX);
}

static void map_memory(void)
{
	static struct phys_range ranges[RANGE_SET_MAX];
	struct mem_range piece;
	uint64_t pos = 0;
	unsigned n = 0;

	while (range_set_next_free(&early_map.ram, &early_map.no_map, &pos, &piece)) {
		if (n == RANGE_SET_MAX)
			panic_as(EXIT_BAD_TREE, "more than %u ranges to map", RANGE_SET_MAX);
		ranges[n++] = (struct phys_range){piece.base, piece.end};
	}
	arch_paging_init(ranges, n, early_table);
}

/* A zeroed page for arch_paging_init: behind the image, where the early tables show memory. */
static phys_t early_table(void)
{
	phys_t pa = early_alloc(PAGE_SIZE, virt_to_phys(kernel_end), PHYS_LIMIT);

	if (!pa)
		panic_as(EXIT_NO_MEMORY, "no memory behind the kernel for page tables");
	memset(phys_to_virt(pa), 0, PAGE_SIZE);
	return pa;
}
