/* SPDX-License-Identifier: MIT */
/*
 * The machine of tests/verify: what both kinds of harts share (machine.h), and the few parts of the
 * kernel that the programs do without: reports, the checker.
 */
#include "tests/verify/machine.h"

#include <stdio.h>
#include <string.h>

#include "kernel/lock/check.h"
#include "kernel/panic.h"
#include "lib/assert.h"

#define HARTID_OF(index) ((index) * 3 + 100)

struct vm_hart vm_harts[HARTS];
void (*vm_ipi)(void);
unsigned vm_rounds, vm_case;
bool vm_amo_is_fence;

unsigned nr_harts = HARTS;
struct hart_meta *harts[CONFIG_MAX_HARTS];
struct hart_mask harts_online;
struct arch_info arch_info = {.timebase_hz = 1};

void vm_init(void)
{
	for (unsigned i = 0; i < HARTS; i++) {
		struct vm_hart *h = &vm_harts[i];

		h->index = i;
		h->irq_on = true;
		h->meta.index = i;
		h->meta.hartid = HARTID_OF(i);
		h->meta.lock.thread = &h->thread.lock;
		h->meta.runq = &h->runq;
		h->meta.idle = &h->idle;
		h->thread.lock.handle = (i + 1) << THREAD_FLAG_BITS;
		h->thread.state.v = THREAD_RUNNING;
		h->thread.rq.v = &h->runq;
		h->idle.is_idle = true;
		h->runq.hart = i;
		h->runq.curr = &h->thread;
		h->runq.idle = &h->idle;
		lock_hart_register(&h->meta.lock, i, HARTID_OF(i));
		harts[i] = &h->meta;
		hart_mask_set(&harts_online, i);
	}
	program_setup();
}

void vm_run_hart(unsigned index)
{
	struct vm_hart *h = &vm_harts[index];

	program_hart(index);
	verify(h->irq_on && h->meta.lock.irq_depth == 0);
	verify(h->thread.lock.preempt_depth == 0 && h->thread.lock.seq_writers == 0);
}

struct vm_hart *vm_self(void)
{
	return &vm_harts[backend_index()];
}

void *vm_tp(void)
{
	return &vm_self()->meta;
}

bool *vm_sie(void)
{
	return &vm_self()->irq_on;
}

static void handle(struct vm_hart *h, unsigned kind, void (*fn)(void))
{
	h->irq_on = false;
	verify(h->meta.lock.irq_depth == 0 && h->meta.lock.in_irq == IRQ_NONE);
	h->meta.lock.in_irq = (uint8_t)kind;
	fn();
	verify(h->meta.lock.irq_depth == 0 && !h->irq_on);
	h->meta.lock.in_irq = IRQ_NONE;
	h->irq_on = true;
}

void vm_deliver(void)
{
	struct vm_hart *h = vm_self();

	if (h->irq_on && vm_ipi && backend_pending())
		handle(h, IRQ_IPI, vm_ipi);
}

void vm_as_handler(void (*fn)(void))
{
	struct vm_hart *h = vm_self();

	if (h->irq_on)
		handle(h, IRQ_EXTERNAL, fn);
}

void vm_interrupts_on(void)
{
	vm_self()->irq_on = true;
	vm_deliver();
}

void vm_pause(void)
{
	vm_deliver();
	backend_pause();
}

static atomic_u32 left;

void vm_leave(void)
{
	/* Relaxed, both: the interrupt that the last one sends orders what has to be. */
	if (atomic_add_u32(&left, 1, relaxed) == HARTS - 1)
		for (unsigned i = 0; i < HARTS; i++)
			backend_send(i);
	while (atomic_load_u32(&left, relaxed) < HARTS) {
		arch_irq_disable();
		backend_wait();
		if (!vm_ipi)
			backend_clear();
		arch_irq_enable();
	}
}

unsigned vm_random(unsigned n)
{
	return backend_random(n);
}

void vm_noise(void)
{
	if (vm_random(16) == 0)
		backend_send(vm_random(HARTS));
}

void vm_dwell(void)
{
	for (unsigned n = vm_random(4); n > 0; n--)
		backend_pause();
}

void vm_fail(const char *what, const char *file, int line)
{
	char text[300];

	snprintf(text, sizeof(text), "%s:%d: hart %u: %s", file, line, backend_index(), what);
	backend_fail(text);
}

/* ---- Downcalls ------------------------------------------------------------------------------- */

void arch_ipi_send_hart(uintptr_t hartid)
{
	unsigned index = (unsigned)(hartid - 100) / 3;

	verify(index < HARTS && HARTID_OF(index) == hartid);
	backend_send(index);
}

void arch_ipi_send(const struct hart_mask *mask)
{
	for (unsigned i = 0; i < HARTS; i++)
		if (hart_mask_test(mask, i))
			backend_send(i);
}

void arch_ipi_self(void)
{
	backend_send(backend_index());
}

bool arch_ipi_clear(void)
{
	return backend_clear();
}

bool arch_ipi_pending(void)
{
	return backend_pending();
}

void arch_wait_ipi(unused_arg bool timer)
{
	verify(!vm_self()->irq_on);
	backend_wait();
}

unsigned arch_backtrace(unused_arg const void *fp, unused_arg uintptr_t *pcs, unused_arg unsigned n)
{
	return 0;
}

unsigned arch_backtrace_frame(
	unused_arg const struct trap_frame *f, unused_arg uintptr_t *pcs, unused_arg unsigned n)
{
	return 0;
}

const struct trap_frame *arch_hart_frame(unused_arg const struct hart_meta *h)
{
	return NULL;
}

/* ---- Of the kernel --------------------------------------------------------------------------- */

struct hart_meta *this_hart(void)
{
	return &vm_self()->meta;
}

void assert_fail(const char *expr, const char *file, int line, unused_arg const char *func)
{
	vm_fail(expr, file, line);
}

void panic_as(unused_arg enum exit_status status, const char *fmt, ...)
{
	vm_fail(fmt, "panic", 0);
}

void panic(const char *fmt, ...)
{
	vm_fail(fmt, "panic", 0);
}

void lockcheck_report(unused_arg enum report_kind kind, const char *what,
	unused_arg const void *lock, unused_arg const struct lock_class *class,
	unused_arg const char *fmt, ...)
{
	vm_fail(what, "report", 0);
}

void lockcheck_report_keys(unused_arg enum report_kind kind, const char *what,
	unused_arg const char *keys, unused_arg const void *lock,
	unused_arg const struct lock_class *class, unused_arg const char *fmt, ...)
{
	vm_fail(what, "report", 0);
}

/* Where kernel/lock/irqlock.c is not part of the program. */
__attribute__((weak)) bool (*wait_closes_cycle_thread)(void);

/* A prepared sleep that is not slept is no reason to switch here: each hart has one thread. */
void preempt_enable_slow(void)
{
	vm_self()->meta.lock.need_resched = false;
}
