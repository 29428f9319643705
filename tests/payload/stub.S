/* SPDX-License-Identifier: MIT */
/*
 * What a bring-up costs at the least: the bare program that tests/bench/scale compares the kernel
 * with. OpenSBI enters it like a kernel. It issues one HSM start a hart (SBI 1.0, section 9.1), all
 * at once, as the kernel does (kernel/hart/start.c); each hart that arrives notes the time and
 * sleeps for good. The first hart sleeps in steps of a millisecond, as the kernel's boot does,
 * until all have come. Then it prints one line, in hexadecimal,
 *	stub: harts=N span=TICKS	first start call to last arrival, counted by `time`
 * and switches the machine off.
 *
 * Hartids are tried from 0 up to HARTIDS_MAX: HSM knows which exist.
 */
#include "tests/payload/sbi.h"

#define HARTIDS_MAX 512

#define SBI_TIME 0x54494d45
#define SBI_TIME_SET 0
#define SBI_PUTCHAR 1	/* legacy */
#define SIE_STIE (1 << 5)

	.option norelax
	.section .text
	.globl _start
/* a0: hartid, a1: tree; sp: nothing. SIE off, satp 0. */
_start:
	csrw	sie, zero
	la	sp, stack_top
	mv	s0, a0		/* s0: own hartid */
	li	s1, 0		/* s1: hartid that is asked for */
	li	s2, 0		/* s2: starts issued */
	rdtime	s3		/* s3: before the first start */
next_hartid:
	beq	s1, s0, asked
	mv	a0, s1
	sbi	SBI_HSM, SBI_HSM_STATUS
	bnez	a0, asked	/* there is none */
	bnez	s2, start
	rdtime	s3
start:
	mv	a0, s1
	la	a1, arrive
	li	a2, 0
	sbi	SBI_HSM, SBI_HSM_START
	bnez	a0, asked
	addi	s2, s2, 1
asked:
	addi	s1, s1, 1
	li	t0, HARTIDS_MAX
	bltu	s1, t0, next_hartid

/* s2: starts issued, s3: time before them. */
	li	t0, SIE_STIE
	csrw	sie, t0
wait:
	la	t0, arrived
	lw	t1, 0(t0)
	beq	t1, s2, all_here
	rdtime	a0
	li	t2, 10000	/* a millisecond of virt's timebase */
	add	a0, a0, t2
	sbi	SBI_TIME, SBI_TIME_SET
	wfi
	j	wait

all_here:
	fence	r, rw
	la	t0, last
	ld	s4, 0(t0)
	sub	s4, s4, s3	/* s4: the span */
	la	a0, text_harts
	call	print_text
	addi	a0, s2, 1
	call	print_hex
	la	a0, text_span
	call	print_text
	mv	a0, s4
	call	print_hex
	la	a0, text_end
	call	print_text
	power_off 0

sleep:
	wfi
	j	sleep

/* Where a started hart comes in. a0: hartid; sp: nothing. */
arrive:
	csrw	sie, zero
	rdtime	t0
	la	t1, last
	amomaxu.d zero, t0, (t1)
	fence	w, w
	la	t1, arrived
	li	t0, 1
	amoadd.w zero, t0, (t1)
	j	sleep

/* a0: text that ends with 0. Uses a0, a6, a7, s5, s6. */
print_text:
	mv	s5, a0
	mv	s6, ra
1:	lbu	a0, 0(s5)
	beqz	a0, 2f
	li	a7, SBI_PUTCHAR
	ecall
	addi	s5, s5, 1
	j	1b
2:	jr	s6

/* a0: number. Uses a0, a6, a7, t0, s5, s6. */
print_hex:
	mv	s5, a0
	li	s6, 60		/* shift */
1:	srl	a0, s5, s6
	andi	a0, a0, 15
	li	t0, 10
	addi	a0, a0, '0'
	addi	t0, t0, '0'
	bltu	a0, t0, 2f
	addi	a0, a0, 'a' - '0' - 10
2:	li	a7, SBI_PUTCHAR
	ecall
	addi	s6, s6, -4
	bgez	s6, 1b
	ret

text_harts:
	.asciz	"stub: harts="
text_span:
	.asciz	" span="
text_end:
	.asciz	"\n"

	.balign	8
arrived:
	.dword	0
last:
	.dword	0
stack:
	.zero	256
stack_top:
