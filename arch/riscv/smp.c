/* SPDX-License-Identifier: MIT */
/*
 * Other harts: starting and stopping by the firmware's HSM extension (SBI 1.0 section 9), software
 * interrupts, waiting for them.
 *
 * Fences between two harts that belong to this file:
 *   what the starter stored  -> the new hart       full fence in arch_hart_start | secondary_start
 *   what the sender stored   -> IPI handler        fence w,ow in arch_ipi_send*  | arch_ipi_clear
 * An emulator on a host with a stronger order never misses them: the check `fences` looks at the
 * machine code.
 *
 * A hart is started at the entry alone, whose mapping is looked up before: a firmware may take any
 * address, and loses the hart (OpenSBI 1.1).
 *
 * A hart's sources of interrupts are on (hart_ready) before it opens its mailbox, and whenever it
 * idles.
 */
#include "arch/riscv/csr.h"
#include "arch/riscv/internal.h"
#include "arch/riscv/sbi.h"
#include "kernel/hart/hart.h"
#include "kernel/sched/thread.h"
#include "lib/assert.h"
#include "lib/errno.h"

enum { /* functions */
	HSM_START = 0,
	HSM_STOP = 1,
	HSM_STATUS = 2,
	HSM_SUSPEND = 3,
	IPI_SEND = 0,
};

/* Types of suspension, SBI 1.0 section 9.4 */
#define SUSPEND_RETENTIVE 0ul
#define SUSPEND_NON_RETENTIVE 0x80000000ul

#define IPI_MASK_BITS (8 * sizeof(unsigned long))
/* Bits of sie: nothing sleeps for long without any of them. */
#define ALL_SOURCES (SIP_SSIP | SIP_STIP | SIP_SEIP)

static void ipi_send_ids(unsigned long bits, uintptr_t base);

void arch_hart_init(struct hart_meta *h)
{
	h->arch.self = h;
	row_init(&h->arch.row, h, 0);
}

/* Where harts come in. */
static phys_t entry_address(void)
{
	phys_t entry = virt_to_phys(secondary_start), mapped = 0;

	assert(arch_kquery((uintptr_t)secondary_start, &mapped) ==
		(ARCH_PROT_READ | ARCH_PROT_EXEC));
	assert(mapped == entry);
	return entry;
}

/* Inline: the check `fences` looks for the fence of whoever calls it. */
static inline __attribute__((always_inline)) int start_at(phys_t entry, const struct hart_meta *h)
{
	struct sbi_result r = sbi_call(SBI_HSM, HSM_START, h->hartid, (unsigned long)entry,
		(unsigned long)virt_to_phys(h));

	return sbi_errno(r.error);
}

int arch_hart_start_again(const struct hart_meta *h)
{
	return start_at(entry_address(), h);
}

int arch_hart_start(struct hart_meta *h)
{
	phys_t entry = entry_address();

	assert(h->arch.self == h && h->idle);
	assert(h->arch.irq.top && h->arch.emergency.top);
	h->arch.boot = (struct arch_stack){h->idle->stack.base, h->idle->stack.top};
	h->lock.thread = &h->idle->lock;
	h->arch.row.newest = NULL;

	/* Everything stored for the new hart before the call that starts it. Partner: the fence in
	 * secondary_start (boot.S). The firmware tells the hart through memory or a device. */
	__asm__ volatile("fence rw, orw" : : : "memory");
	return start_at(entry, h);
}

int arch_hart_state(uintptr_t hartid)
{
	struct sbi_result r = sbi_call(SBI_HSM, HSM_STATUS, hartid, 0, 0);

	if (r.error || r.value > ARCH_HSM_RESUME_PENDING)
		return -EINVAL;
	return (int)r.value;
}

int arch_hart_stop(void)
{
	struct hart_meta *h = arch_lock_hart();
	uintptr_t enabled = csr_read(sie);
	struct sbi_result r;

	assert(!arch_irq_enabled());
	assert(csr_read(sscratch) == (uintptr_t)&h->arch.row.frames[0]);
	arch_timer_set(UINT64_MAX);
	csr_write(sie, 0);
	/* Stores of this hart before its state says STOPPED (a starter polls for it, and then uses
	 * this hart_meta again). Partner: the firmware's own ordering of the state. */
	__asm__ volatile("fence rw, orw" : : : "memory");
	r = sbi_call(SBI_HSM, HSM_STOP, 0, 0, 0);
	csr_write(sie, enabled);
	return r.error ? sbi_errno(r.error) : -EIO;
}

