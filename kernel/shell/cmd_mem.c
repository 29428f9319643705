/* SPDX-License-Identifier: MIT */
/* The command mem: pages by state, slab caches, stacks. */
#include "kernel/hart/topology.h"
#include "kernel/mm/inject.h"
#include "kernel/mm/page.h"
#include "kernel/mm/slab.h"
#include "kernel/mm/stack.h"
#include "kernel/mm/vmap.h"
#include "kernel/shell/command.h"
#include "kernel/shell/shell.h"
#include "lib/errno.h"

#define KIB_PER_PAGE ((size_t)(PAGE_SIZE / 1024))

static void print_pages(void)
{
	struct mm_counts c;

	mm_count(&c);
	shell_printf("memory    total %zu KiB, used %zu KiB, free %zu KiB, reserved %zu KiB\n",
		c.total * KIB_PER_PAGE, c.used * KIB_PER_PAGE, c.free * KIB_PER_PAGE,
		c.reserved * KIB_PER_PAGE);
	shell_printf("used      kernel %zu, boot %zu (page descriptors %zu), slab %zu, large %zu, "
		     "stacks %zu, tables %zu KiB\n",
		c.kernel * KIB_PER_PAGE, c.boot * KIB_PER_PAGE, c.descriptors * KIB_PER_PAGE,
		c.slab * KIB_PER_PAGE, c.large * KIB_PER_PAGE, c.stack * KIB_PER_PAGE,
		c.table * KIB_PER_PAGE);
	shell_printf("free      %zu pages in harts' caches; blocks of 2^n pages:", c.cached);
	for (unsigned k = 0; k <= BUDDY_ORDER_MAX; k++)
		shell_printf(" %zu", c.free_blocks[k]);
	shell_printf("\nfailures  %lu, of these injected %lu\n", (unsigned long)c.failures,
		(unsigned long)inject_count());
}

static void print_ranges(void)
{
	struct mm_range_info ranges[MM_RANGES_MAX];
	unsigned n = mm_ranges(ranges, MM_RANGES_MAX);

	for (unsigned i = 0; i < n; i++)
		shell_printf("range     0x%llx-0x%llx, %zu KiB, free %zu KiB, node %u\n",
			(unsigned long long)ranges[i].base, (unsigned long long)ranges[i].end - 1,
			ranges[i].pages * KIB_PER_PAGE, ranges[i].free * KIB_PER_PAGE,
			ranges[i].node);
}

/* How far harts had to look. Nothing to say of a single node. */
static void print_nodes(void)
{
	struct mm_node_info m;

	for (unsigned node = 0; node < topology.nr_nodes && topology.nr_nodes > 1; node++) {
		mm_node(node, &m);
		shell_printf("node %-4u pages given %lu local, %lu lent, %lu from other nodes\n",
			node, (unsigned long)m.local, (unsigned long)m.lent,
			(unsigned long)m.fallback);
	}
}

static void print_slabs(void)
{
	struct slab_info s;

	shell_printf("slab               size  in-use  cached  slabs    KiB      allocs  fails\n");
	for (unsigned i = 0; slab_info(i, &s); i++)
		if (s.name && (s.slabs || s.allocs))
			shell_printf("%-16s %6zu  %6zu  %6zu  %5zu  %5zu  %10lu  %5lu\n", s.name,
				s.size, s.objects - s.cached, s.cached, s.slabs,
				s.pages * KIB_PER_PAGE, (unsigned long)s.allocs,
				(unsigned long)s.fails);
}

static void print_stacks(void)
{
	struct stack_info s;
	size_t used;

	shell_printf("stack               size   used  of\n");
	for (unsigned i = 0; stack_usage(i, &s, &used); i++)
		if (s.stack.base)
			shell_printf("0x%-16lx %5zu  %5zu  %s\n", (unsigned long)s.stack.base,
				(size_t)(s.stack.top - s.stack.base), used, s.name ? s.name : "?");
}

static int cmd_mem(int argc, char **argv)
{
	struct vmap_info v;

	if (shell_max_args(argc, argv, 1))
		return -EINVAL;
	print_pages();
	print_ranges();
	print_nodes();
	vmap_info(&v);
	shell_printf("vmap      %zu ranges of %zu pages, to be flushed %zu of %zu, flushes %lu\n",
		v.ranges, v.pages, v.lazy_ranges, v.lazy_pages, (unsigned long)v.flushes);
	print_slabs();
	print_stacks();
	return 0;
}
SHELL_COMMAND(mem, "mem", "pages by state, slabs, stacks", cmd_mem);
