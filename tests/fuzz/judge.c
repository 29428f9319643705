/* SPDX-License-Identifier: MIT */
/*
 * What must hold of the kernel's view of a tree. Addresses are 128 bits wide here: a range may end
 * at 2^64, and no sum wraps.
 */
#include <string.h>

#include "kernel/abi/exit.h"
#include "kernel/hart/bringup.h"
#include "kernel/hart/topology.h"
#include "kernel/irq/irq.h"
#include "lib/errno.h"
#include "tests/fuzz/fuzz.h"

#define SPANS_MAX 1024
#define TAKEN_MAX 8

static struct span memory[SPANS_MAX], reserved[SPANS_MAX], no_map[SPANS_MAX];
static unsigned nr_memory, nr_reserved, nr_no_map;

static bool overlap(const struct span *s, unsigned n, wide base, wide end)
{
	for (unsigned i = 0; i < n; i++) {
		if (s[i].base < end && base < s[i].end)
			return true;
	}
	return false;
}

/* Whether the spans together hold all of [base, end). */
static bool cover(const struct span *s, unsigned n, wide base, wide end)
{
	for (unsigned i = 0; i < n && base < end; i++) {
		if (s[i].base > base || s[i].end <= base)
			continue;
		base = s[i].end;
		i = -1u; /* from the first one again */
	}
	return base >= end;
}

static void sound(uint64_t start, uint64_t size, const char *what)
{
	must(size, "an empty range of %s", what);
	must((wide)start + size <= (wide)1 << 64, "a range of %s that wraps around", what);
}

bool judge_read(const void *fdt)
{
	struct fdt_memory_iter mem;
	struct fdt_reserved_iter res;
	struct fdt_reserved r;
	uint64_t start, size;
	unsigned turns = 0;
	int err;

	nr_memory = nr_reserved = nr_no_map = 0;
	fdt_memory_begin(&mem, fdt);
	while ((err = fdt_memory_next(&mem, &start, &size)) != -ENOENT) {
		must(++turns < TURNS_MAX, "the memory of the tree never ends");
		if (err)
			continue;
		sound(start, size, "memory");
		if (nr_memory == SPANS_MAX)
			return false;
		memory[nr_memory++] = (struct span){start, (wide)start + size};
	}
	fdt_reserved_begin(&res, fdt);
	while ((err = fdt_reserved_next(&res, &r)) != -ENOENT) {
		must(++turns < TURNS_MAX, "the reservations of the tree never end");
		if (err)
			continue;
		sound(r.start, r.size, "reservations");
		must(strlen(r.name) < TREE_BYTES_MAX, "a name that does not end");
		if (nr_reserved == SPANS_MAX - 3)
			return false;
		reserved[nr_reserved++] = (struct span){r.start, (wide)r.start + r.size};
		if (r.no_map)
			no_map[nr_no_map++] = reserved[nr_reserved - 1];
	}
	reserved[nr_reserved++] = (struct span){KERNEL_AT, (wide)KERNEL_AT + KERNEL_BYTES};
	reserved[nr_reserved++] = (struct span){TREE_AT, (wide)TREE_AT + fdt_size(fdt)};
	if (!fdt_initrd(fdt, &start, &size))
		reserved[nr_reserved++] = (struct span){start, size};
	return true;
}

bool judge_in_memory(wide base, wide end)
{
	return overlap(memory, nr_memory, base, end);
}

static bool said_that_some_are_left_out(void)
{
	return strstr(machine_said, "ranges") && strstr(machine_said, "left out");
}

/* What is to be mapped: memory alone, none of it unmappable, and what the boot runs on is there. */
void judge_paging(const struct phys_range *ranges, unsigned n)
{
	struct span mapped[RANGE_SET_MAX];

	must(n && n <= RANGE_SET_MAX, "%u ranges to map", n);
	for (unsigned i = 0; i < n; i++) {
		wide base = ranges[i].base, end = ranges[i].end;

		mapped[i] = (struct span){base, end};
		must(base < end && base % PAGE_SIZE == 0 && end % PAGE_SIZE == 0,
			"a mapped range of no whole pages");
		must(!i || mapped[i - 1].end <= base, "mapped ranges that are not in order");
		must(cover(memory, nr_memory, base, end), "what is no memory is mapped");
		must(!overlap(no_map, nr_no_map, base, end), "what must not be mapped is");
	}
	must(cover(mapped, n, KERNEL_AT, KERNEL_AT + KERNEL_BYTES), "the kernel is not mapped");
	must(cover(mapped, n, TREE_AT, (wide)TREE_AT + arch_info.fdt_size),
		"the tree is not mapped");
}

static void judge_set(const struct range_set *s, const char *what)
{
	must(s->n <= RANGE_SET_MAX, "%u ranges of %s", s->n, what);
	for (unsigned i = 0; i < s->n; i++) {
		must(s->r[i].base < s->r[i].end, "an empty range of %s", what);
		must((s->r[i].base | s->r[i].end) % PAGE_SIZE == 0, "half a page of %s", what);
		must(!i || s->r[i - 1].end < s->r[i].base, "ranges of %s not in order", what);
	}
}

