/* SPDX-License-Identifier: MIT */
/* Leaf calls: harts that wait with interrupts off answer them, both ways at once; requests merge
 * and none is lost; traces say where a hart was. */
#include "kernel/hart/call.h"
#include "kernel/lock/relax.h"
#include "kernel/task/thread.h"
#include "tests/kernel/ktest.h"
#include "tests/kernel/on_hart.h"

#define ROUNDS 500
/* Calls while a hart has its interrupts off: on a slow host each may take long, and the watchdog
 * takes a hart that never lets interrupts in for dead. */
#define AT_ONCE 25
static_assert(ROUNDS % AT_ONCE == 0, "interrupts come on again after the last one");

static atomic_u32 spinning, stop, progress;

/* Not inlined: the trace must find it. */
static __attribute__((noinline)) void spin_dark(void)
{
	irq_off();
	atomic_store_u32(&spinning, 1, release);
	while (!counted(&stop))
		relax();
	irq_on();
}

static void dark_body(void *arg unused_arg)
{
	spin_dark();
}

struct ask {
	unsigned hart, times;
	enum leaf_op op;
	bool dark; /* with interrupts off */
};

static void ask_body(void *arg)
{
	const struct ask *ask = arg;
	struct hart_mask mask;

	hart_mask_zero(&mask);
	hart_mask_set(&mask, ask->hart);
	for (unsigned i = 0; i < ask->times; i++) {
		if (ask->dark && i % AT_ONCE == 0)
			irq_off();
		leaf_call_mask(&mask, ask->op);
		atomic_add_u32(&progress, 1, release);
		if (ask->dark && i % AT_ONCE == AT_ONCE - 1)
			irq_on();
	}
}

static void reset(void)
{
	atomic_store_u32(&spinning, 0, relaxed);
	atomic_store_u32(&stop, 0, relaxed);
	atomic_store_u32(&progress, 0, relaxed);
}

/* Has one hart ask another, which spins with interrupts off, `times` times. */
static void ask_a_spinner(enum leaf_op op, unsigned times)
{
	static struct ask ask;
	struct thread *spinner, *asker;

	reset();
	bind_to_first();
	spinner = spawn_on(online_hart(1)->index, "dark", dark_body, NULL);
	ktest_require(spinner, "no thread");
	ktest_check(wait_count(&spinning, 1), "it never spins");
	ask = (struct ask){online_hart(1)->index, times, op, false};
	asker = spawn_on(online_hart(0)->index, "ask", ask_body, &ask);
	ktest_check(asker && wait_count(&progress, times), "answered %u of %u", counted(&progress),
		times);
	atomic_store_u32(&stop, 1, release);
	thread_join(spinner, NULL);
	if (asker)
		thread_join(asker, NULL);
	unbind();
}

KTEST(ipi, spinners_with_interrupts_off_answer_leaf_calls)
{
	struct hart_meta *h = online_hart(1);
	unsigned long before;

	if (online_count() < 2)
		return ktest_skip("one hart");
	before = atomic_load_ulong(&h->mailbox.leaf_done, relaxed);
	for (unsigned i = 0; i < ROUNDS / AT_ONCE && !ktest_failed(); i++)
		ask_a_spinner(LEAF_TLB_FLUSH, AT_ONCE);
	ktest_check(atomic_load_ulong(&h->mailbox.leaf_done, relaxed) - before >= ROUNDS,
		"not every request has its ticket");
}

KTEST(ipi, two_harts_with_interrupts_off_answer_each_other)
{
	static struct ask asks[2];
	struct thread *threads[2];

	if (online_count() < 2)
		return ktest_skip("one hart");
	reset();
	for (unsigned i = 0; i < 2; i++) {
		asks[i] = (struct ask){online_hart(1 - i)->index, ROUNDS, LEAF_FENCE_I, true};
		threads[i] = spawn_on(online_hart(i)->index, "ask", ask_body, &asks[i]);
		ktest_require(threads[i], "no thread");
	}
	ktest_check(wait_count(&progress, 2 * ROUNDS), "stuck at %u", counted(&progress));
	for (unsigned i = 0; i < 2; i++)
		thread_join(threads[i], NULL);
}

