/* SPDX-License-Identifier: MIT */
/*
 * Memory and reservations in the device tree: lib/fdt.h.
 *
 * Both iterators step before they report: whatever an entry is worth, the next call looks at
 * another one, so a malformed tree can't hold its reader.
 */
#include "lib/fdt_internal.h"

/* The first node at or after `node` among its siblings that `wanted` accepts; -ENOENT. */
static int next_among(const void *fdt, int node, bool (*wanted)(const void *fdt, int node))
{
	while (node >= 0 && !wanted(fdt, node))
		node = fdt_sibling(fdt, node);
	return node;
}

static bool is_memory(const void *fdt, int node)
{
	const char *type;

	return !fdt_read_string(fdt, node, "device_type", &type) && !strcmp(type, "memory") &&
		fdt_enabled(fdt, node);
}

void fdt_memory_begin(struct fdt_memory_iter *it, const void *fdt)
{
	it->fdt = fdt;
	it->node = next_among(fdt, fdt_child(fdt, FDT_ROOT), is_memory);
	it->entry = 0;
}

/*
 * Entry *entry of *node's reg, or the first one of a later sibling that `wanted` accepts. *node and
 * *entry then stand behind what was read; a reg of a wrong length counts as one malformed entry.
 */
static int next_entry(const void *fdt, int parent, int *node, unsigned *entry, int *found,
	bool (*wanted)(const void *fdt, int node), uint64_t *start, uint64_t *size)
{
	while (*node >= 0) {
		int err = fdt_reg_entry(fdt, parent, *node, (*entry)++, start, size);

		*found = *node;
		if (!err || err == -ERANGE)
			return err;
		*node = next_among(fdt, fdt_sibling(fdt, *node), wanted);
		*entry = 0;
		if (err != -ENOENT)
			return err;
	}
	return -ENOENT;
}

int fdt_memory_next(struct fdt_memory_iter *it, uint64_t *start, uint64_t *size)
{
	int err;

	do {
		err = next_entry(it->fdt, FDT_ROOT, &it->node, &it->entry, &it->found, is_memory,
			start, size);
	} while (!err && !*size);
	return err;
}

void fdt_reserved_begin(struct fdt_reserved_iter *it, const void *fdt)
{
	int parent = fdt_find(fdt, "/reserved-memory");

	it->fdt = fdt;
	it->entry = 0;
	it->node = parent < 0 ? parent : next_among(fdt, fdt_child(fdt, parent), fdt_enabled);
	it->reg = 0;
}

static int next_memreserve(struct fdt_reserved_iter *it, struct fdt_reserved *out)
{
	uint64_t start, size;

	if (it->entry < 0)
		return -ENOENT;
	if (it->entry >= fdt_num_mem_rsv(it->fdt)) {
		it->entry = -1;
		return -ENOENT;
	}
	if (fdt_get_mem_rsv(it->fdt, it->entry++, &start, &size))
		return -EINVAL;
	*out = (struct fdt_reserved){.start = start, .size = size, .name = "memreserve"};
	return size && start + (size - 1) < start ? -ERANGE : 0;
}

int fdt_reserved_next(struct fdt_reserved_iter *it, struct fdt_reserved *out)
{
	int node, err;

	do {
		err = next_memreserve(it, out);
		if (err != -ENOENT)
			continue;
		err = next_entry(it->fdt, fdt_find(it->fdt, "/reserved-memory"), &it->node,
			&it->reg, &node, fdt_enabled, &out->start, &out->size);
		if (!err) {
			out->name = fdt_name(it->fdt, node);
			out->no_map = fdt_has_prop(it->fdt, node, "no-map");
		}
	} while (!err && !out->size);
	return err;
}
