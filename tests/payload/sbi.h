/* SPDX-License-Identifier: MIT */
/* Calls of the firmware (SBI 1.0, chapters 3, 9 and 10), for bare programs in assembly. */
#ifndef TESTS_PAYLOAD_SBI_H
#define TESTS_PAYLOAD_SBI_H

#define SBI_HSM 0x48534d
#define SBI_HSM_START 0
#define SBI_HSM_STOP 1
#define SBI_HSM_STATUS 2
#define SBI_HSM_STOPPED 1
#define SBI_SRST 0x53525354
#define SBI_SRST_RESET 0
#define SBI_SRST_SHUTDOWN 0

/* clang-format off */
/* a0, a1, ...: what the call takes; then a0: error, a1: value. Uses a6, a7. */
.macro sbi extension, function
	li	a6, \function
	li	a7, \extension
	ecall
.endm

/* reason: 0 none, 1 failure. Does not go on. */
.macro power_off reason
	li	a0, SBI_SRST_SHUTDOWN
	li	a1, \reason
	sbi	SBI_SRST, SBI_SRST_RESET
9:	wfi
	j	9b
.endm
/* clang-format on */

#endif
