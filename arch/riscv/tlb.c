/* SPDX-License-Identifier: MIT */
/*
 * This hart's TLB and instruction cache. Other harts' are their own matter: they are asked through
 * kernel/hart's leaf calls, not through the firmware, whose remote fences spin.
 */
#include "arch/riscv/csr.h"
#include "arch/riscv/internal.h"
#include "kernel/hart/hart.h"

/* Above so many pages one flush of everything is cheaper than one each. */
#define TLB_FLUSH_PAGES 16
/* Faults that may be explained by one stale entry; after that the hardware means it. */
#define STALE_MAX 8

static struct arch_hart *arch_here(void);
static unsigned fault_prot(uintptr_t cause);
static void flush(uintptr_t va, size_t size);

void arch_tlb_flush_all(void)
{
	__asm__ volatile("sfence.vma" : : : "memory");
	arch_here()->spurious_count = 0;
}

void arch_tlb_flush(uintptr_t va, size_t size)
{
	if (size > TLB_FLUSH_PAGES * PAGE_SIZE) {
		arch_tlb_flush_all();
		return;
	}
	flush(va, size);
	arch_here()->spurious_count = 0;
}

static void flush(uintptr_t va, size_t size)
{
	for (uintptr_t a = align_down(va, PAGE_SIZE); a - va < size || a < va; a += PAGE_SIZE)
		__asm__ volatile("sfence.vma %0, x0" : : "r"(a) : "memory");
}

void arch_icache_flush(void)
{
	__asm__ volatile("fence.i" : : : "memory");
}

/*
 * Mapping a page in the vmap is followed by no fence: a hart may remember that there was nothing
 * (Privileged 4.2.1) and fault although the entry is valid. The tables decide; the same fault
 * over and over is let through to be reported. Counted from this hart's last flush for somebody
 * else: a page can become stale anew only by being unmapped in between, and then every hart is
 * asked to flush.
 */
bool tlb_was_stale(const struct trap_frame *frame)
{
	struct arch_hart *arch = arch_here();
	unsigned needed = fault_prot(frame->scause);
	int prot;

	if (!needed || frame->stval < ARCH_VMAP_BASE || frame->stval >= ARCH_VMAP_END)
		return false;
	prot = arch_kquery(frame->stval, NULL);
	if (prot < 0 || ((unsigned)prot & needed) != needed)
		return false;
	if (arch->spurious_pc != frame->sepc || arch->spurious_va != frame->stval) {
		arch->spurious_pc = frame->sepc;
		arch->spurious_va = frame->stval;
		arch->spurious_count = 0;
	}
	if (++arch->spurious_count > STALE_MAX)
		return false;
	flush(frame->stval, 1);
	return true;
}

/* Who flushes with preemption on may count for the hart it was on: no harm. */
static struct arch_hart *arch_here(void)
{
	return &((struct hart_meta *)arch_lock_hart())->arch;
}

/* What a page fault would have needed, enum arch_prot; 0 if it is none. */
static unsigned fault_prot(uintptr_t cause)
{
	switch (cause) {
	case CAUSE_FETCH_PAGE:
		return ARCH_PROT_EXEC;
	case CAUSE_LOAD_PAGE:
		return ARCH_PROT_READ;
	case CAUSE_STORE_PAGE:
		return ARCH_PROT_WRITE;
	default:
		return 0;
	}
}
