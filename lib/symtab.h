/* SPDX-License-Identifier: MIT */
/*
 * The kernel's symbols, embedded in its image: names for the addresses of a backtrace.
 *
 * The build links, reads the functions' addresses off the image, writes them as a table in assembly
 * and links again (configs/link.py). The first image holds a table of count 0, which is legal and
 * knows nothing.
 */
#ifndef LIB_SYMTAB_H
#define LIB_SYMTAB_H

#include "lib/types.h"

/* What the build generates; all constant. */
extern const uintptr_t symtab_base;	/* lowest function */
extern const uint32_t symtab_count;	/* functions */
extern const uint32_t symtab_offsets[]; /* count + 1, ascending, from base; the last: end of text */
extern const uint32_t symtab_names[];	/* count: where the name begins in symtab_strings */
extern const char symtab_strings[];	/* terminated names, one after the other */

struct symtab {
	uintptr_t base;
	uint32_t count;
	const uint32_t *offsets;
	const uint32_t *names;
	const char *strings;
};

static inline struct symtab symtab_kernel(void)
{
	return (struct symtab){
		symtab_base, symtab_count, symtab_offsets, symtab_names, symtab_strings};
}

/* The function that addr lies in, and addr's offset in it (may be NULL); NULL if it lies in none.
 * Any context. */
const char *symtab_find(const struct symtab *t, uintptr_t addr, uintptr_t *offset);
/* The address of a name: 0, or -ENOENT. Linear. */
int symtab_address(const struct symtab *t, const char *name, uintptr_t *addr);
/* Writes "name+0x1c", or "0x..." for an address without symbol; returns buf. */
char *symtab_format(const struct symtab *t, uintptr_t addr, char *buf, size_t size);

#endif
