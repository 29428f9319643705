/* SPDX-License-Identifier: MIT */
/* Words of the assembly files: one text for 64 and 32 bits. */
#ifndef ARCH_RISCV_ASM_H
#define ARCH_RISCV_ASM_H

#include "arch/layout.h"
#include "arch/riscv/csr.h"
#include "generated/offsets.h"

#if __riscv_xlen == 64
#define REG_S sd
#define REG_L ld
#define REG_WORD .dword
#define REG_SIZE 8
#else
#define REG_S sw
#define REG_L lw
#define REG_WORD .word
#define REG_SIZE 4
#endif

/*
 * A frame record as the compiler lays it out: s0 points behind it, return address and the caller's
 * s0 are the two words below. The records of trap.S have the frame's address as third word.
 */
#define RECORD_SIZE 32
#define RECORD_RA (RECORD_SIZE - REG_SIZE)
#define RECORD_FP (RECORD_SIZE - 2 * REG_SIZE)
#define RECORD_FRAME (RECORD_SIZE - 3 * REG_SIZE)

/* clang-format off */
.macro FUNCTION name
	.globl \name
	.type \name, @function
	.balign 4
\name:
.endm

.macro END name
	.size \name, . - \name
.endm
/* clang-format on */

#endif
