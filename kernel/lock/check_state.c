/* SPDX-License-Identifier: MIT */
/*
 * The lock checker's rules about places where nothing may be held (check.h): a thread's end,
 * idling, a switch, memory that goes away; and about the interrupt state there.
 */
#include "kernel/lock/check_internal.h"
#include "kernel/lock/held.h"

struct range {
	uintptr_t base, end;
	struct held_lock found;
};

static bool holds_in_range(const struct held_lock *held, unsigned nr, struct range *range)
{
	for (unsigned i = 0; i < nr; i++) {
		struct held_lock look;

		if (!held_look(&held[i], &look) || (uintptr_t)look.lock < range->base ||
			(uintptr_t)look.lock >= range->end)
			continue;
		range->found = look;
		return true;
	}
	return false;
}

static bool thread_holds(const struct lock_thread *t, void *arg)
{
	return holds_in_range(t->held, held_count(&t->nr_held), arg);
}

/* Finds a record of a lock in the range, anywhere in the system. */
static bool held_in_range(struct range *range)
{
	uintptr_t step = (uintptr_t)1 << CHECK_FILTER_SHIFT;
	uintptr_t at = align_down(range->base, step);

	for (unsigned i = 0; i < nr_lock_harts; i++) {
		const struct lock_hart *h = lock_harts[i];

		if (h && holds_in_range(h->held, held_count(&h->nr_held), range))
			return true;
	}
	for (unsigned n = 0; n < CHECK_FILTER_SLOTS && at < range->end; n++, at += step) {
		if (!atomic_load_u32(check_filter_of(at), relaxed))
			continue;
		if (thread_holds(lock_thread(), range))
			return true;
		return lockcheck_find_thread && lockcheck_find_thread(thread_holds, range);
	}
	return false;
}

static void report_held_memory(const void *ptr, size_t size, const char *what, uintptr_t pc)
{
	struct range range = {.base = (uintptr_t)ptr, .end = (uintptr_t)ptr + size};
	struct lock_class *class;
	const void *pinned;

	if (!checking(lock_hart()))
		return;
	pinned = check_pinned_in(range.base, range.end, &class);
	if (pinned)
		violated(&(struct violation){KIND_OWNERSHIP, what, pinned, class, pc},
			"%s of memory with %s in it, which a queue still points to", what,
			class->name);
	if (pinned || !held_in_range(&range))
		return;
	violated(&(struct violation){KIND_OWNERSHIP, what, range.found.lock, range.found.class, pc},
		"%s of memory with %s in it, which is held (acquired at %p)", what,
		range.found.class->name, (void *)range.found.pc);
}

void check_init_slow(const void *lock)
{
	report_held_memory(lock, 1, "init", (uintptr_t)__builtin_return_address(0));
}

void check_memory_free_slow(const void *ptr, size_t size)
{
	report_held_memory(ptr, size, "free", (uintptr_t)__builtin_return_address(0));
}

/* Reports if more than `allowed` (NULL: nothing) is held. */
static void nothing_held(const struct held_lock *held, unsigned nr, const void *allowed,
	const char *what, uintptr_t pc)
{
	for (unsigned i = 0; i < nr; i++) {
		if (held[i].lock == allowed)
			continue;
		violated(&(struct violation){KIND_OWNERSHIP, what, held[i].lock, held[i].class, pc},
			"%s is held at %s (acquired at %p)", held[i].class->name, what,
			(void *)held[i].pc);
		return;
	}
}

void check_thread_exit_slow(void)
{
	const struct lock_thread *t = lock_thread();

	if (checking(lock_hart()))
		nothing_held(t->held, t->nr_held, NULL, "thread-exit",
			(uintptr_t)__builtin_return_address(0));
}

void check_idle_slow(void)
{
	const struct lock_hart *h = lock_hart();

	if (checking(h))
		nothing_held(
			h->held, h->nr_held, NULL, "idle", (uintptr_t)__builtin_return_address(0));
}

void check_hart_stop_slow(void)
{
	const struct lock_hart *h = lock_hart();

	if (checking(h))
		nothing_held(h->held, h->nr_held, NULL, "hart-stop",
			(uintptr_t)__builtin_return_address(0));
}

void check_user_return_slow(void)
{
	const struct lock_thread *t = lock_thread();
	const struct lock_hart *h = lock_hart();
	uintptr_t pc = (uintptr_t)__builtin_return_address(0);

	if (!checking(h))
		return;
	nothing_held(h->held, h->nr_held, NULL, "user-return", pc);
	nothing_held(t->held, t->nr_held, NULL, "user-return", pc);
}

void check_switch_slow(const void *runq_lock)
{
	const struct lock_hart *h = lock_hart();

	if (checking(h))
		nothing_held(h->held, h->nr_held, runq_lock, "switch",
			(uintptr_t)__builtin_return_address(0));
}

void check_irq_entry_slow(void)
{
	const struct lock_hart *h = lock_hart();

	if (!checking(h) || h->irq_nesting > 1 || !h->irq_depth)
		return;
	violated(&(struct violation){KIND_CONTEXT, "interrupts-on",
			 h->nr_held ? h->held[h->nr_held - 1].lock : NULL,
			 h->nr_held ? h->held[h->nr_held - 1].class : NULL, h->irqs_off_pc},
		"an interrupt arrived in an interrupts-off section");
}

bool check_irq_on_slow(uintptr_t pc)
{
	const struct lock_hart *h = lock_hart();

	if (!checking(h) || (!arch_irq_enabled() && h->irq_depth))
		return true;
	violated(&(struct violation){KIND_CONTEXT, "irq-on", NULL, NULL, pc},
		"irq_on without its irq_off");
	return false;
}

bool check_held_slow(const void *lock)
{
	struct lock_hart *h = lock_hart();
	struct lock_thread *t = lock_thread();

	if (!checking(h))
		return true;
	if (!arch_irq_enabled() && held_find(h->held, h->nr_held, lock))
		return true;
	return !in_handler(h) && held_find(t->held, t->nr_held, lock);
}

void check_guarded_slow(const void *lock, const char *what)
{
	if (!check_held_slow(lock))
		violated(&(struct violation){KIND_OWNERSHIP, "guarded", lock, NULL,
				 (uintptr_t)__builtin_return_address(0)},
			"%s uses what a lock guards that is not held here", what);
}
