/* SPDX-License-Identifier: MIT */
/* Addresses of the kernel's code as names, from the table that the build embeds. */
#ifndef KERNEL_PANIC_SYMBOLS_H
#define KERNEL_PANIC_SYMBOLS_H

#include "lib/types.h"

#define SYMBOL_TEXT_MAX 80

/* "mutex_lock+0x1c" into out, or the bare address; returns out. Anywhere, no locks. */
const char *symbolise(uintptr_t addr, char *out, size_t n);
/* The same for a return address: the call lies before it, so after a call that does not return the
 * address itself may belong to the next function. */
const char *symbolise_return(uintptr_t addr, char *out, size_t n);

#endif
