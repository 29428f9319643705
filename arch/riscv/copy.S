/* SPDX-License-Identifier: MIT */
/*
 * int arch_copy_nofault(void *dst, const void *src, size_t n)
 *   a0 dst, a1 src, a2 n. 0, or -EFAULT as soon as a load or store faults.
 *
 * The table of fixups (fixup.c) has an entry for each instruction that may fault. By words when
 * both ends are aligned, by bytes for the rest.
 */
#include "arch/riscv/asm.h"

#define EFAULT 14

/* clang-format off */
/* One instruction, and where to go on when it faults, both relative to the entry: the table is the
 * same wherever the image lies. */
.macro MAY_FAULT insn:vararg
99:	\insn
	.pushsection .fixup_table, "a"
	.balign 4
	.word 99b - .
	.word copy_fault - .
	.popsection
.endm
/* clang-format on */

	.text

FUNCTION arch_copy_nofault
	add a3, a1, a2
	/* a3 end of src */
	or a4, a0, a1
	andi a4, a4, REG_SIZE - 1
	bnez a4, 2f
	andi a4, a3, -REG_SIZE
	bgeu a1, a4, 2f
1:	MAY_FAULT REG_L a5, 0(a1)
	MAY_FAULT REG_S a5, 0(a0)
	addi a1, a1, REG_SIZE
	addi a0, a0, REG_SIZE
	bltu a1, a4, 1b
2:	beq a1, a3, 4f
3:	MAY_FAULT lbu a5, 0(a1)
	MAY_FAULT sb a5, 0(a0)
	addi a1, a1, 1
	addi a0, a0, 1
	bne a1, a3, 3b
4:	li a0, 0
	ret
copy_fault:
	li a0, -EFAULT
	ret
END arch_copy_nofault