noreturn void arch_hart_die(void)
{
	csr_write(sie, 0);
	/* As in arch_hart_stop. */
	__asm__ volatile("fence rw, orw" : : : "memory");
	sbi_call(SBI_HSM, HSM_STOP, 0, 0, 0);
	sleep_for_good();
}

int arch_hart_suspend(bool retentive)
{
	struct hart_meta *h = arch_lock_hart();
	uintptr_t enabled = csr_read(sie);
	struct sbi_result r;

	assert(!arch_irq_enabled());
	assert(csr_read(sscratch) == (uintptr_t)&h->arch.row.frames[0]);
	arch_timer_set(UINT64_MAX);
	csr_write(sie, SIP_SSIP);
	/* As before a stop; and a non-retentive one comes back by the hart's entry. */
	__asm__ volatile("fence rw, orw" : : : "memory");
	r = sbi_call(SBI_HSM, HSM_SUSPEND, retentive ? SUSPEND_RETENTIVE : SUSPEND_NON_RETENTIVE,
		retentive ? 0 : (unsigned long)entry_address(),
		retentive ? 0 : (unsigned long)virt_to_phys(h));
	csr_write(sie, enabled);
	return sbi_errno(r.error);
}

/* First C code of a hart on the final page tables: see boot.S. */
noreturn void secondary_main(uintptr_t hartid, struct hart_meta *h)
{
	assert(hartid == h->hartid);
	hart_ready();
	hart_main(h);
}

/* The sources of interrupts of this hart on, none pending by us; SIE stays off. Before anybody can
 * know that it is there: what is sent to it from then on ends its first wfi. */
void hart_ready(void)
{
	arch_timer_set(UINT64_MAX);
	csr_write(sie, ALL_SOURCES);
}

/* ---- Software interrupts ------------------------------------------------------------------ */

void arch_ipi_send(const struct hart_mask *mask)
{
	unsigned long bits = 0;
	uintptr_t base = 0;
	unsigned i;

	/* One call a window of hartids; they may be sparse and in any order. */
	for_each_hart_in_mask(i, mask) {
		uintptr_t id = harts[i]->hartid;

		if (bits && id - base >= IPI_MASK_BITS) {
			ipi_send_ids(bits, base);
			bits = 0;
		}
		if (!bits)
			base = align_down(id, IPI_MASK_BITS);
		bits |= 1ul << (id - base);
	}
	if (bits)
		ipi_send_ids(bits, base);
}

void arch_ipi_send_hart(uintptr_t hartid)
{
	/* From itself on: the firmware looks at every hart that there is from the base up. */
	ipi_send_ids(1, hartid);
}

void arch_ipi_self(void)
{
	csr_set(sip, SIP_SSIP);
}

bool arch_ipi_clear(void)
{
	bool was = csr_read_clear(sip, SIP_SSIP) & SIP_SSIP;

	/* What was announced is looked for after the bit is gone: an announcement that comes later
	 * sets it again. A CSR counts as a device for fences. Partner: ipi_send_ids. */
	__asm__ volatile("fence io, rw" : : : "memory");
	return was;
}

bool arch_ipi_pending(void)
{
	return csr_read(sip) & SIP_SSIP;
}

/*
 * wfi ends for what is pending and enabled in sie, whatever SIE is (Privileged 3.3.3). A timer
 * interrupt that is pending already is left out, or there would be no sleep until somebody with SIE
 * on handles it.
 */
void arch_wait_ipi(bool timer)
{
	uintptr_t enabled = csr_read(sie), wanted = SIP_SSIP;

	if (timer && !(csr_read(sip) & SIP_STIP))
		wanted |= SIP_STIP;
	csr_write(sie, wanted);
	__asm__ volatile("wfi" : : : "memory");
	csr_write(sie, enabled);
}

void arch_idle_wait(void)
{
	/* What was looked at before still holds: what has come since is pending, and ends this. */
	assert(!arch_irq_enabled());
	assert(csr_read(sie) == ALL_SOURCES);
	__asm__ volatile("wfi" : : : "memory");
}

static void ipi_send_ids(unsigned long bits, uintptr_t base)
{
	/* Partner: arch_ipi_clear of the receiver, which then sees all that was stored up to here.
	 */
	__asm__ volatile("fence w, ow" : : : "memory");
	sbi_call(SBI_IPI, IPI_SEND, bits, base, 0);
}
