/* SPDX-License-Identifier: MIT */
/*
 * The border between the portable kernel and the machine.
 *
 * Everything that the kernel asks of a machine (downcalls, arch_*) and everything that a machine
 * tells the kernel (upcalls) is declared here, with its contract. No other header of arch/ may be
 * included by the kernel, except through this one; arch/ includes this file and plain kernel
 * headers and calls nothing of the kernel that is not an upcall below.
 *
 * Words used in the contracts
 *   SIE       interrupts of this hart are enabled.
 *   thread    called by a thread, SIE as the caller likes unless stated.
 *   either    thread or interrupt handler.
 *   owner     who the hart's sscratch belongs to: the running thread's frame row, or the hart's
 *             boot row while booting, switching, idling and while a dying thread is removed.
 */
#ifndef KERNEL_ARCH_H
#define KERNEL_ARCH_H

#include "lib/types.h"

/*
 * Types of the machine: struct arch_thread (saved context, frame row), struct arch_hart (boot frame
 * row, stacks), struct trap_frame, phys_t (a physical address, 64 bits on Sv39, 34 on Sv32), and
 * the inline downcalls: arch_irq_*, arch_pause, arch_lock_hart, arch_current.
 */
#include "arch/inline.h"
#include "arch/types.h"

struct hart_meta;
struct thread;
struct hart_mask;

/*
 * Interrupt state of this hart. Inline; either.
 *
 *   bool arch_irq_save(void)            clears SIE in one instruction, returns whether it was set.
 *   void arch_irq_restore(bool on)      sets SIE if `on`; never clears it.
 *   void arch_irq_enable(void), arch_irq_disable(void), bool arch_irq_enabled(void)
 */

/*
 * Who runs here. Inline.
 *
 *   void *arch_lock_hart(void)   tp: the address of this hart's struct hart_meta, which begins with
 *                                its struct lock_hart. Only stable while preemption is off.
 *   void *arch_current(void)     the running thread (struct thread, which begins with its struct
 *                                lock_thread), read by ONE load relative to tp, so right wherever
 *                                and whenever it is executed.
 *   uintptr_t arch_frame_return(fp), arch_frame_outer(fp)   the frame record of a frame pointer.
 *   void arch_pause(void)        a hint inside a spin loop (Zihintpause; a no-op elsewhere).
 *   uint64_t arch_time(void)     the timebase counter, ticks of arch_info.timebase_hz.
 */

/* What the device tree and the firmware said about the machine. Constant after boot. */
struct arch_info {
	const void *fdt; /* the device tree, in the direct map */
	size_t fdt_size;
	uint32_t timebase_hz;  /* /cpus timebase-frequency */
	uintptr_t boot_hartid; /* as OpenSBI passed it in a0 */
	bool has_sstc;	       /* every enabled hart's ISA string has Sstc */
	const char *paging;    /* "sv39", "sv48", "sv57", "sv32" */
	uint32_t sbi_spec;     /* (major << 24) | minor */
	uint32_t sbi_impl_id, sbi_impl_version;
	char sbi_extensions[80]; /* "TIME IPI RFENCE HSM SRST PMU" */
	uint64_t entry_time;	 /* arch_time() at the first instruction of the kernel */
};
extern struct arch_info arch_info;

/* ---- Harts ------------------------------------------------------------------------------- */

enum arch_hsm_state { /* SBI 1.0 section 9, table 9 */
	ARCH_HSM_STARTED = 0,
	ARCH_HSM_STOPPED,
	ARCH_HSM_START_PENDING,
	ARCH_HSM_STOP_PENDING,
	ARCH_HSM_SUSPENDED,
	ARCH_HSM_SUSPEND_PENDING,
	ARCH_HSM_RESUME_PENDING,
};

/*
 * Starts the hart `h` at the kernel's secondary entry with `h` as the opaque argument. Before:
 * h->arch (arch_hart_init), h->index, h->hartid and h->idle are stored; the callee adds the fence
 * that makes them visible to the new hart. Returns 0 or -Exxx translated from the SBI error
 * (-EINVAL bad hartid or transition pending, -EALREADY started, -EIO). Does not wait. Thread.
 */
int arch_hart_start(struct hart_meta *h);
/* The firmware call of it alone, while that start is under way or done: for kernel/hart/fault.c. */
int arch_hart_start_again(const struct hart_meta *h);
/* State of a hartid in HSM's eyes, an enum arch_hsm_state, or -EINVAL. Either. */
int arch_hart_state(uintptr_t hartid);
/* Stops this hart in HSM's eyes. SIE off, owner is the boot row, the idle thread's stack is in use;
 * everything was moved away. Returns only on failure (-Exxx); the hart's timer is silent then:
 * timer_hart_forget. */
int arch_hart_stop(void);
/* The same for a hart that has faulted and takes part in nothing, in whatever state it is; if the
 * firmware refuses it sleeps for ever. SIE off. */
