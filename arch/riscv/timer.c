/* SPDX-License-Identifier: MIT */
/*
 * This hart's next timer interrupt: the stimecmp register where every hart has Sstc, the firmware
 * otherwise. In both, sip.STIP says "time >= the programmed tick" and can't be cleared by hand:
 * it goes when a later tick is programmed. UINT64_MAX is never reached.
 */
#include "arch/riscv/csr.h"
#include "arch/riscv/sbi.h"
#include "lib/assert.h"

enum {
	TIME_SET_TIMER = 0
};

/* The 64-bit register of a 32-bit hart is written in two halves: with the high half at its greatest
 * first, no value in between lies in the past (Sstc 0.5, section 2). */
static void stimecmp_write(uint64_t tick)
{
#if __riscv_xlen == 64
	csr_write_number(CSR_STIMECMP, tick);
#else
	csr_write_number(CSR_STIMECMPH, UINT32_MAX);
	csr_write_number(CSR_STIMECMP, (uint32_t)tick);
	csr_write_number(CSR_STIMECMPH, (uint32_t)(tick >> 32));
#endif
}

static uint64_t stimecmp_read(void)
{
#if __riscv_xlen == 64
	return csr_read_number(CSR_STIMECMP);
#else
	return (uint64_t)csr_read_number(CSR_STIMECMPH) << 32 | csr_read_number(CSR_STIMECMP);
#endif
}

void arch_timer_pull(uint64_t tick)
{
	if (tick < stimecmp_read())
		stimecmp_write(tick);
}

/*
 * wfi ends at once for an interrupt that is pending, but not before the emulator has gone round its
 * other harts. The one that is made pending for that is the timer's, by a moment that is past: its
 * bit is nothing but a comparison, so that the old moment brings the old state back. (The software
 * interrupt's bit could not be told from a bit that another hart set meanwhile.)
 */
void arch_turn_pass(void)
{
	uint64_t programmed = stimecmp_read();
	uintptr_t enabled = csr_read(sie);

	stimecmp_write(0);
	csr_write(sie, SIP_STIP);
	__asm__ volatile("wfi" : : : "memory");
	csr_write(sie, enabled);
	stimecmp_write(programmed);
}

void arch_timer_set(uint64_t tick)
{
	if (likely(arch_info.has_sstc))
		stimecmp_write(tick);
	else
		sbi_call(SBI_TIME, TIME_SET_TIMER, (unsigned long)tick,
			__riscv_xlen == 32 ? (unsigned long)(tick >> 32) : 0, 0);
}

void arch_sleep_until(uint64_t tick)
{
	uintptr_t enabled = csr_read(sie);

	assert(!arch_irq_enabled());
	arch_timer_set(tick);
	/* The one that is wanted ends each wfi at once if it is pending. */
	csr_write(sie, SIP_STIP);
	while (arch_time() < tick)
		__asm__ volatile("wfi" : : : "memory");
	csr_write(sie, enabled);
	arch_timer_set(UINT64_MAX);
}
