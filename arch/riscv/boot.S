/* SPDX-License-Identifier: MIT */
/*
 * The first instructions of every hart, with paging off, wherever the firmware loaded the image.
 * Everything is reached relative to pc; the only link addresses are in the two words from which a
 * hart jumps high. This file fits into one page, which the early page tables also map at its
 * physical address (R and X), so that the instruction after satp is written exists.
 *
 * From a trap's point of view: sscratch names the first frame of a boot row before stvec is
 * trap_entry. Until then stvec is early_trap, or secondary_trap, which need no frame; what the
 * firmware leaves in stvec is where it lets the hart go, with which a fault would begin the way
 * again and again in silence.
 *
 *   boot hart:    _start -> (boot_early, C, paging off) -> boot_high -> boot_main -> kernel_main
 *   other harts:  secondary_start -> secondary_high -> secondary_main -> hart_main
 */
#include "arch/riscv/asm.h"
#include "arch/stage.h"

/* clang-format off */
/* Notes the time of a stage in the hart_meta at `hart`. Changes t0, on 32 bits also t1, t2. */
.macro REACHED hart, stage
#if __riscv_xlen == 64
	rdtime t0
	REG_S t0, HART_REACHED + 8 * \stage(\hart)
#else
9:	rdtimeh t1
	rdtime t0
	rdtimeh t2
	bne t1, t2, 9b
	REG_S t0, HART_REACHED + 8 * \stage(\hart)
	REG_S t1, HART_REACHED + 8 * \stage + 4(\hart)
#endif
.endm

/* A hart that is to do wrong at this stage (kernel/hart/fault.c) does. Changes t0 to t3. */
.macro STRIKE hart, stage
#if CONFIG_HART_FAULTS
	lw t0, HART_STRIKE + 4 * \stage(\hart)
	beqz t0, 8f
	addi t1, \hart, HART_STRIKE + 4 * \stage
	lla t2, boot_strike
	jalr t2, t2
8:
#endif
.endm
/* clang-format on */

	.section .text.boot, "ax", @progbits

/*
 * Entry of the boot hart (SBI 1.0 section 9, "hart's entry state"; OpenSBI's boot protocol).
 * a0 hartid, a1 physical address of the device tree, satp = 0, sstatus.SIE = 0; the rest is junk.
 */
FUNCTION _start
	csrw sie, zero
	csrw satp, zero
	lla t0, early_trap
	csrw stvec, t0
	/*
	 * Only the first hart may go on, for what follows clears .bss. OpenSBI 1.1 stores the state
	 * of a hart that it starts before its address, so a hart that polls its state can leave
	 * with the address of the boot before: this one (seen once in a hundred boots). aqrl: no
	 * part of the boot before the claim; partner: the other harts' claims.
	 */
	li t0, 1
	lla t1, boot_claimed
	amoswap.w.aqrl t0, t0, (t1)
	bnez t0, stray_hart
#if __riscv_xlen == 64
	rdtime s2
#else
1:	rdtimeh s3
	rdtime s2
	rdtimeh t0
	bne t0, s3, 1b
#endif
	li t0, SSTATUS_AT_BOOT_OFF
	csrc sstatus, t0
	mv s4, a0
	mv s1, a1
	/* s4 hartid, s1 tree (physical), s2 (s3: high half) time of entry; s0 is fp */

	lla t0, bss_start
	lla t1, bss_end
1:	REG_S zero, 0(t0)
	addi t0, t0, REG_SIZE
	bltu t0, t1, 1b

	lla t0, boot_hart
	addi t0, t0, HART_ROW
	csrw sscratch, t0

	lla sp, boot_stack_top
	mv fp, zero
	lla a0, kernel_start
	mv a1, s1
	call boot_early
	/* a0 the early satp, 0 if there is no such table */
	beqz a0, early_without_tables

	REG_L t0, boot_high_address
	csrw satp, a0
	sfence.vma
	/* From here on pc is in the identity page; everything else is at its link address. */
	jr t0
END _start

/*
 * A hart that was let go to the wrong address stops itself (SBI 1.0 section 9.2). Whoever started
 * it sees it STOPPED and starts it again (kernel/hart/start.c). Paging off, no memory is used.
 */
stray_hart:
	li a7, 0x48534d
	li a6, 1
	ecall
1:	wfi
	j 1b

/*
 * A fault of any other hart before it has frames and a stack for traps: it stops itself. Whoever
 * started it sees it STOPPED, and how far it had come (kernel/hart/start.c). Nothing is known of
 * the registers, paging may be on or off, no memory is used.
 */
FUNCTION secondary_trap
	csrw sie, zero
	/* The stages that it has noted before the firmware says STOPPED. Partner: the fence in
	 * start_repeat_if_lost. */
	fence rw, orw
	j stray_hart
END secondary_trap

	/* In .data: .bss is cleared after the claim. */
	.pushsection .data, "aw"
	.balign 4
boot_claimed:
	.word 0
	.popsection

/* Written at link time: the only absolute addresses of the boot. */
	.balign 8
boot_high_address:
	REG_WORD boot_high
secondary_high_address:
	REG_WORD secondary_high

/*
 * A fault of the boot hart before it has frames for traps: no tree has been read, so where it was
 * is said in one line on the firmware's console. Then the machine ends if it can (SRST shutdown,
 * reason system failure), else it sleeps. Nothing is known of the registers, paging may be on or
 * off; no memory is used but this page.
 */
