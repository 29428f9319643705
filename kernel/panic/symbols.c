/* SPDX-License-Identifier: MIT */
/* Addresses of the kernel's code as names. The table is constant; lib/symtab.h has its layout. */
#include "kernel/panic/symbols.h"

#include "lib/printf.h"
#include "lib/symtab.h"

const char *symbolise(uintptr_t addr, char *out, size_t n)
{
	const struct symtab table = symtab_kernel();

	return symtab_format(&table, addr, out, n);
}

const char *symbolise_return(uintptr_t addr, char *out, size_t n)
{
	const struct symtab table = symtab_kernel();
	uintptr_t offset;
	const char *name = symtab_find(&table, addr - 1, &offset);

	if (!name)
		return symbolise(addr, out, n);
	snprintf(out, n, "%s+0x%lx", name, (unsigned long)offset + 1);
	return out;
}
