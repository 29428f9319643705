/* SPDX-License-Identifier: MIT */
/*
 * Saves, restores and clears the FP registers (D extension). The kernel itself is compiled without
 * FP; only here are the instructions known to the assembler. The unit is on (sstatus.FS) when any
 * of these is called.
 */
#include "arch/riscv/asm.h"

	.option arch, +d

/* clang-format off */
.macro EACH_FP op
	.irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
	\op \n
	.endr
	.irp n, 16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
	\op \n
	.endr
.endm
.macro FP_SAVE n
	fsd f\n, \n * 8(t2)
.endm
.macro FP_RESTORE n
	fld f\n, \n * 8(t2)
.endm
.macro FP_CLEAR n
	fcvt.d.w f\n, zero
.endm
/* clang-format on */

	.text

/* For arch_switch: t2 struct arch_fpu, t6 return address; changes t3. */
FUNCTION fpu_save
	EACH_FP FP_SAVE
	frcsr t3
	REG_S t3, FPU_FCSR(t2)
	jr t6
END fpu_save

/* As above. */
FUNCTION fpu_restore
	EACH_FP FP_RESTORE
	REG_L t3, FPU_FCSR(t2)
	fscsr t3
	jr t6
END fpu_restore

/* void fpu_clear(void): what a thread's first FP instruction finds. */
FUNCTION fpu_clear
	EACH_FP FP_CLEAR
	fscsr zero
	ret
END fpu_clear
