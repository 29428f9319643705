/* SPDX-License-Identifier: MIT */
/* Stages of a hart's way into the kernel that boot.S and smp.c pass, for C and assembly: indices of
 * struct arch_hart.reached. */
#ifndef ARCH_STAGE_H
#define ARCH_STAGE_H

#define ARCH_STAGE_ENTRY 0 /* its first instruction */
#define ARCH_STAGE_MMU 1   /* paging is on */
#define ARCH_STAGE_TRAPS 2 /* traps have their vector, frame and stack */
#define ARCH_STAGES 3

#endif
