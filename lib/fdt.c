/* SPDX-License-Identifier: MIT */
/* The device tree's nodes, properties and /chosen: lib/fdt.h. */
#include "lib/fdt_internal.h"

int fdt_check(const void *fdt, size_t max)
{
	if ((uintptr_t)fdt % 8 || max < FDT_V17_SIZE || fdt_check_header(fdt))
		return -EINVAL;
	if (fdt_totalsize(fdt) > max)
		return -E2BIG;
	/* Older versions don't say how long the structure block is. */
	if (fdt_version(fdt) < 17 || fdt_check_full(fdt, fdt_totalsize(fdt)))
		return -EINVAL;
	return 0;
}

size_t fdt_size(const void *fdt)
{
	return fdt_totalsize(fdt);
}

/* ---- Nodes ------------------------------------------------------------------------------- */

int fdt_find(const void *fdt, const char *path)
{
	return fdt_result(fdt_path_offset(fdt, path));
}

int fdt_walk(const void *fdt, int node, int *depth)
{
	int next = fdt_next_node(fdt, node, depth);

	if (next >= 0 && depth && *depth < 0)
		return -ENOENT;
	return fdt_result(next);
}

int fdt_child(const void *fdt, int node)
{
	return fdt_result(fdt_first_subnode(fdt, node));
}

int fdt_sibling(const void *fdt, int node)
{
	return fdt_result(fdt_next_subnode(fdt, node));
}

int fdt_ancestors(const void *fdt, int node, int chain[FDT_MAX_DEPTH])
{
	int depth = -1;

	for (int at = fdt_walk(fdt, -1, &depth); at >= 0; at = fdt_walk(fdt, at, &depth)) {
		if (depth < FDT_MAX_DEPTH)
			chain[depth] = at;
		if (at == node)
			return depth < FDT_MAX_DEPTH ? depth : -EINVAL;
		if (at > node)
			break;
	}
	return -EINVAL;
}

int fdt_parent(const void *fdt, int node)
{
	int chain[FDT_MAX_DEPTH];
	int depth = fdt_ancestors(fdt, node, chain);

	if (depth < 0)
		return depth;
	return depth ? chain[depth - 1] : -ENOENT;
}

const char *fdt_name(const void *fdt, int node)
{
	const char *name = fdt_get_name(fdt, node, NULL);

	return name ? name : "";
}

int fdt_path(const void *fdt, int node, char *buf, size_t size)
{
	int chain[FDT_MAX_DEPTH];
	int depth = fdt_ancestors(fdt, node, chain);
	size_t len;

	if (depth < 0)
		return depth;
	len = strlcpy(buf, depth ? "" : "/", size);
	for (int i = 1; i <= depth; i++) {
		len += 1 + strlen(fdt_name(fdt, chain[i]));
		strlcat(buf, "/", size);
		strlcat(buf, fdt_name(fdt, chain[i]), size);
	}
	return len < size ? 0 : -ERANGE;
}

int fdt_next_compatible(const void *fdt, int prev, const char *compatible)
{
	int node = fdt_walk(fdt, prev, NULL);

	while (node >= 0 && !fdt_is_compatible(fdt, node, compatible))
		node = fdt_walk(fdt, node, NULL);
	return node;
}

bool fdt_is_compatible(const void *fdt, int node, const char *compatible)
{
	/* fdt_node_check_compatible reads a byte behind a list that is not terminated. */
	return fdt_stringlist_search(fdt, node, "compatible", compatible) >= 0;
}

bool fdt_enabled(const void *fdt, int node)
{
	const char *status;
	int err = fdt_read_string(fdt, node, "status", &status);

	if (err)
		return err == -ENOENT && !fdt_has_prop(fdt, node, "status");
	return !strcmp(status, "okay") || !strcmp(status, "ok");
}

int fdt_by_phandle(const void *fdt, uint32_t phandle)
{
	if (phandle == 0 || phandle == UINT32_MAX)
		return -ENOENT;
	return fdt_result(fdt_node_offset_by_phandle(fdt, phandle));
}