noreturn void arch_hart_die(void);
/*
 * Suspends this hart until a software interrupt is pending, or for no reason; no other interrupt
 * ends it. As for arch_hart_stop; the timer is silent afterwards. Retentive: returns 0 then.
 * Otherwise the hart comes in by hart_main, as one that was started. -Exxx: the firmware refuses.
 */
int arch_hart_suspend(bool retentive);
/* Gives `h` its boot frame row, and its stacks' bounds. Before it is started. Thread. */
void arch_hart_init(struct hart_meta *h);

/*
 * Sends a software interrupt to the harts of `mask` (indices) or to one hart. Either; no locks.
 * All earlier stores of the caller are visible to the receiver's handler (fence w,o inside).
 * The pending bits may be merged; senders keep what they want in memory first.
 */
void arch_ipi_send(const struct hart_mask *mask);
void arch_ipi_send_hart(uintptr_t hartid);
/* Makes this hart's own software interrupt pending: one CSR write. Either. */
void arch_ipi_self(void);
/* Clears this hart's software-interrupt pending bit, then orders later loads after it. Returns
 * whether it was pending. SIE off. What was announced must be looked for AFTERWARDS. */
bool arch_ipi_clear(void);
bool arch_ipi_pending(void);

/*
 * Sleeps (wfi) until a software interrupt is pending, or, with `timer`, a timer interrupt that was
 * not yet pending at the call; or for no reason. SIE off before, during and after; no handler runs.
 * Saves and restores sie. Leaves the pending bit as it is. Either.
 */
void arch_wait_ipi(bool timer);
/* Idle: wfi until any enabled interrupt is pending. SIE off before and after. Idle thread only. */
void arch_idle_wait(void);

/* ---- Timer ------------------------------------------------------------------------------- */

/* Programs this hart's next timer interrupt, in arch_time() ticks; UINT64_MAX: none. SIE off. */
void arch_timer_set(uint64_t tick);
/* Sleeps (wfi) until arch_time() is `tick`; no handler runs; after it no timer interrupt is
 * programmed. SIE off. Either. */
void arch_sleep_until(uint64_t tick);
/* The timer interrupt comes at `tick` at the latest. Until the next arch_timer_set, and only where
 * arch_info.has_sstc. SIE off. */
void arch_timer_pull(uint64_t tick);
/*
 * Gives an emulator's turn to the next hart; returns when it is this one's again. Unlike a sleep it
 * leaves all interrupts as they are: what was pending still is, and what came meanwhile is pending.
 * Only where arch_info.has_sstc. SIE off.
 */
void arch_turn_pass(void);

/* ---- Threads ----------------------------------------------------------------------------- */

/*
 * Prepares `t` to begin in thread_start(t) (upcall below) on its stack (t->stack.base/top, mapped,
 * the guard page below it unmapped) with SIE off. FP unit off until first use. Thread; no locks.
 */
void arch_thread_init(struct thread *t);
/*
 * Leaves `prev`, continues `next`; returns in `next`'s context the thread that was left. SIE off,
 * at depth 1 of the irq accounting. Saves the callee-saved registers, FP state if dirty; clears the
 * LR/SC reservation; sets the owner: sscratch passes over the hart's boot row to next's row (or
 * stays there for idle), fences if `next`'s stack was mapped after this hart's last fence. The
 * hart's current pointer (tp's first word) is set here. After the return `prev` is on no hart's
 * stack.
 */
struct thread *arch_switch(struct thread *prev, struct thread *next);
/* Throws away what is on the running thread's stack and calls fn() at its top. SIE off. Used
 * by the kill of a faulting thread, after its report was printed. */
noreturn void arch_thread_restart(void (*fn)(void));

/* ---- Memory ------------------------------------------------------------------------------ */

enum arch_prot {
	ARCH_PROT_READ = 1,
	ARCH_PROT_WRITE = 2,
	ARCH_PROT_EXEC = 4,
	ARCH_PROT_DEVICE = 8, /* strongly ordered MMIO */
};

/* Direct map: all RAM, RW without X. Inline in arch/inline.h:
 *   void *phys_to_virt(phys_t), phys_t virt_to_phys(const void *) (direct map and kernel image). */

/*
 * Builds the final kernel page tables: kernel image W^X per section, every RAM range of `ranges`
 * in the direct map with the largest leaves, nothing else; then switches this hart to them. `alloc`
 * gives zeroed page-table pages (early: from the boot allocator). Boot hart, SIE off.
 */
struct phys_range {
	phys_t base, end; /* [base, end) */
};
void arch_paging_init(const struct phys_range *ranges, unsigned n, phys_t (*alloc)(void));
/* Where vmap addresses may lie. Constant. */
extern const uintptr_t arch_vmap_base, arch_vmap_end;
/*
 * Maps one page of kernel address space, or removes it (returning what was there, 0 if nothing).
 * The caller owns the range, and calls of arch_kmap are serialised (mm's vmap mutex does), because
 * ranges share upper tables. `alloc` may be called for tables: failure -> -ENOMEM, nothing changed
 * but for tables that stay, empty. No TLB maintenance: a stale "nothing there" is put right by the
 * trap handler, except under a stack (arch_switch).
 */
