/* SPDX-License-Identifier: MIT */
/*
 * 64-bit atomics on a machine without them (rv32): each operation holds one of a few spin words,
 * chosen by the address, with interrupts off, so that a handler on this hart never spins for the
 * word that it interrupted. The section is a few instructions and calls nothing but relax. Every
 * operation is a full barrier on both sides: it stands in for any order.
 *
 * Compiles to nothing on rv64.
 */
#include "kernel/lock/atomic.h"

#if defined(__riscv) && __riscv_xlen == 32
#include "kernel/arch.h"
#include "kernel/lock/relax.h"

#define WORDS 16

static atomic_u32 words[WORDS];

static atomic_u32 *word_of(const atomic_u64 *a)
{
	return &words[((uintptr_t)a >> 3) % WORDS];
}

static bool enter(const atomic_u64 *a)
{
	bool before = arch_irq_save();

	/* Acquire; partner: the release in leave. */
	while (atomic_xchg_u32(word_of(a), 1, acq_rel))
		relax();
	fence_full();
	return before;
}

static void leave(const atomic_u64 *a, bool before)
{
	fence_full();
	atomic_store_u32(word_of(a), 0, release);
	arch_irq_restore(before);
}

uint64_t atomic64_load(const atomic_u64 *a)
{
	bool before = enter(a);
	uint64_t v = a->v;

	leave(a, before);
	return v;
}

void atomic64_store(atomic_u64 *a, uint64_t v)
{
	bool before = enter(a);

	a->v = v;
	leave(a, before);
}

#define ATOMIC64_RMW(op, expression) \
	uint64_t atomic64_##op(atomic_u64 *a, uint64_t v) \
	{ \
		bool before = enter(a); \
		uint64_t old = a->v; \
\
		a->v = (expression); \
		leave(a, before); \
		return old; \
	}

ATOMIC64_RMW(xchg, v)
ATOMIC64_RMW(add, old + v)
ATOMIC64_RMW(or, old | v)
ATOMIC64_RMW(and, old &v)

bool atomic64_cas(atomic_u64 *a, uint64_t *expected, uint64_t v)
{
	bool before = enter(a);
	uint64_t old = a->v;
	bool same = old == *expected;

	if (same)
		a->v = v;
	leave(a, before);
	*expected = old;
	return same;
}
#endif
