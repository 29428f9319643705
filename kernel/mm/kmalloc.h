/* SPDX-License-Identifier: MIT */
/*
 * Memory by the byte. Sizes up to KMALLOC_SLAB_MAX come from slab caches of fixed sizes, larger
 * ones are whole pages. Results are aligned to 16 bytes; sizes that are powers of two up to a page
 * are aligned to 64 at least where they are that large (not in debug builds, which put a red zone
 * behind each object).
 */
#ifndef KERNEL_MM_KMALLOC_H
#define KERNEL_MM_KMALLOC_H

#include "kernel/mm/page.h"
#include "kernel/mm/slab.h"

#define KMALLOC_SLAB_MAX 2048

/* `size` bytes, NULL if there are none or size is 0 or more than 4 MiB. flags: MM_ZERO, MM_ATOMIC.
 * Either; ranks SLAB, PAGE. */
void *kmalloc(size_t size, unsigned flags);
/* The same, zeroed. */
void *kzalloc(size_t size, unsigned flags);
/* Gives it back; NULL is legal. Memory that holds a held lock is reported. Either. */
void kfree(void *ptr);
/* Bytes that may be used at ptr. Either. */
size_t kmalloc_size(const void *ptr);

#endif
