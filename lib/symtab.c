/* SPDX-License-Identifier: MIT */
/* Names of addresses: lib/symtab.h. */
#include "lib/symtab.h"
#include "lib/errno.h"
#include "lib/printf.h"
#include "lib/string.h"

const char *symtab_find(const struct symtab *t, uintptr_t addr, uintptr_t *offset)
{
	uint32_t low = 0, high = t->count;
	uintptr_t where = addr - t->base;

	if (!t->count || addr < t->base || where < t->offsets[0] || where >= t->offsets[t->count])
		return NULL;
	/* offsets[low] <= where < offsets[high] */
	while (high - low > 1) {
		uint32_t mid = low + (high - low) / 2;

		if (t->offsets[mid] <= where)
			low = mid;
		else
			high = mid;
	}
	if (offset)
		*offset = where - t->offsets[low];
	return t->strings + t->names[low];
}

int symtab_address(const struct symtab *t, const char *name, uintptr_t *addr)
{
	for (uint32_t i = 0; i < t->count; i++) {
		if (strcmp(t->strings + t->names[i], name))
			continue;
		*addr = t->base + t->offsets[i];
		return 0;
	}
	return -ENOENT;
}

char *symtab_format(const struct symtab *t, uintptr_t addr, char *buf, size_t size)
{
	uintptr_t offset;
	const char *name = symtab_find(t, addr, &offset);

	if (name)
		snprintf(buf, size, "%s+0x%lx", name, (unsigned long)offset);
	else
		snprintf(buf, size, "0x%lx", (unsigned long)addr);
	return buf;
}
