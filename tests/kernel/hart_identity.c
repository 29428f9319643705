/* SPDX-License-Identifier: MIT */
/* Who the harts are: indices, hartids, masks, arrivals. */
#include "kernel/hart/bringup.h"
#include "kernel/hart/call.h"
#include "kernel/task/thread.h"
#include "lib/random.h"
#include "tests/kernel/ktest.h"
#include "tests/kernel/on_hart.h"

KTEST(hart, indices_are_dense_and_hartids_unique)
{
	for (unsigned i = 0; i < nr_harts; i++) {
		ktest_require(harts[i], "no hart_meta for index %u", i);
		ktest_check(harts[i]->index == i, "index %u says %u", i, harts[i]->index);
		ktest_check(harts[i]->lock.index == i, "locks call it %u", harts[i]->lock.index);
		ktest_check(harts[i]->hartid == hart_found(i)->hartid, "hart %u", i);
		for (unsigned k = 0; k < i; k++)
			ktest_check(harts[k]->hartid != harts[i]->hartid, "harts %u, %u", k, i);
	}
	ktest_check(boot_hart.hartid == arch_info.boot_hartid, "boot hart %lu",
		(unsigned long)boot_hart.hartid);
	ktest_check(harts[boot_hart.index] == &boot_hart, "index %u", boot_hart.index);
}

static void say_who(void *arg)
{
	*(struct hart_meta **)arg = this_hart();
}

KTEST(hart, each_hart_knows_itself)
{
	for_each_hart(h) {
		struct hart_meta *who = NULL;

		if (!hart_is_online(h))
			continue;
		ktest_check(hart_call(h, say_who, &who) == 0, "hart %u", h->index);
		ktest_check(who == h, "hart %u takes itself for another", h->index);
		ktest_check(hart_mask_test(&harts_online, h->index), "hart %u", h->index);
	}
}

KTEST(hart, arrivals_follow_starts)
{
	for_each_hart(h) {
		if (!hart_is_online(h) || h == &boot_hart)
			continue;
		ktest_check(h->start_called >= arch_info.entry_time, "hart %u", h->index);
		ktest_check(h->arrived >= h->start_called, "hart %u", h->index);
		ktest_check(h->online_at >= h->arrived, "hart %u", h->index);
	}
}

KTEST(hart, stages_follow_each_other)
{
	for_each_hart(h) {
		uint64_t before = h == &boot_hart ? 0 : hart_stage_time(h, HART_CALLED);
		enum hart_stage first = HART_ENTRY;

		if (!hart_is_online(h))
			continue;
		/* One that came out of a retentive suspension was nowhere before the scheduler. */
		if (!hart_stage_time(h, HART_ENTRY)) {
			first = HART_SCHED;
			ktest_check(!hart_stage_time(h, HART_MMU), "hart %u", h->index);
			ktest_check(!hart_stage_time(h, HART_TRAPS), "hart %u", h->index);
		}
		for (enum hart_stage s = first; s <= HART_SCHED; s++) {
			uint64_t at = hart_stage_time(h, s);

			ktest_check(
				at && at >= before, "hart %u: %s", h->index, hart_stage_name(s));
			before = at;
		}
		ktest_check(hart_last_stage(h) >= HART_SCHED, "hart %u", h->index);
	}
}

/* ---- Stacks ---------------------------------------------------------------------------------- */

#define STACKS 3

static struct arch_stack stack_of(const struct hart_meta *h, unsigned which)
{
	return which == 0 ? h->arch.boot : which == 1 ? h->arch.irq : h->arch.emergency;
}

