/* SPDX-License-Identifier: MIT */
/*
 * The primitives of atomic.h on RISC-V; included by it alone.
 *
 * Unprivileged specification, "Mappings from C/C++ primitives to RISC-V primitives":
 *
 *	load   relaxed: l   acquire: l; fence r,rw   seq_cst: fence rw,rw; l; fence r,rw
 *	store  relaxed: s   release: fence rw,w; s   seq_cst: the same
 *	amo    none, .aq, .rl, .aqrl, .aqrl
 *	cas    lr; sc   lr.aq; sc   lr; sc.rl   lr.aq; sc.rl   seq_cst: lr.aqrl; sc.rl
 *	fence  acquire: r,rw   release: rw,w   acq_rel: fence.tso   full: rw,rw
 *
 * The lr/sc loops are what the specification promises progress for: four instructions of the base
 * set, no memory access between, one backward branch.
 *
 * lr.w and amo*.w sign-extend what they load, so a 32-bit `expected` is compared sign-extended.
 */
#ifndef KERNEL_LOCK_ATOMIC_RISCV_H
#define KERNEL_LOCK_ATOMIC_RISCV_H

#define ATOMIC_LOADS(s, ctype, w) \
	static inline ctype atomic_load_##s##_relaxed(const atomic_##s *a) \
	{ \
		ctype v; \
		asm volatile("l" w " %0, %1" : "=r"(v) : "m"(a->v)); \
		return v; \
	} \
	static inline ctype atomic_load_##s##_acquire(const atomic_##s *a) \
	{ \
		ctype v; \
		asm volatile("l" w " %0, %1\n\tfence r,rw" : "=r"(v) : "m"(a->v) : "memory"); \
		return v; \
	} \
	static inline ctype atomic_load_##s##_seq_cst(const atomic_##s *a) \
	{ \
		ctype v; \
		asm volatile("fence rw,rw\n\tl" w " %0, %1\n\tfence r,rw" \
			: "=r"(v) \
			: "m"(a->v) \
			: "memory"); \
		return v; \
	}

#define ATOMIC_STORES(s, ctype, w) \
	static inline void atomic_store_##s##_relaxed(atomic_##s *a, ctype v) \
	{ \
		asm volatile("s" w " %z1, %0" : "=m"(a->v) : "rJ"(v)); \
	} \
	static inline void atomic_store_##s##_release(atomic_##s *a, ctype v) \
	{ \
		asm volatile("fence rw,w\n\ts" w " %z1, %0" : "=m"(a->v) : "rJ"(v) : "memory"); \
	} \
	static inline void atomic_store_##s##_seq_cst(atomic_##s *a, ctype v) \
	{ \
		asm volatile("fence rw,w\n\ts" w " %z1, %0" : "=m"(a->v) : "rJ"(v) : "memory"); \
	}

#define ATOMIC_AMO(op, insn, s, ctype, w, order, suffix) \
	static inline ctype atomic_##op##_##s##_##order(atomic_##s *a, ctype v) \
	{ \
		ctype old; \
		asm volatile("amo" insn "." w suffix " %0, %z2, %1" \
			: "=r"(old), "+A"(a->v) \
			: "rJ"(v) \
			: "memory"); \
		return old; \
	}

#define ATOMIC_AMOS(op, insn, s, ctype, w) \
	ATOMIC_AMO(op, insn, s, ctype, w, relaxed, "") \
	ATOMIC_AMO(op, insn, s, ctype, w, acquire, ".aq") \
	ATOMIC_AMO(op, insn, s, ctype, w, release, ".rl") \
	ATOMIC_AMO(op, insn, s, ctype, w, acq_rel, ".aqrl") \
	ATOMIC_AMO(op, insn, s, ctype, w, seq_cst, ".aqrl")

/* `stype` is the signed type of the width: its conversion to long is the sign extension. */
#define ATOMIC_CAS(s, ctype, stype, w, order, aq, rl) \
	static inline bool atomic_cas_##s##_##order(atomic_##s *a, ctype *expected, ctype v) \
	{ \
		ctype want = *expected; \
		ctype old; \
		long failed; \
		asm volatile("1:\tlr." w aq " %0, %2\n" \
			     "\tbne %0, %z3, 2f\n" \
			     "\tsc." w rl " %1, %z4, %2\n" \
			     "\tbnez %1, 1b\n" \
			     "2:" \
			: "=&r"(old), "=&r"(failed), "+A"(a->v) \
			: "rJ"((long)(stype)want), "rJ"(v) \
			: "memory"); \
		*expected = old; \
		return old == want; \
	}

