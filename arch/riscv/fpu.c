/* SPDX-License-Identifier: MIT */
/*
 * The FP unit is off in every new thread and in every handler. A thread's first FP instruction
 * traps as illegal, finds the unit cleared and is executed again; from then on the thread has FP
 * state, which arch_switch saves when the thread leaves it dirty and restores whenever it comes
 * back.
 *
 * Who may not: interrupt handlers, idle and boot code. They never own frame 0 of a thread's row, so
 * for them the instruction stays illegal and is reported as the fault it is.
 */
#include "arch/riscv/csr.h"
#include "arch/riscv/internal.h"
#include "kernel/hart/hart.h"
#include "kernel/sched/thread.h"

bool fpu_present;

static bool fpu_instruction(uintptr_t pc);

bool fpu_first_use(struct trap_frame *frame)
{
	struct hart_meta *h = arch_lock_hart();

	if (!fpu_present || (frame->sstatus & SSTATUS_FS))
		return false;
	if (frame->row == &h->arch.row || frame != &frame->row->frames[0])
		return false;
	if (!fpu_instruction(frame->sepc))
		return false;

	csr_set(sstatus, SSTATUS_FS_INITIAL);
	fpu_clear();
	csr_read_clear(sstatus, SSTATUS_FS);
	/* Dirty, so that the first switch saves it. */
	frame->sstatus |= SSTATUS_FS_DIRTY;
	return true;
}

/*
 * Whether an instruction needs FS (Unprivileged 2.0, chapter "RV32/64G instruction set listings"):
 * the major opcodes of F and D, their compressed loads and stores, and accesses to fflags, frm and
 * fcsr. Of the opcodes shared with the vector extension the unit is turned on in vain once; the
 * instruction then faults for good.
 */
static bool fpu_instruction(uintptr_t pc)
{
	uint16_t low, high = 0;

	if (arch_copy_nofault(&low, (const void *)pc, sizeof(low)))
		return false;
	if ((low & 3) != 3) {
		unsigned quadrant = low & 3, funct3 = low >> 13;

		if (quadrant == 1)
			return false;
		/* c.fld c.fsd c.fldsp c.fsdsp; where RV64 has c.ld, RV32 has c.flw and so on */
		if (funct3 == 1 || funct3 == 5)
			return true;
		return __riscv_xlen == 32 && (funct3 == 3 || funct3 == 7);
	}
	if (arch_copy_nofault(&high, (const void *)(pc + 2), sizeof(high)))
		return false;
	switch (low & 0x7f) {
	case 0x07: /* LOAD-FP */
	case 0x27: /* STORE-FP */
	case 0x43: /* MADD */
	case 0x47: /* MSUB */
	case 0x4b: /* NMSUB */
	case 0x4f: /* NMADD */
	case 0x53: /* OP-FP */
		return true;
	case 0x73: { /* SYSTEM: funct3 != 0 is a CSR access, its number is in the top 12 bits */
		unsigned csr = high >> 4;

		return (low >> 12 & 7) != 0 && csr >= 1 && csr <= 3;
	}
	default:
		return false;
	}
}
