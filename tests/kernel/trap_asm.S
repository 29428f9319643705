/* SPDX-License-Identifier: MIT */
/*
 * What the tests of traps need of the machine's registers. Frames are laid out as the compiler does
 * it, so that backtraces can be told what to find.
 */
#include "arch/riscv/asm.h"

	.text

/*
 * int reservation_over_call(uint32_t *word, void (*fn)(void))
 * Reserves *word, calls fn, tries to store to *word. 0: the store was made.
 */
FUNCTION reservation_over_call
	addi sp, sp, -RECORD_SIZE
	REG_S ra, RECORD_RA(sp)
	REG_S s0, RECORD_FP(sp)
	REG_S s1, RECORD_FRAME(sp)
	addi s0, sp, RECORD_SIZE
	mv s1, a0
	lr.w t0, (s1)
	jalr a1
	lw t0, 0(s1)
	sc.w a0, t0, (s1)
	REG_L ra, RECORD_RA(sp)
	REG_L s0, RECORD_FP(sp)
	REG_L s1, RECORD_FRAME(sp)
	addi sp, sp, RECORD_SIZE
	ret
END reservation_over_call

/*
 * void wait_as_leaf(const uint32_t *changes)
 * Waits until *changes is no longer 0. A function that calls nobody: its frame holds the caller's
 * s0 only, where the return address would be.
 */
FUNCTION wait_as_leaf
	addi sp, sp, -16
	REG_S s0, 16 - REG_SIZE(sp)
	addi s0, sp, 16
	.globl leaf_loop
leaf_loop:
	lw t1, 0(a0)
	beqz t1, leaf_loop
	REG_L s0, 16 - REG_SIZE(sp)
	addi sp, sp, 16
	ret
END wait_as_leaf

/* void fp_touch(void): makes the FP unit this thread's, and dirty. */
FUNCTION fp_touch
	.option push
	.option arch, +d
	fcvt.d.w f0, zero
	.option pop
	ret
END fp_touch

/* Data for the decoder, never executed here: an FP instruction (fmv.d.x f0, zero), and none. */
	.balign 4
	.globl fp_instruction
fp_instruction:
	.word 0xf2000053
	.globl integer_instruction
integer_instruction:
	.word 0x00000013
