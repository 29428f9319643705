/* SPDX-License-Identifier: MIT */
/* The Supervisor Binary Interface 1.0, as far as the kernel calls it. */
#ifndef ARCH_RISCV_SBI_H
#define ARCH_RISCV_SBI_H

#include "kernel/arch.h"

enum sbi_extension {
	SBI_LEGACY_PUTCHAR = 0x01,
	SBI_BASE = 0x10,
	SBI_TIME = 0x54494d45,
	SBI_IPI = 0x735049,
	SBI_RFENCE = 0x52464e43,
	SBI_HSM = 0x48534d,
	SBI_SRST = 0x53525354,
	SBI_PMU = 0x504d55,
	SBI_DBCN = 0x4442434e,
	SBI_SUSP = 0x53555350,
};

struct sbi_result {
	long error; /* 0, or one of the negative numbers of section 3 */
	unsigned long value;
};

/* Calls the firmware. Any context; what the function may do is the caller's matter. */
struct sbi_result sbi_call(unsigned long extension, unsigned long function, unsigned long arg0,
	unsigned long arg1, unsigned long arg2);
/* An SBI error as -Exxx. */
int sbi_errno(long error);
/* Asks the firmware who it is and what it has; fills arch_info. Boot hart, once. */
void sbi_init(void);

#endif
