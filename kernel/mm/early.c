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
/* So many ranges of each kind are said one by one. */
#define SAID_MAX RANGE_SET_MAX

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
static void demand(uint64_t base, uint64_t end, const char *what);
static uint64_t end_of(uint64_t start, uint64_t size);
static uint64_t page_above(uint64_t at);
static void map_memory(void);
static phys_t early_table(void);

void mm_early_init(void)
{
	uint64_t kernel = virt_to_phys(kernel_start), kernel_limit = virt_to_phys(kernel_end);
	uint64_t tree = virt_to_phys(arch_info.fdt), tree_limit = tree + arch_info.fdt_size;
	uint64_t start, end;
	int err;

	read_memory();
	early_map.kernel_bytes = align_up(kernel_limit, PAGE_SIZE) - align_down(kernel, PAGE_SIZE);
	reserve(kernel, kernel_limit, "the kernel");
	reserve(tree, tree_limit, "the device tree");
	err = fdt_initrd(arch_info.fdt, &start, &end);
	if (!err) {
		log_info("initrd: 0x%llx-0x%llx", (unsigned long long)start,
			(unsigned long long)(end - 1));
		reserve(start, end, "the initrd");
	} else {
		log_info("initrd: none%s", err == -ENOENT ? "" : " that is usable");
	}
	read_reservations();
	demand(kernel, kernel_limit, "the kernel");
	demand(tree, tree_limit, "the device tree");
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
	unsigned malformed = 0, unreachable = 0, left_out = 0, said = 0;
	struct fdt_memory_iter it;
	int err;

	fdt_memory_begin(&it, arch_info.fdt);
	while ((err = fdt_memory_next(&it, &start, &size)) != -ENOENT) {
		uint64_t base, end;

		malformed += err != 0;
		if (err)
			continue;
		if (said++ < SAID_MAX)
			log_info("memory: 0x%llx-0x%llx (%llu MiB)", (unsigned long long)start,
				(unsigned long long)(start + (size - 1)),
				(unsigned long long)size >> 20);
		/* Half pages at the edges are left out. */
		base = page_above(MAX(start, (uint64_t)arch_phys_base));
		end = align_down(MIN(end_of(start, size), limit), PAGE_SIZE);
		unreachable += start < arch_phys_base || end_of(start, size) > limit;
		if (nr_spans < RANGE_SET_MAX && base < end)
			spans[nr_spans++] = (struct node_span){
				base, end, fdt_numa_node(&topology, arch_info.fdt, it.found)};
		left_out += range_set_add(&early_map.ram, base, end) != 0;
	}
	if (malformed)
		log_warn("memory: %u malformed ranges of the tree: not used", malformed);
	if (unreachable)
		log_warn("memory: what is not in 0x%llx-0x%llx cannot be reached",
			(unsigned long long)arch_phys_base, (unsigned long long)(limit - 1));
	if (left_out)
		log_warn("memory: more than %u ranges: %u are left out", RANGE_SET_MAX, left_out);
	if (!early_map.ram.n)
		bad_tree("it names no memory%s", unreachable ? " that can be reached" : "");
}

static void read_reservations(void)
{
	struct fdt_reserved_iter it;
	struct fdt_reserved res;
	unsigned malformed = 0, said = 0;
	int err;

	fdt_reserved_begin(&it, arch_info.fdt);
	while ((err = fdt_reserved_next(&it, &res)) != -ENOENT) {
		uint64_t end = end_of(res.start, res.size);

		malformed += err != 0;
		if (err)
			continue;
		if (said++ < SAID_MAX)
			log_info("reserved: 0x%llx..0x%llx (%s)", (unsigned long long)res.start,
				(unsigned long long)end, res.name);
		reserve(res.start, end, res.name);
		if (res.no_map &&
			range_set_add(&early_map.no_map, align_down(res.start, PAGE_SIZE),
				page_above(end)))
			bad_tree(
				"it has more than %u areas that must not be mapped", RANGE_SET_MAX);
	}
	if (malformed)
		log_warn("memory: %u malformed reservations of the tree: left out", malformed);
	if (said > SAID_MAX)
		log_info("reserved: %u areas more", said - SAID_MAX);
}

static void reserve(uint64_t base, uint64_t end, const char *what)
{
	if (range_set_add(&early_map.reserved, align_down(base, PAGE_SIZE), page_above(end)))
		bad_tree("no room to reserve %s: more than %u areas", what, RANGE_SET_MAX);
}

/* What the boot stands on must be shown by the final page tables. */
static void demand(uint64_t base, uint64_t end, const char *what)
{
	base = align_down(base, PAGE_SIZE);
	end = page_above(end);
	if (range_set_overlap(&early_map.ram, base, end) != end - base)
		bad_tree("its memory does not hold %s, at 0x%llx", what, (unsigned long long)base);
	if (range_set_overlap(&early_map.no_map, base, end))
		bad_tree("it forbids to map %s, at 0x%llx", what, (unsigned long long)base);
}

/* Of a range that does not wrap; the last byte of all is given up. */
static uint64_t end_of(uint64_t start, uint64_t size)
{
	return size > UINT64_MAX - start ? UINT64_MAX : start + size;
}

/* Rounds up to a page, but not to 0. */
static uint64_t page_above(uint64_t at)
{
	return at > align_down(UINT64_MAX, PAGE_SIZE) ? align_down(UINT64_MAX, PAGE_SIZE)
						      : align_up(at, PAGE_SIZE);
}

static void map_memory(void)
{
	static struct phys_range ranges[RANGE_SET_MAX];
	struct mem_range piece;
	uint64_t pos = 0;
	unsigned n = 0;

	while (range_set_next_free(&early_map.ram, &early_map.no_map, &pos, &piece)) {
		if (n == RANGE_SET_MAX)
			bad_tree("more than %u ranges to map", RANGE_SET_MAX);
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
