/* SPDX-License-Identifier: MIT */
/*
 * Atomics: the only ones of the kernel.
 *
 *	atomic_load_u32(&a, acquire)            atomic_store_u32(&a, v, release)
 *	atomic_xchg_u32(&a, v, acq_rel)         atomic_cas_u32(&a, &expected, v, acquire)
 *	atomic_add_u32 / or / and (&a, v, relaxed)      all three return the OLD value
 *
 * for u32, u64, ulong (the machine's word), ptr (load, store, xchg, cas) and bool (load, store,
 * xchg). The order is one bare word: relaxed, acquire, release, acq_rel, seq_cst; it becomes a part
 * of a function's name, so an order that an operation cannot have does not compile.
 *
 * Why not the compiler's: gcc 12.2 for RISC-V, the compiler of Debian 12, drops orders of
 * compare-and-swap (a release one is a plain lr/sc pair, acq_rel has no release, acquire puts .aq
 * on the sc). On RISC-V everything here is inline assembly by the mapping tables of the
 * unprivileged specification ("Mappings from C/C++ primitives to RISC-V primitives"); `make check`
 * disassembles every primitive and compares it with that table. On a host, where the lock sources
 * are tested with pthreads as harts, it is C11, which the thread sanitizer understands.
 *
 * Every primitive is also a barrier to the compiler as far as its order says. A relaxed access
 * keeps its place among the other accesses of this header, not among plain ones.
 *
 * Compare-and-swap is strong: it fails only if the value differs, and then stores it to *expected.
 * On failure it orders like a load: acquire if its order contains acquire, relaxed otherwise.
 *
 * Alignment is natural (misaligned atomics trap); bool takes a word, because the machine has no
 * atomics narrower than 32 bits. u64 is native on rv64; on rv32, which has no 64-bit atomics, its
 * operations take one of a few hashed spin words with interrupts off (atomic64.c): correct in any
 * context, slow, and not for anything that must not wait.
 */
#ifndef KERNEL_LOCK_ATOMIC_H
#define KERNEL_LOCK_ATOMIC_H

#include "lib/types.h"

typedef struct {
	uint32_t v;
} atomic_u32;

typedef struct {
	uint64_t v;
} __attribute__((aligned(8))) atomic_u64;

typedef struct {
	unsigned long v;
} atomic_ulong;

typedef struct {
	void *v;
} atomic_ptr;

typedef struct {
	atomic_u32 as_u32; /* 0 or 1 */
} atomic_bool;

#ifdef __riscv
#include "kernel/lock/atomic_riscv.h"
#else
#include "kernel/lock/atomic_host.h"
#endif

#define atomic_load_u32(a, order) atomic_load_u32_##order(a)
#define atomic_store_u32(a, v, order) atomic_store_u32_##order(a, v)
#define atomic_xchg_u32(a, v, order) atomic_xchg_u32_##order(a, v)
#define atomic_add_u32(a, v, order) atomic_add_u32_##order(a, v)
#define atomic_or_u32(a, v, order) atomic_or_u32_##order(a, v)
#define atomic_and_u32(a, v, order) atomic_and_u32_##order(a, v)
#define atomic_cas_u32(a, expected, v, order) atomic_cas_u32_##order(a, expected, v)

#define atomic_load_u64(a, order) atomic_load_u64_##order(a)
#define atomic_store_u64(a, v, order) atomic_store_u64_##order(a, v)
#define atomic_xchg_u64(a, v, order) atomic_xchg_u64_##order(a, v)
#define atomic_add_u64(a, v, order) atomic_add_u64_##order(a, v)
#define atomic_or_u64(a, v, order) atomic_or_u64_##order(a, v)
#define atomic_and_u64(a, v, order) atomic_and_u64_##order(a, v)
#define atomic_cas_u64(a, expected, v, order) atomic_cas_u64_##order(a, expected, v)

#define atomic_load_ulong(a, order) atomic_load_ulong_##order(a)
#define atomic_store_ulong(a, v, order) atomic_store_ulong_##order(a, v)
#define atomic_xchg_ulong(a, v, order) atomic_xchg_ulong_##order(a, v)
#define atomic_add_ulong(a, v, order) atomic_add_ulong_##order(a, v)
#define atomic_or_ulong(a, v, order) atomic_or_ulong_##order(a, v)
#define atomic_and_ulong(a, v, order) atomic_and_ulong_##order(a, v)
#define atomic_cas_ulong(a, expected, v, order) atomic_cas_ulong_##order(a, expected, v)

#define atomic_load_ptr(a, order) atomic_load_ptr_##order(a)
#define atomic_store_ptr(a, v, order) atomic_store_ptr_##order(a, v)
#define atomic_xchg_ptr(a, v, order) atomic_xchg_ptr_##order(a, v)
#define atomic_cas_ptr(a, expected, v, order) atomic_cas_ptr_##order(a, expected, v)

#define atomic_load_bool(a, order) (atomic_load_u32_##order(&(a)->as_u32) != 0)
#define atomic_store_bool(a, v, order) atomic_store_u32_##order(&(a)->as_u32, (v) ? 1 : 0)
#define atomic_xchg_bool(a, v, order) (atomic_xchg_u32_##order(&(a)->as_u32, (v) ? 1 : 0) != 0)

#endif
