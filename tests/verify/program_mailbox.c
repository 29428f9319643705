/* SPDX-License-Identifier: MIT */
/*
 * Calls on other harts: each accepted call runs exactly once, on its hart, before its poster is
 * told so, also while harts close their mailboxes; harts that call each other do not wait for ever;
 * a leaf operation sees what its asker had stored, and the asker what the operation did, also with
 * interrupts off on both sides and while a hart comes and goes.
 *
 * Sources: kernel/hart/call.c kernel/hart/leaf.c kernel/hart/mask.c kernel/lock/relax.c
 * Sources: kernel/lock/context.c
 */
#include "kernel/hart/call.h"

#include "kernel/lock/relax.h"
#include "lib/errno.h"
#include "tests/verify/machine.h"

/* What a flush has to see: the newest store of each hart, and what each hart's flushes saw. */
static atomic_u32 stored[HARTS];
static atomic_u32 flushed[HARTS][HARTS]; /* [hart][asker] */
static bool all_stay;			 /* in this case no hart leaves */

struct ask {
	struct hart_call call;
	unsigned to;
	unsigned argument, answer; /* plain: told by the call and its end */
};
static struct ask asks[HARTS][2];
static unsigned accepted[HARTS], ran[HARTS]; /* by poster; by receiver */

static void answer(void *arg)
{
	struct ask *a = arg;

	verify(vm_self()->index == a->to && !arch_irq_enabled());
	a->answer = a->argument + 1;
	ran[a->to]++;
}

void arch_tlb_flush_all(void)
{
	unsigned me = vm_self()->index;

	/* Relaxed, both: what the asker stored before it asked is here by the orders of the
	 * protocol, and what is stored here is there when it was told. */
	for (unsigned i = 0; i < HARTS; i++)
		atomic_store_u32(&flushed[me][i], atomic_load_u32(&stored[i], relaxed), relaxed);
}

void arch_icache_flush(void)
{
}

void program_setup(void)
{
	vm_ipi = hart_ipi;
	all_stay = vm_case % 2;
	relax_serve_leaf = hart_leaf_serve;
	for (unsigned i = 0; i < HARTS; i++)
		for (unsigned n = 0; n < 2; n++)
			hart_call_init(&asks[i][n].call, answer, &asks[i][n]);
}

/* A call whose end is looked for; or the form that waits. */
static void call(unsigned me)
{
	unsigned to = vm_random(HARTS);
	struct ask *a = &asks[me][vm_random(2)];
	int err;

	a->to = to;
	a->argument = vm_random(100);
	if (vm_random(2)) {
		err = hart_call(harts[to], answer, a);
	} else {
		err = hart_call_post(harts[to], &a->call);
		verify(err != -EBUSY);
		while (!hart_call_done(&a->call))
			relax();
	}
	verify(!err || err == -ENODEV);
	if (err)
		return;
	verify(a->answer == a->argument + 1);
	accepted[me]++;
}

/* Takes something away, and has every hart flush. */
static void flush(unsigned me, bool off)
{
	struct hart_mask all;
	bool before = off && arch_irq_save();
	uint32_t mine = atomic_load_u32(&stored[me], relaxed) + 1;

	hart_mask_fill(&all, HARTS);
	atomic_store_u32(&stored[me], mine, relaxed);
	leaf_call_mask(&all, LEAF_TLB_FLUSH);
	for (unsigned i = 0; i < HARTS && all_stay; i++)
		verify(atomic_load_u32(&flushed[i][me], relaxed) == mine);
	arch_irq_restore(before);
}

/* Stops and comes back: what it knows then must be what it would have been told. */
static void leave(unsigned me)
{
	bool before = arch_irq_save();
	struct lock_hart *h = lock_hart();
	struct lock_thread *ran = h->thread;

	/* Its idle thread does this. */
	h->thread = &vm_harts[me].idle.lock;
	while (!hart_mailbox_close(harts[me]))
		hart_ipi();
	vm_dwell();
	arch_ipi_clear(); /* what was pending is lost with the stop */
	hart_mailbox_open(harts[me]);
	arch_tlb_flush_all();
	h->thread = ran;
	arch_irq_restore(before);
}

void program_hart(unsigned index)
{
	for (unsigned i = 0; i < vm_rounds; i++) {
		switch (vm_random(5)) {
		case 0:
			if (!all_stay)
				leave(index);
			break;
		case 1:
		case 2:
			flush(index, vm_random(2));
			break;
		default:
			call(index);
		}
	}
	/* What still comes is served until the last one has posted. */
	vm_leave();
}

void program_check(void)
{
	unsigned posted = 0, run = 0;

	for (unsigned i = 0; i < HARTS; i++) {
		posted += accepted[i];
		run += ran[i];
		for (unsigned j = 0; j < HARTS; j++)
			verify(atomic_load_u32(&flushed[i][j], relaxed) ==
				atomic_load_u32(&stored[j], relaxed));
	}
	verify(posted == run);
}