uint32_t fdt_phandle(const void *fdt, int node)
{
	return fdt_get_phandle(fdt, node);
}

/* ---- Properties -------------------------------------------------------------------------- */

const void *fdt_prop(const void *fdt, int node, const char *name, size_t *len)
{
	int n = 0;
	const void *data = fdt_getprop(fdt, node, name, &n);

	*len = data && n > 0 ? (size_t)n : 0;
	return data;
}

bool fdt_has_prop(const void *fdt, int node, const char *name)
{
	return fdt_getprop(fdt, node, name, NULL);
}

bool fdt_next_prop(
	const void *fdt, int node, int *cursor, const char **name, const void **data, size_t *len)
{
	int at = *cursor ? fdt_next_property_offset(fdt, *cursor)
			 : fdt_first_property_offset(fdt, node);
	int n = 0;

	if (at < 0)
		return false;
	*cursor = at;
	*data = fdt_getprop_by_offset(fdt, at, name, &n);
	*len = n > 0 ? (size_t)n : 0;
	return *data;
}

int fdt_read_u32_at(const void *fdt, int node, const char *name, unsigned i, uint32_t *out)
{
	size_t len;
	const fdt32_t *data = fdt_prop(fdt, node, name, &len);

	if (!data)
		return -ENOENT;
	if (len % 4)
		return -EINVAL;
	if (i >= len / 4)
		return -ENOENT;
	*out = fdt32_ld(data + i);
	return 0;
}

int fdt_read_u32(const void *fdt, int node, const char *name, uint32_t *out)
{
	size_t len;
	const void *data = fdt_prop(fdt, node, name, &len);

	if (!data)
		return -ENOENT;
	if (len != 4)
		return -EINVAL;
	*out = (uint32_t)fdt_cells(data, 1);
	return 0;
}

int fdt_read_u64(const void *fdt, int node, const char *name, uint64_t *out)
{
	size_t len;
	const void *data = fdt_prop(fdt, node, name, &len);

	if (!data)
		return -ENOENT;
	if (len != 4 && len != 8)
		return -EINVAL;
	*out = fdt_cells(data, (unsigned)len / 4);
	return 0;
}

int fdt_read_string(const void *fdt, int node, const char *name, const char **out)
{
	return fdt_read_string_at(fdt, node, name, 0, out);
}

int fdt_read_string_at(const void *fdt, int node, const char *name, unsigned i, const char **out)
{
	int err = -FDT_ERR_NOTFOUND;
	const char *s = i > INT_MAX ? NULL : fdt_stringlist_get(fdt, node, name, (int)i, &err);

	if (!s)
		return err == -FDT_ERR_NOTFOUND ? -ENOENT : -EINVAL;
	*out = s;
	return 0;
}

/* ---- /chosen ----------------------------------------------------------------------------- */

const char *fdt_bootargs(const void *fdt)
{
	const char *args;

	if (fdt_read_string(fdt, fdt_find(fdt, "/chosen"), "bootargs", &args))
		return "";
	return args;
}

int fdt_initrd(const void *fdt, uint64_t *start, uint64_t *end)
{
	int chosen = fdt_find(fdt, "/chosen");
	uint64_t from, to;
	int err;

	if (chosen < 0)
		return chosen;
	err = fdt_read_u64(fdt, chosen, "linux,initrd-start", &from);
	if (err)
		return err;
	if (fdt_read_u64(fdt, chosen, "linux,initrd-end", &to) || to <= from)
		return -EINVAL;
	*start = from;
	*end = to;
	return 0;
}

int fdt_stdout(const void *fdt, const char **options)
{
	int chosen = fdt_find(fdt, "/chosen");
	const char *path, *end;
	int node;

	if (chosen < 0)
		return chosen;
	if (fdt_read_string(fdt, chosen, "stdout-path", &path) &&
		fdt_read_string(fdt, chosen, "linux,stdout-path", &path))
		return -ENOENT;
	end = strchrnul(path, ':');
	node = fdt_result(fdt_path_offset_namelen(fdt, path, (int)(end - path)));
	if (node >= 0 && options)
		*options = *end ? end + 1 : end;
	return node;
}
