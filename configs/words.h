/* SPDX-License-Identifier: MIT */
/*
 * Included before everything else. The compiler's ABI for bare 32-bit machines makes uint32_t an
 * unsigned long and uintptr_t an unsigned int, the other way round than for 64 bits. Here uint32_t
 * is an unsigned int and uintptr_t an unsigned long on both, so that one format (%u, %lx) prints
 * each. Sizes and calling convention are the same.
 */
#if __riscv_xlen == 32
#undef __INT32_TYPE__
#undef __UINT32_TYPE__
#undef __INTPTR_TYPE__
#undef __UINTPTR_TYPE__
#define __INT32_TYPE__ int
#define __UINT32_TYPE__ unsigned int
#define __INTPTR_TYPE__ long
#define __UINTPTR_TYPE__ unsigned long
#endif
