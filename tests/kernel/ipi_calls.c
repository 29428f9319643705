/* SPDX-License-Identifier: MIT */
/* General calls on other harts: exactly once, both ways at once, refused by closed mailboxes, and
 * safe against interrupts that get lost or come twice. */
#include "kernel/hart/call.h"
#include "kernel/lock/relax.h"
#include "kernel/task/thread.h"
#include "lib/errno.h"
#include "lib/random.h"
#include "tests/kernel/ktest.h"
#include "tests/kernel/on_hart.h"

#define MUTUAL_CALLS 2000
#define STORM_CALLS 3000
#define STORM_SLOTS 4

struct where {
	struct hart_meta *hart;
	bool interrupt, irq_on;
	unsigned times;
};

static void note_where(void *arg)
{
	struct where *w = arg;

	w->hart = this_hart();
	w->interrupt = in_interrupt();
	w->irq_on = arch_irq_enabled();
	w->times++;
}

KTEST(ipi, a_call_runs_once_in_the_handler_of_its_hart)
{
	for_each_hart(h) {
		struct where w = {0};

		if (!hart_is_online(h))
			continue;
		ktest_check(hart_call(h, note_where, &w) == 0, "hart %u", h->index);
		ktest_check(w.times == 1, "%u times on hart %u", w.times, h->index);
		ktest_check(w.hart == h, "not on hart %u", h->index);
		ktest_check(w.interrupt && !w.irq_on, "not in a handler on hart %u", h->index);
	}
}

static atomic_u32 per_hart[CONFIG_MAX_HARTS];

static void count_here(void *arg unused_arg)
{
	atomic_add_u32(&per_hart[this_hart()->index], 1, relaxed);
}

static void reset_counts(void)
{
	for (unsigned i = 0; i < CONFIG_MAX_HARTS; i++)
		atomic_store_u32(&per_hart[i], 0, relaxed);
}

KTEST(ipi, a_call_on_a_mask_runs_once_on_each_of_its_harts)
{
	struct hart_mask mask;
	int n;

	reset_counts();
	hart_mask_copy(&mask, &harts_online);
	n = hart_call_mask(&mask, count_here, NULL);
	ktest_check(n == (int)online_count(), "%d harts", n);
	for (unsigned i = 0; i < nr_harts; i++)
		ktest_check(counted(&per_hart[i]) == hart_is_online(harts[i]), "hart %u", i);
	hart_mask_clear(&mask, hart_mask_first(&mask));
	n = hart_call_mask(&mask, count_here, NULL);
	ktest_check(n == (int)online_count() - 1, "%d harts without the first", n);
	hart_mask_zero(&mask);
	ktest_check(hart_call_mask(&mask, count_here, NULL) == 0, "an empty mask");
}

/* ---- Both ways at once ----------------------------------------------------------------------- */

struct duel {
	struct hart_meta *other;
	unsigned calls;
};
static atomic_u32 duel_progress;

static void duel_hit(void *arg)
{
	((struct duel *)arg)->calls++;
}

static void duel_body(void *arg)
{
	struct duel *duel = arg;

	for (unsigned i = 0; i < MUTUAL_CALLS; i++)
		if (hart_call(duel->other, duel_hit, duel) == 0)
			atomic_add_u32(&duel_progress, 1, release);
}

KTEST(ipi, two_harts_that_call_each_other_both_get_their_answers)
{
	static struct duel duels[2];
	struct thread *threads[2];

	if (online_count() < 2)
		return ktest_skip("one hart");
	atomic_store_u32(&duel_progress, 0, relaxed);
	for (unsigned i = 0; i < 2; i++) {
		duels[i] = (struct duel){online_hart(1 - i), 0};
		threads[i] = spawn_on(online_hart(i)->index, "duel", duel_body, &duels[i]);
		ktest_require(threads[i], "no thread");
	}
	ktest_require(wait_count(&duel_progress, 2 * MUTUAL_CALLS), "stuck at %u",
		counted(&duel_progress));
	for (unsigned i = 0; i < 2; i++) {
		thread_join(threads[i], NULL);
		ktest_check(duels[i].calls == MUTUAL_CALLS, "%u calls", duels[i].calls);
	}
}

/* Every hart posts to every other one, without waiting, as fast as its calls come back. */
static atomic_u32 storm_sent[CONFIG_MAX_HARTS], storm_progress;

static void storm_hit(void *arg unused_arg)
{
	atomic_add_u32(&per_hart[this_hart()->index], 1, relaxed);
}

static void storm_body(void *arg)
{
	struct hart_call calls[STORM_SLOTS];
	unsigned n = online_count(), calls_each = ktest_each(STORM_CALLS);
	struct rng r;

	rng_seed(&r, (uintptr_t)arg);
	for (unsigned i = 0; i < STORM_SLOTS; i++)
		hart_call_init(&calls[i], storm_hit, NULL);
	for (unsigned sent = 0; sent < calls_each;) {
		struct hart_meta *to = online_hart((unsigned)rng_below(&r, n));

		if (hart_call_post(to, &calls[rng_below(&r, STORM_SLOTS)])) {
			relax();
			continue;
		}
		sent++;
		atomic_add_u32(&storm_sent[to->index], 1, relaxed);
		atomic_add_u32(&storm_progress, 1, release);
	}
	for (unsigned i = 0; i < STORM_SLOTS; i++)
		while (!hart_call_done(&calls[i]))
			relax();
}

