/* SPDX-License-Identifier: MIT */
/*
 * Kernel page tables: Sv39 or Sv32 by one table of levels (Privileged 4.3, 4.4; a hart with Sv48 or
 * Sv57 has Sv39 too).
 *
 * There are two sets of tables:
 *   early   made by boot_early with paging off, from a few static pages. Kernel image, one identity
 *           page with the boot code, a direct map around the image and of the tree. The boot hart
 *           runs on it until arch_paging_init; later every hart passes over it on its way up.
 *   kernel  made by arch_paging_init; every hart runs on it for ever.
 *
 * Invariants of both: no leaf is writable and executable; nothing is accessible to user mode; A is
 * set in every leaf and D in every writable one (hardware may fault otherwise); G is set in all but
 * the identity page. The direct map shows the image's text and read-only data read-only.
 *
 * Who changes them: boot code, then arch_kmap and arch_kunmap under the caller's lock. Who reads
 * them at the same time: page walkers of all harts, and arch_kquery. A table is zero before the
 * entry that names it is stored (release), and an entry is one word, so both see a sound tree at
 * any time.
 */
#include "arch/riscv/csr.h"
#include "arch/riscv/internal.h"
#include "kernel/lock/atomic.h"
#include "kernel/panic.h"
#include "lib/assert.h"
#include "lib/errno.h"
#include "lib/string.h"

#define PTE_V 0x01ul
#define PTE_R 0x02ul
#define PTE_W 0x04ul
#define PTE_X 0x08ul
#define PTE_G 0x20ul
#define PTE_A 0x40ul
#define PTE_D 0x80ul
#define PTE_LEAF (PTE_R | PTE_W | PTE_X)
#define PTE_PPN_SHIFT 10

#define MAP_RX (PTE_V | PTE_R | PTE_X | PTE_A | PTE_G)
#define MAP_R (PTE_V | PTE_R | PTE_A | PTE_G)
#define MAP_RW (PTE_V | PTE_R | PTE_W | PTE_A | PTE_D | PTE_G)

/* One level of tables: an entry spans 1 << shift bytes. Root first. */
struct paging_level {
	unsigned char shift, bits;
};
#if __riscv_xlen == 64
static const struct paging_level levels[] = {{30, 9}, {21, 9}, {12, 9}};
#define PAGING_NAME "sv39"
#define SATP_MODE (8ul << 60)
#define PPN_MASK (((1ul << 44) - 1) << PTE_PPN_SHIFT)
#define WINDOW_ALIGN (64ul << 30)
#define EARLY_SPAN (1ul << 30)
#else
static const struct paging_level levels[] = {{22, 10}, {12, 10}};
#define PAGING_NAME "sv32"
#define SATP_MODE (1ul << 31)
#define PPN_MASK (~0ul << PTE_PPN_SHIFT)
#define WINDOW_ALIGN (256ul << 20)
#define EARLY_SPAN (64ul << 20)
#endif
#define LAST_LEVEL (ARRAY_SIZE(levels) - 1)
/* The boot allocator's pages are taken from behind the image: so much is mapped there at least. */
#define EARLY_BEHIND_IMAGE (16ul << 20)
#define EARLY_PAGES 24

/* A tree of tables and how to reach it: tables lie at physical + bias. */
struct mapper {
	phys_t root;
	uintptr_t bias;
	phys_t (*alloc)(void); /* zeroed page, 0: none; NULL: make no tables */
};

static char early_pages[EARLY_PAGES][PAGE_SIZE]
	__attribute__((aligned(PAGE_SIZE), section(".bss.pages")));
static unsigned early_used;
static uintptr_t image_base;  /* physical */
static uintptr_t kernel_root; /* physical; the early root until arch_paging_init */
static uintptr_t kernel_bias; /* of the tables under kernel_root */
static phys_t early_mmio[ARCH_EARLY_MMIO_SLOTS];

phys_t arch_phys_base, arch_phys_end;
uintptr_t arch_image_offset;
uintptr_t boot_satp, kernel_satp; /* read by boot.S, with paging off too */
const uintptr_t arch_vmap_base = ARCH_VMAP_BASE, arch_vmap_end = ARCH_VMAP_END;

static phys_t early_alloc(void);
static bool map_range(
	const struct mapper *m, uintptr_t va, phys_t pa, phys_t size, unsigned long flags);
