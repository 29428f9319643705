/* SPDX-License-Identifier: MIT */
/*
 * Holds patterns in registers while the hart is busy: for tests that preempt it meanwhile.
 */
#if __riscv_xlen == 64
#define REG_S sd
#define REG_L ld
#define WORD 8
#else
#define REG_S sw
#define REG_L lw
#define WORD 4
#endif

/* One instruction for each of f0-f31 and the doubles from `base` on. */
	.macro	FOR_ALL_32	insn, base
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	\insn	f\n, 8 * \n (\base)
	.endr
	.irp	n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	\insn	f\n, 8 * \n (\base)
	.endr
	.endm

	.text
	.option push
	.option arch, +d

/*
 * void fpu_hold(const uint64_t in[32], uint64_t out[32], uintptr_t *fcsr, uintptr_t loops)
 *
 * a0 = in, a1 = out, a2 = fcsr (in and out), a3 = loops; ra = return. Fills f0-f31 and fcsr, counts
 * a3 down, stores them. The kernel is compiled without FP: all 32 are ours.
 */
	.globl	fpu_hold
	.type	fpu_hold, @function
fpu_hold:
	FOR_ALL_32	fld, a0
	REG_L	t0, 0(a2)
	fscsr	t0
1:	addi	a3, a3, -1		/* a3: loops left; f0-f31, fcsr: patterns */
	bnez	a3, 1b
	FOR_ALL_32	fsd, a1
	frcsr	t0
	REG_S	t0, 0(a2)
	ret
	.size	fpu_hold, . - fpu_hold
	.option pop

/*
 * void int_hold(const uintptr_t in[26], uintptr_t out[26], uintptr_t loops)
 *
 * a0 = in, a1 = out, a2 = loops; ra = return. The same with all integer registers but sp, gp, tp
 * and the three that the loop needs (a0-a2): x1, x5-x9, x13-x31, in this order; in[25] is not used.
 */
	.globl	int_hold
	.type	int_hold, @function
int_hold:
	addi	sp, sp, -(14 * WORD)
	REG_S	ra, 0 * WORD (sp)
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
	REG_S	s\n, (1 + \n) * WORD (sp)
	.endr
	REG_L	x1, 0 * WORD (a0)
	REG_L	x5, 1 * WORD (a0)
	REG_L	x6, 2 * WORD (a0)
	REG_L	x7, 3 * WORD (a0)
	REG_L	x8, 4 * WORD (a0)
	REG_L	x9, 5 * WORD (a0)
	.irp	n, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	REG_L	x\n, (\n - 7) * WORD (a0)
	.endr
1:	addi	a2, a2, -1		/* a2: loops left; the rest: patterns */
	bnez	a2, 1b
	REG_S	x1, 0 * WORD (a1)
	REG_S	x5, 1 * WORD (a1)
	REG_S	x6, 2 * WORD (a1)
	REG_S	x7, 3 * WORD (a1)
	REG_S	x8, 4 * WORD (a1)
	REG_S	x9, 5 * WORD (a1)
	.irp	n, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
	REG_S	x\n, (\n - 7) * WORD (a1)
	.endr
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
	REG_L	s\n, (1 + \n) * WORD (sp)
	.endr
	REG_L	ra, 0 * WORD (sp)
	addi	sp, sp, 14 * WORD
	ret
	.size	int_hold, . - int_hold