#define ATOMIC_CASES(s, ctype, stype, w) \
	ATOMIC_CAS(s, ctype, stype, w, relaxed, "", "") \
	ATOMIC_CAS(s, ctype, stype, w, acquire, ".aq", "") \
	ATOMIC_CAS(s, ctype, stype, w, release, "", ".rl") \
	ATOMIC_CAS(s, ctype, stype, w, acq_rel, ".aq", ".rl") \
	ATOMIC_CAS(s, ctype, stype, w, seq_cst, ".aqrl", ".rl")

#define ATOMIC_INTEGER(s, ctype, stype, w) \
	ATOMIC_LOADS(s, ctype, w) \
	ATOMIC_STORES(s, ctype, w) \
	ATOMIC_AMOS(xchg, "swap", s, ctype, w) \
	ATOMIC_AMOS(add, "add", s, ctype, w) \
	ATOMIC_AMOS(or, "or", s, ctype, w) \
	ATOMIC_AMOS(and, "and", s, ctype, w) \
	ATOMIC_CASES(s, ctype, stype, w)

#if __riscv_xlen == 64
#define ATOMIC_WORD "d"
#else
#define ATOMIC_WORD "w"
#endif

ATOMIC_INTEGER(u32, uint32_t, int32_t, "w")
ATOMIC_INTEGER(ulong, unsigned long, long, ATOMIC_WORD)
ATOMIC_LOADS(ptr, void *, ATOMIC_WORD)
ATOMIC_STORES(ptr, void *, ATOMIC_WORD)
ATOMIC_AMOS(xchg, "swap", ptr, void *, ATOMIC_WORD)
ATOMIC_CASES(ptr, void *, long, ATOMIC_WORD)

#if __riscv_xlen == 64
ATOMIC_INTEGER(u64, uint64_t, int64_t, "d")
#else
/* atomic64.c: each is a full barrier on both sides, whatever order is asked for. */
uint64_t atomic64_load(const atomic_u64 *a);
void atomic64_store(atomic_u64 *a, uint64_t v);
uint64_t atomic64_xchg(atomic_u64 *a, uint64_t v);
uint64_t atomic64_add(atomic_u64 *a, uint64_t v);
uint64_t atomic64_or(atomic_u64 *a, uint64_t v);
uint64_t atomic64_and(atomic_u64 *a, uint64_t v);
bool atomic64_cas(atomic_u64 *a, uint64_t *expected, uint64_t v);

#define atomic_load_u64_relaxed atomic64_load
#define atomic_load_u64_acquire atomic64_load
#define atomic_load_u64_seq_cst atomic64_load
#define atomic_store_u64_relaxed atomic64_store
#define atomic_store_u64_release atomic64_store
#define atomic_store_u64_seq_cst atomic64_store
#define ATOMIC64_ORDERS(op) \
	static inline uint64_t atomic_##op##_u64_relaxed(atomic_u64 *a, uint64_t v) \
	{ \
		return atomic64_##op(a, v); \
	} \
	static inline uint64_t atomic_##op##_u64_acquire(atomic_u64 *a, uint64_t v) \
	{ \
		return atomic64_##op(a, v); \
	} \
	static inline uint64_t atomic_##op##_u64_release(atomic_u64 *a, uint64_t v) \
	{ \
		return atomic64_##op(a, v); \
	} \
	static inline uint64_t atomic_##op##_u64_acq_rel(atomic_u64 *a, uint64_t v) \
	{ \
		return atomic64_##op(a, v); \
	} \
	static inline uint64_t atomic_##op##_u64_seq_cst(atomic_u64 *a, uint64_t v) \
	{ \
		return atomic64_##op(a, v); \
	}
ATOMIC64_ORDERS(xchg)
ATOMIC64_ORDERS(add)
ATOMIC64_ORDERS(or)
ATOMIC64_ORDERS(and)
#define atomic_cas_u64_relaxed atomic64_cas
#define atomic_cas_u64_acquire atomic64_cas
#define atomic_cas_u64_release atomic64_cas
#define atomic_cas_u64_acq_rel atomic64_cas
#define atomic_cas_u64_seq_cst atomic64_cas
#endif

/* Between accesses of ordinary memory by harts. Prefer an order on the access itself. */
static inline void fence_acquire(void)
{
	asm volatile("fence r,rw" ::: "memory");
}

static inline void fence_release(void)
{
	asm volatile("fence rw,w" ::: "memory");
}

static inline void fence_acq_rel(void)
{
	asm volatile("fence.tso" ::: "memory");
}

/* Also orders earlier stores before later loads. */
static inline void fence_full(void)
{
	asm volatile("fence rw,rw" ::: "memory");
}

/* Also orders accesses of devices against those of memory, in both directions. */
static inline void fence_io(void)
{
	asm volatile("fence iorw,iorw" ::: "memory");
}

#endif