/* Of each: both who asks and who is asked are as many as there are harts. */
static unsigned rounds_of_all(void)
{
	return ktest_each(ktest_each(ROUNDS / 10));
}

/* Everybody asks everybody, this hart included. */
static void all_body(void *arg unused_arg)
{
	unsigned rounds = rounds_of_all();

	for (unsigned i = 0; i < rounds; i++) {
		leaf_call_mask(&harts_online, i % 2 ? LEAF_TLB_FLUSH : LEAF_FENCE_I);
		atomic_add_u32(&progress, 1, release);
	}
}

KTEST(ipi, leaf_calls_of_all_harts_on_all_harts_end)
{
	static struct thread *threads[CONFIG_MAX_HARTS];
	unsigned n = online_count();

	reset();
	for (unsigned i = 0; i < n; i++) {
		threads[i] = spawn_on(online_hart(i)->index, "all", all_body, NULL);
		ktest_require(threads[i], "no thread");
	}
	ktest_check(wait_count(&progress, n * rounds_of_all()), "stuck at %u", counted(&progress));
	for (unsigned i = 0; i < n; i++)
		thread_join(threads[i], NULL);
	for_each_hart(h)
		ktest_check(ktest_eventually(atomic_load_ulong(&h->mailbox.leaf_done, relaxed) ==
				    atomic_load_ulong(&h->mailbox.leaf_asked, relaxed)),
			"hart %u has unanswered requests", h->index);
}

static void leave_to_handler(void *arg unused_arg)
{
	arch_ipi_self();
}

/* A message for the handler that arrives while its hart spins with interrupts off comes after that:
 * its interrupt was used to serve a leaf call and has to be pending again. */
KTEST(ipi, a_spinner_that_took_the_interrupt_gives_it_back)
{
	struct hart_meta *here;
	struct hart_call call;
	bool pending;

	hart_call_init(&call, leave_to_handler, NULL);
	irq_off();
	here = this_hart();
	hart_call_post(here, &call);
	while (!arch_ipi_pending())
		relax();
	for (unsigned i = 0; i < 100; i++)
		relax();
	/* A parked waiter takes it for certain; a step of relax() may leave it. */
	relax_unpark(relax_take_ipi());
	pending = arch_ipi_pending();
	ktest_check(!hart_call_done(&call), "a general call ran in a spinner");
	irq_on();
	ktest_check(pending, "the interrupt got lost");
	while (!hart_call_done(&call))
		relax();
}

/* The scheduler asks its own hart by the interrupt alone, without a flag in the mailbox. */
KTEST(ipi, a_parked_waiter_keeps_the_request_to_reschedule)
{
	bool pending;

	irq_off();
	lock_hart()->need_resched = true;
	arch_ipi_self();
	relax_unpark(relax_take_ipi());
	pending = arch_ipi_pending();
	irq_on();
	ktest_check(pending, "the request got lost");
}

KTEST(ipi, a_trace_shows_what_the_hart_was_doing)
{
	struct hart_meta *h = online_hart(1);
	const struct hart_trace *trace;
	uintptr_t begin = (uintptr_t)spin_dark;
	bool found = false;

	if (online_count() < 2)
		return ktest_skip("one hart");
	ask_a_spinner(LEAF_BACKTRACE, 1);
	trace = hart_trace_of(h);
	ktest_check(trace->valid && !trace->stopped, "no trace");
	ktest_check(!trace->from_handler, "interrupts were off");
	for (unsigned i = 0; i < trace->nr_pcs; i++)
		found = found || (trace->pcs[i] >= begin && trace->pcs[i] < begin + 256);
	ktest_check(found, "spin_dark is not in the %u addresses", trace->nr_pcs);
}
