/* SPDX-License-Identifier: MIT */
/*
 * Hands the machine over to a chosen hart: the firmware picks the boot hart at random, and a test
 * wants a certain one. OpenSBI enters this like a kernel, on any hart. That one starts the chosen
 * hart (SBI 1.0, section 9.1) and stops; the chosen one waits until the firmware has it STOPPED,
 * and enters the kernel, which lies in memory already, as the firmware would have.
 *
 * CHOSEN: a word with the hartid, for whoever starts QEMU to fill in. The tree must reserve this
 * program's memory: OpenSBI 1.1 may let a hart that the kernel starts go to the first entry of all
 * (kernel/hart/start.c); here it is stopped again.
 */
#include "tests/payload/sbi.h"

#define CHOSEN 0x84001000
#define KERNEL 0x80200000

	.option norelax
	.section .text
	.globl _start
/* a0: hartid, a1: tree. SIE off, satp 0. */
_start:
	csrw	sie, zero
	li	s0, CHOSEN
	lw	s0, 0(s0)
	la	s1, claimed
	li	t0, 1
	amoswap.w.aqrl t0, t0, (s1)
	/* s0: chosen hartid, t0: whether somebody was here before */
	bnez	t0, not_the_first
	beq	a0, s0, enter
	la	t1, first
	sd	a0, 0(t1)
	sd	a1, 8(t1)
	mv	a0, s0
	la	a1, arrive
	li	a2, 0
	fence	rw, orw
	sbi	SBI_HSM, SBI_HSM_START
	bnez	a0, give_up
stop:
	sbi	SBI_HSM, SBI_HSM_STOP
give_up:
	power_off 1

/* Let go to the wrong address. The chosen one goes where it should have gone, once. */
not_the_first:
	bne	a0, s0, stop
/* Where the chosen hart comes in. a0: hartid. */
arrive:
	csrw	sie, zero
	mv	s0, a0
	la	s1, entered
	li	t0, 1
	amoswap.w.aqrl t0, t0, (s1)
	bnez	t0, stop
1:	la	t1, first
	ld	a0, 0(t1)
	sbi	SBI_HSM, SBI_HSM_STATUS
	bnez	a0, give_up
	li	t0, SBI_HSM_STOPPED
	bne	a1, t0, 1b
	mv	a0, s0
	la	t1, first
	ld	a1, 8(t1)
/* a0: hartid, a1: tree. */
enter:
	la	s1, entered
	li	t0, 1
	sw	t0, 0(s1)
	li	t0, KERNEL
	jr	t0

	.balign	8
first:	/* hartid of the one that the firmware picked, and the tree that it got */
	.dword	0
	.dword	0
claimed:
	.word	0
entered:
	.word	0