/* All that the tree gives is there unless it was said, and nothing else. */
static void judge_ram(void)
{
	const struct range_set *ram = &early_map.ram;
	wide low = arch_phys_base, high = arch_phys_end;

	judge_set(ram, "memory");
	for (unsigned i = 0; i < ram->n; i++) {
		must(ram->r[i].base >= low && ram->r[i].end <= high, "memory out of reach");
		must(cover(memory, nr_memory, ram->r[i].base, ram->r[i].end),
			"memory that the tree does not name: 0x%llx",
			(unsigned long long)ram->r[i].base);
	}
	for (unsigned i = 0; i < nr_memory && !said_that_some_are_left_out(); i++) {
		wide base = MAX(memory[i].base, low), end = MIN(memory[i].end, high);

		base = (base + PAGE_SIZE - 1) / PAGE_SIZE * PAGE_SIZE;
		end = end / PAGE_SIZE * PAGE_SIZE;
		must(base >= end ||
				range_set_overlap(ram, (uint64_t)base, (uint64_t)end) ==
					(uint64_t)(end - base),
			"memory at 0x%llx got lost", (unsigned long long)base);
	}
}

void judge_memory(void)
{
	struct span taken[TAKEN_MAX];

	judge_ram();
	judge_set(&early_map.reserved, "reservations");
	judge_set(&early_map.no_map, "unmapped memory");
	for (unsigned i = 0; i < nr_reserved; i++) {
		wide base = reserved[i].base / PAGE_SIZE * PAGE_SIZE;
		wide end = MIN(reserved[i].end, (wide)arch_phys_end);

		must(base >= end ||
				range_set_overlap(&early_map.reserved, (uint64_t)base,
					(uint64_t)end) == (uint64_t)(end - base),
			"the reservation at 0x%llx got lost", (unsigned long long)base);
	}
	for (unsigned i = 0; i < TAKEN_MAX; i++) {
		size_t size = PAGE_SIZE << i % 4;
		wide at = early_alloc(size, 0, UINT64_MAX);

		taken[i] = (struct span){at, at ? at + size : 0};
		must(!at || cover(memory, nr_memory, at, at + size), "an allocation of no memory");
		must(!overlap(reserved, nr_reserved, at, taken[i].end),
			"an allocation of reserved memory at 0x%llx", (unsigned long long)at);
		must(!overlap(taken, i, at, taken[i].end), "two allocations of the same memory");
	}
}

void judge_harts(const void *fdt)
{
	unsigned told = 0, boot = 0;
	struct fdt_hart_iter it;
	struct fdt_hart h;
	bool known = false;
	int err;

	must(nr_harts && nr_harts <= CONFIG_MAX_HARTS, "%u harts", nr_harts);
	for (unsigned i = 0; i < nr_harts; i++) {
		const struct fdt_hart *mine = hart_found(i);

		boot += mine->hartid == arch_info.boot_hartid;
		must(mine->enabled || mine->hartid == arch_info.boot_hartid, "a disabled hart");
		for (unsigned k = 0; k < i; k++)
			must(hart_found(k)->hartid != mine->hartid, "a hartid twice");
	}
	must(boot == 1, "the boot hart is there %u times", boot);
	must(harts[boot_hart.index] == &boot_hart, "the boot hart is at another index");

	fdt_harts_begin(&it, fdt);
	while ((err = fdt_harts_next(&it, &h)) != -ENOENT) {
		must(++told < TURNS_MAX, "the harts of the tree never end");
		known |= !err && h.hartid == arch_info.boot_hartid;
	}
	must(told + !known ==
			nr_harts + hart_skips.disabled + hart_skips.unsuited +
				hart_skips.malformed + hart_skips.beyond,
		"%u harts of the tree, and what was made of them does not add up to it", told);
	must(!hart_skips.beyond || strstr(machine_said, "CONFIG_MAX_HARTS"),
		"harts were left out without a word");
}

/* Every number is below its count; distances are such; each order and each level has everybody. */
void judge_topology(void)
{
	const struct fdt_topology *t = &topology;

	must(t->nr_nodes && t->nr_nodes <= NODES_MAX, "%u nodes of memory", t->nr_nodes);
	for (unsigned a = 0; a < t->nr_nodes; a++) {
		uint32_t seen = 0;

		must(!a || t->node_id[a - 1] < t->node_id[a], "ids of nodes not in order");
		must(t->distance[a][a] == 10, "a node is away from itself");
		for (unsigned b = 0; b < t->nr_nodes; b++) {
			must(a == b || t->distance[a][b] > 10, "two nodes at the same place");
			seen |= 1u << node_nearest(a, b);
		}
		must(seen == (1u << t->nr_nodes) - 1, "an order of nodes that lacks one");
	}
	for (unsigned i = 0; i < nr_harts; i++) {
		const struct fdt_place *p = hart_place(i);

		must(p->node < t->nr_nodes && p->socket < t->nr_sockets &&
				p->cluster < t->nr_clusters && p->core < t->nr_cores,
			"hart %u is at a place that is not there", i);
		for (unsigned level = 0; level < nr_nearness; level++)
			must(hart_mask_test(hart_near(i, level), i), "a hart not near itself");
	}
}

void judge_contexts(void)
{
	struct irq_controller *c;

	for (unsigned n = 0; (c = irq_controller(n)); n++) {
		must(c->nr_sources, "an interrupt controller without sources");
		must(!hart_mask_empty(&c->harts), "an interrupt controller without harts");
	}
	for (unsigned i = 0; i < nr_harts; i++) {
		uint32_t context = harts[i]->plic_context;

		for (unsigned k = 0; k < i && harts[i]->irqchip; k++)
			must(harts[k]->irqchip != harts[i]->irqchip ||
					harts[k]->plic_context != context,
				"two harts with context %u", (unsigned)context);
	}
}

void judge_refusal(void)
{
	bool bad = machine_status == EXIT_BAD_TREE;

	must(bad || machine_status == EXIT_NO_MEMORY, "ended with status %d", machine_status);
	must(bad == (machine_reason[0] != '\0'), "the status and the reason do not agree");
	must(machine_lines, "ended without a word");
}
