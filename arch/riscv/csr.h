/* SPDX-License-Identifier: MIT */
/* Control and status registers and their bits (Privileged 1.12, chapters 4 and 5; Sstc 0.5). */
#ifndef ARCH_RISCV_CSR_H
#define ARCH_RISCV_CSR_H

/* sstatus, 4.1.1 */
#define SSTATUS_SIE 0x00000002
#define SSTATUS_SPIE 0x00000020
#define SSTATUS_SPP 0x00000100
#define SSTATUS_VS 0x00000600
#define SSTATUS_FS 0x00006000 /* FP unit: Off, Initial, Clean, Dirty */
#define SSTATUS_FS_INITIAL 0x00002000
#define SSTATUS_FS_CLEAN 0x00004000
#define SSTATUS_FS_DIRTY 0x00006000
#define SSTATUS_SUM 0x00040000
#define SSTATUS_MXR 0x00080000
/* What the kernel never lets be on by itself; FS and VS are on only where a frame says so. */
#define SSTATUS_AT_BOOT_OFF (SSTATUS_SIE | SSTATUS_VS | SSTATUS_FS | SSTATUS_SUM | SSTATUS_MXR)

/* sip and sie, 4.1.3: bit numbers are the causes of interrupts */
#define IRQ_SOFT 1
#define IRQ_TIMER_CAUSE 5
#define IRQ_EXTERNAL_CAUSE 9
#define SIP_SSIP (1 << IRQ_SOFT)
#define SIP_STIP (1 << IRQ_TIMER_CAUSE)
#define SIP_SEIP (1 << IRQ_EXTERNAL_CAUSE)

/* scause, 4.1.8: exceptions */
#define CAUSE_FETCH_MISALIGNED 0
#define CAUSE_FETCH_ACCESS 1
#define CAUSE_ILLEGAL 2
#define CAUSE_BREAKPOINT 3
#define CAUSE_LOAD_MISALIGNED 4
#define CAUSE_LOAD_ACCESS 5
#define CAUSE_STORE_MISALIGNED 6
#define CAUSE_STORE_ACCESS 7
#define CAUSE_ECALL_USER 8
#define CAUSE_ECALL_SUPERVISOR 9
#define CAUSE_FETCH_PAGE 12
#define CAUSE_LOAD_PAGE 13
#define CAUSE_STORE_PAGE 15

/* Sstc; by number, because the assembler may not know the names */
#define CSR_STIMECMP 0x14d
#define CSR_STIMECMPH 0x15d

#ifndef __ASSEMBLER__

#include "lib/types.h"

/* Every access to a CSR stays where it stands relative to memory accesses. */
#define csr_read(csr) \
	({ \
		uintptr_t csr_value_; \
		__asm__ volatile("csrr %0, " #csr : "=r"(csr_value_) : : "memory"); \
		csr_value_; \
	})
#define csr_write(csr, value) \
	({ \
		uintptr_t csr_value_ = (value); \
		__asm__ volatile("csrw " #csr ", %0" : : "rK"(csr_value_) : "memory"); \
	})
#define csr_set(csr, bits) \
	({ \
		uintptr_t csr_value_ = (bits); \
		__asm__ volatile("csrs " #csr ", %0" : : "rK"(csr_value_) : "memory"); \
	})
/* Clears and returns what was there, in one instruction. */
#define csr_read_clear(csr, bits) \
	({ \
		uintptr_t csr_value_; \
		__asm__ volatile("csrrc %0, " #csr ", %1" \
			: "=r"(csr_value_) \
			: "rK"((uintptr_t)(bits)) \
			: "memory"); \
		csr_value_; \
	})
/* By number. */
#define csr_read_number(number) \
	({ \
		uintptr_t csr_value_; \
		__asm__ volatile("csrr %0, %1" : "=r"(csr_value_) : "i"(number) : "memory"); \
		csr_value_; \
	})
#define csr_write_number(number, value) \
	__asm__ volatile("csrw %0, %1" : : "i"(number), "r"((uintptr_t)(value)) : "memory")

#endif
#endif