FUNCTION early_trap
	csrr s3, scause
	csrr s4, sepc
	lla s2, early_trap_text
	j early_end
END early_trap

early_without_tables:
	lla s2, early_tables_text

/* s2 a text; s3, s4 the numbers that its first and second % stand for */
early_end:
	/* It says nothing of a fault of its own. */
	lla t0, early_off
	csrw stvec, t0
1:	lbu s5, 0(s2)
	addi s2, s2, 1
	beqz s5, early_off
	li t0, '%'
	beq s5, t0, 2f
	jal s7, early_put
	j 1b

	/* s6 the bit that the next digit begins at */
2:	li s6, __riscv_xlen - 4
3:	srl t0, s3, s6
	andi t0, t0, 15
	li t1, 10
	addi s5, t0, '0'
	bltu t0, t1, 4f
	addi s5, t0, 'a' - 10
4:	jal s7, early_put
	addi s6, s6, -4
	bgez s6, 3b
	mv s3, s4
	j 1b

/* s5 a byte, s7 the way back. DBCN, one byte (SBI 2.0, section 12.3), or else the putchar of old
 * (SBI 1.0, section 5.2). Changes a0, a1, a6, a7. */
early_put:
	mv a0, s5
	li a6, 2
	li a7, 0x4442434e
	ecall
	beqz a0, 1f
	mv a0, s5
	li a7, 1
	ecall
1:	jr s7

	.balign 4
early_off:
	li a7, 0x53525354
	li a6, 0
	li a0, 0
	li a1, 1
	ecall
1:	wfi
	j 1b
	.balign 4

/*
 * Entry of every other hart, and of the boot hart when it was stopped and is started again (SBI 1.0
 * section 9.1). a0 hartid, a1 physical address of its struct hart_meta, satp = 0, SIE = 0.
 */
FUNCTION secondary_start
	csrw sie, zero
	/* All that arch_hart_start's caller stored is visible from here on. Partner: the fence
	 * before the SBI call in arch_hart_start (smp.c). */
	fence rw, rw
	li t0, SSTATUS_AT_BOOT_OFF
	csrc sstatus, t0
	REACHED a1, ARCH_STAGE_ENTRY
	addi t0, a1, HART_ROW
	csrw sscratch, t0
	lla t0, secondary_trap
	csrw stvec, t0
	STRIKE a1, ARCH_STAGE_ENTRY
	REG_L tp, HART_SELF(a1)
	/* a0 hartid, tp virtual address of the hart_meta, of no use before paging is on */
	REG_L t0, boot_satp
	REG_L t1, secondary_high_address
	csrw satp, t0
	sfence.vma
	jr t1
END secondary_start

#if CONFIG_HART_FAULTS
/*
 * A fault on demand: t0 its kind, t1 the address of its word, t2 the way back; sie = 0, SIE = 0.
 * Paging on or off. Changes t0, t3.
 */
boot_strike:
	li t3, STRIKE_HANGS
	beq t0, t3, 1f
	li t3, STRIKE_LATE
	beq t0, t3, 2f
	/* it dies: to stvec */
	unimp
1:	wfi
	j 1b

	/* Late: until the word is cleared, of which an interrupt tells (kernel/hart/fault.c). */
2:	li t3, SIP_SSIP
	csrw sie, t3
3:	csrc sip, t3
	/* Partner: arch_ipi_send_hart, after the word was cleared. */
	fence io, rw
	lw t0, 0(t1)
	beqz t0, 4f
	wfi
	j 3b
4:	csrw sie, zero
	jr t2
#endif

/* Of early_end. Last: code is aligned to its own length only. */
early_trap_text:
	.asciz "panic: boot hart: a trap before it can take any: cause 0x%, address 0x%\n"
early_tables_text:
	.asciz "panic: boot hart: the early page tables cannot hold the image and the tree\n"

boot_code_end:
	.globl boot_code_end

	.text

/*
 * Boot hart, paging on, pc at its link address; sp and fp are still physical.
 * s4 hartid, s1 tree (physical), s2 (s3) time of entry
 */
FUNCTION boot_high
	lla tp, boot_hart
	addi t0, tp, HART_ROW
	csrw sscratch, t0
	/* sscratch names frame 0 of the boot row, linked by boot_early for these addresses */
	lla t0, trap_entry
	csrw stvec, t0
	lla sp, boot_stack_top
	mv fp, zero
	mv ra, zero
	mv a0, s4
	mv a1, s1
	mv a2, s2
#if __riscv_xlen == 32
	mv a3, s3
#endif
	tail boot_main
END boot_high

/* Other hart, early page tables. a0 hartid, tp its hart_meta. */
FUNCTION secondary_high
	/* The same code at its link address, which the kernel's own tables map too. */
	lla t0, secondary_trap
	csrw stvec, t0
	REG_L t0, kernel_satp
	csrw satp, t0
	/* Everything, also global entries and invalid ones, that this hart may remember. */
	sfence.vma
	REACHED tp, ARCH_STAGE_MMU
	STRIKE tp, ARCH_STAGE_MMU
	addi t0, tp, HART_ROW
	csrw sscratch, t0
	/* sscratch names frame 0 of its boot row */
	lla t0, trap_entry
	csrw stvec, t0
	REG_L sp, HART_BOOT_TOP(tp)
	mv fp, zero
	mv ra, zero
	REACHED tp, ARCH_STAGE_TRAPS
	STRIKE tp, ARCH_STAGE_TRAPS
	mv a1, tp
	tail secondary_main
END secondary_high
