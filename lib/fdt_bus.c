/* SPDX-License-Identifier: MIT */
/* Addresses through buses, and interrupts through their controllers: lib/fdt.h. */
#include "lib/fdt_internal.h"

/* #address-cells and #size-cells for a node's children; we take addresses of one or two cells. */
static int bus_cells(const void *fdt, int bus, unsigned *addr, unsigned *size)
{
	int a = fdt_address_cells(fdt, bus), s = fdt_size_cells(fdt, bus);

	if (a < 1 || a > 2 || s < 0 || s > 2)
		return -EINVAL;
	*addr = (unsigned)a;
	*size = (unsigned)s;
	return 0;
}

int fdt_reg_entry(const void *fdt, int parent, int node, unsigned i, uint64_t *addr, uint64_t *size)
{
	unsigned ac, sc;
	size_t len, entry;
	const char *data = fdt_prop(fdt, node, "reg", &len);

	if (!data)
		return -ENOENT;
	if (bus_cells(fdt, parent, &ac, &sc))
		return -EINVAL;
	entry = (ac + sc) * 4;
	if (len % entry)
		return -EINVAL;
	if (i >= len / entry)
		return -ENOENT;
	*addr = fdt_cells(data + i * entry, ac);
	*size = fdt_cells(data + i * entry + ac * 4, sc);
	/* The last address may be the highest there is, no more. */
	return *size && *addr + (*size - 1) < *addr ? -ERANGE : 0;
}

/* Makes [*addr, *addr + size), an address on `bus`, one on its parent's bus. */
static int translate(const void *fdt, int bus, int parent, uint64_t *addr, uint64_t size)
{
	unsigned ac, sc, parent_ac, parent_sc;
	size_t len, entry;
	const char *data = fdt_prop(fdt, bus, "ranges", &len);

	if (!data)
		return -ENXIO;
	if (!len) /* the same addresses on both */
		return 0;
	if (bus_cells(fdt, bus, &ac, &sc) || bus_cells(fdt, parent, &parent_ac, &parent_sc))
		return -EINVAL;
	entry = (ac + parent_ac + sc) * 4;
	if (len % entry)
		return -EINVAL;

	for (; len; len -= entry, data += entry) {
		uint64_t here = fdt_cells(data, ac);
		uint64_t there = fdt_cells(data + ac * 4, parent_ac);
		uint64_t room = fdt_cells(data + (ac + parent_ac) * 4, sc);
		uint64_t offset = *addr - here;

		if (*addr < here || offset >= room || size > room - offset)
			continue;
		*addr = there + offset;
		return offset + (size ? size - 1 : 0) > UINT64_MAX - there ? -ERANGE : 0;
	}
	return -ENXIO;
}

int fdt_read_reg(const void *fdt, int node, unsigned i, uint64_t *addr, uint64_t *size)
{
	int chain[FDT_MAX_DEPTH];
	int depth = fdt_ancestors(fdt, node, chain);
	uint64_t a, s;
	int err;

	if (depth < 0)
		return depth;
	if (!depth)
		return -ENOENT;
	err = fdt_reg_entry(fdt, chain[depth - 1], node, i, &a, &s);
	for (int bus = depth - 1; !err && bus > 0; bus--)
		err = translate(fdt, chain[bus], chain[bus - 1], &a, s);
	if (err)
		return err;
	*addr = a;
	*size = s;
	return 0;
}

/* ---- Interrupts -------------------------------------------------------------------------- */

static int interrupt_cells(const void *fdt, int controller, unsigned *n)
{
	uint32_t cells;

	if (controller < 0)
		return -EINVAL;
	if (fdt_read_u32(fdt, controller, "#interrupt-cells", &cells) || !cells ||
		cells > FDT_MAX_IRQ_CELLS)
		return -EINVAL;
	*n = cells;
	return 0;
}

static void fill_irq(struct fdt_irq *out, int controller, unsigned n, const fdt32_t *cells)
{
	*out = (struct fdt_irq){.controller = controller, .nr_cells = n};
	for (unsigned i = 0; i < n; i++)
		out->cells[i] = fdt32_ld(cells + i);
}

/* Entries are a phandle and as many cells as that controller says. */
static int read_extended(
	const void *fdt, const fdt32_t *data, size_t nr, unsigned i, struct fdt_irq *out)
{
	unsigned n;

	for (size_t at = 0; at < nr; at += 1 + n) {
		int controller = fdt_by_phandle(fdt, fdt32_ld(data + at));

		if (interrupt_cells(fdt, controller, &n) || nr - at < 1 + n)
			return -EINVAL;
		if (!i--) {
			fill_irq(out, controller, n, data + at + 1);
			return 0;
		}
	}
	return -ENOENT;
}

/* The nearest interrupt-parent of the node or above it, else the nearest controller above it. */
static int interrupt_parent(const void *fdt, int node)
{
	int chain[FDT_MAX_DEPTH];
	int depth = fdt_ancestors(fdt, node, chain);
	uint32_t phandle;

	for (int i = depth; i >= 0; i--) {
		if (!fdt_read_u32(fdt, chain[i], "interrupt-parent", &phandle))
			return fdt_by_phandle(fdt, phandle);
		if (i < depth && fdt_has_prop(fdt, chain[i], "#interrupt-cells"))
			return chain[i];
	}
	return -EINVAL;
}

int fdt_read_irq(const void *fdt, int node, unsigned i, struct fdt_irq *out)
{
	size_t len;
	const fdt32_t *data = fdt_prop(fdt, node, "interrupts-extended", &len);
	unsigned n;
	int controller;

	if (data)
		return len % 4 ? -EINVAL : read_extended(fdt, data, len / 4, i, out);
	data = fdt_prop(fdt, node, "interrupts", &len);
	if (!data)
		return -ENOENT;
	controller = interrupt_parent(fdt, node);
	if (interrupt_cells(fdt, controller, &n) || len % (4 * n))
		return -EINVAL;
	if (i >= len / (4 * n))
		return -ENOENT;
	fill_irq(out, controller, n, data + i * n);
	return 0;
}

int fdt_plic_context(const void *fdt, int plic, uint32_t intc_phandle, uint32_t cause)
{
	size_t len;
	const fdt32_t *data = fdt_prop(fdt, plic, "interrupts-extended", &len);

	if (!data || !intc_phandle)
		return -ENOENT;
	if (len % 8)
		return -EINVAL;
	for (size_t i = 0; i < len / 8; i++) {
		if (fdt32_ld(data + 2 * i) == intc_phandle && fdt32_ld(data + 2 * i + 1) == cause)
			return (int)i;
	}
	return -ENOENT;
}