static bool map_image(const struct mapper *m);
static bool map_direct(const struct mapper *m, phys_t base, phys_t end);
static bool map_mmio_slots(const struct mapper *m);
static bool map_early_direct(const struct mapper *m, phys_t tree, phys_t tree_end);
static atomic_ulong *walk(const struct mapper *m, uintptr_t va, unsigned *depth);

/* ---- Boot ---------------------------------------------------------------------------------- */

uintptr_t paging_boot(uintptr_t image, uintptr_t tree, size_t tree_size)
{
	struct mapper m = {.bias = 0, .alloc = early_alloc};

	image_base = image;
	arch_image_offset = ARCH_IMAGE_BASE - image;
	arch_phys_base = align_down((phys_t)image, WINDOW_ALIGN);
	arch_phys_end = arch_phys_base + (ARCH_DIRECT_END - ARCH_DIRECT_BASE);

	m.root = early_alloc();
	if (!map_range(&m, image, image, PAGE_SIZE, MAP_RX & ~PTE_G) || !map_image(&m) ||
		!map_early_direct(&m, tree, (phys_t)tree + tree_size))
		return 0;
	kernel_root = (uintptr_t)m.root;
	kernel_bias = arch_image_offset;
	boot_satp = SATP_MODE | kernel_root >> PAGE_SHIFT;
	return boot_satp;
}

void arch_paging_init(const struct phys_range *ranges, unsigned n, phys_t (*alloc)(void))
{
	struct mapper m = {
		.root = alloc(),
		.bias = ARCH_DIRECT_BASE - (uintptr_t)arch_phys_base,
		.alloc = alloc,
	};
	bool ok = m.root && map_image(&m) && map_mmio_slots(&m);

	assert(!arch_irq_enabled());
	for (unsigned i = 0; ok && i < n; i++)
		ok = map_direct(&m, ranges[i].base, ranges[i].end);
	if (!ok)
		panic_as(EXIT_NO_MEMORY, "no memory for the kernel's page tables");
	kernel_root = (uintptr_t)m.root;
	kernel_bias = m.bias;
	kernel_satp = SATP_MODE | (uintptr_t)(m.root >> PAGE_SHIFT);
	csr_write(satp, kernel_satp);
	arch_tlb_flush_all();
}

const char *paging_name(void)
{
	return PAGING_NAME;
}

void *arch_early_mmio(phys_t pa)
{
	struct mapper m = {.root = kernel_root, .bias = kernel_bias, .alloc = early_alloc};
	phys_t page = align_down(pa, PAGE_SIZE);

	for (unsigned i = 0; i < ARCH_EARLY_MMIO_SLOTS; i++) {
		uintptr_t va = ARCH_EARLY_MMIO_BASE + i * PAGE_SIZE;

		if (early_mmio[i] && early_mmio[i] != page + 1)
			continue;
		if (!early_mmio[i]) {
			if (kernel_satp)
				m.alloc = NULL; /* the slots' table is there */
			if (!map_range(&m, va, page, PAGE_SIZE, MAP_RW))
				return NULL;
			arch_tlb_flush(va, PAGE_SIZE);
			early_mmio[i] = page + 1;
		}
		return (void *)(va + (uintptr_t)(pa - page));
	}
	return NULL;
}

/* ---- Kernel mappings ------------------------------------------------------------------------ */

int arch_kmap(uintptr_t va, phys_t pa, unsigned prot, phys_t (*alloc)(void))
{
	struct mapper m = {.root = kernel_root, .bias = kernel_bias, .alloc = alloc};
	unsigned long flags = PTE_V | PTE_A | PTE_G;
	unsigned depth = LAST_LEVEL;
	atomic_ulong *entry;

	assert(va >= ARCH_VMAP_BASE && va < ARCH_VMAP_END && is_aligned(va | pa, PAGE_SIZE));
	assert(!(prot & ARCH_PROT_WRITE) || !(prot & ARCH_PROT_EXEC));
	if (prot & ARCH_PROT_READ)
		flags |= PTE_R;
	if (prot & ARCH_PROT_WRITE)
		flags |= PTE_R | PTE_W | PTE_D;
	if (prot & ARCH_PROT_EXEC)
		flags |= PTE_X;
	assert(flags & PTE_LEAF);

	entry = walk(&m, va, &depth);
	if (!entry)
		return -ENOMEM;
	assert(depth == LAST_LEVEL && !(atomic_load_ulong(entry, relaxed) & PTE_V));
	/* Release: what the page holds already is there for whoever finds it through the entry.
	 * Partner: page walkers; arch_kquery's acquire. */
	atomic_store_ulong(
		entry, (unsigned long)(pa >> PAGE_SHIFT) << PTE_PPN_SHIFT | flags, release);
	return 0;
}