KTEST(ipi, a_storm_in_all_directions_loses_and_doubles_nothing)
{
	static struct thread *threads[CONFIG_MAX_HARTS];
	unsigned n = online_count();

	reset_counts();
	atomic_store_u32(&storm_progress, 0, relaxed);
	for (unsigned i = 0; i < nr_harts; i++)
		atomic_store_u32(&storm_sent[i], 0, relaxed);
	for (unsigned i = 0; i < n; i++) {
		threads[i] = spawn_on(
			online_hart(i)->index, "storm", storm_body, (void *)(uintptr_t)(i + 1));
		ktest_require(threads[i], "no thread %u", i);
	}
	ktest_require(wait_count(&storm_progress, n * ktest_each(STORM_CALLS)), "stuck at %u",
		counted(&storm_progress));
	for (unsigned i = 0; i < n; i++)
		thread_join(threads[i], NULL);
	for (unsigned i = 0; i < nr_harts; i++)
		ktest_check(counted(&per_hart[i]) == counted(&storm_sent[i]),
			"hart %u: %u ran of %u", i, counted(&per_hart[i]), counted(&storm_sent[i]));
}

/* ---- Refusals, lost and double bits ---------------------------------------------------------- */

KTEST(ipi, a_posted_call_is_not_posted_again)
{
	struct where w = {0};
	struct hart_call call;
	struct hart_meta *here;

	hart_call_init(&call, note_where, &w);
	irq_off(); /* so that the first post stays pending */
	here = this_hart();
	ktest_check(hart_call_post(here, &call) == 0, "first post");
	ktest_check(hart_call_post(here, &call) == -EBUSY, "second post");
	ktest_check(w.times == 0, "it ran with interrupts off");
	irq_on();
	while (!hart_call_done(&call))
		relax();
	ktest_check(w.times == 1, "%u times", w.times);
	ktest_check(hart_call_post(here, &call) == 0, "after it ran");
	while (!hart_call_done(&call))
		relax();
	ktest_check(w.times == 2, "%u times", w.times);
}

/* Runs what is posted to a hart that is nowhere: nobody takes interrupts for it. */
static void box_serve(struct hart_meta *box)
{
	struct hart_call *call = atomic_xchg_ptr(&box->mailbox.calls, NULL, acquire);

	call->fn(call->arg);
	atomic_store_u32(&call->busy, 0, release);
}

KTEST(ipi, a_mailbox_closes_only_when_it_is_empty_and_refuses_then)
{
	static struct hart_meta box; /* a hart that is nowhere: its interrupts come to this one */
	struct where w = {0}, late = {0};
	struct hart_call call, refused;

	hart_call_init(&call, note_where, &w);
	hart_call_init(&refused, note_where, &late);
	irq_off();
	box.hartid = this_hart()->hartid;
	hart_mailbox_open(&box);
	ktest_check(hart_call_post(&box, &call) == 0, "open");
	ktest_check(!hart_mailbox_close(&box), "closed with a call in it");
	box_serve(&box);
	ktest_check(w.times == 1, "%u times", w.times);
	ktest_check(hart_call_done(&call), "it is still posted");
	ktest_check(hart_mailbox_close(&box), "empty, and not closed");
	ktest_check(hart_call_post(&box, &refused) == -ENODEV, "closed");
	ktest_check(hart_call_done(&refused), "a refused call is the caller's");
	hart_mailbox_open(&box);
	ktest_check(hart_call_post(&box, &refused) == 0, "open again");
	box_serve(&box);
	ktest_check(hart_mailbox_close(&box), "empty, and not closed");
	irq_on();
	ktest_check(late.times == 1, "%u times", late.times);
}

KTEST(ipi, a_lost_interrupt_only_delays_the_call)
{
	struct where lost = {0}, w = {0};
	struct hart_call call;
	struct hart_meta *here;

	hart_call_init(&call, note_where, &lost);
	irq_off();
	here = this_hart();
	ktest_check(hart_call_post(here, &call) == 0, "post");
	/* The interrupt may still be on its way here through the firmware. */
	while (!arch_ipi_pending())
		relax();
	arch_ipi_clear();
	irq_on();
	/* The flag of the lost one is set: this one sends no interrupt at first. */
	ktest_check(hart_call(here, note_where, &w) == 0, "call");
	ktest_check(w.times == 1, "%u times", w.times);
	ktest_check(lost.times == 1 && hart_call_done(&call), "the lost one did not run");
}

/* Interrupts off, so that it stays. Much more than one needs to get through the firmware. */
static bool comes_to_be_pending(void)
{
	for (unsigned i = 0; i < 1000000 && !arch_ipi_pending(); i++)
		relax();
	return arch_ipi_pending();
}

/* A flag that stayed would keep the next sender from sending. */
KTEST(ipi, a_flag_is_taken_with_its_interrupt)
{
	struct where w = {0};
	struct hart_call call;

	hart_call_init(&call, note_where, &w);
	for (unsigned i = 0; i < 3; i++) {
		irq_off();
		ktest_check(hart_call_post(this_hart(), &call) == 0, "post %u", i);
		ktest_check(comes_to_be_pending(), "post %u sent no interrupt", i);
		irq_on();
		while (!hart_call_done(&call))
			relax();
	}
	ktest_check(w.times == 3, "%u times", w.times);
}

KTEST(ipi, interrupts_without_a_message_do_nothing)
{
	struct hart_meta *here;
	uint64_t before;

	irq_off();
	here = this_hart();
	irq_on();
	before = here->stats.irqs[IRQ_IPI];
	reset_counts();
	for (unsigned i = 0; i < 1000; i++)
		arch_ipi_send_hart(here->hartid);
	while (here->stats.irqs[IRQ_IPI] == before)
		relax();
	for (unsigned i = 0; i < nr_harts; i++)
		ktest_check(counted(&per_hart[i]) == 0, "hart %u", i);
	/* Others may post one at any time; that goes again. */
	ktest_check(ktest_eventually(!atomic_load_ptr(&here->mailbox.calls, relaxed)),
		"a call out of nothing");
}