/* Of all that stand at a lower place, hart by hart. */
static void check_apart(const struct hart_meta *h, unsigned which)
{
	struct arch_stack mine = stack_of(h, which);

	ktest_check(mine.base < mine.top, "hart %u has no stack %u", h->index, which);
	for (unsigned i = 0; i <= h->index; i++) {
		unsigned end = i == h->index ? which : STACKS;

		for (unsigned k = 0; k < end && hart_is_online(harts[i]); k++) {
			struct arch_stack other = stack_of(harts[i], k);

			ktest_check(mine.base >= other.top || other.base >= mine.top,
				"stack %u of hart %u is also stack %u of hart %u", which, h->index,
				k, i);
		}
	}
}

/* In a handler. */
static void note_stack(void *arg)
{
	*(uintptr_t *)arg = (uintptr_t)__builtin_frame_address(0);
}

KTEST(hart, no_two_harts_share_a_stack)
{
	for_each_hart(h) {
		uintptr_t sp = 0;

		if (!hart_is_online(h))
			continue;
		for (unsigned which = 0; which < STACKS; which++)
			check_apart(h, which);
		ktest_check(h->idle->stack.base == h->arch.boot.base, "hart %u", h->index);
		ktest_check(hart_call(h, note_stack, &sp) == 0);
		ktest_check(sp > h->arch.irq.base && sp <= h->arch.irq.top,
			"hart %u: its handlers are on another stack", h->index);
	}
}

/* ---- Where they were told who they are ------------------------------------------------------- */

/* A start's argument has the width of an address: with half of it these harts would find nothing,
 * or somebody else. */
KTEST(hart, starts_with_a_hart_meta_above_4_gib)
{
	unsigned n = 0;

	for_each_hart(h) {
		struct hart_meta *who = NULL;

		if (h == &boot_hart || !hart_is_online(h) || !((uint64_t)virt_to_phys(h) >> 32))
			continue;
		n++;
		ktest_check(hart_call(h, say_who, &who) == 0 && who == h, "hart %u", h->index);
	}
	if (!n)
		ktest_skip("no hart_meta lies there");
}

static atomic_u32 ran;

static void count_on(void *arg)
{
	bool on = arch_irq_save();
	bool right = this_hart() == arg;

	arch_irq_restore(on);
	if (right)
		atomic_add_u32(&ran, 1, release);
}

KTEST(hart, every_online_hart_runs_threads)
{
	unsigned n = online_count();

	atomic_store_u32(&ran, 0, relaxed);
	for (unsigned i = 0; i < n; i++) {
		struct hart_meta *h = online_hart(i);
		struct thread *t = spawn_on(h->index, "count", count_on, h);

		ktest_require(t, "hart %u", h->index);
		thread_join(t, NULL);
	}
	ktest_check(counted(&ran) == n, "%u of %u", counted(&ran), n);
}

/* Two masks against arrays of bools. */
KTEST(hart, masks_agree_with_a_plain_array)
{
	static bool model[CONFIG_MAX_HARTS];
	struct hart_mask mask;
	struct rng r;
	unsigned weight = 0;

	rng_seed(&r, 1);
	hart_mask_zero(&mask);
	for (unsigned i = 0; i < CONFIG_MAX_HARTS; i++)
		model[i] = false;
	for (unsigned step = 0; step < 2000; step++) {
		unsigned hart = (unsigned)rng_below(&r, CONFIG_MAX_HARTS);
		unsigned from = (unsigned)rng_below(&r, CONFIG_MAX_HARTS + 1), next = from;

		weight += model[hart] ? -1u : 1u;
		model[hart] = !model[hart];
		if (model[hart])
			hart_mask_set(&mask, hart);
		else
			hart_mask_clear(&mask, hart);
		while (next < CONFIG_MAX_HARTS && !model[next])
			next++;
		ktest_require(hart_mask_test(&mask, hart) == model[hart], "hart %u", hart);
		ktest_require(hart_mask_find(&mask, from) == next, "from %u: %u, not %u", from,
			hart_mask_find(&mask, from), next);
		ktest_require(hart_mask_weight(&mask) == weight, "weight %u", weight);
		ktest_require(hart_mask_empty(&mask) == !weight, "weight %u", weight);
	}
}