phys_t arch_kunmap(uintptr_t va)
{
	struct mapper m = {.root = kernel_root, .bias = kernel_bias};
	unsigned depth = LAST_LEVEL;
	atomic_ulong *entry;
	unsigned long old;

	assert(va >= ARCH_VMAP_BASE && va < ARCH_VMAP_END && is_aligned(va, PAGE_SIZE));
	entry = walk(&m, va, &depth);
	if (!entry || depth != LAST_LEVEL)
		return 0;
	/* Relaxed: the caller's shoot-down orders it with the other harts. */
	old = atomic_xchg_ulong(entry, 0, relaxed);
	return old & PTE_V ? (phys_t)((old & PPN_MASK) >> PTE_PPN_SHIFT) << PAGE_SHIFT : 0;
}

int arch_kquery(uintptr_t va, phys_t *pa)
{
	struct mapper m = {.root = kernel_root, .bias = kernel_bias};
	unsigned depth = LAST_LEVEL;
	atomic_ulong *entry;
	unsigned long pte;
	phys_t page;
	int prot = 0;

#if __riscv_xlen == 64
	/* Sv39: bits 63-39 are copies of bit 38. */
	if ((intptr_t)(va << 25) >> 25 != (intptr_t)va)
		return -EFAULT;
#endif
	entry = walk(&m, va, &depth);
	pte = entry ? atomic_load_ulong(entry, acquire) : 0;
	if (!(pte & PTE_V) || !(pte & PTE_LEAF))
		return -EFAULT;
	page = (phys_t)((pte & PPN_MASK) >> PTE_PPN_SHIFT) << PAGE_SHIFT;
	if (pa)
		*pa = page + (va & ((1ul << levels[depth].shift) - 1));
	prot |= pte & PTE_R ? ARCH_PROT_READ : 0;
	prot |= pte & PTE_W ? ARCH_PROT_WRITE : 0;
	prot |= pte & PTE_X ? ARCH_PROT_EXEC : 0;
	return prot;
}

/* ---- Tables --------------------------------------------------------------------------------- */

/*
 * The entry for va at level *depth, or above it where a leaf or nothing is found and m makes no
 * tables; *depth then says at which. NULL: no memory for a table; tables made so far stay, empty.
 */
static atomic_ulong *walk(const struct mapper *m, uintptr_t va, unsigned *depth)
{
	phys_t table = m->root;

	for (unsigned d = 0;; d++) {
		unsigned index = va >> levels[d].shift & ((1u << levels[d].bits) - 1);
		atomic_ulong *entry = (atomic_ulong *)((uintptr_t)table + m->bias) + index;
		/* Acquire: the table's contents after the entry that names it. Partner: below. */
		unsigned long pte = atomic_load_ulong(entry, acquire);

		if (d == *depth || pte & PTE_LEAF || (!(pte & PTE_V) && !m->alloc)) {
			*depth = d;
			return entry;
		}
		if (!(pte & PTE_V)) {
			phys_t page = m->alloc();

			if (!page)
				return NULL;
			pte = (unsigned long)(page >> PAGE_SHIFT) << PTE_PPN_SHIFT | PTE_V;
			/* Release: the page is zeroed before anybody finds it. Partner: above, and
			 * the page walkers. */
			atomic_store_ulong(entry, pte, release);
		}
		table = (phys_t)((pte & PPN_MASK) >> PTE_PPN_SHIFT) << PAGE_SHIFT;
	}
}

/* Maps [va, va + size) by the largest leaves that alignment allows. What is mapped already stays as
 * it is. False: no memory. */
static bool map_range(
	const struct mapper *m, uintptr_t va, phys_t pa, phys_t size, unsigned long flags)
{
	while (size) {
		unsigned want = 0, depth;
		atomic_ulong *entry;
		unsigned long pte;
		phys_t span;

		while (want < LAST_LEVEL &&
			(size >> levels[want].shift == 0 ||
				!is_aligned(va | pa, 1ul << levels[want].shift)))
			want++;
		for (;; want++) {
			depth = want;
			entry = walk(m, va, &depth);
			if (!entry)
				return false;
			pte = atomic_load_ulong(entry, relaxed);
			if (!(pte & PTE_V) || pte & PTE_LEAF)
				break;
		}
		if (!(pte & PTE_V))
			atomic_store_ulong(entry,
				(unsigned long)(pa >> PAGE_SHIFT) << PTE_PPN_SHIFT | flags,
				release);
		/* To the end of the leaf that is there. */
		span = (1ul << levels[depth].shift) - (va & ((1ul << levels[depth].shift) - 1));
		span = MIN(span, size);
		va += (uintptr_t)span;
		pa += span;
		size -= span;
	}
	return true;
}

