/* SPDX-License-Identifier: MIT */
/*
 * The table of instructions that may fault: each entry names one, and where the code goes on
 * instead. The registers are those of the fault. Searched from the start: it has a handful of
 * entries.
 */
#include "arch/riscv/internal.h"

struct fixup {
	int32_t instruction, target; /* each relative to its own address */
};
extern const struct fixup fixup_table_start[], fixup_table_end[];

bool fixup_apply(struct trap_frame *frame)
{
	for (const struct fixup *f = fixup_table_start; f < fixup_table_end; f++) {
		if (frame->sepc != (uintptr_t)&f->instruction + (intptr_t)f->instruction)
			continue;
		frame->sepc = (uintptr_t)&f->target + (intptr_t)f->target;
		return true;
	}
	return false;
}