int arch_kmap(uintptr_t va, phys_t pa, unsigned prot, phys_t (*alloc)(void));
phys_t arch_kunmap(uintptr_t va);
/* What `va` maps to, for reports and tests: returns prot bits or -EFAULT. Either, no locks. */
int arch_kquery(uintptr_t va, phys_t *pa);
/* Flushes this hart's TLB: everything, or [va, va + size). Either. Leaf. */
void arch_tlb_flush_all(void);
void arch_tlb_flush(uintptr_t va, size_t size);
/* fence.i of this hart. Either. Leaf. */
void arch_icache_flush(void);

/*
 * Maps the page of a device's registers at one of a few fixed slots that stay valid for ever,
 * before and after arch_paging_init: for the console and the exit status while there is no vmap.
 * Returns the address of `pa`, NULL if no slot is left. Boot hart, SIE off.
 */
void *arch_early_mmio(phys_t pa);

/*
 * Copy that may fault: 0, or -EFAULT after some bytes. Anywhere, also in panic. No SUM: kernel
 * addresses only.
 */
int arch_copy_nofault(void *dst, const void *src, size_t n);

/* ---- Reports and power ------------------------------------------------------------------- */

/* Return addresses from frame pointer `fp` on (NULL: the caller's own), never outside of a stack
 * that the kernel knows; at most n; returns how many. Anywhere. */
unsigned arch_backtrace(const void *fp, uintptr_t *pcs, unsigned n);
/* The same for what a frame interrupted; for a thread that is not running. */
unsigned arch_backtrace_frame(const struct trap_frame *frame, uintptr_t *pcs, unsigned n);
unsigned arch_backtrace_thread(const struct thread *t, uintptr_t *pcs, unsigned n);
/* The newest live frame of the hart (of its owner's row), NULL if none. For reports. */
const struct trap_frame *arch_hart_frame(const struct hart_meta *h);
uintptr_t arch_frame_pc(const struct trap_frame *frame);
uintptr_t arch_frame_sp(const struct trap_frame *frame);
/* Prints the registers through `out`, one line at a time. Anywhere. */
void arch_frame_print(const struct trap_frame *frame, void (*out)(const char *fmt, ...));

/* Firmware's console, if it has one (DBCN): writes n bytes and returns true. Anywhere. */
bool arch_console_write(const char *s, size_t n);
/* SBI SRST. Return only if it is refused. */
void arch_power_off(bool failure);
void arch_power_reset(void);

/* ---- Upcalls: arch calls these ------------------------------------------------------------ */

/* Boot hart, once: boot row is the owner, boot thread's stack, early page tables (kernel image and
 * a direct map of what holds the kernel and the tree), stvec set, SIE off, arch_info filled. Never
 * returns. */
noreturn void kernel_main(void);
/* Every other hart, and a hart started again, or resumed without its registers: like above, with
 * final page tables, TLB flushed, tp and the boot row set, on its idle stack. */
noreturn void hart_main(struct hart_meta *h);

/*
 * Interrupts: SIE off, on the hart's interrupt stack, every register saved in `frame`, preemption
 * off by context. The arch brackets them with interrupt_enter/exit. interrupt_exit returns whether
 * the interrupted thread is to be preempted: the arch then calls interrupt_preempt() on the
 * THREAD's own stack with the frame still live and SIE off; it may return on another hart.
 */
void interrupt_enter(struct trap_frame *frame, unsigned kind); /* enum irq_kind */
void interrupt_timer(void);
void interrupt_ipi(void);
void interrupt_external(void);
bool interrupt_exit(struct trap_frame *frame);
void interrupt_preempt(void);
/* In place of the latter, on the interrupt stack: the thread has no room for it on its own stack,
 * goes on, and is to be interrupted again before long. */
void interrupt_put_off(void);

/*
 * A fault of the kernel that no fixup covers (page fault, illegal instruction, misaligned,
 * breakpoint, access fault). On the emergency stack if sp was not trustworthy, on the running stack
 * otherwise. Returns never: kills the thread (locks.md, "A dead holder") or panics.
 */
enum fault_kind {
	FAULT_LOAD,
	FAULT_STORE,
	FAULT_FETCH,
	FAULT_ILLEGAL,
	FAULT_MISALIGNED,
	FAULT_BREAKPOINT,
	FAULT_ECALL,
	FAULT_STACK_OVERFLOW,
	FAULT_NESTED,
	FAULT_UNKNOWN
};
struct fault {
	enum fault_kind kind;
	uintptr_t address;    /* stval */
	uintptr_t cause;      /* scause */
	bool was_irq_enabled; /* SPIE of the frame */
};
noreturn void kernel_fault(struct trap_frame *frame, const struct fault *fault);

/* First code of every thread, on its own stack, SIE off, right after its first switch-in: must
 * finish the switch (release the run queue's lock). */
noreturn void thread_start(struct thread *prev);

#endif