/* The part [from, to) of the image; the symbols may be seen at physical or at link addresses. */
static bool map_section(
	const struct mapper *m, const char *from, const char *to, unsigned long flags)
{
	uintptr_t offset = (uintptr_t)from - (uintptr_t)kernel_start;

	return map_range(m, ARCH_IMAGE_BASE + offset, (phys_t)image_base + offset,
		(uintptr_t)to - (uintptr_t)from, flags);
}

/* Text, read-only data, data; of the boot hart's stacks all but the page below each. */
static bool map_image(const struct mapper *m)
{
	return map_section(m, text_start, text_end, MAP_RX) &&
		map_section(m, rodata_start, rodata_end, MAP_R) &&
		map_section(m, data_start, boot_stacks_start, MAP_RW) &&
		map_section(m, boot_stack_base, boot_stack_top, MAP_RW) &&
		map_section(m, boot_irq_base, boot_irq_top, MAP_RW) &&
		map_section(m, boot_emergency_base, boot_emergency_top, MAP_RW) &&
		map_section(m, boot_stacks_end, data_end, MAP_RW);
}

static bool map_direct_part(const struct mapper *m, phys_t base, phys_t end, unsigned long flags)
{
	if (base >= end)
		return true;
	return map_range(
		m, (uintptr_t)(base - arch_phys_base) + ARCH_DIRECT_BASE, base, end - base, flags);
}

/* [base, end) as far as it lies in the window, whole pages; the image's read-only part not
 * writable. */
static bool map_direct(const struct mapper *m, phys_t base, phys_t end)
{
	phys_t fixed = image_base;
	phys_t fixed_end = fixed + ((uintptr_t)rodata_end - (uintptr_t)kernel_start);

	base = MAX(align_up(base, PAGE_SIZE), arch_phys_base);
	end = MIN(align_down(end, PAGE_SIZE), arch_phys_end);
	return map_direct_part(m, base, MIN(end, fixed), MAP_RW) &&
		map_direct_part(m, MAX(base, fixed), MIN(end, fixed_end), MAP_R) &&
		map_direct_part(m, MAX(base, fixed_end), end, MAP_RW);
}

/* The early direct map, by EARLY_SPAN: where the image is and what follows it, and the tree. It may
 * show addresses where there is no RAM; nobody has a pointer to them. */
static bool map_early_direct(const struct mapper *m, phys_t tree, phys_t tree_end)
{
	phys_t image_end = image_base + ((uintptr_t)kernel_end - (uintptr_t)kernel_start);
	phys_t base = align_down((phys_t)image_base, EARLY_SPAN);
	phys_t end = align_up(image_end + EARLY_BEHIND_IMAGE, EARLY_SPAN);

	if (!map_direct(m, base, end))
		return false;
	if (tree == tree_end || (tree >= base && tree_end <= end))
		return true;
	return map_direct(m, align_down(tree, EARLY_SPAN), align_up(tree_end, EARLY_SPAN));
}

/* The early MMIO pages; their table is made in any case, so that later ones need no memory. */
static bool map_mmio_slots(const struct mapper *m)
{
	unsigned depth = LAST_LEVEL;

	if (!walk(m, ARCH_EARLY_MMIO_BASE, &depth))
		return false;
	for (unsigned i = 0; i < ARCH_EARLY_MMIO_SLOTS; i++)
		if (early_mmio[i] &&
			!map_range(m, ARCH_EARLY_MMIO_BASE + i * PAGE_SIZE, early_mmio[i] - 1,
				PAGE_SIZE, MAP_RW))
			return false;
	return true;
}

/* A zeroed page of the image's own; the same arithmetic is right with paging off and on. */
static phys_t early_alloc(void)
{
	if (early_used == EARLY_PAGES)
		return 0;
	return image_base + ((uintptr_t)early_pages[early_used++] - (uintptr_t)kernel_start);
}
