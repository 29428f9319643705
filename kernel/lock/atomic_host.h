/* SPDX-License-Identifier: MIT */
/*
 * The primitives of atomic.h on a host, in C11's terms, for tests that run the kernel's sources
 * with pthreads as harts. Included by atomic.h alone.
 */
#ifndef KERNEL_LOCK_ATOMIC_HOST_H
#define KERNEL_LOCK_ATOMIC_HOST_H

#define ATOMIC_LOAD(s, ctype, order, c11) \
	static inline ctype atomic_load_##s##_##order(const atomic_##s *a) \
	{ \
		return __atomic_load_n(&a->v, c11); \
	}
#define ATOMIC_STORE(s, ctype, order, c11) \
	static inline void atomic_store_##s##_##order(atomic_##s *a, ctype v) \
	{ \
		__atomic_store_n(&a->v, v, c11); \
	}
#define ATOMIC_RMW(op, builtin, s, ctype, order, c11) \
	static inline ctype atomic_##op##_##s##_##order(atomic_##s *a, ctype v) \
	{ \
		return builtin(&a->v, v, c11); \
	}
#define ATOMIC_RMWS(op, builtin, s, ctype) \
	ATOMIC_RMW(op, builtin, s, ctype, relaxed, __ATOMIC_RELAXED) \
	ATOMIC_RMW(op, builtin, s, ctype, acquire, __ATOMIC_ACQUIRE) \
	ATOMIC_RMW(op, builtin, s, ctype, release, __ATOMIC_RELEASE) \
	ATOMIC_RMW(op, builtin, s, ctype, acq_rel, __ATOMIC_ACQ_REL) \
	ATOMIC_RMW(op, builtin, s, ctype, seq_cst, __ATOMIC_SEQ_CST)
#define ATOMIC_CAS(s, ctype, order, c11, c11_failed) \
	static inline bool atomic_cas_##s##_##order(atomic_##s *a, ctype *expected, ctype v) \
	{ \
		return __atomic_compare_exchange_n(&a->v, expected, v, false, c11, c11_failed); \
	}

#define ATOMIC_LONE(s, ctype) \
	ATOMIC_LOAD(s, ctype, relaxed, __ATOMIC_RELAXED) \
	ATOMIC_LOAD(s, ctype, acquire, __ATOMIC_ACQUIRE) \
	ATOMIC_LOAD(s, ctype, seq_cst, __ATOMIC_SEQ_CST) \
	ATOMIC_STORE(s, ctype, relaxed, __ATOMIC_RELAXED) \
	ATOMIC_STORE(s, ctype, release, __ATOMIC_RELEASE) \
	ATOMIC_STORE(s, ctype, seq_cst, __ATOMIC_SEQ_CST) \
	ATOMIC_RMWS(xchg, __atomic_exchange_n, s, ctype) \
	ATOMIC_CAS(s, ctype, relaxed, __ATOMIC_RELAXED, __ATOMIC_RELAXED) \
	ATOMIC_CAS(s, ctype, acquire, __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE) \
	ATOMIC_CAS(s, ctype, release, __ATOMIC_RELEASE, __ATOMIC_RELAXED) \
	ATOMIC_CAS(s, ctype, acq_rel, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE) \
	ATOMIC_CAS(s, ctype, seq_cst, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)

#define ATOMIC_INTEGER(s, ctype) \
	ATOMIC_LONE(s, ctype) \
	ATOMIC_RMWS(add, __atomic_fetch_add, s, ctype) \
	ATOMIC_RMWS(or, __atomic_fetch_or, s, ctype) \
	ATOMIC_RMWS(and, __atomic_fetch_and, s, ctype)

ATOMIC_INTEGER(u32, uint32_t)
ATOMIC_INTEGER(u64, uint64_t)
ATOMIC_INTEGER(ulong, unsigned long)
ATOMIC_LONE(ptr, void *)

static inline void fence_acquire(void)
{
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
}

static inline void fence_release(void)
{
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

static inline void fence_acq_rel(void)
{
	__atomic_thread_fence(__ATOMIC_ACQ_REL);
}

static inline void fence_full(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static inline void fence_io(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

#endif
